//! Every dialect against what the tools themselves made of 154 texts.
//!
//! A case agrees where the reading is what the tool did:
//!
//! - the tool gave up (`error`), and the reading is [`Reading::Refused`];
//! - the tool set variables, and the reading holds the same ones. Variables that the caller has and the text does not
//!   change are not in the results; values longer than 1,000 bytes are there by their length;
//! - bash ran something, and the reading is [`Reading::RunsCommand`]. That it did shows in its message (`command not
//!   found`, or what else becomes of a name that is no command), or, where the command says nothing, in [`SILENT`]. It
//!   works the other way too: `RunsCommand` agrees with nothing else, and a case in which bash ran something agrees with
//!   nothing but `RunsCommand`.
//!
//! `read` takes text, so that the two inputs that are not valid UTF-8 are read with each invalid byte replaced, as are
//! the values that bash kept as bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test panics"
)]

use std::collections::BTreeMap;

use ringfence_dialect::{Dialect, Reading, read};
use serde_json::Value;

const CORPUS: &str = include_str!("../../../testdata/dotenv-corpus.json");

/// Cases in which bash runs a command that leaves no message: `echo` and `set`.
const SILENT: [&str; 4] = ["backtick", "i_cmd", "i_cmd_dq", "set_prefix"];

/// What bash says when it runs a name that is no command.
const RAN: [&str; 3] = [
    "command not found",
    "No such file or directory",
    "Is a directory",
];

/// The cases that are known to differ, and why.
const DISAGREEMENTS: [(Dialect, &str, &str); 6] = [
    (Dialect::PythonDotenv, "big_value", TOO_LONG),
    (Dialect::PythonDotenv, "latin1_value", NOT_TEXT),
    (Dialect::Dotenvy, "big_value", TOO_LONG),
    (Dialect::Dotenvy, "latin1_value", NOT_TEXT),
    (Dialect::Bash, "big_value", TOO_LONG),
    (
        Dialect::Bash,
        "i_double_dollar",
        "the value is the shell's process id, which nobody can know beforehand",
    ),
];

const TOO_LONG: &str =
    "the loader takes it; the system refuses to start a program with a variable of this length";
const NOT_TEXT: &str =
    "the tool refuses a text that is not valid UTF-8, and `read` takes no such text";

fn tool(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::PythonDotenv => "python-dotenv-1.2.4",
        Dialect::NpmDotenv => "dotenv-npm-16",
        Dialect::Node => "node-24.19.0",
        Dialect::Compose => "docker-compose-2.40.3",
        Dialect::Dotenvy => "dotenvy-0.15.7",
        Dialect::Bash => "bash-5.2 set -a",
    }
}

/// The variables that the tools' caller had.
fn environment(id: &str) -> BTreeMap<String, String> {
    let mut variables = vec![
        ("HOSTVAR", "from_host"),
        ("PATH", "/usr/bin"),
        ("HOME", "/home/user"),
        ("LANG", "C.UTF-8"),
    ];
    if id.starts_with("p_") || id == "i_self" {
        variables.push(("PRE", "host"));
    }
    let owned = variables.into_iter();
    owned
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn input(case: &Value) -> String {
    match &case["input"] {
        Value::String(text) => text.clone(),
        coded if coded.get("b64").is_some() => decoded(coded["b64"].as_str().unwrap()),
        generated => {
            assert_eq!(generated["gen"], "'K=' + 'x'*200000 + '\\nL=w\\n'");
            format!("K={}\nL=w\n", "x".repeat(200_000))
        }
    }
}

/// Base64, with invalid UTF-8 replaced.
fn decoded(text: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.chars().filter_map(|digit| DIGITS.find(digit)) {
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn expected_variables(result: &Value) -> BTreeMap<String, String> {
    let variables = result["vars"].as_object().unwrap().iter();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        coded => decoded(coded["b64"].as_str().unwrap()),
    };
    variables
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// The variables as the results tell them.
fn told(
    variables: BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let baseline = |name: &str, value: &str| {
        name != "PRE"
            && environment
                .get(name)
                .is_some_and(|callers| callers == value)
    };
    let long = |value: String| match value.len() {
        ..=1000 => value,
        length => format!("<{length} bytes>"),
    };
    let told = variables
        .into_iter()
        .filter(|(name, value)| !baseline(name, value));
    told.map(|(name, value)| (name, long(value))).collect()
}

fn bash_ran(id: &str, result: &Value) -> bool {
    let messages = [&result["error"], &result["stderr"]];
    let said = |message: &Value| {
        RAN.iter()
            .any(|ran| message.as_str().is_some_and(|text| text.contains(ran)))
    };
    SILENT.contains(&id) || messages.into_iter().any(said)
}

fn agrees(dialect: Dialect, case: &Value) -> bool {
    let id = case["id"].as_str().unwrap();
    let result = &case["results"][tool(dialect)];
    let environment = environment(id);
    let ran = dialect == Dialect::Bash && bash_ran(id, result);
    match read(dialect, &input(case), &environment) {
        Reading::RunsCommand => ran,
        _ if ran => false,
        Reading::Refused(_) => result.get("error").is_some(),
        Reading::Variables(_) if result.get("error").is_some() => false,
        Reading::Variables(variables) => {
            told(variables, &environment) == expected_variables(result)
        }
    }
}

#[test]
fn every_dialect_reads_the_corpus_as_its_tool_does() {
    let corpus: Value = serde_json::from_str(CORPUS).unwrap();
    let cases = corpus["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 154);
    let mut differing = Vec::new();
    for dialect in Dialect::ALL {
        let of_dialect = cases.iter().filter(|case| !agrees(dialect, case));
        let ids: Vec<&str> = of_dialect
            .map(|case| case["id"].as_str().unwrap())
            .collect();
        let agreeing = (cases.len() - ids.len()) * 100 / cases.len();
        assert!(
            agreeing >= 95,
            "{}: {agreeing} %, not {ids:?}",
            dialect.name()
        );
        differing.extend(ids.into_iter().map(|id| (dialect, id)));
    }
    let mut known = DISAGREEMENTS.map(|(dialect, id, _)| (dialect, id)).to_vec();
    known.sort_unstable();
    differing.sort_unstable();
    assert_eq!(differing, known, "the list of disagreements is out of date");
}
