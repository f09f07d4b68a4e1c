//! A start with resources of one's own, of nobody's and of others.

use std::path::Path;

use crate::packages;
use crate::servers::{Cluster, Redis, folder, free_port, has, redis_program};
use crate::world::World;

const MANIFEST: &str = "version = 1\nproject = \"shop\"\n[environments]\ndev = {}\ntest = {}\nstaging = {}\nprod = {}\n";

/// A project whose every environment has the same kind of store, at these addresses.
pub(crate) fn project(kind: &str, addresses: &[(&str, &str)]) -> World {
    let manifest = format!("{MANIFEST}[resources.db]\nkind = \"{kind}\"\nsetting = \"DB_URL\"\n");
    let world = World::new(&[("ringfence.toml", &manifest)]);
    for (environment, address) in addresses {
        world.write(
            &format!(".env.{environment}"),
            format!("DB_URL={address}\n"),
        );
    }
    world
}

#[track_caller]
pub(crate) fn mark(world: &World, environment: &str) -> String {
    let outcome = world.ringfence(&["mark", environment, "--yes", environment]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

/// Starts without a barrier where the tier allows it: these tests are about what happens before.
fn try_start(world: &World, environment: &str) -> (crate::world::Outcome, bool) {
    let _ = std::fs::remove_file(world.path("started"));
    world.try_start(&["run", environment, "--no-barrier"])
}

/// Nothing is started, whatever was started before.
#[track_caller]
fn refuses(world: &World, environment: &str, words: &[&str]) -> crate::world::Outcome {
    let _ = std::fs::remove_file(world.path("started"));
    world.refuses(&["run", environment], words)
}

#[test]
fn a_database_says_whose_it_is() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let own = cluster.database("says_test");
    let world = project("postgres", &[("test", &own), ("dev", &own)]);
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("`db` is unmarked"),
        "{outcome:?}"
    );
    assert!(mark(&world, "test").contains("unmarked"));
    let (outcome, started) = try_start(&world, "test");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    // The same address in another environment's file.
    let outcome = refuses(
        &world,
        "dev",
        &[
            "[marker-of-another]",
            "`db` belongs to `test`",
            "ringfence.toml:8",
            "DB_URL",
        ],
    );
    assert!(!outcome.stderr.contains("postgres://"));
    // Nor can it be taken over.
    let outcome = world.ringfence(&["mark", "dev", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(outcome.stderr.contains("it was not marked"), "{outcome:?}");
    assert!(mark(&world, "test").contains("left as it is"));
}

/// A1 of the accidents: a test suite with the address of production.
#[test]
fn tests_never_touch_what_is_marked_as_production() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("accident_prod");
    cluster.sql(
        "accident_prod",
        "CREATE TABLE users (id int); INSERT INTO users VALUES (1)",
    );
    let world = project("postgres", &[("test", &url), ("prod", &url)]);
    mark(&world, "prod");
    let truncate = "psql \"$DB_URL\" -c 'TRUNCATE users -- accident'";
    let outcome = world.ringfence(&["run", "test", "--no-barrier", "--", "sh", "-c", truncate]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("belongs to `prod`, of tier production"),
        "{outcome:?}"
    );
    assert_eq!(
        cluster.sql("accident_prod", "SELECT count(*) FROM users"),
        "1"
    );
    assert!(!cluster.log().contains("TRUNCATE users -- accident"));
}

#[test]
fn production_wants_marks_and_answers() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("wants_prod");
    let nowhere = format!("postgres://app@127.0.0.1:{}/app", free_port());
    let world = project(
        "postgres",
        &[("prod", &url), ("staging", &nowhere), ("dev", &nowhere)],
    );
    world.refuses(
        &["run", "prod"],
        &["[marker-missing]", "ringfence mark prod db"],
    );
    world.refuses(
        &["run", "staging"],
        &["[resource-not-asked]", "cannot be reached"],
    );
    let (outcome, started) = try_start(&world, "dev");
    assert!(
        started && outcome.stderr.contains("`db` was not asked"),
        "{outcome:?}"
    );
    let manifest =
        world.read("ringfence.toml") + "marked = { in.prod = false, in.staging = false }\n";
    world.write("ringfence.toml", manifest);
    let (outcome, started) = world.try_start(&["run", "prod", "--barrier", "full"]);
    assert!(started || outcome.code == Some(125), "{outcome:?}");
    // Nobody is there to be asked, and another name is no consent.
    let outcome = world.ringfence(&["mark", "prod"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    let outcome = world.ringfence(&["mark", "prod", "--yes", "test"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn marks_are_read_by_the_least_privileged_role_and_written_by_the_owner() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    cluster.database("roles_test");
    cluster.sql(
        "postgres",
        "CREATE ROLE roles_owner LOGIN; CREATE ROLE roles_app LOGIN; ALTER DATABASE roles_test OWNER TO roles_owner; COMMENT ON DATABASE roles_test IS 'ours'",
    );
    let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/roles_test", cluster.port);
    let world = project("postgres", &[("test", &url("roles_app"))]);
    let outcome = world.ringfence(&["mark", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("owner = \"SETTING\""),
        "{outcome:?}"
    );
    world.write(
        "ringfence.toml",
        world.read("ringfence.toml") + "owner = \"DB_OWNER\"\n",
    );
    world.write(
        ".env.test",
        format!(
            "DB_URL={}\nDB_OWNER={}\n",
            url("roles_app"),
            url("roles_owner")
        ),
    );
    // The owner is no superuser, so the mark stands in the database's comment.
    mark(&world, "test");
    let comment = cluster.sql(
        "roles_test",
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'roles_test'",
    );
    assert!(comment.starts_with("ours [ringfence "), "{comment}");
    let (outcome, started) = try_start(&world, "test");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    // What asks writes nothing.
    assert!(cluster.log().contains("BEGIN READ ONLY"));
}

#[test]
fn a_file_says_whose_it_is() {
    let world = project(
        "sqlite",
        &[("test", "sqlite:///data/test.db"), ("dev", "data/test.db")],
    );
    std::fs::create_dir(world.path("data")).unwrap();
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("unmarked"),
        "{outcome:?}"
    );
    assert!(
        !world.path("data/test.db").exists(),
        "looking creates nothing"
    );
    mark(&world, "test");
    let (outcome, started) = try_start(&world, "test");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    refuses(&world, "dev", &["[marker-of-another]", "belongs to `test`"]);
}

#[test]
fn a_cache_says_whose_it_is_and_a_copy_keeps_saying_so() {
    if let Some(program) = redis_program().filter(|_| has("redis")) {
        cache(&program);
    }
}

#[test]
fn valkey_says_whose_it_is_and_a_copy_keeps_saying_so() {
    if let Some(program) = packages::valkey() {
        cache(&program);
    }
}

fn cache(program: &Path) {
    let redis = Redis::new(program, folder("redis"));
    let other = folder("redis-copy");
    let world = project("redis", &[("test", &redis.url()), ("dev", &redis.url())]);
    mark(&world, "test");
    let (outcome, started) = try_start(&world, "test");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    refuses(&world, "dev", &["[marker-of-another]", "ringfence:marker"]);
    assert_eq!(redis.say("SAVE"), "+OK");
    std::fs::copy(redis.folder.join("dump.rdb"), other.join("dump.rdb")).unwrap();
    let copy = Redis::new(program, other);
    world.write(".env.dev", format!("DB_URL={}\n", copy.url()));
    refuses(&world, "dev", &["[marker-of-another]", "belongs to `test`"]);
    world.write(".env.test", format!("DB_URL={}\n", copy.url()));
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("a physical copy too"),
        "{outcome:?}"
    );
    assert_eq!(copy.say("FLUSHALL"), "+OK");
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("unmarked"),
        "{outcome:?}"
    );
}

#[test]
fn production_asks_for_its_name() {
    use std::io::Write;
    let world = project("sqlite", &[("prod", "prod.db"), ("test", "test.db")]);
    let typed = |words: &str, answer: &str| {
        let line = format!("{} {words}", env!("CARGO_BIN_EXE_ringfence"));
        let mut command = world.any_command("script");
        command.args(["-qec", &line, "/dev/null"]);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        crate::world::Outcome::of(&child.wait_with_output().unwrap())
    };
    let outcome = typed("mark prod", "yes\n");
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(!world.path("prod.db").exists());
    let outcome = typed("mark prod", "prod\n");
    assert!(
        outcome.stdout.contains("type its name") && outcome.stdout.contains("marked now"),
        "{outcome:?}"
    );
    let outcome = typed("mark test", "");
    assert!(outcome.stdout.contains("marked now"), "{outcome:?}");
}

#[test]
fn the_banner_says_what_was_verified() {
    let world = project("sqlite", &[("test", "app.db")]);
    mark(&world, "test");
    let line = format!(
        "{} run test --no-barrier -- true",
        env!("CARGO_BIN_EXE_ringfence")
    );
    let mut command = world.any_command("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm");
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(shown.contains("db app.db ✓ marked test"), "{shown}");
}

/// Any resource over HTTP can serve its marker; it is asked only where the manifest says that it does.
#[test]
fn a_service_says_whose_it_is() {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!(
        "http://127.0.0.1:{}/v1",
        listener.local_addr().unwrap().port()
    );
    let text = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let served = text.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with("GET /v1/.well-known/ringfence "), "{line}");
            while !line.trim().is_empty() {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            let text = served.lock().unwrap().clone();
            let status = if text.is_empty() { 404 } else { 200 };
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    let world = project("http", &[("test", &url), ("dev", &url)]);
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.is_empty(),
        "not asked: {outcome:?}"
    );
    world.write(
        "ringfence.toml",
        world.read("ringfence.toml") + "marked = true\n",
    );
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("unmarked"),
        "{outcome:?}"
    );
    let outcome = world.ringfence(&["mark", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    let said = outcome
        .stderr
        .split_once("/.well-known/ringfence`: ")
        .unwrap()
        .1;
    *text.lock().unwrap() = said.lines().next().unwrap().to_owned();
    let (outcome, started) = try_start(&world, "test");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    refuses(&world, "dev", &["[marker-of-another]", "belongs to `test`"]);
}

/// What accepts connections and never says anything keeps a start in development waiting for its time, and no longer.
#[test]
fn a_store_that_never_answers_is_left_alone() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for address in [
        format!("redis://127.0.0.1:{port}"),
        format!("postgres://u:hunter2@127.0.0.1:{port}/d"),
    ] {
        let kind = address.split(':').next().unwrap();
        let world = project(kind, &[("dev", &address), ("staging", &address)]);
        let (outcome, started) = try_start(&world, "dev");
        assert!(
            started && outcome.stderr.contains("`db` was not asked"),
            "{outcome:?}"
        );
        assert!(!outcome.stderr.contains("hunter2"));
        let outcome = refuses(&world, "staging", &["[resource-not-asked]"]);
        assert!(!outcome.stderr.contains("hunter2"));
    }
}

/// Encryption is what the address says it is: none, against listeners alone, or with the certificate looked at.
#[test]
fn certificates_are_looked_at_where_the_address_says_so() {
    if !has("postgres") || !has("openssl") {
        return;
    }
    let cluster = Cluster::encrypted();
    let url = cluster.database("tls_test");
    let host = url.replace("127.0.0.1", "localhost");
    let authority = cluster.authority();
    let world = project("postgres", &[("test", &url)]);
    mark(&world, "test");
    let check = |address: String, own: bool| {
        world.write(".env.test", format!("DB_URL={address}\n"));
        let outcome = world.ringfence(&["mark", "test", "--look"]);
        assert_eq!(outcome.code == Some(0), own, "{address}: {outcome:?}");
    };
    check(format!("{url}?sslmode=disable"), false);
    check(format!("{url}?sslmode=require"), true);
    check(
        format!("{host}?sslmode=verify-full&sslrootcert={authority}"),
        true,
    );
    // A password is proven without being sent, and is in no message.
    cluster.sql("postgres", "CREATE ROLE secured LOGIN PASSWORD 'hunter2'");
    let login = |password: &str| url.replace("app@", &format!("secured:{password}@"));
    check(login("hunter2"), true);
    check(login("hunter3"), false);
    let outcome = world.ringfence(&["run", "test", "--no-barrier", "--", "true"]);
    assert!(
        outcome.stderr.contains("password authentication failed"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("hunter3"));
    // The certificate names `localhost`, and nobody whom the system trusts has signed it.
    check(
        format!("{url}?sslmode=verify-full&sslrootcert={authority}"),
        false,
    );
    check(format!("{host}?sslmode=verify-full"), false);
    // The authority alone, and with it what libpq makes of `require`.
    check(
        format!("{url}?sslmode=verify-ca&sslrootcert={authority}"),
        true,
    );
    check(format!("{url}?sslmode=verify-ca"), false);
    let stranger = Cluster::encrypted();
    let other = stranger.authority();
    check(format!("{url}?sslmode=require&sslrootcert={other}"), false);
}

#[test]
fn a_store_may_be_known_at_several_addresses() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let one = cluster.database("addresses_test");
    let other = one.replace("127.0.0.1", "localhost");
    let world = project("postgres", &[("test", &one)]);
    mark(&world, "test");
    world.write(".env.test", format!("DB_URL={other}\n"));
    let (outcome, started) = try_start(&world, "test");
    assert!(
        started && outcome.stderr.contains("was marked at 127.0.0.1:"),
        "{outcome:?}"
    );
    mark(&world, "test");
    for address in [one, other] {
        world.write(".env.test", format!("DB_URL={address}\n"));
        let (outcome, started) = try_start(&world, "test");
        assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
    }
}
