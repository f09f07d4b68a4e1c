//! Qdrant: whose a server is, and points on their way down. Against an adapter over Qdrant's own engine, see `qdrant.py`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::markers::mark;
use crate::servers::Qdrant;
use crate::vectors::{embeddings, fine, patiently, refused, sqlite};
use crate::world::{Outcome, World};

const HEAD: &str = "\
version = 1
project = \"library\"
[environments]
dev = { disposable = true }
prod = {}
[resources.index]
kind = \"qdrant\"
setting = \"INDEX\"
key = \"INDEX_KEY\"
owner = \"INDEX_OWNER\"
sample = { from = \"prod\", fraction = \"30%\", key = \"SAMPLE_KEY\" }
index = { model = { default = \"small\", in.prod = \"large\" }, dimension = 3, metric = \"dot\", endpoint = \"LLM_URL\" }
";

/// Points whose vectors are made again.
const MASKED: &str = "\
[resources.index.tables.chunks]
rows = \"sample\"
document = \"document_id\"
columns = { id = \"keep\", \"payload.id\" = \"hash\", document_id = \"keep\", body = \"text\", lang = \"keep\", score = \"keep\" }
vectors = { vector = \"body\" }
";

/// A public corpus.
const PUBLIC: &str = "\
[resources.index.tables.notes]
rows = \"sample\"
where = '{\"must\": [{\"key\": \"lang\", \"match\": {\"value\": \"en\"}}]}'
columns = { id = \"keep\", lang = \"keep\", tags = \"keep\", \"vector.dense\" = \"keep\", \"vector.sparse\" = \"keep\" }
";

fn library(tables: &str, (prod, dev): (&Qdrant, &Qdrant), port: u16) -> World {
    let world = World::new(&[("ringfence.toml", &format!("{HEAD}{tables}"))]);
    world.write(".env.prod", format!("INDEX={}\nINDEX_KEY=prod-reads\nLLM_URL=http://127.0.0.1:1/v1\nSAMPLE_KEY=a-key-of-the-samples-4711\n", prod.url()));
    world.write(
        ".env.dev",
        format!(
            "INDEX={}\nINDEX_KEY=dev-reads\nINDEX_OWNER=dev-writes\nLLM_URL=http://127.0.0.1:{port}/v1\n",
            dev.url()
        ),
    );
    world
}

fn prod() -> Option<Qdrant> {
    Qdrant::new(Some(("prod-writes", "prod-reads")))
}

fn dev() -> Option<Qdrant> {
    Qdrant::new(Some(("dev-writes", "dev-reads")))
}

fn collection(server: &Qdrant, name: &str) {
    let body = json!({ "vectors": { "size": 3, "distance": "Dot" }, "hnsw_config": { "m": 8 } });
    server.ask("PUT", &format!("/collections/{name}"), &body);
}

/// Chunks, five for each document, in a collection that is known by an alias.
fn filled(server: &Qdrant, count: u64) {
    collection(server, "chunks_v1");
    let points: Vec<Value> = (1..=count)
        .map(|n| {
            let payload = json!({ "id": n, "document_id": (n - 1) / 5 + 1, "body": format!("canary body of chunk {n} {}", "x".repeat((n % 40) as usize)),
                "lang": "en", "score": f64::from(n as u32) / 4.0, "author": "canary author", "path": { "name": "canary" } });
            json!({ "id": n, "vector": [4711.25, n, 0.1], "payload": payload })
        })
        .collect();
    for points in points.chunks(500) {
        let body = json!({ "points": points });
        server.ask("PUT", "/collections/chunks_v1/points", &body);
    }
    alias(server, "chunks", "chunks_v1");
}

fn alias(server: &Qdrant, alias: &str, collection: &str) {
    let action = json!({ "create_alias": { "alias_name": alias, "collection_name": collection } });
    server.ask(
        "POST",
        "/collections/aliases",
        &json!({ "actions": [action] }),
    );
}

fn names(server: &Qdrant) -> Vec<String> {
    let found = server.ask("GET", "/collections", &json!({}));
    let mut names: Vec<String> = found["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn documents(points: &[Value]) -> Vec<u64> {
    let mut documents: Vec<u64> = points
        .iter()
        .map(|point| point["payload"]["document_id"].as_u64().unwrap())
        .collect();
    documents.dedup();
    documents
}

fn marker(server: &Qdrant) -> Value {
    server.ask("GET", "/collections/ringfence_marker/points/1", &json!({}))["payload"].take()
}

/// Whether any file of a folder has what a pattern of Perl's means, byte by byte: engines set whole files aside in advance.
fn holds(folder: &Path, pattern: &str) -> bool {
    let mut grep = Command::new("grep");
    grep.args(["-rqaP", pattern]).arg(folder).env("LC_ALL", "C");
    grep.status().unwrap().success()
}

/// The middle of the original vectors' first number, as it is kept.
const ORIGINAL: &str = r"\x3a\x93\x45";

/// Prod and dev, and a sample of prod's chunks in dev.
struct Sampled {
    prod: Qdrant,
    dev: Qdrant,
    world: World,
    asked: Arc<Mutex<Vec<String>>>,
    once: Outcome,
}

fn sampled() -> Option<Sampled> {
    let (prod, dev) = (prod()?, dev()?);
    let (port, asked) = embeddings();
    let world = library(MASKED, (&prod, &dev), port);
    filled(&prod, 300);
    collection(&dev, "chunks");
    let index = json!({ "field_name": "lang", "field_schema": "keyword" });
    dev.ask("PUT", "/collections/chunks/index", &index);
    // What is not marked is not loaded.
    let outcome = world.ringfence(&["sample", "dev"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    mark(&world, "dev");
    let plan = fine(&world, &["sample", "plan", "dev"]).stdout;
    assert!(plan.contains("stay behind: author, path"), "{plan}");
    let once = fine(&world, &["sample", "dev"]);
    Some(Sampled {
        prod,
        dev,
        world,
        asked,
        once,
    })
}

#[test]
fn points_are_sampled_by_document_and_made_again_from_masked_text() {
    let Some(Sampled {
        prod,
        dev,
        asked,
        once,
        ..
    }) = sampled()
    else {
        return;
    };
    let points = dev.points("chunks");
    let few = documents(&points);
    assert!(few.len() > 8 && points.len() == 5 * few.len(), "{few:?}");
    for point in &points {
        let payload = &point["payload"];
        let body = payload["body"].as_str().unwrap();
        assert_eq!(
            point["vector"],
            json!([body.len() as f64, 0.5, -1.0]),
            "{point}"
        );
        assert_eq!(payload.as_object().unwrap().len(), 5, "{point}");
        assert!(
            payload["score"].is_number() && payload["lang"] == "en" && payload["id"].is_u64(),
            "{point}"
        );
        assert_ne!(
            payload["id"], point["id"],
            "the field is masked, the point's own number is kept"
        );
    }
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|text| !text.contains("canary"))
    );
    assert!(!holds(dev.folder(), "canary") && !holds(dev.folder(), ORIGINAL));
    assert!(!dev.requests().contains("canary") && holds(prod.folder(), ORIGINAL));
    // The collection is like the one that was there, and searched by its name.
    let info = dev.ask("GET", "/collections/chunks", &json!({}));
    assert_eq!(info["config"]["hnsw_config"]["m"], 8);
    assert_eq!(info["payload_schema"]["lang"]["data_type"], "keyword");
    let query = json!({ "query": points[0]["vector"], "limit": 1 });
    assert_eq!(
        dev.ask("POST", "/collections/chunks/points/query", &query)["points"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // What was loaded stands beside the marker.
    let kept = marker(&dev);
    let sample: Value = serde_json::from_str(kept["sample"].as_str().unwrap()).unwrap();
    let vectors: Value = serde_json::from_str(kept["vectors"].as_str().unwrap()).unwrap();
    assert!(once.stdout.contains(sample["digest"].as_str().unwrap()));
    assert_eq!(
        vectors,
        json!({ "model": "small", "dimension": 3, "metric": "dot", "corpus": sample["digest"] })
    );
    // Nothing was written above: its key could not.
    assert!(
        prod.requests()
            .lines()
            .skip_while(|line| !line.contains("aliases"))
            .skip(1)
            .all(|line| line.starts_with("GET")
                || line.ends_with("/points")
                || line.ends_with("/scroll"))
    );
}

#[test]
fn points_make_room_on_a_persons_word_alone() {
    let Some(sampled) = sampled() else { return };
    let Sampled {
        dev, world, once, ..
    } = &sampled;
    let points = dev.points("chunks");
    let few = documents(&points);
    // Rows are in the way; then they make room; the same again, and more where more are asked for.
    let outcome = world.ringfence(&["sample", "dev"]);
    assert!(
        outcome.code == Some(78) && outcome.stderr.contains("`chunks` has rows already"),
        "{outcome:?}"
    );
    let replace = ["--replace", "--yes", "dev"];
    let again = fine(world, &[&["sample", "dev"][..], &replace].concat());
    assert_eq!(again.stdout, once.stdout);
    assert_eq!(dev.points("chunks"), points);
    assert_eq!(
        names(dev).len(),
        2,
        "nothing is left over: {:?}",
        names(dev)
    );
    fine(
        world,
        &[&["sample", "dev", "--fraction", "0.6"][..], &replace].concat(),
    );
    let many = documents(&dev.points("chunks"));
    assert!(many.len() > few.len() && few.iter().all(|document| many.contains(document)));

    // Vectors of another size are never written, and what is there stays.
    world.write(
        "ringfence.toml",
        format!("{HEAD}{MASKED}").replace("dimension = 3", "dimension = 4"),
    );
    let outcome = world.ringfence(&[&["sample", "dev"][..], &replace].concat());
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("vectors of 3 numbers"),
        "{outcome:?}"
    );
    assert_eq!(
        (documents(&dev.points("chunks")), names(dev).len()),
        (many, 2)
    );
    // Nor does anything start with vectors of another model.
    world.write(
        "ringfence.toml",
        format!("{HEAD}{MASKED}").replace("default = \"small\"", "default = \"medium\""),
    );
    refused(
        world,
        "dev",
        &[
            "[index-of-another-model]",
            "another model: `small`, and `dev` uses `medium`",
        ],
    );
    // Started anew: nothing is left, and the mark is there.
    fine(world, &["mark", "dev", "--yes", "dev"]);
    fine(world, &["reset", "dev", "--yes", "dev"]);
    assert_eq!(names(dev), ["ringfence_marker"]);
    // What a load left that was killed before its name stood for anything: the next one takes its place.
    collection(dev, "chunks-ringfence-0123456789abcdef");
    world.write("ringfence.toml", format!("{HEAD}{MASKED}"));
    fine(world, &["sample", "dev"]);
    assert_eq!(dev.points("chunks"), points);
    let info = dev.ask("GET", "/collections/chunks", &json!({}));
    assert_eq!(info["config"]["hnsw_config"]["m"], 8);
    assert_eq!(names(dev).len(), 2, "{:?}", names(dev));
}

#[test]
fn a_public_corpus_is_copied_with_every_vector_it_has() {
    let (Some(prod), Some(dev)) = (prod(), dev()) else {
        return;
    };
    let world = library(PUBLIC, (&prod, &dev), 1);
    let head = HEAD
        .replace(", in.prod = \"large\"", "")
        .replace("dimension = 3", "dimension = 2");
    world.write("ringfence.toml", format!("{head}{PUBLIC}"));
    let like = json!({ "vectors": { "dense": { "size": 2, "distance": "Dot" } }, "sparse_vectors": { "sparse": {} } });
    for server in [&prod, &dev] {
        server.ask("PUT", "/collections/notes", &like);
    }
    let points: Vec<Value> = (0..200_u32)
        .map(|n| {
            let id = format!("{n:08x}-0000-4000-8000-00000000000{}", n % 10);
            let sparse = json!({ "indices": [n, n + 7], "values": [0.5, 1.25] });
            let vector = if n % 3 == 0 {
                json!({ "dense": [n, 0.1] })
            } else {
                json!({ "dense": [n, 0.1], "sparse": sparse })
            };
            let payload =
                json!({ "lang": if n % 2 == 0 { "en" } else { "de" }, "tags": ["a\tb", n] });
            json!({ "id": id, "vector": vector, "payload": payload })
        })
        .collect();
    prod.ask(
        "PUT",
        "/collections/notes/points",
        &json!({ "points": points }),
    );
    mark(&world, "dev");
    fine(&world, &["sample", "create", "dev", "--out", "one.sample"]);
    let loaded = fine(&world, &["sample", "load", "dev", "one.sample"]);
    let again = fine(&world, &["sample", "create", "dev", "--out", "two.sample"]);
    assert_eq!(loaded.stdout, again.stdout);
    let (all, some) = (prod.points("notes"), dev.points("notes"));
    assert!(some.len() > 15 && some.len() < 60, "{}", some.len());
    assert!(
        some.iter()
            .all(|point| all.contains(point) && point["payload"]["lang"] == "en")
    );
    // A condition in another store's language is refused.
    let manifest = format!("{HEAD}{PUBLIC}").replace("'{\"must\"", "'lang = 1 --{\"must\"");
    world.write("ringfence.toml", manifest);
    let outcome = world.ringfence(&["sample", "create", "dev", "--out", "x.sample"]);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("is no filter of Qdrant's"),
        "{outcome:?}"
    );
    let names = names(&dev);
    assert_eq!(names.len(), 2, "{names:?}");
}

/// Documents in one store, their chunks in another: the same ones are chosen.
#[test]
fn documents_and_their_chunks_agree_across_stores() {
    let (Some(prod), Some(dev)) = (prod(), dev()) else {
        return;
    };
    let (port, _) = embeddings();
    let of = MASKED.replace(
        "document = \"document_id\"",
        "document = \"documents by document_id\"",
    );
    let database = "[resources.db]\nsetting = \"DB\"\nsample = { from = \"prod\", fraction = \"30%\", key = \"SAMPLE_KEY\" }\n[resources.db.tables.documents]\nrows = \"sample\"\ncolumns = { id = \"keep\" }\n";
    let world = library(&format!("{of}{database}"), (&prod, &dev), port);
    for (environment, file) in [("prod", "prod.db"), ("dev", "dev.db")] {
        let name = format!(".env.{environment}");
        world.write(&name, format!("{}DB=sqlite:{file}\n", world.read(&name)));
        sqlite(
            &world,
            file,
            "CREATE TABLE documents (id INTEGER PRIMARY KEY)",
        );
    }
    sqlite(
        &world,
        "prod.db",
        "INSERT INTO documents SELECT value FROM generate_series(1, 60)",
    );
    filled(&prod, 300);
    // Where there is no such collection yet, it is made as the manifest says.
    mark(&world, "dev");
    fine(&world, &["sample", "dev"]);
    let known = sqlite(&world, "dev.db", "SELECT group_concat(id) FROM documents");
    let known: Vec<u64> = known.split(',').map(|id| id.parse().unwrap()).collect();
    assert!(known.len() > 8, "{known:?}");
    assert_eq!(documents(&dev.points("chunks")), known);
    let distance =
        &dev.ask("GET", "/collections/chunks", &json!({}))["config"]["params"]["vectors"];
    assert_eq!(
        (&distance["distance"], &distance["size"]),
        (&json!("Dot"), &json!(3))
    );
}

/// Pages that point to books, by their ids and by another field, and to books that are not there.
#[test]
fn links_lead_from_one_collection_to_another() {
    let (Some(prod), Some(dev)) = (prod(), dev()) else {
        return;
    };
    let (port, _) = embeddings();
    let rules = |link: &str| {
        format!(
            "[resources.index.tables.books]\ncolumns = {{ id = \"keep\", \"the number\" = \"keep\", body = \"text\" }}\nvectors = {{ vector = \"body\" }}
[resources.index.tables.pages]\nrows = \"40 rows\"\nlinks = [\"{link}\"]\ncolumns = {{ id = \"keep\", book = \"keep\", body = \"text\" }}\nvectors = {{ vector = \"body\" }}\n"
        )
    };
    let world = library(&rules("book to books"), (&prod, &dev), port);
    let fill = |name: &str, count: u64, payload: &dyn Fn(u64) -> Value| {
        collection(&prod, name);
        let points = (1..=count)
            .map(|n| json!({ "id": n, "vector": [n, 1, 2], "payload": payload(n) }))
            .collect::<Vec<_>>();
        let path = format!("/collections/{name}/points");
        prod.ask("PUT", &path, &json!({ "points": points }));
    };
    fill(
        "books",
        60,
        &|n| json!({ "the number": n + 1000, "body": format!("a book {n}") }),
    );
    fill("pages", 200, &|n| {
        let book = if n % 2 == 0 {
            n % 60 + 1
        } else {
            n % 60 + 1001
        };
        json!({ "book": book, "body": format!("a page {n}") })
    });
    mark(&world, "dev");
    let replace = ["sample", "dev", "--replace", "--yes", "dev"];
    for (link, column, of_pages) in [
        ("book to books", "/id", 0),
        ("book to books by the number", "/payload/the number", 1000),
    ] {
        world.write("ringfence.toml", format!("{HEAD}{}", rules(link)));
        fine(&world, &replace);
        let known: Vec<u64> = dev
            .points("books")
            .iter()
            .map(|book| book.pointer(column).unwrap().as_u64().unwrap())
            .collect();
        let pages = dev.points("pages");
        let kept: Vec<u64> = pages
            .iter()
            .filter_map(|page| page["payload"]["book"].as_u64())
            .collect();
        // Each book that is pointed to came along, no other did, and who pointed to none points nowhere.
        assert_eq!(pages.len(), 40, "{link}");
        assert!(kept.len() > 5 && kept.len() < 40, "{link}: {kept:?}");
        assert!(
            kept.iter()
                .all(|book| known.contains(book) && *book > of_pages),
            "{link}: {kept:?} of {known:?}"
        );
        assert!(known.iter().all(|book| kept.contains(book)), "{link}");
    }
}

/// Whether a command that is killed after so many milliseconds had not ended before.
fn is_killed(world: &World, words: &[&str], after: u64) -> bool {
    let mut command = world.command();
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(after));
    let _ = child.kill();
    !child.wait().unwrap().success()
}

/// After a kill the target is as it was, or complete; what had begun is taken away by the next load.
#[test]
fn a_load_that_is_killed_leaves_what_was_there() {
    let (Some(prod), Some(dev)) = (prod(), dev()) else {
        return;
    };
    let (port, _) = embeddings();
    let world = library(MASKED, (&prod, &dev), port);
    filled(&prod, 1000);
    mark(&world, "dev");
    for (fraction, file) in [("0.2", "few.sample"), ("0.9", "many.sample")] {
        let words = ["sample", "create", "dev", "--fraction", fraction];
        fine(&world, &[&words[..], &["--out", file]].concat());
    }
    fine(&world, &["sample", "load", "dev", "few.sample"]);
    let before = (dev.points("chunks"), marker(&dev)["sample"].clone());
    let load = |file| ["sample", "load", "dev", file, "--replace", "--yes", "dev"];
    let (words, again) = (load("many.sample"), load("few.sample"));
    let (mut kills, mut seed) = (0, 4711_u64);
    for _ in 0..20 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if !is_killed(&world, &words, 20 + (seed >> 33) % 300) {
            fine(&world, &again);
            continue;
        }
        kills += 1;
        let now = (dev.points("chunks"), marker(&dev)["sample"].clone());
        let is_whole = now.0.len() > before.0.len();
        assert!(
            now.0 == before.0 || (is_whole && now.0.len() % 5 == 0),
            "{} points",
            now.0.len()
        );
        assert!(is_whole || now.1 == before.1, "a half load is marked");
        if is_whole {
            fine(&world, &again);
        }
    }
    assert!(kills > 5, "{kills} loads were killed");
    fine(&world, &words);
    assert!(dev.points("chunks").len() > 5 * before.0.len() / 2);
    assert_eq!(names(&dev).len(), 2, "{:?}", names(&dev));
}

/// A16 of the accidents: development opens production's index. Before a start a server is only read, by the key that the settings name, which nothing shows.
#[test]
fn a_server_says_whose_it_is() {
    let Some(server) = prod() else { return };
    let world = library(MASKED, (&server, &server), 1);
    world.write(".env.dev", world.read(".env.dev").replace("dev-", "prod-"));
    let (outcome, started) = patiently(&world, "dev");
    assert!(
        started && outcome.stderr.contains("unmarked"),
        "{outcome:?}"
    );
    assert!(
        server
            .requests()
            .lines()
            .all(|line| line.starts_with("GET ")),
        "{}",
        server.requests()
    );
    let outcome = world.ringfence(&["mark", "prod", "--yes", "prod"]);
    assert!(
        outcome.code != Some(0) && outcome.stderr.contains("403"),
        "this key only reads: {outcome:?}"
    );
    world.write(
        ".env.prod",
        world.read(".env.prod").replace(
            "INDEX_KEY=prod-reads",
            "INDEX_KEY=prod-reads\nINDEX_OWNER=prod-writes",
        ),
    );
    mark(&world, "prod");
    let outcome = refused(&world, "dev", &["[marker-of-another]", "belongs to `prod`"]);
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(
            !text.contains("prod-reads") && !text.contains("prod-writes"),
            "{text}"
        );
    }
    world.write(
        ".env.dev",
        world.read(".env.dev").replace("prod-writes", "wrong"),
    );
    let outcome = world.ringfence(&["mark", "dev", "--look"]);
    assert!(
        outcome.code != Some(0) && outcome.stderr.contains("401"),
        "{outcome:?}"
    );
}
