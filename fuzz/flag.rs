//! What must hold for any file of flags and any question about them; run by libFuzzer (`fuzz/run`) and, for a short time, by
//! `cargo test`.

use ringfence_flag::definition::{Environment, FlagFile, Sources, build};
use ringfence_flag::ofrep::{PATH, Request, Response, Service, respond};
use serde_json::Value;

/// A file and a request's body, with a form feed between: each flag is answered, alone and with all others, with the same.
pub(crate) fn flags(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\x0c');
    let (file, body) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    let Ok(file) = FlagFile::read("flags.json", text) else {
        return;
    };
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    let (flags, errors) = build(&sources, &environment);
    for error in &errors {
        assert!(!error.to_string().is_empty() && !error.mend.is_empty());
    }
    let ask = |path: &str| {
        let service = Service {
            flags: &flags,
            at: 1_700_000_000,
            events: None,
        };
        let request = Request {
            method: "POST",
            path,
            body,
            if_none_match: None,
        };
        respond(&service, &request)
    };
    let all = ask(PATH);
    assert_eq!(all, ask(PATH), "the same question has the same answer");
    let told = json(&all);
    if all.status != 200 {
        assert!(all.status == 400 && told["errorDetails"].is_string());
        return;
    }
    for one in told["flags"].as_array().expect("a list of flags") {
        is_told(one);
    }
}

/// A success has a variant, a failure its details.
fn is_told(one: &Value) {
    assert!(one["key"].is_string());
    if one.get("errorCode").is_none() {
        assert!(one["variant"].is_string() && one["reason"].is_string());
    } else {
        assert!(one["errorDetails"].is_string());
    }
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("an answer is JSON")
}
