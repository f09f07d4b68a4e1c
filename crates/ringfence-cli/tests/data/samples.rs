//! Samples down the chain: chosen, closed, masked, whole, and never up.

use std::process::Command;

use crate::markers::mark;
use crate::servers::{Cluster, has};
use crate::world::{Outcome, World};

/// The shop's schema.
pub(crate) const SCHEMA: &str = include_str!("shop.sql");

/// Its rows.
pub(crate) const ROWS: &str = include_str!("rows.sql");

/// What of it travels.
pub(crate) const TABLES: &str = "\
sample = { from = \"prod\", fraction = \"10%\", key = \"SAMPLE_KEY\" }
drop = [\"sessions\", \"outbox\"]
[resources.db.tables.orgs]
rows = \"sample\"
columns = { id = \"keep\", name = \"template:org {n}\", owner_id = \"keep\" }
[resources.db.tables.users]
along = [\"orgs cap 4\"]
columns = { id = \"keep\", org_id = \"keep\", manager_id = \"keep\", email = \"email\", name = \"name\", active = \"keep\" }
[resources.db.tables.products]
columns = { id = \"keep\", title = \"keep\", price = \"keep\" }
[resources.db.tables.orders]
along = [\"users cap 5\"]
columns = { id = \"keep\", user_id = \"keep\", placed = \"date:shift 30\", total = \"keep\" }
[resources.db.tables.items]
along = [\"orders\"]
columns = { order_id = \"keep\", line = \"keep\", product_id = \"keep\", amount = \"keep\" }
[resources.db.tables.returns]
along = [\"items\"]
columns = { id = \"keep\", order_id = \"keep\", line = \"keep\", reason = \"text\" }
";

/// A project in which dev's data comes from prod's.
pub(crate) fn shop(prod: &str, dev: &str) -> World {
    let manifest = "version = 1\nproject = \"shop\"\n[environments]\ndev = {}\ntest = {}\nprod = {}\n[resources.db]\nsetting = \"DB_URL\"\n";
    let world = World::new(&[("ringfence.toml", &format!("{manifest}{TABLES}"))]);
    world.write(
        ".env.prod",
        format!("DB_URL={prod}\nSAMPLE_KEY=a-key-of-the-samples-4711\n"),
    );
    world.write(".env.dev", format!("DB_URL={dev}\n"));
    world
}

/// A filled database and an empty one.
pub(crate) fn filled(cluster: &Cluster, name: &str, scale: u32) -> (String, String) {
    let prod = cluster.database(&format!("{name}_prod"));
    let dev = cluster.database(&format!("{name}_dev"));
    cluster.sql(
        &format!("{name}_prod"),
        &format!("{SCHEMA}{}", ROWS.replace(":scale", &scale.to_string())),
    );
    cluster.sql(&format!("{name}_dev"), SCHEMA);
    (prod, dev)
}

#[track_caller]
pub(crate) fn fine(world: &World, words: &[&str]) -> Outcome {
    let outcome = world.ringfence(words);
    assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
    outcome
}

fn digest(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap()
}

/// Everything that a database has in it, as text.
pub(crate) fn everything(cluster: &Cluster, database: &str) -> String {
    let mut dump = Command::new("/usr/lib/postgresql/15/bin/pg_dump");
    dump.args(["--data-only", &cluster.url(database)]);
    let output = dump.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) const COUNTS: &str = "SELECT (SELECT count(*) FROM orgs), (SELECT count(*) FROM users), (SELECT count(*) FROM orders), (SELECT count(*) FROM items), (SELECT count(*) FROM returns), (SELECT count(*) FROM sessions), (SELECT count(*) FROM outbox)";

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn a_sample_is_the_same_again_nested_closed_and_masked() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = filled(cluster, "shop", 300);
    let world = shop(&prod, &dev);
    // What is not marked is not loaded.
    fine(&world, &["sample", "create", "dev", "--out", "one.sample"]);
    let outcome = world.ringfence(&["sample", "load", "dev", "one.sample"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    mark(&world, "dev");
    mark(&world, "prod");
    let one = fine(&world, &["sample", "create", "dev", "--out", "one.sample"]);
    let again = fine(
        &world,
        &["sample", "create", "dev", "--out", "again.sample"],
    );
    assert_eq!(digest(&one), digest(&again));
    let five = fine(
        &world,
        &[
            "sample",
            "create",
            "dev",
            "--fraction",
            "0.5",
            "--out",
            "five.sample",
        ],
    );
    assert_ne!(digest(&one), digest(&five));

    fine(&world, &["sample", "load", "dev", "one.sample"]);
    let counts = cluster.sql("shop_dev", COUNTS);
    let counts: Vec<u32> = counts
        .split('|')
        .map(|count| count.parse().unwrap())
        .collect();
    let [orgs, users, orders, items, returns, sessions, outbox] = counts[..] else {
        panic!("{counts:?}")
    };
    assert!((10..=80).contains(&orgs), "{counts:?}");
    assert!(users >= orgs && users <= 6 * orgs, "{counts:?}");
    assert!(
        orders > users && items == 2 * orders && returns > 0,
        "{counts:?}"
    );
    assert_eq!(
        (sessions, outbox),
        (0, 0),
        "what does something by itself stays behind"
    );
    // The constraints of the target held while it was loaded; what may be null and was not followed is null.
    assert_eq!(
        cluster.sql(
            "shop_dev",
            "SELECT count(*) FROM users WHERE manager_id IS NOT NULL"
        ),
        "0"
    );
    assert_eq!(
        cluster.sql(
            "shop_dev",
            "SELECT count(*) FROM orgs WHERE owner_id IS NULL"
        ),
        "0"
    );
    // The next number is behind the largest.
    cluster.sql("shop_dev", "INSERT INTO returns (order_id, line) SELECT order_id, line FROM items LIMIT 1; DELETE FROM returns WHERE reason IS NULL AND id = (SELECT max(id) FROM returns)");

    // No original value of a masked column is anywhere in the target.
    let all = everything(cluster, "shop_dev");
    for found in ["canary", "customers.example", "Canaria", "odd signs"] {
        assert!(!all.contains(found), "{found}");
    }
    assert!(all.contains(".invalid"));
    // A row that travels is the same row: joins survive, and what is kept is kept.
    let kept =
        "SELECT md5(string_agg(id || ':' || user_id || ':' || total, ',' ORDER BY id)) FROM orders";
    let ids = cluster.sql("shop_dev", "SELECT string_agg(id::text, ',') FROM orders");
    assert_eq!(
        cluster.sql("shop_dev", kept),
        cluster.sql("shop_prod", &format!("{kept} WHERE id IN ({ids})"))
    );

    // A larger fraction has the smaller one's rows.
    let small = cluster.sql(
        "shop_dev",
        "SELECT string_agg(id::text, ',') FROM orgs WHERE id IN (SELECT org_id FROM users)",
    );
    let outcome = world.ringfence(&["sample", "load", "dev", "five.sample"]);
    assert_eq!(outcome.code, Some(78), "rows are in the way: {outcome:?}");
    let outcome = world.ringfence(&["sample", "load", "dev", "five.sample", "--replace"]);
    assert_eq!(outcome.code, Some(4), "nobody said yes: {outcome:?}");
    fine(
        &world,
        &[
            "sample",
            "load",
            "dev",
            "five.sample",
            "--replace",
            "--yes",
            "dev",
        ],
    );
    let missing = format!(
        "SELECT count(*) FROM unnest(ARRAY[{small}]) AS s(id) WHERE s.id NOT IN (SELECT id FROM orgs)"
    );
    assert_eq!(cluster.sql("shop_dev", &missing), "0");
    // Its manifest stands beside the marker.
    let kept = cluster.sql(
        "shop_dev",
        "SELECT sample::json->>'digest', sample::json->>'from' FROM ringfence.marker",
    );
    assert_eq!(format!("digest {kept}"), format!("{}|prod", digest(&five)));

    // In one go it is the same.
    let gone = fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(digest(&gone), digest(&one));
}

#[test]
fn data_never_travels_up() {
    let world = shop("prod.db", "dev.db");
    for words in [
        &["sample", "create", "prod", "--from", "dev", "--out", "x"][..],
        &["sample", "prod", "--from", "dev"],
        &["sample", "create", "test", "--from", "dev", "--out", "x"],
        &["sample", "create", "dev", "--from", "dev", "--out", "x"],
        &["sample", "load", "prod", "x"],
    ] {
        world.write(".env.test", "DB_URL=test.db\n");
        let outcome = world.ringfence(words);
        assert_eq!(outcome.code, Some(4), "{words:?}: {outcome:?}");
        assert!(
            outcome.stderr.contains("data never travels up"),
            "{words:?}: {outcome:?}"
        );
        assert!(!world.path("x").exists());
    }
}

#[test]
fn what_no_rule_covers_does_not_travel() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = filled(cluster, "deny", 30);
    cluster.sql("deny_prod", "ALTER TABLE users ADD phone text DEFAULT 'canary-phone'; ALTER TABLE orders ADD card text NOT NULL DEFAULT 'canary-card'");
    cluster.sql("deny_dev", "ALTER TABLE users ADD phone text; ALTER TABLE orders ADD card text NOT NULL DEFAULT 'none'");
    let world = shop(&prod, &dev);
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]);
    assert!(plan.stdout.contains("stay behind: phone"), "{plan:?}");
    assert!(plan.stdout.contains("users.manager_id → users"), "{plan:?}");
    assert!(
        plan.stdout.contains("users.phone") && plan.stdout.contains("could be phone"),
        "{plan:?}"
    );
    // The rules in another program's words; what it cannot say is told.
    let greenmask = fine(&world, &["sample", "greenmask", "dev"]);
    assert!(
        greenmask.stdout.starts_with("dump:\n") && greenmask.stdout.contains("name: \"users\""),
        "{greenmask:?}"
    );
    assert!(!greenmask.stdout.contains("canary") && !greenmask.stderr.is_empty());
    fine(&world, &["sample", "dev"]);
    let all = everything(cluster, "deny_dev");
    assert!(!all.contains("canary"), "a new column came along");
    // One that must have a value keeps anything from being made until somebody has decided.
    cluster.sql("deny_prod", "ALTER TABLE orders ALTER card DROP DEFAULT");
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome.stderr.contains("`orders.card` must have a value"),
        "{outcome:?}"
    );
    assert!(!world.path("x").exists());
    // A rule that is none is named with its place.
    let manifest = world
        .read("ringfence.toml")
        .replace("email = \"email\"", "email = \"emial\"");
    world.write("ringfence.toml", manifest);
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome.stderr.contains("[sample-rule]") && outcome.stderr.contains("ringfence.toml:"),
        "{outcome:?}"
    );
}

#[test]
fn suggested_rules_make_a_sample_that_shows_nothing() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = filled(cluster, "suggested", 30);
    let world = shop(&prod, &dev);
    mark(&world, "dev");
    // Nothing is said but which rows: whatever is written comes from names, types and keys.
    let manifest = world.read("ringfence.toml");
    let (head, _) = manifest.split_once("[resources.db.tables.orgs]").unwrap();
    let rows = "[resources.db.tables.orgs]\nrows = \"sample\"\n[resources.db.tables.users]\nalong = [\"orgs\"]\n[resources.db.tables.orders]\nalong = [\"users\"]\n";
    world.write("ringfence.toml", format!("{head}{rows}"));
    let outcome = fine(&world, &["sample", "plan", "dev", "--write"]);
    assert!(outcome.stderr.contains("rules were written"), "{outcome:?}");
    let written = world.read("ringfence.toml");
    assert!(
        written.starts_with(head) && written.contains("email = \"email\"  # "),
        "{written}"
    );
    assert!(!written.contains("tables.sessions"), "{written}");
    let again = fine(&world, &["sample", "plan", "dev", "--write"]);
    assert!(again.stderr.contains("0 rules"), "{again:?}");
    fine(&world, &["sample", "dev", "--fraction", "0.5"]);
    let all = everything(cluster, "suggested_dev");
    assert!(all.contains(".invalid"));
    for found in ["canary", "customers.example", "Canaria", "odd signs"] {
        assert!(!all.contains(found), "{found}");
    }
}

/// The shop's schema for SQLite.
pub(crate) fn sqlite_schema() -> String {
    let schema = SCHEMA.replace("serial PRIMARY KEY", "integer PRIMARY KEY");
    let alter = "ALTER TABLE orgs ADD FOREIGN KEY (owner_id) REFERENCES users;";
    let (_, schema) = schema.split_once("tables with side effects").unwrap();
    let (_, schema) = schema.split_once('\n').unwrap();
    schema
        .replace(alter, "")
        .replace("owner_id int)", "owner_id int REFERENCES users)")
}

#[track_caller]
pub(crate) fn sqlite(world: &World, file: &str, statements: &str) -> String {
    let mut shell = world.any_command("sqlite3");
    let output = shell.args([file, statements]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn samples_go_between_postgresql_and_sqlite_both_ways() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, _) = filled(cluster, "both", 60);
    let world = shop(&prod, "sqlite:dev.db");
    sqlite(&world, "dev.db", &sqlite_schema());
    mark(&world, "dev");
    let first = fine(&world, &["sample", "dev"]);
    assert_eq!(sqlite(&world, "dev.db", "PRAGMA foreign_key_check"), "");
    let counts = sqlite(&world, "dev.db", COUNTS);
    assert!(!counts.starts_with("0|"), "{counts}");
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
    assert_eq!(
        sqlite(
            &world,
            "dev.db",
            "SELECT count(*) FROM users WHERE active NOT IN (0, 1) OR typeof(id) <> 'integer'"
        ),
        "0"
    );

    // From there into PostgreSQL: the same rows are chosen of the same keys.
    let back = cluster.database("both_back");
    cluster.sql("both_back", SCHEMA);
    world.write(
        ".env.prod",
        "DB_URL=sqlite:dev.db\nSAMPLE_KEY=a-key-of-the-samples-4711\n",
    );
    world.write(".env.dev", format!("DB_URL={back}\n"));
    sqlite(
        &world,
        "dev.db",
        "DROP TABLE ringfence_marker; PRAGMA application_id = 0",
    );
    mark(&world, "dev");
    let second = fine(&world, &["sample", "dev"]);
    let again = fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(digest(&second), digest(&again));
    assert_ne!(digest(&first), digest(&second), "masked twice");
    let orgs = |list: &str| {
        let mut ids: Vec<u32> = list.split(',').map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    let chosen = "SELECT string_agg(id::text, ',') FROM orgs";
    let here = cluster.sql("both_back", chosen);
    let there = sqlite(&world, "dev.db", "SELECT group_concat(id) FROM orgs");
    assert_eq!(orgs(&here), orgs(&there));
}

/// The files of a cluster that hold one of these words, the write-ahead log left out.
fn files_with(cluster: &Cluster, words: &[&[u8]]) -> Vec<String> {
    cluster.sql("postgres", "CHECKPOINT");
    let mut found = Vec::new();
    let mut folders = vec![cluster.data().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("pg_wal") || path.ends_with("log") {
                continue;
            } else if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Files come and go while a server runs.
            let bytes = std::fs::read(&path).unwrap_or_default();
            let has = |word: &&[u8]| bytes.windows(word.len()).any(|part| part == *word);
            if words.iter().any(has) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn no_original_is_in_any_file_of_the_target() {
    if !has("postgres") {
        return;
    }
    let (above, below) = (Cluster::new(), Cluster::new());
    let prod = above.database("files_prod");
    let dev = below.database("files_dev");
    above.sql(
        "files_prod",
        &format!("{SCHEMA}{}", ROWS.replace(":scale", "40")),
    );
    below.sql("files_dev", SCHEMA);
    let world = shop(&prod, &dev);
    mark(&world, "dev");
    fine(&world, &["sample", "dev", "--fraction", "1"]);
    let originals: [&[u8]; 4] = [b"canary", b"customers.example", b"Canaria", b"odd signs"];
    assert_eq!(files_with(&below, &originals), Vec::<String>::new());
    // The search finds what is there.
    assert!(!files_with(&below, &[b".invalid"]).is_empty());
    assert!(!files_with(&above, &originals).is_empty());
}

/// Names that need quotes, a schema of their own, and every type that a row may have.
#[test]
#[expect(clippy::too_many_lines, reason = "mostly SQL")]
fn odd_names_and_types_travel_unharmed() {
    if !has("postgres") {
        return;
    }
    const ODD: &str = r#"
CREATE SCHEMA "Audit log";
CREATE TYPE mood AS ENUM ('good', 'bad "mood"');
CREATE DOMAIN short AS varchar(12);
CREATE TABLE "Odd ""Table""" ("the Key" uuid, part bytea, "order" mood NOT NULL, tags text[], doc jsonb, price numeric(20,6), at timestamptz, day date,
    span interval, flag boolean, ip inet, brief short, twice int GENERATED ALWAYS AS (length(brief)) STORED, PRIMARY KEY ("the Key", part));
CREATE TABLE "Audit log"."Entries" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "the Key" uuid NOT NULL, part bytea NOT NULL, note char(8),
    FOREIGN KEY ("the Key", part) REFERENCES "Odd ""Table""");
CREATE TABLE hens (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE);
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE;
CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes);
"#;
    const FILLED: &str = r#"
INSERT INTO "Odd ""Table""" SELECT md5(g::text)::uuid, decode(md5(g::text), 'hex'), CASE WHEN g % 2 = 0 THEN 'good' ELSE 'bad "mood"' END::mood, ARRAY['a,b', NULL, '{"x"}', E'\t'],
    jsonb_build_object('a', E'\\N\n\t"'), g * 1.000001, timestamptz '1969-07-20 20:17:40.123456+02' + g * interval '1 day', date '0044-03-15 BC' + g, interval '1 mon -3 days 00:00:01.5', g % 3 = 0, '10.0.0.0/8', E'\\.' || g
    FROM generate_series(1, 50) g;
INSERT INTO "Audit log"."Entries" ("the Key", part, note) SELECT "the Key", part, E'a\tb' FROM "Odd ""Table""";
BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO hens SELECT g, g FROM generate_series(1, 20) g; INSERT INTO eggs SELECT g, 21 - g FROM generate_series(1, 20) g; COMMIT;
INSERT INTO nodes SELECT g, CASE WHEN g > 1 THEN g / 2 END FROM generate_series(1, 100) g;
"#;
    const RULES: &str = r#"sample = { from = "prod", fraction = "30%", key = "SAMPLE_KEY" }
[resources.db.tables."Odd \"Table\""]
columns = { "the Key" = "keep", part = "keep", order = "keep", tags = "keep", doc = "keep", price = "keep", at = "keep", day = "keep", span = "keep", flag = "keep", ip = "keep", brief = "keep" }
[resources.db.tables."Audit log.Entries"]
rows = "sample"
columns = { id = "keep", "the Key" = "keep", part = "keep", note = "keep" }
[resources.db.tables.hens]
rows = "3 rows"
columns = { id = "keep", egg = "keep" }
[resources.db.tables.eggs]
columns = { id = "keep", hen = "keep" }
[resources.db.tables.nodes]
rows = "2 rows"
where = "id > 90"
follow = ["parent"]
columns = { id = "keep", parent = "keep" }
"#;
    let cluster = Cluster::shared();
    let (prod, dev) = (cluster.database("odd_prod"), cluster.database("odd_dev"));
    cluster.sql("odd_prod", ODD);
    // Each statement in a transaction of its own.
    for statements in FILLED.split_inclusive(";\n") {
        cluster.sql("odd_prod", statements);
    }
    cluster.sql("odd_dev", ODD);
    let world = shop(&prod, &dev);
    let manifest = world.read("ringfence.toml");
    let (head, _) = manifest.split_once("sample = ").unwrap();
    world.write("ringfence.toml", format!("{head}{RULES}"));
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    let rows = r#"SELECT md5(string_agg(o::text, '|' ORDER BY o::text)), count(*) > 5 FROM "Odd ""Table""" o"#;
    let keys = cluster.sql(
        "odd_dev",
        r#"SELECT string_agg(quote_literal("the Key"), ',') FROM "Odd ""Table""""#,
    );
    assert_eq!(
        cluster.sql("odd_dev", rows),
        cluster.sql(
            "odd_prod",
            &format!(r#"{rows} WHERE "the Key" IN ({keys})"#)
        )
    );
    let notes = r#"SELECT count(*) FROM "Audit log"."Entries" WHERE note = E'a\tb     '"#;
    assert_ne!(cluster.sql("odd_dev", notes), "0");
    // A circle whose references may not be null is whole, and a chain is followed to its end.
    assert_eq!(
        cluster.sql(
            "odd_dev",
            "SELECT count(*) >= 3, bool_and(egg IN (SELECT id FROM eggs)) FROM hens"
        ),
        "t|t"
    );
    assert_eq!(
        cluster.sql("odd_dev", "SELECT min(id), count(*) > 7 FROM nodes"),
        "1|t"
    );
    // Its own numbers go on behind the largest one that came.
    cluster.sql("odd_dev", r#"INSERT INTO "Audit log"."Entries" ("the Key", part) SELECT "the Key", part FROM "Odd ""Table""" LIMIT 1"#);
}

/// Each table in its own way, and what the plan says of each before.
#[test]
#[expect(clippy::too_many_lines, reason = "mostly SQL")]
fn every_table_is_chosen_in_its_own_way() {
    if !has("postgres") {
        return;
    }
    const TABLES: &str = "
CREATE TABLE countries (id int PRIMARY KEY, name text);
CREATE TABLE people (id int PRIMARY KEY, country int REFERENCES countries, chief int REFERENCES people, friend int REFERENCES people, name text);
CREATE TABLE visits (id int PRIMARY KEY, person int NOT NULL REFERENCES people, host int REFERENCES people, day date);
CREATE TABLE secrets (id int PRIMARY KEY, person int REFERENCES people);
CREATE TABLE logs (id int PRIMARY KEY, secret int REFERENCES secrets);
CREATE TABLE rare (id int PRIMARY KEY)";
    const ROWS: &str = "
INSERT INTO countries SELECT g, 'c' FROM generate_series(1, 50) g;
INSERT INTO people SELECT g, g % 50 + 1, NULLIF(g / 2, 0), NULLIF(g / 3, 0), 'p' FROM generate_series(1, 2000) g;
INSERT INTO visits SELECT g, g % 2000 + 1, (g * 7) % 2000 + 1, date '2026-01-01' + g % 100 FROM generate_series(1, 20000) g;
INSERT INTO secrets SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO logs SELECT g, g % 100 + 1 FROM generate_series(1, 100) g;
INSERT INTO rare SELECT generate_series(1, 100); ANALYZE";
    const RULES: &str = r#"
[resources.db.tables.countries]
rows = "all"
columns = { id = "keep", name = "keep" }
[resources.db.tables.people]
rows = "2.5%"
where = "id > 1000"
follow = ["chief"]
columns = { id = "keep", country = "keep", chief = "keep", friend = "keep", name = "name" }
[resources.db.tables.visits]
along = ["people by person cap 2"]
cut = ["host"]
columns = { id = "keep", person = "keep", host = "keep", day = "date:month" }
[resources.db.tables.secrets]
rows = "none"
[resources.db.tables.logs]
rows = "sample"
columns = { id = "keep", secret = "keep" }
[resources.db.tables.rare]
rows = "7 rows"
columns = { id = "keep" }
"#;
    let cluster = Cluster::shared();
    let (prod, dev) = (cluster.database("ways_prod"), cluster.database("ways_dev"));
    cluster.sql("ways_prod", &format!("{TABLES};{ROWS}"));
    cluster.sql("ways_dev", TABLES);
    let world = crate::hostile::ruled(&prod, &dev, RULES);
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]).stdout;
    let line = |begin: &str| {
        let mut lines = plan
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines
            .find(|line| line.starts_with(begin))
            .unwrap_or_default()
    };
    assert!(
        line("countries ").starts_with("countries 50 rows ")
            && line("countries ").contains(" bytes"),
        "{plan}"
    );
    assert!(line("rare ").starts_with("rare 7 rows "), "{plan}");
    assert!(
        line("people.chief → people").contains("followed × "),
        "{plan}"
    );
    assert!(
        line("people.friend → people").contains("cut: into its own table; `follow` follows it × "),
        "{plan}"
    );
    assert!(
        line("visits.person → people").contains("followed"),
        "{plan}"
    );
    assert!(
        line("visits.host → people").contains("cut: the rules say so"),
        "{plan}"
    );
    assert!(
        line("logs.secret → secrets").contains("cut: no row of the other table travels"),
        "{plan}"
    );
    let made = fine(&world, &["sample", "dev"]).stdout;
    let counts = "SELECT (SELECT count(*) FROM countries), (SELECT count(*) FROM secrets), (SELECT count(*) FROM rare), (SELECT count(*) BETWEEN 25 AND 75 FROM logs),
        (SELECT count(*) BETWEEN 8 AND 50 FROM people WHERE id > 1000), (SELECT max(n) FROM (SELECT count(*) AS n FROM visits GROUP BY person) v)";
    assert_eq!(cluster.sql("ways_dev", counts), "50|0|7|t|t|2");
    // A chief is followed to the very first one; a friend, a host and a secret are not, and that is said.
    let rest = "SELECT (SELECT count(*) FROM people WHERE chief IS NULL), (SELECT count(*) FROM people WHERE friend IS NOT NULL), (SELECT count(*) FROM visits WHERE host IS NOT NULL), (SELECT count(*) FROM logs WHERE secret IS NOT NULL)";
    assert_eq!(cluster.sql("ways_dev", rest), "1|0|0|0");
    for table in ["people", "visits", "logs"] {
        let line = made.lines().find(|line| line.starts_with(table)).unwrap();
        assert!(line.contains("of them with a reference cut"), "{line}");
    }
    // Who was only needed as a chief brings no visits.
    let brought =
        "SELECT count(*) FROM visits v JOIN people p ON p.id = v.person WHERE p.id <= 1000";
    assert_eq!(cluster.sql("ways_dev", brought), "0");
}

/// The file is all that the lower side needs, and the manifest all that the upper one needs of it; neither is taken at its word.
#[test]
fn neither_side_needs_a_credential_of_the_other() {
    let world = shop("sqlite:prod.db", "sqlite:dev.db");
    sqlite(&world, "prod.db", &sqlite_schema());
    sqlite(&world, "dev.db", &sqlite_schema());
    let rows = "INSERT INTO orgs SELECT value, 'canary', NULL FROM generate_series(1, 100)";
    sqlite(&world, "prod.db", rows);
    mark(&world, "dev");
    let (above, below) = (world.read(".env.prod"), world.read(".env.dev"));
    world.write(".env.dev", "A=1\n");
    fine(&world, &["sample", "create", "dev", "--out", "dev.sample"]);
    world.write(".env.dev", &below);
    world.write(".env.prod", "A=1\n");
    std::fs::remove_file(world.path("prod.db")).unwrap();
    fine(&world, &["sample", "load", "dev", "dev.sample"]);
    // The key is no part of it, nor the address.
    let file = world.read("dev.sample");
    assert!(!file.contains("4711") && !file.contains("prod.db") && !file.contains("canary"));
    world.write(".env.prod", above);
    // A file that would write over the marker, or is for somebody else.
    let words = [
        "sample",
        "load",
        "dev",
        "changed",
        "--replace",
        "--yes",
        "dev",
    ];
    for (part, other, why) in [
        (
            "\"name\":\"orgs\"",
            "\"name\":\"ringfence_marker\"",
            "a table that no sample has",
        ),
        (
            "\"name\":\"orgs\"",
            "\"name\":\"sqlite_schema\"",
            "a table that no sample has",
        ),
        (
            "\"to\":\"dev\"",
            "\"to\":\"test\"",
            "the sample is for `test`",
        ),
        ("\\@table 0\n", "\\@table 7\n", "a table of it is damaged"),
        (
            "org ",
            "0rg ",
            "its rows are not those that it was made with",
        ),
    ] {
        assert!(file.contains(part), "{part}: {file}");
        world.write("changed", file.replace(part, other));
        let outcome = world.ringfence(&words);
        assert_eq!(outcome.code, Some(78), "{part}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{part}: {outcome:?}");
    }
    let found = fine(&world, &["mark", "dev", "--look"]);
    assert!(found.stdout.contains("marked dev"), "{found:?}");
}
