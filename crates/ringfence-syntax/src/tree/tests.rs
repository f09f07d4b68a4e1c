use proptest::prelude::*;
use ringfence_diagnostic::Sources;

use super::*;

fn source() -> SourceId {
    Sources::new().add("f", "")
}

/// `path=value as written` of every leaf.
fn leaves(parsed: &Parsed, text: &str) -> Vec<String> {
    parsed
        .documents
        .iter()
        .flat_map(Node::leaves)
        .map(|leaf| format!("{}={}|{}", leaf.path, leaf.text, leaf.span.of(text)))
        .collect()
}

fn check_yaml(text: &str, expected: &[&str]) {
    assert_eq!(leaves(&yaml::parse(source(), text), text), expected);
}

#[test]
fn yaml_leaves_know_where_they_stand() {
    check_yaml(
        "a:\n  b: é x # comment\n  c: 'q'\nlist: [1, two]\nnothing:\n",
        &[
            "a.b=é x|é x",
            "a.c=q|'q'",
            "list[]=1|1",
            "list[]=two|two",
            "nothing=|",
        ],
    );
    check_yaml("text: |\n  one\n  two\n", &["text=one\ntwo\n|one\n  two"]);
    check_yaml("---\na: 1\n---\nb: 2\n", &["a=1|1", "b=2|2"]);
}

#[test]
fn merge_keys_bring_in_what_the_map_has_not() {
    check_yaml(
        "base: &base {host: h, port: 1}\nprod:\n  <<: *base\n  port: 2\n",
        &[
            "base.host=h|h",
            "base.port=1|1",
            "prod.host=h|h",
            "prod.port=2|2",
        ],
    );
    check_yaml(
        "a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc:\n  <<: [*a, *b]\n",
        &[
            "a.x=1|1", "b.x=2|2", "b.y=3|3", "c.x=2|2", "c.y=3|3", "c.x=1|1",
        ],
    );
}

#[test]
fn a_key_that_is_there_twice_is_told() {
    let parsed = yaml::parse(source(), "a: 1\nb: 2\na: 3\n");
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!(parsed.documents[0].text("a"), Some("3"));
}

#[test]
fn exploding_anchors_are_refused_in_little_memory() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("a{level}: &a{level} [{below}*a{}]\n", level - 1));
    }
    let parsed = yaml::parse(source(), &text);
    assert!(parsed.diagnostics[0].labels[0].text.contains("values"));
    assert!(parsed.documents[0].leaves().len() <= MAX_NODES);
}

#[test]
fn anchors_inside_anchors_do_not_multiply() {
    let text = format!(
        "{}{}{}",
        "&a [".repeat(90),
        "x, ".repeat(150_000),
        "]".repeat(90)
    );
    let parsed = yaml::parse(source(), &text);
    assert!(parsed.documents[0].leaves().len() <= MAX_NODES);
}

#[test]
fn depth_is_bounded() {
    for text in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(100_000),
    ] {
        let parsed = yaml::parse(source(), &text);
        assert_eq!(parsed.diagnostics.len(), 1);
    }
}

#[test]
fn json_may_have_comments_and_tabs() {
    let text =
        "{\n\t// one \"two\"\n\t\"a\": {\"b\": \"http://x\", /* y */ \"c\": [true, null]}\n}\n";
    let parsed = json::parse(source(), text);
    assert_eq!(
        leaves(&parsed, text),
        [
            "a.b=http://x|\"http://x\"",
            "a.c[]=true|true",
            "a.c[]=|null"
        ]
    );
}

#[test]
fn toml_leaves_know_where_they_stand() {
    let text = "top = 1\n[env]\nURL = \"postgres://h/d\"\nlist = [\"a\"]\n[[x]]\ny = true\n";
    let parsed = toml::parse(source(), text);
    assert_eq!(
        leaves(&parsed, text),
        [
            "top=1|1",
            "env.URL=postgres://h/d|\"postgres://h/d\"",
            "env.list[]=a|\"a\"",
            "x[].y=true|true"
        ]
    );
}

fn check_shown(parsed: &Parsed, text: &str, expected: &[&str]) {
    let shown = shown(&parsed.documents, text);
    let shown: Vec<&str> = shown.into_iter().map(|span| span.of(text)).collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn an_excerpt_may_show_keys_only() {
    for (text, expected) in [
        (
            "db:\n  password: hunter2\n  \"user\" : me\n",
            &["db:", "password: ", "\"user\" : "][..],
        ),
        ("a: {b: hunter2, 'c':x}\n", &["a: ", "b: ", "'c':"]),
    ] {
        check_shown(&yaml::parse(source(), text), text, expected);
    }
    let text = "{\"a\": {\"b\"\t: \"hunter2\"}}";
    check_shown(
        &json::parse(source(), text),
        text,
        &["\"a\": ", "\"b\"\t: "],
    );
    let text = "[a.\"b c\" . d]\ne = \"hunter2\"\n[[f]]\ng.h={i=1}\n";
    let expected = ["a", "\"b c\"", "d", "e = ", "f", "g", "h=", "i="];
    check_shown(&toml::parse(source(), text), text, &expected);
}

#[test]
fn a_key_without_a_sign_may_be_a_value_and_is_not_shown() {
    for (text, expected) in [
        ("token: {hunter2}\n", &["token: "][..]),
        ("token: {hunter2, \"hunter2\", a: 1}\n", &["token: ", "a: "]),
        ("token: [? hunter2]\n", &["token: "]),
        ("[? hunter2]\n", &[]),
        ("token:\n  ? hunter2\n", &["token:"]),
        ("? hunter2\n: x\n", &[]),
        ("{hunter2: a}: b\n", &[]),
        ("[hunter2]: b\n", &[]),
        ("a: 1\ntoken: {hunter2\n", &["a: ", "token: "]),
    ] {
        check_shown(&yaml::parse(source(), text), text, expected);
    }
    for text in [
        "{\"token\" \"hunter2\"}",
        "{\"hunter2\"}",
        "{\"token\": {\"hunter2\"\n",
    ] {
        let parsed = json::parse(source(), text);
        for span in shown(&parsed.documents, text) {
            assert!(!span.of(text).contains("hunter2"), "{text}");
        }
    }
    check_shown(
        &toml::parse(source(), "a = hunter2\n"),
        "a = hunter2\n",
        &[],
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,200}|([a-c]: ?|- |\\[|\\{|\\]|\\}|&a |\\*a|<<: |'|\"|\n|  |é){0,60}") {
        for parsed in [yaml::parse(source(), &text), json::parse(source(), &text), toml::parse(source(), &text)] {
            for leaf in parsed.documents.iter().flat_map(Node::leaves) {
                prop_assert!(text.get(leaf.span.start..leaf.span.end).is_some());
            }
            let spans = shown(&parsed.documents, &text);
            prop_assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
