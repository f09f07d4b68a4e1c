//! What `docs/book/src/flags.md` shows is what is answered.
#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::path::Path;

use ringfence_flag::definition::{Environment, FlagFile, FlagSet, Sources, build};
use ringfence_flag::ofrep::{Request, Service, respond};

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/flags.md");
    let page = std::fs::read_to_string(path).unwrap();
    let open = format!("```{language}\n");
    let blocks = page.split(&open).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn set(text: &str) -> FlagSet {
    let file = FlagFile::read("flags.json", text).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    let (set, errors) = build(&sources, &environment);
    assert_eq!(errors, []);
    set
}

#[test]
fn the_page_shows_what_is_answered() {
    let files = blocks("json");
    let set = set(&files[0]);
    let mut count = 0;
    for block in blocks("text") {
        let Some(request) = block.strip_prefix("POST ") else {
            continue;
        };
        let mut lines = request.lines();
        let (path, body) = (lines.next().unwrap(), lines.next().unwrap());
        let service = Service {
            flags: &set,
            at: 0,
            events: None,
        };
        let request = Request {
            method: "POST",
            path,
            body: body.as_bytes(),
            if_none_match: None,
        };
        let response = respond(&service, &request);
        let shown: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let body = String::from_utf8(response.body).unwrap();
        assert_eq!(shown, [response.status.to_string(), body]);
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn every_file_on_the_page_is_right() {
    for text in blocks("json") {
        assert!(set(&text).keys().count() > 0);
    }
}
