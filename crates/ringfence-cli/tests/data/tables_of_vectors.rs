//! Tables of vectors as their authors' own extensions keep them: `vec0` of sqlite-vec, and PostgreSQL's `vector`, also from one to the other.

use std::path::{Path, PathBuf};

use crate::markers::mark;
use crate::packages::vec0;
use crate::servers::Cluster;
use crate::vectors::{embeddings, fine, sqlite};
use crate::world::World;

const HEAD: &str = "\
version = 1
project = \"library\"
[environments]
dev = {}
prod = {}
[resources.index]
setting = \"INDEX\"
sample = { from = \"prod\", fraction = \"30%\", key = \"SAMPLE_KEY\" }
index = { model = { default = \"small\", in.prod = \"large\" }, dimension = 3, metric = \"cosine\", endpoint = \"LLM_URL\" }
";

/// Texts in one table, their vectors in another: as the extension's own guides do it.
const APART: &str = "\
[resources.index.tables.documents]
rows = \"sample\"
columns = { id = \"keep\", title = \"text\" }
[resources.index.tables.chunks]
along = [\"documents\"]
columns = { id = \"keep\", document_id = \"keep\", body = \"text\" }
[resources.index.tables.vec_chunks]
links = [\"chunk_id to chunks\"]
along = [\"chunks\"]
columns = { chunk_id = \"keep\", document_id = \"keep\", lang = \"keep\" }
vectors = { embedding = \"chunks.body by chunk_id\" }
";

/// One table alone, whose corpus is public.
const PUBLIC: &str = "\
[resources.index.tables.vec_chunks]
rows = \"sample\"
document = \"document_id\"
columns = { chunk_id = \"keep\", document_id = \"keep\", lang = \"keep\", embedding = \"keep\" }
";

const PLAIN: &str = "CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
    CREATE TABLE chunks (id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES documents, body TEXT NOT NULL);";

const VEC0: &str = "CREATE VIRTUAL TABLE vec_chunks USING vec0(chunk_id integer primary key, document_id integer partition key, embedding float[3] distance_metric=cosine, lang text, +note text, chunk_size=8);";

const ROWS: &str =
    "INSERT INTO documents SELECT value, 'canary title ' || value FROM generate_series(1, 60);
    INSERT INTO chunks SELECT value, (value - 1) / 5 + 1, 'canary body of chunk ' || value || printf('%.*c', value % 40, 'x') FROM generate_series(1, 300);
    INSERT INTO vec_chunks (chunk_id, document_id, embedding, lang, note) SELECT id, document_id, vec_f32(json_array(4711.25, id, 0.1)), 'en', 'canary note' FROM chunks;";

/// What the environments have in common where vectors are copied: the model.
const SAME: (&str, &str) = ("{ default = \"small\", in.prod = \"large\" }", "\"small\"");

fn library(tables: &str, (prod, dev): (&str, &str), port: u16) -> World {
    let world = World::new(&[("ringfence.toml", &format!("{HEAD}{tables}"))]);
    let key = "SAMPLE_KEY=a-key-of-the-samples-4711";
    world.write(
        ".env.prod",
        format!("INDEX={prod}\nLLM_URL=http://127.0.0.1:1/v1\n{key}\n"),
    );
    world.write(
        ".env.dev",
        format!("INDEX={dev}\nLLM_URL=http://127.0.0.1:{port}/v1\n"),
    );
    world
}

/// The shell `sqlite3` with the extension of its author.
#[track_caller]
fn with_vec0(world: &World, (vec0, file): (&Path, &str), statements: &str) -> String {
    let mut shell = world.any_command("sqlite3");
    let load = format!(".load {}", vec0.display());
    let output = shell
        .args(["-cmd", &load, file, statements])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn made(world: &World, vec0: &Path, file: &str, statements: &str) {
    with_vec0(world, (vec0, file), statements);
}

#[test]
fn tables_of_sqlite_vec_are_made_again_from_masked_text() {
    let Some(vec0) = vec0() else { return };
    let (port, asked) = embeddings();
    let world = library(APART, ("sqlite:prod.db", "sqlite:dev.db"), port);
    made(&world, &vec0, "prod.db", &format!("{PLAIN}{VEC0}{ROWS}"));
    made(&world, &vec0, "dev.db", &format!("{PLAIN}{VEC0}"));
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]).stdout;
    assert!(
        plan.contains("vec_chunks") && !plan.contains("vec_chunks_"),
        "tables behind the table are nobody's: {plan}"
    );
    fine(&world, &["sample", "dev"]);
    let dev = |statements: &str| with_vec0(&world, (&vec0, "dev.db"), statements);
    // Every chunk of a kept document has the vector of its own masked text, by the extension's own reading.
    let counts = dev(
        "SELECT count(*), count(DISTINCT document_id), (SELECT count(*) FROM chunks), (SELECT count(*) FROM documents) FROM vec_chunks",
    );
    let counts: Vec<u32> = counts.split('|').map(|n| n.parse().unwrap()).collect();
    assert!(counts[3] > 5 && counts[0] == 5 * counts[3], "{counts:?}");
    assert_eq!((counts[0], counts[1]), (counts[2], counts[3]));
    let wrong = "SELECT count(*) FROM vec_chunks v JOIN chunks c ON c.id = v.chunk_id
        WHERE vec_to_json(v.embedding) <> vec_to_json(json_array(length(c.body), 0.5, -1)) OR v.document_id <> c.document_id OR v.lang <> 'en' OR v.note IS NOT NULL";
    assert_eq!(dev(wrong), "0");
    let nearest = "SELECT c.body FROM vec_chunks v JOIN chunks c ON c.id = v.chunk_id
        WHERE v.embedding MATCH (SELECT json_array(length(body), 0.5, -1) FROM chunks LIMIT 1) AND k = 1";
    assert!(!dev(nearest).is_empty(), "the index finds its own");
    assert_eq!(dev("PRAGMA integrity_check"), "ok");
    let texts = asked.lock().unwrap().clone();
    assert!(texts.len() == counts[0] as usize && texts.iter().all(|text| !text.contains("canary")));
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    let original = 4711.25_f32.to_le_bytes();
    assert!(
        !bytes.windows(4).any(|part| part == original)
            && !bytes.windows(6).any(|part| part == b"canary")
    );
    // A vector must be there: where nothing makes it and nothing keeps it, nothing is loaded.
    let manifest = format!("{HEAD}{APART}").replace(
        "vectors = { embedding = \"chunks.body by chunk_id\" }\n",
        "",
    );
    world.write("ringfence.toml", manifest);
    let outcome = world.ringfence(&["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("`vec_chunks.embedding` must have a vector"),
        "{outcome:?}"
    );
    assert_eq!(
        dev("SELECT count(*) FROM vec_chunks"),
        counts[0].to_string()
    );
}

#[test]
fn a_public_corpus_of_sqlite_vec_is_copied_by_document() {
    let Some(vec0) = vec0() else { return };
    let world = library(PUBLIC, ("sqlite:prod.db", "sqlite:dev.db"), 1);
    let head = HEAD.replace(SAME.0, SAME.1);
    made(&world, &vec0, "prod.db", &format!("{PLAIN}{VEC0}{ROWS}"));
    let bits = "CREATE VIRTUAL TABLE bits USING vec0(name text primary key, b bit[16], i int8[2], ok boolean, score float);";
    made(&world, &vec0, "dev.db", &format!("{VEC0}{bits}"));
    made(
        &world,
        &vec0,
        "prod.db",
        &format!(
            "{bits} INSERT INTO bits VALUES ('one', vec_bit(x'0ff0'), vec_int8('[-1,127]'), 1, 0.25), ('two', vec_bit(x'ffff'), vec_int8('[0,5]'), 0, 2.0)"
        ),
    );
    let more = "[resources.index.tables.bits]\nrows = \"all\"\ncolumns = { name = \"keep\", b = \"keep\", i = \"keep\", ok = \"keep\", score = \"keep\" }\n";
    // Vectors of prod's model are of no use to dev's.
    mark(&world, "dev");
    world.write("ringfence.toml", format!("{HEAD}{PUBLIC}{more}"));
    let outcome = world.ringfence(&["sample", "dev"]);
    assert!(
        outcome.code == Some(78)
            && outcome
                .stderr
                .contains("of another model: `large`, and `small` is used here"),
        "{outcome:?}"
    );
    world.write("ringfence.toml", format!("{head}{PUBLIC}{more}"));
    let documents = || {
        let dev = "SELECT group_concat(document_id) FROM (SELECT DISTINCT document_id FROM vec_chunks ORDER BY 1)";
        let all = with_vec0(&world, (&vec0, "dev.db"), dev);
        all.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let once = fine(&world, &["sample", "dev"]);
    let few = documents();
    let whole =
        "SELECT count(*) FROM (SELECT document_id FROM vec_chunks GROUP BY 1 HAVING count(*) <> 5)";
    assert_eq!(with_vec0(&world, (&vec0, "dev.db"), whole), "0");
    let same = "ATTACH 'prod.db' AS prod; SELECT (SELECT count(*) FROM vec_chunks v JOIN prod.vec_chunks p ON p.chunk_id = v.chunk_id AND p.embedding = v.embedding) = (SELECT count(*) FROM vec_chunks), (SELECT group_concat(name || hex(b) || hex(i) || ok || score) FROM bits)";
    assert_eq!(
        with_vec0(&world, (&vec0, "dev.db"), same),
        "1|one0FF0FF7F10.25,twoFFFF000502.0"
    );
    // The same again, and more of them when more are asked for.
    let replace = ["--replace", "--yes", "dev"];
    let again = fine(&world, &[&["sample", "dev"][..], &replace].concat());
    assert_eq!(again.stdout, once.stdout);
    fine(
        &world,
        &[&["sample", "dev", "--fraction", "0.6"][..], &replace].concat(),
    );
    let many = documents();
    assert!(many.len() > few.len() && few.iter().all(|document| many.contains(document)));
    fine(
        &world,
        &[&["sample", "dev", "--rows", "4"][..], &replace].concat(),
    );
    assert_eq!(documents().len(), 4, "whole documents are counted");
}

/// Vectors that may be copied, from each kind of store into the other.
#[test]
fn vectors_travel_between_postgresql_and_sqlite() {
    let (Some(vec0), Some(cluster)) = (vec0(), Cluster::with_vectors()) else {
        return;
    };
    let table = "CREATE EXTENSION IF NOT EXISTS vector; CREATE TABLE vec_chunks (chunk_id int PRIMARY KEY, document_id int NOT NULL, embedding vector(3) NOT NULL, lang text)";
    let (one, two) = (
        cluster.database("mixed_prod"),
        cluster.database("mixed_dev"),
    );
    cluster.sql("mixed_prod", &format!("{table}; INSERT INTO vec_chunks SELECT g, (g - 1) / 5 + 1, ARRAY[g, 1.5e-20, -0.1]::real[]::vector, 'en' FROM generate_series(1, 200) g"));
    cluster.sql("mixed_dev", table);
    let down = library(PUBLIC, (&one, "sqlite:dev.db"), 1);
    let head = HEAD.replace(SAME.0, SAME.1);
    down.write("ringfence.toml", format!("{head}{PUBLIC}"));
    made(&down, &vec0, "dev.db", VEC0);
    mark(&down, "dev");
    fine(&down, &["sample", "dev"]);
    let up = library(PUBLIC, ("sqlite:prod.db", &two), 1);
    up.write("ringfence.toml", format!("{head}{PUBLIC}"));
    std::fs::copy(down.path("dev.db"), up.path("prod.db")).unwrap();
    sqlite(
        &up,
        "prod.db",
        "DROP TABLE ringfence_marker; PRAGMA application_id = 0",
    );
    mark(&up, "dev");
    fine(&up, &["sample", "dev", "--fraction", "1"]);
    // Of which model they are, and of which sample, stands beside the marker.
    let said = "SELECT vectors::json->>'model', (vectors::json->>'corpus') = (sample::json->>'digest') FROM ringfence.marker";
    assert_eq!(cluster.sql("mixed_dev", said), "small|t");
    let sum = "SELECT count(*), sum(chunk_id), count(DISTINCT document_id), count(*) FILTER (WHERE embedding = ARRAY[chunk_id, 1.5e-20, -0.1]::real[]::vector) FROM vec_chunks";
    let kept = cluster.sql("mixed_dev", sum);
    let kept: Vec<u32> = kept.split('|').map(|n| n.parse().unwrap()).collect();
    assert!(
        kept[0] > 30 && kept[0] == kept[3] && kept[0] == 5 * kept[2],
        "{kept:?}"
    );
    let there = with_vec0(
        &down,
        (&vec0, "dev.db"),
        "SELECT count(*), sum(chunk_id) FROM vec_chunks",
    );
    assert_eq!(there, format!("{}|{}", kept[0], kept[1]));
}

/// PostgreSQL with the extension `vector`: as it is without one in the tests beside this.
#[test]
fn columns_of_pgvector_are_made_again_from_masked_text() {
    let Some(cluster) = Cluster::with_vectors() else {
        return;
    };
    let (port, asked) = embeddings();
    let (prod, dev) = (
        cluster.database("pgvector_prod"),
        cluster.database("pgvector_dev"),
    );
    let schema = "CREATE EXTENSION vector; CREATE TABLE documents (id int PRIMARY KEY, title text NOT NULL);
        CREATE TABLE chunks (id int PRIMARY KEY, document_id int NOT NULL REFERENCES documents, body text);
        CREATE TABLE vec_chunks (chunk_id int PRIMARY KEY REFERENCES chunks, document_id int, lang text, embedding vector(3) NOT NULL, half halfvec(3));
        CREATE INDEX nearest ON vec_chunks USING hnsw (embedding vector_cosine_ops)";
    cluster.sql("pgvector_dev", schema);
    cluster.sql("pgvector_prod", &format!("{schema}; INSERT INTO documents SELECT g, 'canary ' || g FROM generate_series(1, 60) g;
        INSERT INTO chunks SELECT g, (g - 1) / 5 + 1, 'canary body ' || g || repeat('x', g % 40) FROM generate_series(1, 300) g;
        INSERT INTO vec_chunks SELECT id, document_id, 'en', '[4711.25,1,2]', '[471,1,2]' FROM chunks"));
    let tables = APART.replace("links = [\"chunk_id to chunks\"]\n", "").replace(
        "vectors = { embedding = \"chunks.body by chunk_id\" }",
        "vectors = { embedding = \"chunks.body by chunk_id\", half = \"chunks.body by chunk_id\" }",
    );
    let world = library(&tables, (&prod, &dev), port);
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    let check = "SELECT count(*), count(*) FILTER (WHERE embedding::text = format('[%s,0.5,-1]', length(body)) AND half::text = embedding::text), count(DISTINCT v.document_id) FROM vec_chunks v JOIN chunks c ON c.id = v.chunk_id";
    let counts = cluster.sql("pgvector_dev", check);
    let counts: Vec<usize> = counts.split('|').map(|n| n.parse().unwrap()).collect();
    assert!(
        counts[0] > 20 && counts[0] == counts[1] && counts[0] == 5 * counts[2],
        "{counts:?}"
    );
    let texts = asked.lock().unwrap().clone();
    assert!(texts.len() == 2 * counts[0] && texts.iter().all(|text| !text.contains("canary")));
    // The index that the target's own schema declares finds what was made.
    let nearest = "SET enable_seqscan = off; SELECT count(*) FROM (SELECT chunk_id FROM vec_chunks ORDER BY embedding <=> '[30,0.5,-1]' LIMIT 5)";
    assert_eq!(cluster.sql("pgvector_dev", nearest), "5");
    let kept = cluster.sql("pgvector_dev", "SELECT vectors::json->>'model', (vectors::json->>'corpus') = (sample::json->>'digest') FROM ringfence.marker");
    assert_eq!(kept, "small|t");
    let known: PathBuf = cluster.data().join("base");
    assert!(known.is_dir());
}

/// A copy of production in a lower environment: what of a vector would tell its text goes with the text.
#[test]
fn a_scrubbed_copy_tells_nothing_by_its_vectors() {
    let (Some(vec0), Some(cluster)) = (vec0(), Cluster::with_vectors()) else {
        return;
    };
    let drop = "drop = [\"vec_chunks\"]\n";
    let world = library(
        &format!("{drop}{APART}"),
        ("sqlite:prod.db", "sqlite:dev.db"),
        1,
    );
    made(&world, &vec0, "prod.db", &format!("{PLAIN}{VEC0}{ROWS}"));
    mark(&world, "prod");
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    fine(&world, &["scrub", "dev", "--mask", "--yes", "dev"]);
    let counts = "SELECT (SELECT count(*) FROM vec_chunks), (SELECT count(*) FROM chunks)";
    assert_eq!(with_vec0(&world, (&vec0, "dev.db"), counts), "0|300");
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    let original = 4711.25_f32.to_le_bytes();
    assert!(
        !bytes.windows(4).any(|part| part == original),
        "a vector stayed"
    );

    // Where a column may be null, it is; where it may not, nothing is done.
    let table = "CREATE EXTENSION vector; CREATE TABLE chunks (id int PRIMARY KEY, body text, lang text, embedding vector(2)";
    let rules = "drop = [\"outbox\"]\n[resources.index.tables.chunks]\ncolumns = { id = \"keep\", body = \"text\" }\n";
    for (name, required, code) in [("scrub_null", "", 0), ("scrub_required", " NOT NULL", 78)] {
        let url = cluster.database(name);
        cluster.sql(
            name,
            &format!(
                "{table}{required}); INSERT INTO chunks VALUES (1, 'canary', 'en', '[4711.25,1]')"
            ),
        );
        let world = library(rules, (&url, &url), 1);
        mark(&world, "prod");
        let copy = cluster.url(&format!("{name}_copy"));
        cluster.sql(
            "postgres",
            &format!("CREATE DATABASE {name}_copy TEMPLATE {name}"),
        );
        world.write(
            ".env.dev",
            format!("INDEX={copy}\nLLM_URL=http://127.0.0.1:1\n"),
        );
        let outcome = world.ringfence(&["scrub", "dev", "--mask", "--yes", "dev"]);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        let left = cluster.sql(
            &format!("{name}_copy"),
            "SELECT count(embedding), count(*) FILTER (WHERE body = 'canary') FROM chunks",
        );
        assert_eq!(left, if code == 0 { "0|0" } else { "1|1" });
        assert!(
            code == 0
                || outcome
                    .stderr
                    .contains("`chunks.embedding` must have a vector"),
            "{outcome:?}"
        );
    }
}
