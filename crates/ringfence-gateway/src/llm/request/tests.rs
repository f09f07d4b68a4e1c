use super::*;

fn edit(body: &str, model: &str, ask_usage: bool) -> String {
    let read = RequestBody::read(body.as_bytes()).unwrap();
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    String::from_utf8(read.edited(&bytes, model, ask_usage).to_vec()).unwrap()
}

#[test]
fn the_name_is_exchanged_and_nothing_else() {
    let body = r#" {"temperature":1.0, "x":1e+2,"model" : "chat","seed":12345678901234567890123,"é":[1.10,{"model":"in"}]} "#;
    assert_eq!(
        edit(body, "gpt \"5\"", false),
        body.replace("\"chat\"", r#""gpt \"5\"""#)
    );
    assert_eq!(edit(body, "chat", false), body);
}

#[test]
fn an_escaped_name_is_the_same_name() {
    assert_eq!(
        edit(r#"{"mod\u0065l":"ch\u0061t"}"#, "m", false),
        r#"{"mod\u0065l":"m"}"#
    );
    let twice = RequestBody::read(br#"{"model":"a","mod\u0065l":"b"}"#).unwrap_err();
    assert!(
        twice.to_string().contains("`model` stands there twice"),
        "{twice}"
    );
}

#[test]
fn usage_is_asked_for_once() {
    let asked = r#"{"model":"m","stream_options":{"include_usage":true}}"#;
    for (body, expected) in [
        (
            r#"{"model":"m"}"#,
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
        ),
        (r#"{"model":"m","stream_options":null}"#, asked),
        (r#"{"model":"m","stream_options":{}}"#, asked),
        (
            r#"{"model":"m","stream_options":{"include_usage":false}}"#,
            asked,
        ),
        (asked, asked),
        (
            r#"{"stream_options":{"include_obfuscation":false},"model":"m"}"#,
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true},"model":"m"}"#,
        ),
    ] {
        assert_eq!(edit(body, "m", true), expected);
        assert_eq!(
            RequestBody::read(body.as_bytes()).unwrap().wants_usage(),
            body == asked
        );
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for bad in [
        "",
        "[]",
        "1",
        "{",
        "{\"model\":1}",
        "{\"model\":\"a\"} x",
        "{\"stream\":\"yes\",\"model\":\"a\"}",
        "{\"n\":-1}",
        "{\"max_tokens\":1.5}",
        "{\"model\":\"\\ud800\"}",
    ] {
        assert!(RequestBody::read(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(RequestBody::read(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn bounds_are_read() {
    let read = RequestBody::read(
        br#"{"model":"m","max_tokens":5,"max_completion_tokens":9,"n":3,"stream":true}"#,
    )
    .unwrap();
    assert_eq!(
        (read.max_tokens, read.answers, read.is_stream),
        (Some(9), 3, true)
    );
    let read = RequestBody::read(br#"{"max_tokens":null,"n":null,"stream":null}"#).unwrap();
    assert_eq!(
        (read.max_tokens, read.answers, read.is_stream),
        (None, 1, false)
    );
}

proptest::proptest! {
    /// Whatever stands in the body: after the edit it is the same value but for the name.
    #[test]
    fn an_edit_changes_the_name_alone(value: String, number: f64, name: String, other: String) {
        let body = serde_json::json!({ "messages": [value], "model": name, "temperature": number, "user": value }).to_string();
        let edited = edit(&body, &other, false);
        let mut expected: serde_json::Value = serde_json::from_str(&body).unwrap();
        expected["model"] = other.into();
        proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&edited).unwrap(), expected);
    }
}
