//! Vectors are data: they come by document, are made again from masked text, and say of which model they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::markers::mark;
use crate::servers::{Cluster, has};
use crate::world::{Outcome, World};

/// An interface as OpenAI's: a vector of three numbers for each text, and what it was asked.
pub(crate) fn embeddings() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::from("x"), 0);
            while !line.trim().is_empty() {
                line.clear();
                if reader.read_line(&mut line).is_err() {
                    break;
                }
                if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = said.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            // Whoever asks may be killed on the way.
            if length == 0 || reader.read_exact(&mut body).is_err() {
                continue;
            }
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["model"], "small");
            let rows: Vec<_> = body["input"]
                .as_array()
                .unwrap()
                .iter()
                .enumerate()
                .map(|(index, text)| {
                    let text = text.as_str().unwrap();
                    heard.lock().unwrap().push(text.to_owned());
                    serde_json::json!({ "index": index, "embedding": [text.len(), 0.5, -1] })
                })
                .collect();
            // In any order.
            let rows: Vec<_> = rows.into_iter().rev().collect();
            let text = serde_json::json!({ "data": rows }).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

const MANIFEST: &str = "\
version = 1
project = \"library\"
[environments]
dev = {}
prod = {}
[resources.documents]
setting = \"INDEX\"
sample = { from = \"prod\", fraction = \"20%\", key = \"SAMPLE_KEY\" }
index = { model = { default = \"small\", in.prod = \"large\" }, dimension = 3, metric = \"cosine\", endpoint = \"LLM_URL\" }
[resources.documents.tables.documents]
rows = \"sample\"
columns = { id = \"keep\", title = \"text\" }
[resources.documents.tables.chunks]
along = [\"documents\"]
columns = { id = \"keep\", document_id = \"keep\", body = \"text\" }
vectors = { embedding = \"body\" }
";

fn library(prod: &str, dev: &str, port: u16) -> World {
    let world = World::new(&[("ringfence.toml", MANIFEST)]);
    world.write(
        ".env.prod",
        format!(
            "INDEX={prod}\nLLM_URL=http://127.0.0.1:1/v1\nSAMPLE_KEY=a-key-of-the-samples-4711\n"
        ),
    );
    world.write(
        ".env.dev",
        format!("INDEX={dev}\nLLM_URL=http://127.0.0.1:{port}/v1\n"),
    );
    world
}

#[track_caller]
pub(crate) fn fine(world: &World, words: &[&str]) -> Outcome {
    let outcome = world.ringfence(words);
    assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
    outcome
}

/// Starts something, and again where a server that Python runs took longer than a start waits, as it may on a busy machine.
pub(crate) fn patiently(world: &World, environment: &str) -> (Outcome, bool) {
    for _ in 0..20 {
        let (outcome, started) = world.try_start(&["run", environment, "--no-barrier"]);
        if !outcome.stderr.contains("did not answer") {
            return (outcome, started);
        }
        let _ = std::fs::remove_file(world.path("started"));
    }
    panic!("no answer came in time, twenty times");
}

/// Nothing is started, and the message has all of these in it.
#[track_caller]
pub(crate) fn refused(world: &World, environment: &str, words: &[&str]) -> Outcome {
    let _ = std::fs::remove_file(world.path("started"));
    let (outcome, started) = patiently(world, environment);
    assert!(!started && outcome.code == Some(78), "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{word}: {outcome:?}");
    }
    outcome
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
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn vectors_are_made_again_from_masked_text() {
    let (port, asked) = embeddings();
    let world = library("sqlite:prod.db", "sqlite:dev.db", port);
    let schema = "CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
         CREATE TABLE chunks (id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES documents, body TEXT, embedding BLOB);";
    for file in ["prod.db", "dev.db"] {
        world.write(".keep", "");
        sqlite(&world, file, schema);
    }
    sqlite(&world, "prod.db", "INSERT INTO documents SELECT value, 'canary title ' || value FROM generate_series(1, 100);
         INSERT INTO chunks SELECT value, (value - 1) / 5 + 1, 'canary body of chunk ' || value || ' and more', CAST('canary-vec12' AS BLOB) FROM generate_series(1, 500)");
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    // Whole documents, and every chunk of each has a vector of its own masked text.
    let count = sqlite(
        &world,
        "dev.db",
        "SELECT count(*), count(DISTINCT document_id), count(*) FILTER (WHERE length(embedding) = 12) FROM chunks",
    );
    let count: Vec<u32> = count
        .split('|')
        .map(|count| count.parse().unwrap())
        .collect();
    assert!(
        count[1] > 5 && count[0] == 5 * count[1] && count[2] == count[0],
        "{count:?}"
    );
    let first = sqlite(
        &world,
        "dev.db",
        "SELECT hex(embedding), body FROM chunks ORDER BY id LIMIT 1",
    );
    let (vector, body) = first.split_once('|').unwrap();
    let length: f32 = u8::try_from(body.len()).unwrap().into();
    let digits: String = length
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert_eq!(vector, format!("{digits}0000003F000080BF"));
    let texts = asked.lock().unwrap().clone();
    assert_eq!(texts.len(), usize::try_from(count[0]).unwrap());
    assert!(
        texts.iter().all(|text| !text.contains("canary")),
        "the interface saw an original"
    );
    let bytes = std::fs::read(world.path("dev.db")).unwrap();
    assert!(
        !bytes.windows(6).any(|part| part == b"canary"),
        "an original vector came along"
    );
    // What they are of is kept beside the marker, and with what texts.
    let kept = sqlite(
        &world,
        "dev.db",
        "SELECT vectors->>'model', vectors->>'dimension', vectors->>'corpus' = sample->>'digest' FROM ringfence_marker",
    );
    assert_eq!(kept, "small|3|1");
    let (outcome, started) = world.try_start(&["run", "dev", "--no-barrier"]);
    assert!(started, "{outcome:?}");

    // An environment that uses another model does not start with them.
    std::fs::remove_file(world.path("started")).unwrap();
    world.write(
        "ringfence.toml",
        MANIFEST.replace("default = \"small\"", "default = \"medium\""),
    );
    world.refuses(
        &["run", "dev"],
        &[
            "[index-of-another-model]",
            "another model: `small`, and `dev` uses `medium`",
        ],
    );
    // A vector of another size is never written.
    world.write(
        "ringfence.toml",
        MANIFEST.replace("dimension = 3", "dimension = 4"),
    );
    let before = sqlite(&world, "dev.db", "SELECT count(*), max(id) FROM chunks");
    let outcome = world.ringfence(&["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("vectors of 3 numbers"),
        "{outcome:?}"
    );
    assert_eq!(
        sqlite(&world, "dev.db", "SELECT count(*), max(id) FROM chunks"),
        before
    );
}

/// Without the extension `vector`, arrays of numbers hold vectors, too.
#[test]
fn vectors_without_an_extension() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (port, _) = embeddings();
    let (prod, dev) = (
        cluster.database("vectors_prod"),
        cluster.database("vectors_dev"),
    );
    let schema = "CREATE TABLE documents (id int PRIMARY KEY, title text NOT NULL); CREATE TABLE chunks (id int PRIMARY KEY, document_id int NOT NULL REFERENCES documents, body text, embedding real[])";
    cluster.sql("vectors_dev", schema);
    cluster.sql("vectors_prod", &format!("{schema}; INSERT INTO documents SELECT g, 'canary ' || g FROM generate_series(1, 50) g; INSERT INTO chunks SELECT g, g % 50 + 1, 'canary body ' || g, '{{4711.25,4711.25,4711.25}}' FROM generate_series(1, 500) g"));
    let world = library(&prod, &dev, port);
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    assert_eq!(
        cluster.sql(
            "vectors_dev",
            "SELECT count(*) FROM chunks WHERE embedding IS NULL OR embedding[1] <> length(body)"
        ),
        "0"
    );
    assert_ne!(
        cluster.sql("vectors_dev", "SELECT count(*) FROM chunks"),
        "0"
    );
    // Where nothing makes them, they are not left out without a word.
    world.write(
        "ringfence.toml",
        MANIFEST.replace(", endpoint = \"LLM_URL\"", ""),
    );
    let outcome = world.ringfence(&["sample", "dev", "--replace", "--yes", "dev"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    assert!(
        outcome.stderr.contains("nothing in `dev` makes them"),
        "{outcome:?}"
    );
}
