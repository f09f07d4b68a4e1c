//! Copies in quarantine, stores that may be destroyed, and roles that can do too much.

use std::io::Write;
use std::net::TcpListener;

use crate::markers::{mark, project};
use crate::servers::{Cluster, has};
use crate::world::World;

/// A server that says a word to everyone.
fn says(word: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(word.as_bytes()));
        }
    });
    port
}

fn add(world: &World, path: &str, text: &str) {
    world.write(path, world.read(path) + text);
}

/// A5 of the accidents: staging, restored from production, texts people.
#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn a_copy_of_production_reaches_nobody_until_it_is_marked() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("a5_prod");
    cluster.sql(
        "a5_prod",
        "CREATE TABLE people (id int PRIMARY KEY, phone text); INSERT INTO people VALUES (1, '+15550100');
         CREATE TABLE outbox (id int, person int REFERENCES people); INSERT INTO outbox VALUES (1, 1), (2, 1);
         CREATE TABLE sessions (id int); INSERT INTO sessions VALUES (7)",
    );
    let staging = cluster.database("a5_staging");
    let world = project("postgres", &[("prod", &url), ("staging", &staging)]);
    mark(&world, "prod");
    cluster.shell("pg_dump a5_prod | psql -q a5_staging >/dev/null");
    let gateway = says("a text was sent");
    add(
        &world,
        ".env.staging",
        &format!("SMS_URL=http://127.0.0.1:{gateway}/send\n"),
    );

    // As restored: nothing starts, and it cannot be taken over.
    let refusal = [
        "[marker-of-a-copy]",
        "a copy of `prod`",
        "ringfence scrub staging db",
    ];
    world.refuses(&["run", "staging"], &refusal);
    let outcome = world.ringfence(&["mark", "staging", "--yes", "staging"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    // Nobody has said what does something by itself.
    let outcome = world.ringfence(&["scrub", "staging", "db", "--yes", "staging"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome.stderr.contains("drop = [\"sessions\", \"outbox\""),
        "{outcome:?}"
    );
    add(
        &world,
        "ringfence.toml",
        "drop = [\"sessions\", \"outbox\", \"webhooks\"]\n",
    );
    // Production itself is never scrubbed, whoever asks.
    let outcome = world.ringfence(&["scrub", "prod", "db", "--yes", "prod"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    let outcome = world.ringfence(&["scrub", "staging", "--yes", "staging"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains("outbox  2 rows emptied"),
        "{outcome:?}"
    );
    assert!(
        outcome.stdout.contains("webhooks  is not there"),
        "{outcome:?}"
    );
    let count = "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM sessions), (SELECT count(*) FROM people)";
    assert_eq!(cluster.sql("a5_staging", count), "0|0|1");
    assert_eq!(cluster.sql("a5_prod", count), "2|1|1");

    // Scrubbed: it starts, and only its store is in reach.
    let reach = format!(
        "psql -XAtc 'SELECT count(*) FROM people' \"$DB_URL\"; bash -c 'cat </dev/tcp/127.0.0.1/{gateway}' 2>&1; echo ended"
    );
    let inside = world.ringfence(&["run", "staging", "--", "sh", "-c", &reach]);
    if inside.code == Some(125) {
        eprintln!("not run: no barrier can be built here");
    } else {
        assert!(
            inside.stdout.starts_with("1\n") && inside.stdout.ends_with("ended\n"),
            "{inside:?}"
        );
        assert!(!inside.stdout.contains("a text was sent"), "{inside:?}");
        assert!(
            inside.stderr.contains("scrubbed copy of `prod`"),
            "{inside:?}"
        );
    }
    // Marked: it is staging's own, and everything that its settings name is in reach again.
    mark(&world, "staging");
    let outcome = world.ringfence(&["run", "staging", "--", "sh", "-c", &reach]);
    assert!(
        outcome.code == Some(125) || outcome.stdout.contains("a text was sent"),
        "{outcome:?}"
    );
}

/// A bucket is a store, and its address stands in no setting of its own: the interface's does.
#[test]
fn a_quarantined_copy_still_reaches_its_bucket() {
    let (bucket, gateway) = (says("objects"), says("a mail was sent"));
    let world = project("sqlite", &[("prod", "prod.db"), ("dev", "dev.db")]);
    add(
        &world,
        "ringfence.toml",
        "drop = [\"outbox\"]\n[resources.assets]\nkind = \"s3\"\nsetting = \"ASSETS\"\nmarked = false\n",
    );
    let settings = format!(
        "ASSETS=s3://assets\nAWS_ENDPOINT_URL=http://127.0.0.1:{bucket}\nMAIL_URL=http://127.0.0.1:{gateway}\n"
    );
    add(&world, ".env.dev", &settings);
    mark(&world, "prod");
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    let outcome = world.ringfence(&["scrub", "dev", "db", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let reach = format!(
        "for port in {bucket} {gateway}; do bash -c \"cat </dev/tcp/127.0.0.1/$port\" 2>&1; done; echo ended"
    );
    let inside = world.ringfence(&["run", "dev", "--", "sh", "-c", &reach]);
    if inside.code == Some(125) {
        eprintln!("not run: no barrier can be built here");
        return;
    }
    let said = &inside.stdout;
    assert!(
        said.contains("objects") && said.ends_with("ended\n"),
        "{inside:?}"
    );
    assert!(!said.contains("a mail was sent"), "{inside:?}");
}

#[test]
fn a_scrub_is_whole_or_nothing() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database("whole_prod");
    cluster.sql(
        "whole_prod",
        "CREATE TABLE outbox (id int PRIMARY KEY); INSERT INTO outbox VALUES (1);
         CREATE TABLE attempts (id int REFERENCES outbox); INSERT INTO attempts VALUES (1)",
    );
    let world = project("postgres", &[("prod", &url)]);
    mark(&world, "prod");
    cluster.sql(
        "postgres",
        "CREATE DATABASE whole_staging TEMPLATE whole_prod",
    );
    world.write(
        ".env.staging",
        format!("DB_URL={}\n", cluster.url("whole_staging")),
    );
    add(&world, "ringfence.toml", "drop = [\"outbox\"]\n");
    let outcome = world.ringfence(&["scrub", "staging", "db", "--yes", "staging"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("name that table, too"),
        "{outcome:?}"
    );
    assert_eq!(
        cluster.sql("whole_staging", "SELECT count(*) FROM outbox"),
        "1"
    );
    world.refuses(&["run", "staging"], &["[marker-of-a-copy]"]);
}

#[test]
fn a_copied_file_is_scrubbed_and_keeps_nothing_of_what_was_emptied() {
    let world = project("sqlite", &[("prod", "prod.db"), ("test", "test.db")]);
    mark(&world, "prod");
    let script = "sqlite3 prod.db \"CREATE TABLE outbox (body TEXT); INSERT INTO outbox VALUES ('canary-of-the-outbox')\"; cp prod.db test.db";
    let mut shell = world.any_command("sh");
    assert!(shell.args(["-ec", script]).status().unwrap().success());
    add(&world, "ringfence.toml", "drop = [\"outbox\"]\n");
    world.refuses(&["run", "test"], &["[marker-of-a-copy]"]);
    let outcome = world.ringfence(&["scrub", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // A quarantine holds where a start could otherwise do without a barrier.
    let gateway = says("a mail was sent");
    add(
        &world,
        ".env.test",
        &format!("MAIL_URL=smtp://127.0.0.1:{gateway}\n"),
    );
    let reach = format!("cat </dev/tcp/127.0.0.1/{gateway}; echo ended");
    let words = ["run", "test", "--no-barrier", "--", "bash", "-c", &reach];
    let inside = world.ringfence(&words);
    assert!(!inside.stdout.contains("a mail was sent"), "{inside:?}");
    assert!(
        inside.code == Some(125) || inside.stdout == "ended\n",
        "{inside:?}"
    );
    let learning = world.ringfence(&["run", "test", "--learn", "--", "bash", "-c", &reach]);
    assert!(!learning.stdout.contains("a mail was sent"), "{learning:?}");
    mark(&world, "test");
    assert!(world.ringfence(&words).stdout.contains("a mail was sent"));
    let bytes = std::fs::read(world.path("test.db")).unwrap();
    let canary = b"canary-of-the-outbox";
    assert!(!bytes.windows(canary.len()).any(|part| part == canary));
    let (outcome, started) = world.try_start(&["run", "test", "--no-barrier"]);
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
}

/// What is kept of a copy is masked where it is: nobody in it can be written to.
#[test]
fn a_copy_is_masked_where_it_is() {
    use crate::samples::{ROWS, SCHEMA, TABLES, everything, shop};
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let prod = cluster.database("masked_prod");
    let rows = ROWS.replace(":scale", "40");
    cluster.sql("masked_prod", &format!("{SCHEMA}{rows}"));
    let world = shop(&prod, &cluster.url("masked_dev"));
    let noted = TABLES.replace("total = \"keep\"", "total = \"keep\", note = \"text\"");
    world.write(
        "ringfence.toml",
        world.read("ringfence.toml").replace(TABLES, &noted),
    );
    mark(&world, "prod");
    cluster.sql(
        "masked_prod",
        "CREATE VIEW open_sessions AS SELECT id FROM sessions; ANALYZE",
    );
    cluster.sql(
        "postgres",
        "CREATE DATABASE masked_dev TEMPLATE masked_prod",
    );
    let count = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders), (SELECT count(*) FROM items), (SELECT count(*) FROM returns)";
    let before = cluster.sql("masked_dev", count);
    let outcome = world.ringfence(&["scrub", "dev", "--mask", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains("users  400 rows masked"),
        "{outcome:?}"
    );
    assert_eq!(cluster.sql("masked_dev", count), before);
    let all = everything(cluster, "masked_dev");
    assert!(all.contains(".invalid") && everything(cluster, "masked_prod").contains("canary"));
    for found in ["canary", "customers.example", "Canaria", "odd signs"] {
        assert!(!all.contains(found), "{found}");
    }
    // The planner remembers nobody, either; where it cannot be made to forget, that is said.
    let remembered = "SELECT string_agg(DISTINCT tablename, ',') FROM pg_stats WHERE tablename IN ('users', 'orgs', 'orders', 'returns', 'sessions', 'outbox')
        AND coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, '') LIKE '%canary%'";
    let known = cluster.sql("masked_prod", remembered);
    assert!(
        known.contains("sessions") && known.contains("users"),
        "{known}"
    );
    assert_eq!(cluster.sql("masked_dev", remembered), "sessions");
    assert!(
        outcome
            .stdout
            .contains("sessions  the planner's statistics"),
        "{outcome:?}"
    );
    // A trigger that would tell somebody of each change hears nothing, and hears again afterwards.
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'";
    assert_eq!(cluster.sql("masked_dev", triggers), "0");
    // A rule that does not fit leaves everything as it was.
    cluster.sql(
        "postgres",
        "CREATE DATABASE masked_test TEMPLATE masked_prod",
    );
    world.write(
        ".env.test",
        format!("DB_URL={}\n", cluster.url("masked_test")),
    );
    let manifest = world
        .read("ringfence.toml")
        .replace("active = \"keep\"", "active = \"email\"");
    world.write("ringfence.toml", manifest);
    let outcome = world.ringfence(&["scrub", "test", "--mask", "--yes", "test"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(everything(cluster, "masked_test").contains("canary outbox"));
}

#[test]
fn a_copied_file_is_masked_where_it_is() {
    use crate::samples::{sqlite, sqlite_schema};
    let world = crate::samples::shop("sqlite:prod.db", "sqlite:dev.db");
    sqlite(&world, "prod.db", &sqlite_schema());
    sqlite(&world, "prod.db", "INSERT INTO orgs SELECT value, 'canary-org-' || value, NULL FROM generate_series(1, 3000);
         INSERT INTO users SELECT value, value, NULL, 'canary' || value || '@customers.example', NULL, 1 FROM generate_series(1, 3000)");
    mark(&world, "prod");
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    let outcome = world.ringfence(&["scrub", "dev", "--mask", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(
        sqlite(
            &world,
            "dev.db",
            "SELECT count(*), count(DISTINCT email) FROM users WHERE email LIKE '%.invalid' AND typeof(id) = 'integer'"
        ),
        "3000|3000"
    );
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
}

/// A8 of the accidents: what destroys is free only where everything may be destroyed.
#[test]
fn only_what_is_disposable_is_dropped() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let test = cluster.database("a8_test");
    let staging = cluster.database("a8_staging");
    let world = project(
        "postgres",
        &[
            ("test", &test),
            ("staging", &staging),
            ("prod", &staging),
            ("dev", &test),
        ],
    );
    for environment in ["staging", "prod", "dev"] {
        let outcome = world.ringfence(&["reset", environment, "--yes", environment]);
        assert_eq!(outcome.code, Some(4), "{outcome:?}");
        assert!(outcome.stderr.contains("not disposable"), "{outcome:?}");
    }
    let manifest = world.read("ringfence.toml");
    let manifest = manifest
        .replace("test = {}", "test = { disposable = true }")
        .replace("dev = {}", "dev = { disposable = true }")
        .replace("prod = {}", "prod = { disposable = true }");
    let migrate = "psql -q \"$DB_URL\" -c 'CREATE TABLE fresh (a int)'";
    world.write(
        "ringfence.toml",
        format!("{manifest}migrate = [\"sh\", \"-c\", {migrate:?}]\n"),
    );
    let outcome = world.ringfence(&["reset", "prod", "--yes", "prod"]);
    assert_eq!(outcome.code, Some(4), "production stays: {outcome:?}");
    // Unmarked, it may be anybody's.
    cluster.sql("a8_test", "CREATE TABLE old (a int)");
    let outcome = world.ringfence(&["reset", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    mark(&world, "test");
    let outcome = world.ringfence(&["reset", "dev", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(78), "it is another's: {outcome:?}");
    // A command that fails leaves what can be reset again.
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("psql -q", "false; psqll -q"),
    );
    let outcome = world.ringfence(&["reset", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    world.write("ringfence.toml", manifest);
    let outcome = world.ringfence(&["reset", "test", "--yes", "test"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let tables = "SELECT string_agg(relname, ',') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assert_eq!(cluster.sql("a8_test", tables), "fresh");
    let (outcome, started) = world.try_start(&["run", "test", "--no-barrier"]);
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
}

/// Drop, create, migrate, mark, and the sample that was made above: one command.
#[test]
fn a_reset_brings_a_sample_along() {
    let world = crate::samples::shop("sqlite:prod.db", "sqlite:dev.db");
    let schema = crate::samples::sqlite_schema();
    world.write("schema.sql", &schema);
    crate::samples::sqlite(&world, "prod.db", &schema);
    crate::samples::sqlite(
        &world,
        "prod.db",
        "INSERT INTO orgs SELECT value, 'canary', NULL FROM generate_series(1, 100)",
    );
    let manifest = world
        .read("ringfence.toml")
        .replace("dev = {}", "dev = { disposable = true }");
    let migrate = "migrate = [\"sh\", \"-c\", \"sqlite3 dev.db < schema.sql\"]\ndrop = ";
    world.write("ringfence.toml", manifest.replacen("drop = ", migrate, 1));
    mark(&world, "dev");
    let made = world.ringfence(&["sample", "create", "dev", "--out", "dev.sample"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let outcome = world.ringfence(&["reset", "dev", "--sample", "dev.sample", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.ends_with(&made.stdout), "{outcome:?}");
    let count = crate::samples::sqlite(
        &world,
        "dev.db",
        "SELECT count(*) BETWEEN 1 AND 40 FROM orgs",
    );
    assert_eq!(count, "1");
}

#[test]
fn roles_that_can_do_more_than_their_work_are_named_and_split() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    cluster.database("split_test");
    cluster.sql(
        "postgres",
        "CREATE ROLE split LOGIN; ALTER DATABASE split_test OWNER TO split",
    );
    let url = format!("postgres://split@127.0.0.1:{}/split_test", cluster.port);
    let world = project("postgres", &[("test", &url)]);
    cluster.sql(
        "split_test",
        "GRANT ALL ON SCHEMA public TO split; SET ROLE split; CREATE TABLE t (a serial)",
    );
    let outcome = world.ringfence(&["doctor", "test"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for words in [
        "split owns the database",
        "owns 1 tables",
        "can truncate 1 tables",
    ] {
        assert!(outcome.stdout.contains(words), "{words}: {outcome:?}");
    }
    // What it advises is what mends it.
    let statements: Vec<&str> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    cluster.sql("split_test", &statements.join("\n"));
    let outcome = world.ringfence(&["doctor", "test"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (
            Some(0),
            "db  split can neither truncate nor drop anything\n"
        )
    );
    let work = |statement: &str| {
        let mut psql = world.any_command("psql");
        psql.args(["-XAtqc", statement, &url])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(work(
        "INSERT INTO t DEFAULT VALUES; UPDATE t SET a = 2; DELETE FROM t"
    ));
    for statement in [
        "TRUNCATE t",
        "DROP TABLE t",
        "DROP SCHEMA public CASCADE",
        "ALTER TABLE t ADD b int",
        "CREATE TABLE u (a int)",
    ] {
        assert!(!work(statement), "{statement}");
    }
}

/// A role that owns nothing, and can become one that does, make one, or drop the schema around what it does not own.
#[test]
fn roles_that_can_become_more_are_named_and_split() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    cluster.database("becomes_test");
    cluster.sql(
        "becomes_test",
        "CREATE ROLE boss NOLOGIN; CREATE ROLE cleaner NOLOGIN; CREATE ROLE \"be.comes\" LOGIN NOINHERIT CREATEROLE; GRANT boss, cleaner TO \"be.comes\"; CREATE TABLE t (a int); ALTER TABLE t OWNER TO boss;
         CREATE TABLE u (a int); GRANT TRUNCATE ON u TO cleaner; CREATE SCHEMA \"its own\" AUTHORIZATION \"be.comes\"; CREATE TABLE \"its own\".v (a int)",
    );
    let url = format!(
        "postgres://be.comes@127.0.0.1:{}/becomes_test",
        cluster.port
    );
    let world = project("postgres", &[("test", &url)]);
    let outcome = world.ringfence(&["doctor", "test"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for words in [
        "can make roles",
        "can become boss, cleaner",
        "owns its own, and can drop",
        "owns 1 tables",
    ] {
        assert!(outcome.stdout.contains(words), "{words}: {outcome:?}");
    }
    let statements = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    cluster.sql("becomes_test", &statements.collect::<Vec<_>>().join("\n"));
    let outcome = world.ringfence(&["doctor", "test"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for statement in [
        "SET ROLE boss",
        "SET ROLE cleaner",
        "DROP SCHEMA \"its own\" CASCADE",
        "GRANT boss TO current_user",
        "TRUNCATE u",
    ] {
        let mut psql = world.any_command("psql");
        let done = psql.args(["-XAtqc", statement, &url]).output().unwrap();
        assert!(!done.status.success(), "{statement}");
    }
}
