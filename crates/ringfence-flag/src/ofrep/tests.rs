use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::definition::{Environment, FlagFile, Sources, build};

const FLAGS: &str = r#"{
  "metadata": {"flagSetId": "shop"},
  "flags": {
    "a/b c": {"state": "ENABLED", "variants": {"on": 600.0}, "defaultVariant": "on"},
    "off": {"state": "DISABLED", "variants": {"on": 1}, "defaultVariant": "on"},
    "broken": {"state": "ENABLED", "variants": {"on": 1}, "targeting": {"iff": []}},
    "plan": {"state": "ENABLED", "variants": {"x": "\u00fc", "y": "y"}, "defaultVariant": "x",
             "targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "y"]}}
  }
}"#;

fn set(text: &str) -> FlagSet {
    let file = FlagFile::read("flags.json", text).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    build(
        &Sources {
            files: &[file],
            ..Sources::default()
        },
        &environment,
    )
    .0
}

fn ask(set: &FlagSet, path: &str, body: &str, if_none_match: Option<&str>) -> Response {
    let service = Service {
        flags: set,
        at: 0,
        events: None,
    };
    let request = Request {
        method: "POST",
        path,
        body: body.as_bytes(),
        if_none_match,
    };
    respond(&service, &request)
}

fn body(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

fn etag_of(response: &Response) -> String {
    let etag = response.headers.iter().find(|(name, _)| *name == "etag");
    etag.unwrap().1.clone()
}

#[track_caller]
fn check(path: &str, request: &str, status: u16, expected: &str) {
    let response = ask(&set(FLAGS), &format!("{PATH}{path}"), request, None);
    assert_eq!((response.status, body(&response)), (status, expected));
    assert!(
        response
            .headers
            .contains(&("content-type", "application/json".to_owned()))
    );
}

#[test]
fn one_flag() {
    let value = r#"{"key":"a/b c","value":600.0,"reason":"STATIC","variant":"on","metadata":{"flagSetId":"shop"}}"#;
    for path in ["/a/b%20c", "/a%2Fb%20c", "/a/b c"] {
        for request in [
            "{}",
            "",
            " \n",
            r#"{"context":{}}"#,
            r#"{"context":null}"#,
            r#"{"context":{"targetingKey":null}}"#,
        ] {
            check(path, request, 200, value);
        }
    }
    check(
        "/off",
        "{}",
        200,
        r#"{"key":"off","reason":"DISABLED","variant":"","metadata":{"flagSetId":"shop"}}"#,
    );
    check(
        "/plan",
        r#"{"context":{"plan":"pro"}}"#,
        200,
        r#"{"key":"plan","value":"y","reason":"TARGETING_MATCH","variant":"y","metadata":{"flagSetId":"shop"}}"#,
    );
}

#[test]
fn what_cannot_be_answered() {
    check(
        "/gone",
        "{}",
        404,
        r#"{"key":"gone","errorCode":"FLAG_NOT_FOUND","errorDetails":"flag `gone` is not defined in environment `prod`"}"#,
    );
    check(
        "/broken",
        "{}",
        400,
        r#"{"key":"broken","errorCode":"PARSE_ERROR","errorDetails":"flags.json:6:72 (/flags/broken/targeting/iff): flag `broken`: unknown operator `iff`: did you mean `if`?"}"#,
    );
    check(
        "/plan",
        "{",
        400,
        r#"{"key":"plan","errorCode":"PARSE_ERROR","errorDetails":"the body is no JSON: EOF while parsing an object at line 1 column 1"}"#,
    );
    check(
        "/plan",
        "[]",
        400,
        r#"{"key":"plan","errorCode":"PARSE_ERROR","errorDetails":"the body is no object"}"#,
    );
    check(
        "",
        r#"{"context":"x"}"#,
        400,
        r#"{"errorCode":"INVALID_CONTEXT","errorDetails":"`context` is no object"}"#,
    );
    let large = format!("{{\"context\":{{\"a\":\"{}\"}}}}", "x".repeat(MAX_BODY));
    assert_eq!(ask(&set(FLAGS), PATH, &large, None).status, 400);
    let deep = format!("{{\"context\":{{\"a\":{}", "[".repeat(500_000));
    assert_eq!(ask(&set(FLAGS), PATH, &deep, None).status, 400);
}

#[test]
fn methods_and_paths() {
    let set = set(FLAGS);
    let service = Service {
        flags: &set,
        at: 0,
        events: None,
    };
    let get = Request {
        method: "GET",
        path: PATH,
        body: b"",
        if_none_match: None,
    };
    let response = respond(&service, &get);
    assert_eq!(response.status, 405);
    assert!(response.headers.contains(&("allow", "POST".to_owned())));
    assert_eq!(ask(&set, "/ofrep/v1/configuration", "", None).status, 404);
    assert!(is_ofrep(PATH) && is_ofrep("/ofrep/v1/evaluate/flags/x"));
    assert!(!is_ofrep("/ofrep/v1/evaluate/flagsx") && !is_ofrep("/v1/models"));
}

#[test]
fn all_flags() {
    let set = set(FLAGS);
    let service = Service {
        flags: &set,
        at: 0,
        events: Some("/events"),
    };
    let request = Request {
        method: "POST",
        path: PATH,
        body: b"{}",
        if_none_match: None,
    };
    let response = respond(&service, &request);
    assert_eq!(response.status, 200);
    let found: Json = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        found,
        json!({
            "flags": [
                {"key": "a/b c", "value": 600.0, "reason": "STATIC", "variant": "on", "metadata": {"flagSetId": "shop"}},
                {"key": "broken", "errorCode": "PARSE_ERROR", "errorDetails": found["flags"][1]["errorDetails"]},
                {"key": "off", "reason": "DISABLED", "variant": "", "metadata": {"flagSetId": "shop"}},
                {"key": "plan", "value": "ü", "reason": "DEFAULT", "variant": "x", "metadata": {"flagSetId": "shop"}},
            ],
            "metadata": {"flagSetId": "shop"},
            "eventStreams": [{"type": "sse", "endpoint": {"requestUri": "/events"}}],
        })
    );
}

#[test]
fn an_etag_is_of_the_answer() {
    let set = set(FLAGS);
    let first = ask(&set, PATH, r#"{"context":{"plan":"free"}}"#, None);
    let etag = etag_of(&first);
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let again = ask(&set, PATH, r#"{"context":{"plan":"other"}}"#, Some(&known));
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(etag_of(&again), etag);
    }
    // The web client sends the old one after its context has changed.
    let changed = ask(&set, PATH, r#"{"context":{"plan":"pro"}}"#, Some(&etag));
    assert_eq!(changed.status, 200);
    assert_ne!(etag_of(&changed), etag);
}

#[test]
fn the_event_is_as_the_protocol_has_it() {
    assert_eq!(
        refetch("0a", 12),
        "data: {\"type\":\"refetchEvaluation\",\"etag\":\"0a\",\"lastModified\":12}\n\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Two callers have the same validator exactly when they have the same answers.
    #[test]
    fn validators_are_the_same_exactly_when_answers_are(plans in proptest::array::uniform2("(pro|free|x)?")) {
        let set = set(FLAGS);
        let [one, two] = plans.map(|plan| {
            ask(&set, PATH, &json!({"context": {"plan": plan}}).to_string(), None)
        });
        prop_assert_eq!(one.body == two.body, etag_of(&one) == etag_of(&two));
    }

    /// Whatever is sent, something readable is answered.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64), path in "\\PC{0,12}") {
        let set = set(FLAGS);
        let service = Service { flags: &set, at: 0, events: None };
        let path = format!("{PATH}/{path}");
        let request = Request { method: "POST", path: &path, body: &bytes, if_none_match: None };
        let response = respond(&service, &request);
        prop_assert!(serde_json::from_slice::<Json>(&response.body).is_ok());
    }

    /// Cut and altered bodies, too.
    #[test]
    fn damaged_bodies_are_answered(cut in 0_usize..60, letter in any::<u8>(), at in 0_usize..60) {
        let mut bytes = br#"{"context":{"targetingKey":"ana","plan":"pro","n":[1e3,{}]}}"#.to_vec();
        let index = at % bytes.len();
        bytes[index] = letter;
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        let set = set(FLAGS);
        let service = Service { flags: &set, at: 0, events: None };
        let request = Request { method: "POST", path: PATH, body: &bytes, if_none_match: None };
        let response = respond(&service, &request);
        prop_assert!([200, 400].contains(&response.status));
        prop_assert!(serde_json::from_slice::<Json>(&response.body).is_ok());
    }
}
