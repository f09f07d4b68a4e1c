//! What a real database has in it besides tables and rows: triggers, rules, partitions, policies, sequences, and files that others write.

use crate::markers::mark;
use crate::samples::{fine, shop, sqlite};
use crate::servers::{Cluster, has};
use crate::world::World;

/// A project in which dev's data comes from prod's, by these rules.
pub(crate) fn ruled(prod: &str, dev: &str, rules: &str) -> World {
    let world = shop(prod, dev);
    let manifest = world.read("ringfence.toml");
    let (head, _) = manifest.split_once("sample = ").unwrap();
    let sample = "sample = { from = \"prod\", fraction = \"50%\", key = \"SAMPLE_KEY\" }\n";
    world.write("ringfence.toml", format!("{head}{sample}{rules}"));
    world
}

/// Two databases with this schema, the upper one filled.
fn two(cluster: &Cluster, name: &str, schema: &str, rows: &str) -> (String, String) {
    let names = [format!("{name}_prod"), format!("{name}_dev")];
    let [prod, dev] = [0, 1].map(|place| cluster.database(&names[place]));
    for name in &names {
        cluster.sql(name, schema);
    }
    cluster.sql(&names[0], rows);
    (prod, dev)
}

const PEOPLE: &str = "[resources.db.tables.people]\nrows = \"all\"\ncolumns = { id = \"keep\", email = \"email\", boss = \"keep\" }\n";

/// A trigger that mails each new person, whatever way it was enabled; on a partition of its own, too.
#[test]
fn what_a_target_does_by_itself_stays_silent_and_is_as_it_was_afterwards() {
    if !has("postgres") {
        return;
    }
    const SCHEMA: &str = "
CREATE TABLE mails (person int);
CREATE TABLE people (id int PRIMARY KEY, email text, boss int REFERENCES people) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (50);
CREATE TABLE high PARTITION OF people FOR VALUES FROM (50) TO (1000);
CREATE TABLE posts (id int PRIMARY KEY, author int NOT NULL REFERENCES people, best int);
CREATE TABLE comments (id int PRIMARY KEY, post int NOT NULL REFERENCES posts);
ALTER TABLE posts ADD FOREIGN KEY (best) REFERENCES comments;
CREATE FUNCTION mail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO mails VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER plain AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION mail();
CREATE TRIGGER of_a_partition AFTER INSERT OR UPDATE ON high FOR EACH ROW EXECUTE FUNCTION mail();
CREATE TRIGGER always AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION mail();
CREATE TRIGGER disabled AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION mail();
CREATE TRIGGER replica AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION mail();
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON comments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mail();
CREATE RULE tell AS ON INSERT TO posts DO ALSO INSERT INTO mails VALUES (NEW.id);
CREATE RULE tell_later AS ON UPDATE TO posts DO ALSO INSERT INTO mails VALUES (NEW.id);
ALTER TABLE posts ENABLE ALWAYS TRIGGER always, DISABLE TRIGGER disabled, ENABLE REPLICA TRIGGER replica;
ALTER TABLE posts ENABLE ALWAYS RULE tell_later;";
    const ROWS: &str = "
INSERT INTO people SELECT g, 'canary' || g || '@x.example', NULL FROM generate_series(1, 99) g;
INSERT INTO posts SELECT g, g FROM generate_series(1, 99) g;
INSERT INTO comments SELECT g, g FROM generate_series(1, 99) g;
UPDATE posts SET best = id";
    let rules = format!(
        "drop = [\"mails\"]\n{PEOPLE}[resources.db.tables.posts]\nrows = \"all\"\ncolumns = {{ id = \"keep\", author = \"keep\", best = \"keep\" }}
[resources.db.tables.comments]\nrows = \"all\"\ncolumns = {{ id = \"keep\", post = \"keep\" }}\n"
    );
    let cluster = Cluster::shared();
    let (prod, dev) = two(cluster, "silent", SCHEMA, ROWS);
    let world = ruled(&prod, &dev, &rules);
    mark(&world, "dev");
    let states = "SELECT (SELECT string_agg(concat(tgrelid::regclass, tgname, tgenabled), ',') FROM (SELECT * FROM pg_trigger ORDER BY tgrelid, tgname) t WHERE NOT tgisinternal),
        (SELECT string_agg(concat(rulename, ev_enabled), ',' ORDER BY rulename) FROM pg_rewrite WHERE rulename LIKE 'tell%')";
    let before = cluster.sql("silent_dev", states);
    assert!(
        before.contains("alwaysA")
            && before.contains("disabledD")
            && before.contains("tell_laterA"),
        "{before}"
    );
    fine(&world, &["sample", "dev"]);
    fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(cluster.sql("silent_dev", "SELECT count(*) FROM mails"), "0");
    assert_eq!(cluster.sql("silent_dev", states), before);
    let counts = "SELECT (SELECT count(*) FROM low), (SELECT count(*) FROM high), (SELECT count(*) FROM posts WHERE best = id)";
    assert_eq!(cluster.sql("silent_dev", counts), "49|50|99");

    // A scrub is silent, too; of rows at the same place of two partitions each gets its own mask.
    cluster.sql("silent_prod", "TRUNCATE mails");
    mark(&world, "prod");
    cluster.sql("postgres", "DROP DATABASE silent_dev");
    cluster.sql(
        "postgres",
        "CREATE DATABASE silent_dev TEMPLATE silent_prod",
    );
    let outcome = fine(&world, &["scrub", "dev", "--mask", "--yes", "dev"]);
    assert!(
        outcome.stdout.contains("people  99 rows masked"),
        "{outcome:?}"
    );
    assert_eq!(cluster.sql("silent_dev", states), before);
    let masked = "SELECT count(DISTINCT email), count(*) FILTER (WHERE email LIKE '%.invalid'), (SELECT count(*) FROM mails) FROM people";
    assert_eq!(cluster.sql("silent_dev", masked), "99|99|0");
}

/// A table that others inherit from, one with a dot in its name, names of every kind, and values at the ends of their types.
#[test]
#[expect(clippy::too_many_lines, reason = "mostly SQL")]
fn odd_tables_travel_as_they_are() {
    if !has("postgres") {
        return;
    }
    const SCHEMA: &str = r#"
CREATE TABLE parents (id int PRIMARY KEY, note text);
CREATE TABLE heirs (more text) INHERITS (parents);
CREATE TABLE "with.dot" (id int PRIMARY KEY);
CREATE TABLE "SELECT" ("from" int PRIMARY KEY, "größe ✓" text, "a""b" text, "x;--" text);
CREATE UNLOGGED TABLE ends (id numeric PRIMARY KEY, f float8, n numeric, t timestamp, d date, r int4range, m money, b bit(3), x xml, i interval, a int[][], j json, h inet, c "char", big bigint, txt text);
CREATE TABLE bare (id serial);
CREATE VIEW seen AS SELECT * FROM parents;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM parents;
"#;
    const ROWS: &str = r#"
INSERT INTO parents SELECT g, 'canary of a parent' FROM generate_series(1, 20) g;
INSERT INTO heirs SELECT g, 'canary of an heir', 'x' FROM generate_series(1, 20) g;
INSERT INTO "with.dot" SELECT generate_series(1, 20);
INSERT INTO "SELECT" SELECT g, E'\\.', E'\\N', E'a\\\tb\r\n' || chr(11) || chr(8) || chr(12) || U&'\2028\+01F600' FROM generate_series(1, 20) g;
INSERT INTO ends VALUES ('NaN', 'NaN', 'NaN', 'infinity', '-infinity', 'empty', '-1234.56', B'101', '<a>b</a>', '-1 mons', '{{1,NULL},{3,4}}', '{"a": "\n"}', '::1/64', 'x', -9223372036854775808, ''),
    (1e100, '-Infinity', 'Infinity', '4713-01-01 BC', '5874897-12-31', '[1,)', '0', B'000', 'x', 'P1Y2M3DT4H5M6.789S', '{}', 'null', '10.1.2.3', '', 9223372036854775807, NULL),
    (-1e-20, 5e-324, 0.10, '0001-01-01 00:00:00.000001', '0044-03-15 BC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, repeat('€', 100000));
INSERT INTO bare SELECT generate_series(1, 5); ALTER SEQUENCE bare_id_seq RESTART 6"#;
    let keep = |columns: &[&str]| {
        let columns = columns.iter().map(|name| format!("{name:?} = \"keep\""));
        columns.collect::<Vec<_>>().join(", ")
    };
    let tables = [
        ("parents", keep(&["id", "note"])),
        ("public.with.dot", keep(&["id"])),
        ("SELECT", keep(&["from", "größe ✓", "a\"b", "x;--"])),
        (
            "ends",
            keep(&[
                "id", "f", "n", "t", "d", "r", "m", "b", "x", "i", "a", "j", "h", "c", "big", "txt",
            ]),
        ),
        ("bare", String::new()),
    ];
    let rule = |(name, columns): &(&str, String)| {
        format!("[resources.db.tables.{name:?}]\nrows = \"all\"\ncolumns = {{ {columns} }}\n")
    };
    let rules: String = tables.iter().map(rule).collect();
    let cluster = Cluster::shared();
    let (prod, dev) = two(cluster, "ends", SCHEMA, ROWS);
    cluster.sql("ends_dev", "ALTER DATABASE ends_dev SET DateStyle = 'SQL, DMY'; ALTER DATABASE ends_dev SET IntervalStyle = 'iso_8601'; ALTER DATABASE ends_dev SET bytea_output = 'escape'");
    let world = ruled(&prod, &dev, &rules);
    mark(&world, "dev");
    fine(&world, &["sample", "plan", "dev"]);
    fine(&world, &["sample", "dev"]);
    for table in ["ONLY parents", "\"with.dot\"", "\"SELECT\"", "ends", "bare"] {
        let rows = format!(
            "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
        );
        assert_eq!(
            cluster.sql("ends_dev", &rows),
            cluster.sql("ends_prod", &rows),
            "{table}"
        );
    }
    assert_eq!(
        cluster.sql("ends_dev", "SELECT count(*) FROM heirs"),
        "0",
        "an heir has rules of its own"
    );
    // The same rows by their keys, where only a part travels.
    let part = world
        .read("ringfence.toml")
        .replace("rows = \"all\"", "rows = \"sample\"");
    world.write(
        "ringfence.toml",
        part.replacen(
            "[resources.db.tables.\"bare\"]\nrows = \"sample\"",
            "[resources.db.tables.\"bare\"]",
            1,
        ),
    );
    fine(
        &world,
        &[
            "sample",
            "dev",
            "--fraction",
            "99%",
            "--replace",
            "--yes",
            "dev",
        ],
    );
    let rows = "SELECT count(*) FROM ends WHERE id = 'NaN' OR id = 1e100 OR id = -1e-20";
    assert!(["2", "3"].contains(&cluster.sql("ends_dev", rows).as_str()));
}

#[test]
fn numbers_go_on_behind_the_largest_one_whoever_gives_them() {
    if !has("postgres") {
        return;
    }
    const SCHEMA: &str = "
CREATE SEQUENCE shared;
CREATE TABLE a (id bigint PRIMARY KEY DEFAULT nextval('shared'));
CREATE TABLE b (id bigint PRIMARY KEY DEFAULT nextval('shared'));
CREATE TABLE c (id int GENERATED ALWAYS AS IDENTITY (INCREMENT 10) PRIMARY KEY);
CREATE TABLE d (id int PRIMARY KEY); CREATE SEQUENCE down INCREMENT -1 OWNED BY d.id; ALTER TABLE d ALTER id SET DEFAULT nextval('down');
CREATE TABLE e (id smallserial PRIMARY KEY);";
    const ROWS: &str = "
INSERT INTO a SELECT nextval('shared') FROM generate_series(1, 5); INSERT INTO b SELECT nextval('shared') FROM generate_series(1, 5);
INSERT INTO c SELECT FROM generate_series(1, 3); INSERT INTO d SELECT nextval('down') FROM generate_series(1, 4); INSERT INTO e VALUES (32767);";
    let rule = |name: &str| {
        format!("[resources.db.tables.{name}]\nrows = \"all\"\ncolumns = {{ id = \"keep\" }}\n")
    };
    let cluster = Cluster::shared();
    let (prod, dev) = two(cluster, "numbers", SCHEMA, ROWS);
    let world = ruled(&prod, &dev, &["a", "b", "c", "d", "e"].map(rule).concat());
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    let next = "INSERT INTO a DEFAULT VALUES RETURNING id; INSERT INTO c DEFAULT VALUES RETURNING id; INSERT INTO d DEFAULT VALUES RETURNING id";
    assert_eq!(cluster.sql("numbers_dev", next), "11\n31\n-5");
    // Others may be numbered by it, so it never goes back.
    cluster.sql("numbers_dev", "SELECT setval('shared', 1000)");
    fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(
        cluster.sql("numbers_dev", "SELECT nextval('shared')"),
        "1001"
    );
    // Somebody else's sequence keeps the load from being made, and is named.
    cluster.sql("numbers_dev", "CREATE ROLE numbered LOGIN; GRANT ALL ON SCHEMA public, ringfence TO numbered; GRANT ALL ON ringfence.marker TO numbered;
        ALTER TABLE a OWNER TO numbered; ALTER TABLE b OWNER TO numbered; ALTER TABLE c OWNER TO numbered; ALTER TABLE d OWNER TO numbered; ALTER TABLE e OWNER TO numbered;
        GRANT ALL ON SEQUENCE shared TO numbered; ALTER SEQUENCE shared RESTART");
    world.write(
        ".env.dev",
        format!("DB_URL={}\n", dev.replace("app@", "numbered@")),
    );
    let outcome = world.ringfence(&["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("must be owner of sequence shared"),
        "{outcome:?}"
    );
    assert_eq!(cluster.sql("numbers_dev", "SELECT count(*) FROM a"), "5");
}

/// A role that sees only a part of the rows makes no sample that looks whole, and leaves none of them unmasked.
#[test]
fn rows_that_a_policy_hides_are_never_passed_over() {
    if !has("postgres") {
        return;
    }
    let schema = "CREATE TABLE people (id int PRIMARY KEY, email text, boss int REFERENCES people)";
    let cluster = Cluster::shared();
    let (prod, dev) = two(
        cluster,
        "hidden",
        schema,
        "INSERT INTO people SELECT g, 'canary' || g, NULL FROM generate_series(1, 9) g",
    );
    let world = ruled(&prod, &dev, PEOPLE);
    mark(&world, "dev");
    cluster.sql("hidden_prod", "CREATE ROLE seer LOGIN; GRANT ALL ON people TO seer; ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON people USING (id < 3)");
    world.write(
        ".env.prod",
        format!(
            "DB_URL={}\nSAMPLE_KEY=a-key-of-the-samples-4711\n",
            prod.replace("app@", "seer@")
        ),
    );
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("row-level security policy") && !world.path("x").exists(),
        "{outcome:?}"
    );
    // A role without rights is told so.
    cluster.sql(
        "hidden_prod",
        "REVOKE ALL ON people FROM seer; ALTER TABLE people DISABLE ROW LEVEL SECURITY",
    );
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert!(
        outcome.code == Some(70)
            && outcome
                .stderr
                .contains("permission denied for table people"),
        "{outcome:?}"
    );
    // The same of a copy that is to be masked by a role that its policy binds.
    cluster.sql("hidden_prod", "GRANT ALL ON people TO seer; ALTER TABLE people OWNER TO seer; ALTER TABLE people ENABLE ROW LEVEL SECURITY; ALTER TABLE people FORCE ROW LEVEL SECURITY");
    world.write(
        ".env.prod",
        format!("DB_URL={prod}\nSAMPLE_KEY=a-key-of-the-samples-4711\n"),
    );
    mark(&world, "prod");
    cluster.sql("hidden_prod", "GRANT ALL ON ringfence.marker TO seer");
    let manifest = world.read("ringfence.toml");
    let sample = "sample = { from";
    world.write(
        "ringfence.toml",
        manifest.replacen(sample, &format!("drop = [\"outbox\"]\n{sample}"), 1),
    );
    cluster.sql("postgres", "DROP DATABASE hidden_dev");
    cluster.sql(
        "postgres",
        "CREATE DATABASE hidden_dev TEMPLATE hidden_prod",
    );
    world.write(
        ".env.dev",
        format!("DB_URL={}\n", dev.replace("app@", "seer@")),
    );
    let outcome = world.ringfence(&["scrub", "dev", "--mask", "--yes", "dev"]);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("row-level security policy"),
        "{outcome:?}"
    );
    world.refuses(&["run", "dev"], &["[marker-of-a-copy]"]);
}

/// Somebody moves money from one account to another all the time; a sample of any moment has all of it.
#[test]
fn a_sample_is_of_one_moment() {
    let rule = "[resources.db.tables.accounts]\nrows = \"all\"\ncolumns = { id = \"keep\", money = \"keep\" }\n";
    let sum = "SELECT count(*), sum(money) FROM accounts";
    let schema = "CREATE TABLE accounts (id int PRIMARY KEY, money int NOT NULL)";
    let rows = "INSERT INTO accounts SELECT value, 10 FROM generate_series(1, 20000)";
    let moves = "UPDATE accounts SET money = money + CASE WHEN id < 10001 THEN 1 ELSE -1 END;\n"
        .repeat(400);
    for mode in ["DELETE", "WAL"] {
        let world = ruled("sqlite:prod.db", "sqlite:dev.db", rule);
        sqlite(
            &world,
            "prod.db",
            &format!("PRAGMA journal_mode = {mode}; {schema}; {rows}"),
        );
        sqlite(&world, "dev.db", schema);
        mark(&world, "dev");
        world.write("moves.sql", format!(".timeout 20000\n{moves}"));
        let mut writer = world.any_command("sh");
        let mut writer = writer
            .args(["-c", "exec sqlite3 prod.db < moves.sql"])
            .spawn()
            .unwrap();
        for _ in 0..4 {
            fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
            assert_eq!(sqlite(&world, "dev.db", sum), "20000|200000", "{mode}");
        }
        // It may have ended already.
        let _ = writer.kill();
        writer.wait().unwrap();
    }
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = two(
        cluster,
        "moment",
        schema,
        "INSERT INTO accounts SELECT g, 10 FROM generate_series(1, 20000) g",
    );
    let world = ruled(&prod, &dev, rule);
    mark(&world, "dev");
    let mut writer = world.any_command("psql");
    let mut writer = writer.args(["-Xq", &prod, "-c", &moves]).spawn().unwrap();
    for _ in 0..4 {
        fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
        assert_eq!(cluster.sql("moment_dev", sum), "20000|200000");
    }
    let _ = writer.kill();
    writer.wait().unwrap();
}

#[test]
#[expect(clippy::too_many_lines, reason = "mostly SQL")]
fn odd_files_travel_as_they_are() {
    const SCHEMA: &str = r#"
CREATE TABLE loose (id PRIMARY KEY, a, b BLOB);
CREATE TABLE strict (id INT PRIMARY KEY, a ANY, b BLOB, r REAL, t TEXT) STRICT;
CREATE TABLE paired (a TEXT, b INT, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE hiding (rowid TEXT, oid TEXT, email TEXT);
CREATE TABLE made (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, twice INT GENERATED ALWAYS AS (a * 2) STORED, thrice INT AS (a * 3));
CREATE TABLE "od""d table" ("select" TEXT PRIMARY KEY, "größe" TEXT);
CREATE TABLE told (id INT);
CREATE TRIGGER tell AFTER INSERT ON made BEGIN INSERT INTO told VALUES (NEW.id); END;
CREATE TRIGGER tell_of_masks AFTER UPDATE ON paired BEGIN INSERT INTO told VALUES (NEW.b); END;
CREATE VIEW seen AS SELECT * FROM made;
CREATE VIRTUAL TABLE words USING fts5(body);
"#;
    const ROWS: &str = r#"
INSERT INTO loose VALUES (1, 1, x'00ff'), ('2y', '2x', 'text'), (3.5, 2.5, NULL), (x'0a00', '', x''), ('four', NULL, 7);
INSERT INTO strict VALUES (1, 1, x'0001', 9e999, 'a' || char(0) || 'b'), (2, 'two', NULL, -9e999, char(10) || '\.'), (3, x'41', x'', 1e300, '\N');
INSERT INTO paired SELECT 'canary' || value, value % 7, 'canary of a pair' FROM generate_series(1, 50);
INSERT INTO hiding SELECT 'same', 'same', 'canary' || value || '@x.example' FROM generate_series(1, 50);
INSERT INTO made (a) SELECT value FROM generate_series(1, 50);
INSERT INTO "od""d table" VALUES ('1', 'one'), ('01', 'another');
DELETE FROM told;
INSERT INTO words VALUES ('canary');
"#;
    const RULES: &str = r#"drop = ["told"]
[resources.db.tables.loose]
rows = "sample"
columns = { id = "keep", a = "keep", b = "keep" }
[resources.db.tables.strict]
rows = "sample"
columns = { id = "keep", a = "keep", b = "keep", r = "keep", t = "keep" }
[resources.db.tables.paired]
rows = "sample"
columns = { a = "hash", b = "keep", c = "text" }
[resources.db.tables.hiding]
rows = "all"
columns = { rowid = "keep", oid = "keep", email = "email" }
[resources.db.tables.made]
rows = "sample"
columns = { id = "keep", a = "keep" }
[resources.db.tables."od\"d table"]
rows = "sample"
columns = { select = "keep", "größe" = "keep" }
"#;
    let world = ruled("sqlite:prod.db", "sqlite:dev.db", RULES);
    sqlite(&world, "prod.db", &format!("{SCHEMA}{ROWS}"));
    sqlite(&world, "dev.db", SCHEMA);
    mark(&world, "dev");
    for words in [
        &["sample", "dev", "--fraction", "1"][..],
        &[
            "sample",
            "dev",
            "--fraction",
            "99.99%",
            "--replace",
            "--yes",
            "dev",
        ],
    ] {
        fine(&world, words);
        for rows in [
            "SELECT quote(id), quote(a), quote(b) FROM loose ORDER BY 1",
            "SELECT id, quote(a), quote(b), quote(r), hex(t) FROM strict ORDER BY 1",
            "SELECT * FROM made ORDER BY 1",
            "SELECT * FROM \"od\"\"d table\" ORDER BY 1",
            "SELECT count(*), count(DISTINCT a), count(DISTINCT b) FROM paired",
        ] {
            assert_eq!(
                sqlite(&world, "dev.db", rows),
                sqlite(&world, "prod.db", rows),
                "{rows}"
            );
        }
        assert_eq!(sqlite(&world, "dev.db", "SELECT count(*) FROM told"), "0");
        let next = "INSERT INTO made (a) VALUES (1); SELECT max(id) FROM made; DELETE FROM made WHERE id = 51; DELETE FROM told";
        assert!(sqlite(&world, "dev.db", next).parse::<u32>().unwrap() >= 51);
    }
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));

    // Masked where they are: rows without a number, and rows whose number another column hides.
    mark(&world, "prod");
    std::fs::remove_file(world.path("dev.db")).unwrap();
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    // An index of words holds what it was made of.
    let words = ["scrub", "dev", "--mask", "--yes", "dev"];
    let outcome = world.ringfence(&words);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("`words` is an index"),
        "{outcome:?}"
    );
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("drop = [\"told\"]", "drop = [\"told\", \"words\"]"),
    );
    // Somebody who still reads what was there keeps it from being called scrubbed.
    sqlite(&world, "dev.db", "PRAGMA journal_mode = WAL");
    let reading = reader_of_a_file(&world);
    let outcome = world.ringfence(&words);
    assert!(outcome.code == Some(70), "{outcome:?}");
    drop(reading);
    let outcome = fine(&world, &words);
    sqlite(&world, "dev.db", "PRAGMA journal_mode = DELETE");
    assert!(
        outcome.stdout.contains("paired  50 rows masked")
            && outcome.stdout.contains("hiding  50 rows masked"),
        "{outcome:?}"
    );
    let counts = "SELECT (SELECT count(DISTINCT email) FROM hiding WHERE email LIKE '%.invalid'), (SELECT count(DISTINCT a) FROM paired), (SELECT count(*) FROM told)";
    assert_eq!(sqlite(&world, "dev.db", counts), "50|50|0");
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
}

/// A program that reads a file and does not come to an end.
struct Reading(std::process::Child);

impl Drop for Reading {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader_of_a_file(world: &World) -> Reading {
    let mut shell = world.any_command("sqlite3");
    shell
        .arg("dev.db")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let input = child.stdin.as_mut().unwrap();
    std::io::Write::write_all(input, b"BEGIN; SELECT 'begun', count(*) FROM hiding;\n").unwrap();
    let mut begun = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
    assert_eq!(&begun, b"begun");
    Reading(child)
}

/// Making room takes nothing else along: not what points here, and goes when that goes.
#[test]
fn room_is_not_made_at_the_cost_of_what_does_not_travel() {
    let schema = "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, boss INT); CREATE TABLE own (id INT, person INT REFERENCES people ON DELETE CASCADE)";
    let world = ruled("sqlite:prod.db", "sqlite:dev.db", PEOPLE);
    for file in ["prod.db", "dev.db"] {
        sqlite(
            &world,
            file,
            &format!("{schema}; INSERT INTO people VALUES (1, 'a@x.example', NULL)"),
        );
    }
    mark(&world, "dev");
    sqlite(&world, "dev.db", "INSERT INTO own VALUES (1, 1)");
    let words = ["sample", "dev", "--replace", "--yes", "dev"];
    let outcome = world.ringfence(&words);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("`own` has rows that point to rows that would go"),
        "{outcome:?}"
    );
    assert_eq!(sqlite(&world, "dev.db", "SELECT count(*) FROM own"), "1");
    sqlite(&world, "dev.db", "DELETE FROM own");
    fine(&world, &words);
}

/// A row of hundreds of megabytes is refused by the name of its table, and nothing is written.
#[test]
fn a_row_that_is_too_large_is_refused() {
    let rule = "[resources.db.tables.files]\nrows = \"all\"\ncolumns = { id = \"keep\", content = \"keep\" }\n";
    let world = ruled("sqlite:prod.db", "sqlite:dev.db", rule);
    let schema = "CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB)";
    sqlite(
        &world,
        "prod.db",
        &format!("{schema}; INSERT INTO files VALUES (1, zeroblob(140000000))"),
    );
    sqlite(&world, "dev.db", schema);
    mark(&world, "dev");
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("a row of `files` takes more than 256 MiB"),
        "{outcome:?}"
    );
    assert!(!world.path("x").exists());
}

/// Rows that nothing tells apart travel all or not at all; a reference is known whatever the case of its letters.
#[test]
fn rows_without_a_key_and_names_in_any_case() {
    const SCHEMA: &str = "CREATE TABLE Users (Id INTEGER PRIMARY KEY, n INT);
        CREATE TABLE keyless (user INT REFERENCES USERS (ID), n INT);
        CREATE TABLE half (a TEXT UNIQUE, user INT REFERENCES users)";
    let world = ruled(
        "sqlite:prod.db",
        "sqlite:dev.db",
        "[resources.db.tables.Users]\nrows = \"sample\"\ncolumns = { Id = \"keep\", n = \"keep\" }
[resources.db.tables.keyless]\nrows = \"all\"\ncolumns = { user = \"keep\", n = \"keep\" }
[resources.db.tables.half]\ncolumns = { a = \"keep\", user = \"keep\" }\n",
    );
    sqlite(
        &world,
        "prod.db",
        &format!(
            "{SCHEMA}; INSERT INTO Users SELECT value, 1 FROM generate_series(1, 100); INSERT INTO keyless SELECT value / 50 + 1, 1 FROM generate_series(0, 99); INSERT INTO half VALUES ('a', 7), (NULL, 8), (NULL, 9)"
        ),
    );
    sqlite(&world, "dev.db", SCHEMA);
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]);
    assert!(
        plan.stdout.contains("keyless.user → Users  followed"),
        "{plan:?}"
    );
    fine(&world, &["sample", "dev"]);
    let counts = "SELECT (SELECT count(*) FROM keyless), (SELECT count(*) FROM Users WHERE Id < 3)";
    assert_eq!(sqlite(&world, "dev.db", counts), "100|2");
    for (part, other, table) in [
        (
            "[resources.db.tables.keyless]\nrows = \"all\"",
            "[resources.db.tables.keyless]\nrows = \"all\"\nwhere = \"n = 1\"",
            "keyless",
        ),
        (
            "[resources.db.tables.keyless]\nrows = \"all\"",
            "[resources.db.tables.keyless]\nalong = [\"Users\"]",
            "keyless",
        ),
        (
            "[resources.db.tables.half]",
            "[resources.db.tables.half]\nrows = \"all\"\nwhere = \"user > 1\"",
            "half",
        ),
    ] {
        let manifest = world.read("ringfence.toml");
        world.write("ringfence.toml", manifest.replace(part, other));
        let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
        assert_eq!(outcome.code, Some(78), "{other}: {outcome:?}");
        assert!(
            outcome
                .stderr
                .contains(&format!("`{table}` has rows without a key")),
            "{other}: {outcome:?}"
        );
        world.write("ringfence.toml", manifest);
    }
}

/// What was made of rows that are masked or gone holds them no more: materialized views, statistics of partitions.
#[test]
fn nothing_that_was_made_of_rows_keeps_them() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let prod = cluster.database("made_prod");
    cluster.sql(
        "made_prod",
        "CREATE TABLE people (id int PRIMARY KEY, email text, boss int REFERENCES people); INSERT INTO people SELECT g, 'canary' || g, NULL FROM generate_series(1, 9) g;
         CREATE TABLE outbox (id int, body text) PARTITION BY RANGE (id); CREATE TABLE early PARTITION OF outbox FOR VALUES FROM (0) TO (100); INSERT INTO outbox SELECT g, 'canary' || g % 3 FROM generate_series(1, 90) g;
         CREATE TABLE sessions (id int, token text) PARTITION BY RANGE (id); CREATE TABLE first PARTITION OF sessions FOR VALUES FROM (0) TO (100); INSERT INTO sessions SELECT g, 'canary' || g % 3 FROM generate_series(1, 90) g;
         CREATE VIEW mails AS SELECT email FROM people;
         CREATE MATERIALIZED VIEW known AS SELECT email FROM mails; CREATE MATERIALIZED VIEW counted AS SELECT email, count(*) FROM known GROUP BY 1;
         CREATE MATERIALIZED VIEW sent AS SELECT body FROM outbox WHERE id < 50; CREATE MATERIALIZED VIEW of_early AS SELECT body FROM early;
         ANALYZE first; ANALYZE sent; ANALYZE known",
    );
    let world = ruled(
        &prod,
        &cluster.url("made_dev"),
        &format!("drop = [\"outbox\", \"sessions\"]\n{PEOPLE}"),
    );
    mark(&world, "prod");
    cluster.sql("postgres", "CREATE DATABASE made_dev TEMPLATE made_prod");
    let held = "SELECT (SELECT count(*) FROM known WHERE email LIKE 'canary%'), (SELECT count(*) FROM counted WHERE email LIKE 'canary%'), (SELECT count(*) FROM sent), (SELECT count(*) FROM of_early),
        (SELECT count(*) FROM pg_stats WHERE tablename IN ('first', 'known') AND coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, '') LIKE '%canary%')";
    assert_eq!(cluster.sql("made_dev", held), "9|9|49|90|2");
    let outcome = fine(&world, &["scrub", "dev", "--mask", "--yes", "dev"]);
    assert_eq!(cluster.sql("made_dev", held), "0|0|0|0|0", "{outcome:?}");
    assert_eq!(
        cluster.sql(
            "made_dev",
            "SELECT count(*) FROM counted WHERE email LIKE '%.invalid'"
        ),
        "9"
    );
    // Of a view that is empty now the statistics stay, and that is said.
    assert!(
        outcome
            .stdout
            .contains("public.sent  the planner's statistics"),
        "{outcome:?}"
    );
}

/// Emptying a table takes nothing else along that nobody has named.
#[test]
fn a_scrub_of_a_file_names_what_else_would_go() {
    let world = ruled("sqlite:prod.db", "sqlite:dev.db", "drop = [\"outbox\"]\n");
    sqlite(
        &world,
        "prod.db",
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY); CREATE TABLE attempts (id INT, mail INT REFERENCES Outbox ON DELETE CASCADE); INSERT INTO outbox VALUES (1); INSERT INTO attempts VALUES (1, 1)",
    );
    mark(&world, "prod");
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    let words = ["scrub", "dev", "--yes", "dev"];
    let outcome = world.ringfence(&words);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("rows of `attempts` would change"),
        "{outcome:?}"
    );
    assert_eq!(
        sqlite(&world, "dev.db", "SELECT count(*) FROM attempts, outbox"),
        "1"
    );
    sqlite(&world, "dev.db", "DELETE FROM attempts");
    fine(&world, &words);
}

/// Somebody writes into the target while it is loaded: the load waits, and finds the rows.
#[test]
fn a_target_that_is_written_to_is_waited_for() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let schema = "CREATE TABLE notes (note text)";
    let (prod, dev) = two(cluster, "written", schema, "INSERT INTO notes VALUES ('x')");
    let rule = "[resources.db.tables.notes]\nrows = \"all\"\ncolumns = { note = \"keep\" }\n";
    let world = ruled(&prod, &dev, rule);
    mark(&world, "dev");
    fine(&world, &["sample", "create", "dev", "--out", "x"]);
    let mut psql = world.any_command("psql");
    psql.args(["-XAtq", &dev])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut writer = psql.spawn().unwrap();
    let input = writer.stdin.as_mut().unwrap();
    std::io::Write::write_all(input, b"BEGIN;\nINSERT INTO notes VALUES ('own');\nSELECT 'begun';\nSELECT pg_sleep(1);\nCOMMIT;\n").unwrap();
    let mut begun = [0; 5];
    std::io::Read::read_exact(writer.stdout.as_mut().unwrap(), &mut begun).unwrap();
    let outcome = world.ringfence(&["sample", "load", "dev", "x"]);
    drop(writer.stdin.take());
    writer.wait().unwrap();
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome.stderr.contains("`notes` has rows already"),
        "{outcome:?}"
    );
    assert_eq!(cluster.sql("written_dev", "SELECT note FROM notes"), "own");
}
