//! How far the work is, on a terminal alone, and how much memory it takes however many rows there are.

use std::io::Read;
use std::process::Stdio;

use crate::markers::mark;
use crate::samples::{filled, fine, shop, sqlite, sqlite_schema};
use crate::servers::{Cluster, has};
use crate::world::World;

/// Keeps a table locked until the work has taken longer than a second.
fn locked(world: &World, url: &str, table: &str) -> std::process::Child {
    let mut psql = world.any_command("psql");
    let lock = format!("BEGIN; LOCK TABLE {table}; SELECT 'held'; SELECT pg_sleep(2); COMMIT");
    psql.args(["-XAtq", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = psql.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, lock.replace("; ", ";\n").as_bytes()).unwrap();
    std::io::Write::write_all(&mut input, b";\n").unwrap();
    drop(input);
    let mut held = [0; 4];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut held)
        .unwrap();
    assert_eq!(&held, b"held");
    child
}

/// What a command shows on a terminal, and what it prints into a file beside it.
fn on_a_terminal(world: &World, words: &str) -> (String, String) {
    let ringfence = env!("CARGO_BIN_EXE_ringfence");
    let mut script = world.any_command("script");
    let inner = format!("{ringfence} {words} >printed");
    let output = script.args(["-qec", &inner, "/dev/null"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words}: {shown}");
    (shown, world.read("printed"))
}

#[test]
fn a_bar_is_shown_on_a_terminal_after_a_second_and_nowhere_else() {
    if !has("postgres") || !has("script") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = filled(cluster, "meter", 60);
    let world = shop(&prod, &dev);
    mark(&world, "dev");
    let create = "sample create dev --fraction 1 --out all.sample";
    let load = "sample load dev all.sample";
    // What is done at once shows none, and whoever is no terminal is shown none, however long it takes.
    let quiet = |words: &str| {
        let outcome = fine(&world, &words.split(' ').collect::<Vec<_>>());
        assert_eq!(outcome.stderr, "", "{words}");
    };
    let mut lock = locked(&world, &prod, "users");
    quiet(create);
    lock.wait().unwrap();
    let mut lock = locked(&world, &dev, "users");
    quiet(load);
    lock.wait().unwrap();

    let mut lock = locked(&world, &prod, "users");
    let (shown, printed) = on_a_terminal(&world, create);
    lock.wait().unwrap();
    assert!(
        shown.contains("choosing ") && shown.contains(" rows, ") && shown.contains(" rows/s"),
        "{shown:?}"
    );
    assert!(
        printed.contains("digest ") && !printed.contains("rows/s"),
        "{printed}"
    );
    let mut lock = locked(&world, &dev, "users");
    let (shown, printed) = on_a_terminal(&world, &format!("{load} --replace --yes dev"));
    lock.wait().unwrap();
    assert!(
        shown.contains("loading ") && shown.contains("[") && shown.contains("% "),
        "{shown:?}"
    );
    assert!(
        shown.contains(" rows/s") && !printed.contains("rows/s"),
        "{shown:?}"
    );
    // It is taken away at the end.
    assert!(shown.trim_end().ends_with("\u{1b}[2K"), "{shown:?}");

    mark(&world, "prod");
    cluster.sql("postgres", "DROP DATABASE meter_dev");
    cluster.sql("postgres", "CREATE DATABASE meter_dev TEMPLATE meter_prod");
    let mut lock = locked(&world, &dev, "users");
    let (shown, printed) = on_a_terminal(&world, "scrub dev --mask --yes dev");
    lock.wait().unwrap();
    assert!(
        shown.contains("masking ") && shown.contains(" rows/s"),
        "{shown:?}"
    );
    assert!(
        printed.contains("rows masked") && !printed.contains("rows/s"),
        "{printed}"
    );
}

/// The most memory that a command has held, in KiB, by the kernel's account of its children.
fn peak(world: &World, words: &[&str]) -> u64 {
    let measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut python = world.any_command("python3");
    python
        .args(["-c", measure, env!("CARGO_BIN_EXE_ringfence")])
        .args(words);
    let output = python.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// By how many KiB the peak may differ: what a connection and the store's own cache take.
const MOST: u64 = 6 << 10;

/// The same sample out of ten times as many rows, and ten times as many rows loaded: what is held are keys of chosen rows, never rows.
#[test]
fn memory_does_not_grow_with_rows() {
    if !has("python3") {
        return;
    }
    let world = shop("sqlite:prod.db", "sqlite:dev.db");
    sqlite(&world, "prod.db", &sqlite_schema());
    sqlite(&world, "dev.db", &sqlite_schema());
    mark(&world, "dev");
    let mut peaks: Vec<[u64; 4]> = Vec::new();
    for rows in [20_000, 200_000] {
        let fill = format!(
            "DELETE FROM users; DELETE FROM orgs;
             INSERT INTO orgs SELECT value, printf('canary of an organisation %d %0100d', value, 0), NULL FROM generate_series(1, {rows});"
        );
        sqlite(&world, "prod.db", &fill);
        let fraction = format!("{}", 200.0 / f64::from(rows));
        let few = peak(
            &world,
            &[
                "sample",
                "create",
                "dev",
                "--fraction",
                &fraction,
                "--out",
                "few",
            ],
        );
        let create = ["sample", "create", "dev", "--fraction", "1", "--out", "all"];
        let all = peak(&world, &create);
        let words = ["sample", "load", "dev", "all", "--replace", "--yes", "dev"];
        let load = peak(&world, &words);
        assert_eq!(
            sqlite(&world, "dev.db", "SELECT count(*) FROM orgs"),
            rows.to_string()
        );
        let scrub = {
            let below = shop("sqlite:prod.db", "sqlite:dev.db");
            std::fs::copy(world.path("prod.db"), below.path("prod.db")).unwrap();
            mark(&below, "prod");
            std::fs::copy(below.path("prod.db"), below.path("dev.db")).unwrap();
            peak(&below, &["scrub", "dev", "--mask", "--yes", "dev"])
        };
        peaks.push([few, all, load, scrub]);
    }
    eprintln!(
        "KiB at 20,000 and 200,000 rows (a part made, all made, all loaded, all masked): {peaks:?}"
    );
    for (place, what) in ["a part made", "all made", "all loaded", "all masked"]
        .iter()
        .enumerate()
    {
        let (few, many) = (peaks[0][place], peaks[1][place]);
        assert!(
            many < few + MOST,
            "{what}: {few} KiB of 20,000 rows, {many} KiB of 200,000"
        );
    }
}

#[test]
fn memory_does_not_grow_with_the_rows_of_a_database() {
    if !has("python3") || !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let [few, many] = [140, 1400].map(|scale| {
        let name = format!("memory{scale}");
        let (prod, dev) = filled(cluster, &name, scale);
        let world = shop(&prod, &dev);
        mark(&world, "dev");
        let fraction = format!("{}", 14.0 / f64::from(scale));
        let create = [
            "sample",
            "create",
            "dev",
            "--fraction",
            &fraction,
            "--out",
            "x",
        ];
        [
            peak(&world, &create),
            peak(&world, &["sample", "load", "dev", "x"]),
        ]
    });
    eprintln!("KiB at 20,000 and 200,000 rows of PostgreSQL (made, loaded): {few:?}, {many:?}");
    for (few, many) in few.into_iter().zip(many) {
        assert!(
            many < few + MOST,
            "{few} KiB of 20,000 rows, {many} KiB of 200,000"
        );
    }
}
