//! kill -9 at random moments: what was being written is as it was before, or complete, and the same command ends the work afterwards.
//!
//! The moments are spread over the time that the command really takes, which is measured first. `RINGFENCE_TEST_SEED` repeats a run.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::markers::{mark, project};
use crate::samples::{COUNTS, filled, fine, shop, sqlite, sqlite_schema};
use crate::servers::{Cluster, has};
use crate::world::World;

const KILLS: u32 = 20;

/// Pseudo-random numbers (SplitMix64, Steele and others, 2014), by a seed that is printed.
struct Dice(u64);

impl Dice {
    fn new(about: &str) -> Self {
        let given = std::env::var("RINGFENCE_TEST_SEED").ok();
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64
        };
        let seed = given.map_or_else(now, |seed| seed.parse().unwrap());
        eprintln!("{about}: RINGFENCE_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One moment within each twentieth of a duration, in no order, as parts of it.
    fn moments(&mut self) -> Vec<f64> {
        let mut moments: Vec<f64> = (0..KILLS)
            .map(|place| {
                let within = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
                (f64::from(place) + within) / f64::from(KILLS)
            })
            .collect();
        for last in (1..moments.len()).rev() {
            let other = usize::try_from(self.next() % (last as u64 + 1)).unwrap();
            moments.swap(last, other);
        }
        moments
    }
}

/// A command that is killed, and how long it takes when it is not.
struct Victim<'a> {
    world: &'a World,
    words: &'a [&'a str],
    whole: Duration,
}

impl<'a> Victim<'a> {
    /// The shorter of two runs, each after `before`.
    fn new(world: &'a World, words: &'a [&'a str], before: impl Fn()) -> Self {
        let run = || {
            before();
            let start = Instant::now();
            fine(world, words);
            start.elapsed()
        };
        let whole = run().min(run());
        Self {
            world,
            words,
            whole,
        }
    }

    /// Kills it at a part of its duration; whether it was still running. One that ends before that says how long it really takes now.
    fn kill(&mut self, part: f64) -> bool {
        let mut command = self.world.command();
        command
            .args(self.words)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let moment = self.whole.mul_f64(part);
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        while start.elapsed() < moment {
            if child.try_wait().unwrap().is_some() {
                self.whole = self.whole.min(start.elapsed());
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        // It may have ended already.
        let _ = child.kill();
        let status = child.wait().unwrap();
        assert!(
            status.signal() == Some(9) || status.success(),
            "{:?}: {status}",
            self.words
        );
        status.signal().is_some()
    }
}

/// Kills at [`KILLS`] moments, and again at later ones where a machine has become so much slower meanwhile that none was late enough.
/// `one` does it at one moment, and says whether it was cut off, and whether while something was being written.
fn kill_at_random(about: &str, whole: Duration, mut one: impl FnMut(f64) -> (bool, bool)) {
    let mut dice = Dice::new(about);
    let (mut cut_off, mut within) = (0, 0);
    for round in 1..=3 {
        for moment in dice.moments() {
            let (was_cut_off, was_within) = one(moment * f64::from(round));
            cut_off += u32::from(was_cut_off);
            within += u32::from(was_within);
        }
        eprintln!(
            "{about}: of {} that take {whole:?}, {cut_off} were cut off, {within} while writing",
            KILLS * round
        );
        if cut_off >= 5 && within >= 2 {
            return;
        }
    }
    panic!("{about}: {cut_off} were cut off, {within} while writing");
}

/// The server may still be ending what it was asked for last.
fn settled(cluster: &Cluster, database: &str) {
    let idle = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'ringfence'"
    );
    while cluster.sql("postgres", &idle) != "0" {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process works in a project's folder.
fn is_anybody_in(world: &World) -> bool {
    let folder = std::fs::canonicalize(world.project()).unwrap();
    let processes = std::fs::read_dir("/proc").unwrap();
    let mut folders =
        processes.map(|process| std::fs::read_link(process.unwrap().path().join("cwd")));
    folders.any(|own| own.is_ok_and(|own| own == folder))
}

/// What is left in a folder besides these.
fn left(world: &World, known: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for folder in [world.project(), world.temporary()] {
        let entries = std::fs::read_dir(folder).unwrap();
        names.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
    }
    names.retain(|name| !known.contains(&name.as_str()));
    names
}

const FILES: [&str; 6] = [
    "ringfence.toml",
    ".env.prod",
    ".env.dev",
    ".git",
    "all.sample",
    "old.sample",
];

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn a_load_that_is_killed_leaves_a_database_as_it_was() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = filled(cluster, "killed", 250);
    let world = shop(&prod, &dev);
    // The next number of a sequence belongs to what was before, too.
    cluster.sql(
        "killed_dev",
        "CREATE SEQUENCE tickets; ALTER TABLE orders ALTER id SET DEFAULT nextval('tickets')",
    );
    mark(&world, "dev");
    fine(
        &world,
        &[
            "sample",
            "create",
            "dev",
            "--fraction",
            "1",
            "--out",
            "all.sample",
        ],
    );
    let words = ["sample", "load", "dev", "all.sample"];
    let empty = || {
        cluster.sql("killed_dev", "TRUNCATE orgs, users, products, orders, items, returns RESTART IDENTITY CASCADE; ALTER SEQUENCE tickets RESTART; UPDATE ringfence.marker SET sample = ''");
    };
    let state = || {
        let counts = cluster.sql("killed_dev", COUNTS);
        let rest = "SELECT (SELECT sample <> '' FROM ringfence.marker), (SELECT last_value FROM tickets), (SELECT last_value FROM returns_id_seq),
            (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D')";
        format!("{counts} {}", cluster.sql("killed_dev", rest))
    };
    let mut load = Victim::new(&world, &words, empty);
    let complete = state();
    assert!(
        complete.contains(" t|") && !complete.contains("|1|"),
        "{complete}"
    );
    empty();
    let before = state();
    // What was written and taken back again still takes room.
    let taken_back = "SELECT sum(pg_relation_size(oid)) > 0 FROM pg_class WHERE relname IN ('orgs', 'users', 'products', 'orders', 'items', 'returns')";
    kill_at_random("loads into PostgreSQL", load.whole, |moment| {
        empty();
        let was_running = load.kill(moment);
        settled(cluster, "killed_dev");
        let found = state();
        assert!(
            found == before || found == complete,
            "at {moment} of {:?}: half a load: {found}",
            load.whole
        );
        assert_eq!(left(&world, &FILES), Vec::<String>::new());
        let half = found == before && cluster.sql("killed_dev", taken_back) == "t";
        (found == before, half && was_running)
    });
    // The same file loads afterwards.
    empty();
    load.kill(0.5);
    settled(cluster, "killed_dev");
    if state() == before {
        fine(&world, &words);
    }
    assert_eq!(state(), complete);
    // One that was cut off itself does not.
    let text = world.read("all.sample");
    let half: String = text.chars().take(text.len() / 2).collect();
    world.write("cut.sample", half);
    let outcome = world.ringfence(&[
        "sample",
        "load",
        "dev",
        "cut.sample",
        "--replace",
        "--yes",
        "dev",
    ]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert_eq!(state(), complete);
}

/// A shop in a file, and an empty one below it.
fn filed(rows: u32) -> World {
    let world = shop("sqlite:prod.db", "sqlite:dev.db");
    sqlite(&world, "prod.db", &sqlite_schema());
    sqlite(&world, "dev.db", &sqlite_schema());
    let fill = format!(
        "INSERT INTO orgs SELECT value, 'canary-org-' || value, NULL FROM generate_series(1, {rows});
         INSERT INTO users SELECT value, value, NULL, 'canary' || value || '@customers.example', 'Canaria', 1 FROM generate_series(1, {rows});
         INSERT INTO outbox SELECT value, 'canary of the outbox' FROM generate_series(1, {rows})"
    );
    sqlite(&world, "prod.db", &fill);
    world
}

const FILE_COUNTS: &str = "SELECT (SELECT count(*) FROM orgs), (SELECT count(*) FROM users), (SELECT sample <> '' FROM ringfence_marker)";

#[test]
fn a_load_that_is_killed_leaves_a_file_as_it_was() {
    let rows = 12_000;
    let world = filed(rows);
    mark(&world, "dev");
    fine(
        &world,
        &[
            "sample",
            "create",
            "dev",
            "--fraction",
            "1",
            "--out",
            "all.sample",
        ],
    );
    let words = [
        "sample",
        "load",
        "dev",
        "all.sample",
        "--replace",
        "--yes",
        "dev",
    ];
    std::fs::copy(world.path("dev.db"), world.path("empty.db")).unwrap();
    // The same file, or its marker would say that it is a copy.
    let empty = || {
        let bytes = std::fs::read(world.path("empty.db")).unwrap();
        std::fs::write(world.path("dev.db"), bytes).unwrap();
        let _ = std::fs::remove_file(world.path("dev.db-journal"));
    };
    let mut load = Victim::new(&world, &words, empty);
    let (before, complete) = ("0|0|0".to_owned(), format!("{rows}|{rows}|1"));
    kill_at_random("loads into SQLite", load.whole, |moment| {
        empty();
        load.kill(moment);
        // A journal that is still there belongs to what was begun.
        let journal = std::fs::metadata(world.path("dev.db-journal"));
        let begun = journal.is_ok_and(|journal| journal.len() > 0);
        // The next command ends what was begun, or finds it ended, and the file is looked at only then.
        if begun {
            let looked = world.ringfence(&["mark", "dev", "--look"]);
            assert!(
                looked.code == Some(0) || looked.stderr.contains("opened for writing once"),
                "{looked:?}"
            );
        }
        let found = sqlite(&world, "dev.db", FILE_COUNTS);
        assert!(
            found == before || found == complete,
            "at {moment} of {:?}: half a load: {found}",
            load.whole
        );
        assert_eq!(sqlite(&world, "dev.db", "PRAGMA integrity_check"), "ok");
        (found == before, begun)
    });
    // Straight after a kill, with whatever that left, the same command ends the work.
    for part in 1..4 {
        empty();
        load.kill(f64::from(part) / 4.0);
        fine(&world, &words);
        assert_eq!(sqlite(&world, "dev.db", FILE_COUNTS), complete);
    }
}

#[test]
fn an_artifact_is_absent_or_whole() {
    let world = filed(12_000);
    mark(&world, "dev");
    fine(
        &world,
        &[
            "sample",
            "create",
            "dev",
            "--fraction",
            "0.1",
            "--out",
            "old.sample",
        ],
    );
    let old = world.read("old.sample");
    let words = [
        "sample",
        "create",
        "dev",
        "--fraction",
        "1",
        "--out",
        "all.sample",
    ];
    let mut create = Victim::new(&world, &words, || ());
    let complete = world.read("all.sample");
    let known = [&FILES[..], &["prod.db", "dev.db"]].concat();
    let mut place = 0;
    kill_at_random("artifacts", create.whole, |moment| {
        // Every other time an older one stands in its place.
        place += 1;
        let before = (place % 2 == 0).then_some(&old);
        match before {
            Some(old) => world.write("all.sample", old),
            None => std::fs::remove_file(world.path("all.sample")).unwrap_or(()),
        }
        create.kill(moment);
        let found = std::fs::read_to_string(world.path("all.sample")).ok();
        assert!(
            found.as_ref() == before || found.as_ref() == Some(&complete),
            "at {moment} of {:?} there is something else",
            create.whole
        );
        let left = left(&world, &known);
        assert_eq!(left, Vec::<String>::new(), "nothing is left of it");
        let was_cut_off = found.as_ref() == before;
        (was_cut_off, was_cut_off)
    });
    // In one go nothing is left of what passes between the two, either.
    let words = [
        "sample",
        "dev",
        "--fraction",
        "1",
        "--replace",
        "--yes",
        "dev",
    ];
    let mut both = Victim {
        world: &world,
        words: &words,
        whole: create.whole,
    };
    for part in 1..6 {
        both.kill(f64::from(part) / 4.0);
        let left = left(&world, &known);
        assert!(left.iter().all(|name| name == "dev.db-journal"), "{left:?}");
    }
    fine(&world, &words);
    assert_eq!(sqlite(&world, "dev.db", FILE_COUNTS), "12000|12000|1");
}

#[test]
fn a_scrub_that_is_killed_is_not_called_scrubbed() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, _) = filled(cluster, "torn", 60);
    let world = shop(&prod, &cluster.url("torn_dev"));
    mark(&world, "prod");
    let copied = || {
        cluster.sql("postgres", "DROP DATABASE torn_dev WITH (FORCE)");
        cluster.sql("postgres", "CREATE DATABASE torn_dev TEMPLATE torn_prod");
    };
    let words = ["scrub", "dev", "--mask", "--yes", "dev"];
    let mut scrub = Victim::new(&world, &words, copied);
    let state = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM sessions), (SELECT count(*) FROM users WHERE email LIKE 'canary%'),
        (SELECT count(*) FROM users WHERE email LIKE '%.invalid'), (SELECT scrubbed FROM ringfence.marker)";
    let (before, done, marked) = ("301|600|0|", "0|0|600|", "0|0|600|dev");
    kill_at_random("scrubs in PostgreSQL", scrub.whole, |moment| {
        copied();
        scrub.kill(moment);
        settled(cluster, "torn_dev");
        let found = cluster.sql("torn_dev", state);
        assert!(
            [before, done, marked].contains(&found.as_str()),
            "at {moment} of {:?}: {found}",
            scrub.whole
        );
        // What is not called scrubbed is refused, and scrubbed by the same command.
        if found != marked {
            let outcome = world.ringfence(&["mark", "dev", "--yes", "dev"]);
            assert_eq!(outcome.code, Some(78), "{outcome:?}");
            let words = "a copy of `prod` with everything in it";
            assert!(outcome.stderr.contains(words), "{outcome:?}");
        }
        fine(&world, &words);
        assert_eq!(cluster.sql("torn_dev", state), marked);
        (found != marked, found != marked)
    });
}

#[test]
fn a_scrub_of_a_file_that_is_killed_is_not_called_scrubbed() {
    let rows = 3000;
    let world = filed(rows);
    mark(&world, "prod");
    let words = ["scrub", "dev", "--mask", "--yes", "dev"];
    let copied = || {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(world.path(&format!("dev.db{ending}")));
        }
        std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    };
    let mut scrub = Victim::new(&world, &words, copied);
    let state = "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM users WHERE email LIKE 'canary%'), (SELECT scrubbed FROM ringfence_marker)";
    let (before, done) = (format!("{rows}|{rows}|"), "0|0|".to_owned());
    let marked = "0|0|dev".to_owned();
    kill_at_random("scrubs in SQLite", scrub.whole, |moment| {
        copied();
        scrub.kill(moment);
        let begun = world.path("dev.db-journal").exists();
        // Whoever opens it takes back what was begun; what is called scrubbed has no byte left of what it was.
        let found = sqlite(&world, "dev.db", state);
        assert!(
            [&before, &done, &marked].contains(&&found),
            "at {moment} of {:?}: {found}",
            scrub.whole
        );
        let bytes = std::fs::read(world.path("dev.db")).unwrap();
        let has_originals = bytes.windows(6).any(|part| part == b"canary");
        assert!(
            found != marked || !has_originals,
            "at {moment} of {:?} something is left",
            scrub.whole
        );
        fine(&world, &words);
        assert_eq!(sqlite(&world, "dev.db", state), marked);
        (found != marked, begun)
    });
}

#[test]
fn a_mark_that_is_killed_is_none_or_whole() {
    let world = project("sqlite", &[("dev", "dev.db")]);
    let words = ["mark", "dev", "--yes", "dev"];
    let gone = || {
        for ending in ["", "-journal"] {
            let _ = std::fs::remove_file(world.path(&format!("dev.db{ending}")));
        }
    };
    let mut marking = Victim::new(&world, &words, gone);
    for moment in Dice::new("marks in SQLite").moments() {
        gone();
        marking.kill(moment);
        fine(&world, &words);
        let found = fine(&world, &["mark", "dev", "--look"]);
        assert!(found.stdout.contains("marked dev"), "{found:?}");
        assert_eq!(
            sqlite(&world, "dev.db", "SELECT count(*) FROM ringfence_marker"),
            "1"
        );
    }
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("half_marked");
    let world = project("postgres", &[("dev", &url)]);
    let gone = || {
        let reset = "DROP SCHEMA IF EXISTS ringfence CASCADE; ALTER DATABASE half_marked RESET ringfence.place";
        cluster.sql("half_marked", reset);
    };
    let mut marking = Victim::new(&world, &words, gone);
    for moment in Dice::new("marks in PostgreSQL").moments() {
        gone();
        marking.kill(moment);
        settled(cluster, "half_marked");
        let found = fine(&world, &["mark", "dev", "--look"]);
        let is_whole = found.stdout.contains("unmarked") || found.stdout.contains("marked dev");
        assert!(
            is_whole && !found.stdout.contains("emptied"),
            "at {moment} of {:?}: {found:?}",
            marking.whole
        );
        fine(&world, &words);
    }
}

#[test]
fn a_reset_that_is_killed_is_ended_by_another() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("half_reset");
    let world = project("postgres", &[("test", &url)]);
    let manifest = world
        .read("ringfence.toml")
        .replace("test = {}", "test = { disposable = true }");
    let migrate = "psql -q \"$DB_URL\" -c 'CREATE TABLE fresh (a int)'";
    world.write(
        "ringfence.toml",
        format!("{manifest}migrate = [\"sh\", \"-c\", {migrate:?}]\n"),
    );
    let words = ["reset", "test", "--yes", "test"];
    mark(&world, "test");
    let old = || {
        cluster.sql("half_reset", "CREATE TABLE old (a int)");
    };
    let mut reset = Victim::new(&world, &words, old);
    let tables = "SELECT coalesce(string_agg(relname, ',' ORDER BY relname), '') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let mut found = std::collections::BTreeMap::new();
    for moment in Dice::new("resets").moments() {
        old();
        reset.kill(moment);
        // A command that it had started goes on to its end.
        while is_anybody_in(&world) {
            std::thread::sleep(Duration::from_millis(10));
        }
        settled(cluster, "half_reset");
        let there = "SELECT count(*) FROM pg_database WHERE datname = 'half_reset'";
        let state = match cluster.sql("postgres", there).as_str() {
            "0" => "none".to_owned(),
            _ => cluster.sql("half_reset", tables),
        };
        *found.entry(state).or_insert(0) += 1;
        fine(&world, &words);
        assert_eq!(cluster.sql("half_reset", tables), "fresh");
        let found = fine(&world, &["mark", "test", "--look"]);
        assert!(found.stdout.contains("marked test"), "{found:?}");
    }
    eprintln!("what {KILLS} resets of {:?} left: {found:?}", reset.whole);
    assert!(found.len() > 1, "{found:?}");
}
