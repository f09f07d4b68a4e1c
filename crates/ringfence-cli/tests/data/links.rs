//! References that no schema declares: polymorphic ones as Rails and Django have them, composite ones, and what points to nothing.

use crate::hostile::ruled;
use crate::markers::mark;
use crate::samples::{fine, sqlite};
use crate::servers::{Cluster, has};
use crate::world::World;

/// Comments on posts and people, and on what is no table; tags by a table of kinds; moves by two columns; things that must point somewhere.
const SCHEMA: &str = "
CREATE TABLE people (id int PRIMARY KEY, email text, boss int REFERENCES people);
CREATE TABLE posts (id bigint PRIMARY KEY, title text);
CREATE TABLE sessions (id int PRIMARY KEY, token text);
CREATE TABLE comments (id int PRIMARY KEY, subject_type text, subject_id bigint, body text);
CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text);
CREATE TABLE tags (id int PRIMARY KEY, content_type_id int NOT NULL REFERENCES django_content_type, object_id text NOT NULL);
CREATE TABLE seats (hall text, number int, PRIMARY KEY (hall, number));
CREATE TABLE moves (id int PRIMARY KEY, hall text, number int, kind text);
CREATE TABLE events (id int PRIMARY KEY, target_kind text NOT NULL, target_id int NOT NULL);
";

const SERIES: &str = "
INSERT INTO people SELECT g, 'canary' || g || '@x.example', CASE WHEN g > 1 THEN g - 1 END FROM generate_series(1, 40) s(g);
INSERT INTO posts SELECT g, 'canary title' FROM generate_series(1, 40) s(g);
INSERT INTO sessions SELECT g, 'canary' FROM generate_series(1, 40) s(g);
INSERT INTO comments SELECT g, 'Post', g, 'x' FROM generate_series(1, 40) s(g);
INSERT INTO comments SELECT g, 'Person', g - 40, 'x' FROM generate_series(41, 80) s(g);
INSERT INTO comments VALUES (101, 'Post', 4711, 'dangling'), (102, 'Video', 1, 'no table'), (103, 'Post', NULL, 'nowhere'), (104, NULL, NULL, 'nowhere'), (105, 'Session', 1, 'stays behind');
INSERT INTO django_content_type VALUES (7, 'blog', 'post'), (8, 'auth', 'session');
INSERT INTO tags SELECT g, 7, CAST(g AS text) FROM generate_series(1, 40) s(g);
INSERT INTO tags VALUES (50, 7, 'no number'), (51, 7, '99999999999999999999'), (52, 8, '1');
INSERT INTO seats SELECT 'hall ' || g, g FROM generate_series(1, 40) s(g);
INSERT INTO moves SELECT g, 'hall ' || g, g, 'seat' FROM generate_series(1, 40) s(g);
INSERT INTO moves VALUES (50, 'hall 1', 2, 'seat'), (51, 'hall 1', NULL, 'seat'), (52, 'hall 1', 1, 'other');
INSERT INTO events SELECT g, 'person', g FROM generate_series(1, 40) s(g);
INSERT INTO events VALUES (50, 'person', 4711);
";

const RULES: &str = r#"drop = ["sessions"]
[resources.db.tables.people]
columns = { id = "keep", email = "email", boss = "keep" }
[resources.db.tables.posts]
columns = { id = "keep" }
[resources.db.tables.comments]
rows = "sample"
links = ["subject_id to posts when subject_type is Post", "subject_id to people when subject_type is Person", "subject_id to sessions when subject_type is Session"]
columns = { id = "keep", subject_type = "keep", subject_id = "keep", body = "text" }
[resources.db.tables.django_content_type]
columns = { id = "keep", app_label = "keep", model = "keep" }
[resources.db.tables.tags]
rows = "all"
where = "id > 30"
links = ["object_id to posts when content_type_id is 7"]
columns = { id = "keep", content_type_id = "keep", object_id = "keep" }
[resources.db.tables.seats]
columns = { hall = "keep", number = "keep" }
[resources.db.tables.moves]
rows = "all"
links = ["hall+number to seats by hall+number when kind is seat"]
columns = { id = "keep", hall = "keep", number = "keep", kind = "keep" }
[resources.db.tables.events]
rows = "all"
where = "id > 38"
links = ["target_id to people when target_kind is person"]
columns = { id = "keep", target_kind = "keep", target_id = "keep" }
"#;

const CHECKS: [(&str, &str); 9] = [
    // Parents come along, and what a row points to is the row that it pointed to.
    (
        "SELECT count(*) FROM comments WHERE subject_type = 'Post' AND subject_id NOT IN (SELECT id FROM posts)",
        "0",
    ),
    (
        "SELECT count(*) FROM comments WHERE subject_type = 'Person' AND subject_id NOT IN (SELECT id FROM people)",
        "0",
    ),
    (
        "SELECT count(*) FROM comments WHERE subject_id IS NOT NULL AND subject_id <> CASE subject_type WHEN 'Post' THEN id ELSE id - 40 END",
        "0",
    ),
    // What points to nothing, to no table, or to what stays behind is null.
    (
        "SELECT count(*) FROM comments WHERE id > 100 AND subject_id IS NOT NULL",
        "0",
    ),
    (
        "SELECT count(*) FROM tags t WHERE content_type_id = 7 AND id <= 40 AND object_id NOT IN (SELECT CAST(id AS text) FROM posts)",
        "0",
    ),
    // It must have a value, and so keeps what points to nothing.
    ("SELECT count(*) FROM tags WHERE id >= 50", "3"),
    (
        "SELECT count(*), sum(CASE WHEN hall IS NULL THEN 1 ELSE 0 END) FROM moves",
        "43|2",
    ),
    (
        "SELECT count(*) FROM moves m WHERE kind = 'seat' AND number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM seats s WHERE s.hall = m.hall AND s.number = m.number)",
        "0",
    ),
    (
        "SELECT count(*) FROM events e WHERE target_id NOT IN (SELECT id FROM people)",
        "1",
    ),
];

#[track_caller]
fn checks(world: &World, sql: impl Fn(&str) -> String) {
    mark(world, "dev");
    let plan = fine(world, &["sample", "plan", "dev"]);
    for words in [
        "comments.subject_id where subject_type is Post → posts",
        "comments.subject_id where subject_type is Session → sessions  cut: no row of the other table travels",
        "moves.hall+number where kind is seat → seats",
    ] {
        assert!(
            plan.stdout.replace("   ", "  ").contains(words) || plan.stdout.contains(words),
            "{words}: {}",
            plan.stdout
        );
    }
    let made = fine(world, &["sample", "create", "dev", "--out", "dev.sample"]);
    let told = |table: &str| {
        let mut lines = made.stdout.lines();
        let line = lines
            .find(|line| line.starts_with(&format!("{table} ")))
            .unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told("tags"), "tags 13 rows 3 of them with a reference cut");
    assert_eq!(
        told("moves"),
        "moves 43 rows 2 of them with a reference cut"
    );
    assert_eq!(
        told("events"),
        "events 3 rows 1 of them with a reference cut"
    );
    fine(world, &["sample", "load", "dev", "dev.sample"]);
    for (query, expected) in CHECKS {
        assert_eq!(sql(query), expected, "{query}");
    }
    let with = "SELECT count(*) > 10 FROM comments WHERE subject_id IS NOT NULL";
    assert!(["t", "1"].contains(&sql(with).as_str()));
    // A chief who was not needed otherwise does not come, and that is told.
    let bosses = sql("SELECT count(*) FROM people WHERE boss IS NOT NULL");
    assert_eq!(bosses, "0");
    assert!(told("people").contains("with a reference cut"), "{made:?}");

    // Everything at once: nothing points to what is there by chance.
    fine(
        world,
        &[
            "sample",
            "dev",
            "--fraction",
            "1",
            "--replace",
            "--yes",
            "dev",
        ],
    );
    let all = "SELECT count(*), count(subject_id) FROM comments";
    assert_eq!(sql(all), "85|80");
    for (query, expected) in CHECKS {
        assert_eq!(sql(query), expected, "{query}");
    }
}

#[test]
fn links_are_followed_and_what_points_to_nothing_is_cut() {
    let world = ruled("sqlite:prod.db", "sqlite:dev.db", RULES);
    sqlite(
        &world,
        "prod.db",
        &format!(
            "{SCHEMA}{}",
            SERIES
                .replace(
                    "FROM generate_series",
                    "FROM (SELECT value AS g FROM generate_series"
                )
                .replace(" s(g)", ")")
        ),
    );
    sqlite(&world, "dev.db", SCHEMA);
    checks(&world, |query| sqlite(&world, "dev.db", query));
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = (
        cluster.database("links_prod"),
        cluster.database("links_dev"),
    );
    cluster.sql("links_prod", &format!("{SCHEMA}{SERIES}"));
    cluster.sql("links_dev", SCHEMA);
    let world = ruled(&prod, &dev, RULES);
    checks(&world, |query| cluster.sql("links_dev", query));
}

/// Children come along with what they point to, a table whose rows all travel is looked at as well, and links are suggested.
#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn links_bring_rows_along_and_are_suggested() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = (
        cluster.database("along_prod"),
        cluster.database("along_dev"),
    );
    cluster.sql("along_prod", &format!("{SCHEMA}{SERIES}ANALYZE"));
    cluster.sql("along_prod", "INSERT INTO comments SELECT g, 'Post', g % 40 + 1 FROM generate_series(200, 399) g; INSERT INTO comments VALUES (500, 'canary-word', 1)");
    // Of a table as large as this one is taken for, a part of the words is looked at.
    cluster.sql(
        "along_prod",
        "UPDATE pg_class SET reltuples = 1000001 WHERE relname = 'comments'",
    );
    cluster.sql("along_dev", SCHEMA);
    let rules = r#"drop = ["sessions"]
[resources.db.tables.posts]
rows = "all"
where = "id <= 20"
columns = { id = "keep" }
[resources.db.tables.people]
columns = { id = "keep" }
[resources.db.tables.comments]
columns = { id = "keep", subject_type = "keep", subject_id = "keep" }
[resources.db.tables.tags]
columns = { id = "keep", content_type_id = "keep", object_id = "keep" }
"#;
    let world = ruled(&prod, &dev, rules);
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]);
    for words in [
        "could be the link `subject_id to posts when subject_type is Post`",
        "could be the link `subject_id to people when subject_type is Person`",
        "could be the link `object_id to posts when content_type_id is 7`",
        "3 other words beside it lead to no table that travels",
    ] {
        assert!(plan.stdout.contains(words), "{words}: {}", plan.stdout);
    }
    assert!(!plan.stdout.contains("canary"), "{plan:?}");
    let json = fine(&world, &["sample", "plan", "dev", "--json"]);
    assert!(
        json.stdout.contains("\"others\"") && !json.stdout.contains("canary"),
        "{json:?}"
    );
    fine(&world, &["sample", "plan", "dev", "--write"]);
    let written = world.read("ringfence.toml");
    assert!(
        written.contains("\"subject_id to posts when subject_type is Post\""),
        "{written}"
    );
    let again = fine(&world, &["sample", "plan", "dev", "--write"]);
    assert!(again.stderr.contains("0 rules"), "{again:?}");
    let along = "[resources.db.tables.comments]\nalong = [\"posts by subject_id cap 3\"]\n";
    world.write(
        "ringfence.toml",
        written.replacen("[resources.db.tables.comments]\n", along, 1),
    );
    fine(&world, &["sample", "dev"]);
    let counts = "SELECT count(*), count(DISTINCT subject_id), bool_and(subject_type = 'Post' AND subject_id <= 20) FROM comments";
    assert_eq!(cluster.sql("along_dev", counts), "60|20|t");
    // By the whole of a table, of which no key is kept.
    world.write(
        "ringfence.toml",
        world
            .read("ringfence.toml")
            .replacen("where = \"id <= 20\"\n", "", 1),
    );
    fine(&world, &["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(cluster.sql("along_dev", "SELECT count(*) FROM posts"), "40");
    let counts = "SELECT count(*), count(DISTINCT subject_id) FROM comments";
    // One of those above points to nothing, and so comes along with nothing.
    assert_eq!(cluster.sql("along_dev", counts), "120|40");
    // A link that cannot be one is refused by its name.
    for (link, why) in [
        ("subject_id to videos", "there is no such table to point to"),
        (
            "subject_id to seats",
            "as many columns must point as are pointed to",
        ),
        ("other_id to posts", "a column that points is not there"),
        (
            "subject_id to posts when kind is x",
            "the column after `when` is not there",
        ),
        (
            "body to django_content_type by app_label+model",
            "as many columns must point",
        ),
        (
            "subject_id to posts by title",
            "its columns hold something else",
        ),
    ] {
        let manifest = world.read("ringfence.toml");
        world.write(
            "ringfence.toml",
            manifest.replacen(
                "\"subject_id to posts when subject_type is Post\"",
                &format!("{link:?}"),
                1,
            ),
        );
        let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
        assert_eq!(outcome.code, Some(78), "{link}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{link}: {outcome:?}");
        world.write("ringfence.toml", manifest);
    }
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("subject_type = \"keep\"", "subject_type = \"hash\""),
    );
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert!(
        outcome.stderr.contains("says which table a link points to"),
        "{outcome:?}"
    );
    world.write(
        "ringfence.toml",
        manifest.replace("subject_id = \"keep\"", "subject_id = \"number\""),
    );
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert!(
        outcome.stderr.contains("joins would be lost"),
        "{outcome:?}"
    );
    world.write(
        "ringfence.toml",
        manifest.replace(
            "\"subject_id to posts when subject_type is Post\"",
            "\"subject_id posts\"",
        ),
    );
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x"]);
    assert!(
        outcome.stderr.contains("is no link") && outcome.stderr.contains("[sample-rule]"),
        "{outcome:?}"
    );
}
