//! Secrets as real programs write them: what the libraries of Python and JavaScript make of a secret does not get through.
//!
//! Where `python3` or `node` is not there, the test says so and passes, unless `RINGFENCE_TEST_REQUIRES` names it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use ringfence_secret::redact::Patterns;

const SECRETS: [&str; 9] = [
    "s3cr3t-Value",
    "p4ss w0rd/with?all&of=these+signs%",
    "quote\"d 'and' back\\slashed",
    "<b>tags</b> & more`~",
    "three\nlines of\r\n\ttext with tabs",
    "Üñïcödé-\u{1F511}-\u{2028}-€",
    "~!@#$%^&*()_+{}|:<>?[];,./",
    "dGhpcyBpcyBhIGtleQ==+/aZ09",
    "\u{1}control\u{1f}\u{7f}characters",
];

/// Reads one JSON text a line, writes each in all ways, one JSON text a line again.
const PYTHON: &str = r#"
import base64, json, sys, urllib.parse as u
for line in sys.stdin:
    t = json.loads(line)
    b = t.encode()
    ways = [t, base64.b64encode(b).decode(), base64.urlsafe_b64encode(b).decode(), u.quote(t), u.quote(t, safe=""),
            u.quote_plus(t), u.urlencode({"k": t}), json.dumps(t), json.dumps(t, ensure_ascii=False)]
    for way in ways:
        print(json.dumps(way))
"#;

const NODE: &str = r#"
const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
for (const line of lines) {
    const t = JSON.parse(line), b = Buffer.from(t);
    const ways = [t, b.toString("base64"), b.toString("base64url"), encodeURIComponent(t), encodeURI(t),
        new URLSearchParams({k: t}).toString(), require("querystring").escape(t), JSON.stringify(t)];
    const url = new URL("http://user@host/");
    url.password = t;
    ways.push(url.password);
    for (const way of ways) console.log(JSON.stringify(way));
}
"#;

/// All ways in which a program writes the texts; nothing where it is not there.
fn written(program: &str, words: &[&str], texts: &[String]) -> Option<Vec<String>> {
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
        let is_required = required.split(',').any(|name| name.trim() == program);
        assert!(!is_required, "{program} is required and not there");
        eprintln!("skipped: {program} is not there");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    for text in texts {
        writeln!(input, "{}", serde_json::to_string(text).unwrap()).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    Some(
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn check(program: &str, words: &[&str]) {
    let befores = ["", "a", "ab", "abc"];
    let pairs = befores
        .iter()
        .flat_map(|before| SECRETS.map(|secret| (*before, secret)));
    let texts: Vec<String> = pairs
        .clone()
        .map(|(before, secret)| format!("{before}{secret}xyz"))
        .collect();
    let Some(written) = written(program, words, &texts) else {
        return;
    };
    let ways = written.len() / texts.len();
    assert!(ways >= 9);
    for ((_, secret), ways) in pairs.zip(written.chunks(ways)) {
        ways.iter().for_each(|way| check_one(secret, way));
    }
}

fn check_one(secret: &str, way: &str) {
    const LABEL: &str = "[redacted:A]";
    let (mut out, mut stream) = (Vec::new(), Patterns::new([("A", secret)]).stream());
    way.as_bytes()
        .chunks(5)
        .for_each(|chunk| stream.pass(chunk, &mut out));
    stream.finish(&mut out);
    let out = String::from_utf8(out).unwrap();
    let rest = out.replace(LABEL, "");
    assert_eq!(rest.len() + LABEL.len(), out.len(), "{way} → {out}");
    // Six letters around it, in base64 with what they share with the secret; quotes or `k=`; padding.
    assert!(rest.len() <= 14, "{way} → {out}");
}

#[test]
fn what_python_writes_does_not_get_through() {
    check("python3", &["-c", PYTHON]);
}

#[test]
fn what_javascript_writes_does_not_get_through() {
    check("node", &["-e", NODE]);
}
