//! The 154 inputs of `testdata/dotenv-corpus.json`, each a test: where all 22 loaders agree so do we, and where they
//! differ we do what `testdata/dotenv-choices.tsv` says, for the reason that the book's page on `.env` files gives.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test panics"
)]

use std::collections::BTreeMap;

use ringfence_diagnostic::Sources;
use ringfence_model::document::Documents;
use ringfence_model::host::Host;
use ringfence_model::project::{Parts, Project};
use ringfence_model::resolve::{Inputs, resolve};
use serde_json::{Value, json};

const CORPUS: &str = include_str!("../../../testdata/dotenv-corpus.json");
const CHOICES: &str = include_str!("../../../testdata/dotenv-choices.tsv");
const BOOK: &str = include_str!("../../../docs/book/src/dotenv.md");

fn corpus() -> Value {
    serde_json::from_str(CORPUS).unwrap()
}

fn input(case: &Value) -> Vec<u8> {
    let input = &case["input"];
    if let Some(text) = input.as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(encoded) = input["b64"].as_str() {
        return base64(encoded);
    }
    assert_eq!(input["gen"], "'K=' + 'x'*200000 + '\\nL=w\\n'");
    format!("K={}\nL=w\n", "x".repeat(200_000)).into_bytes()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text
        .chars()
        .filter(|c| *c != '=')
        .map(|c| DIGITS.find(c).unwrap() as u32);
    let bits = digits.collect::<Vec<_>>();
    let group = |group: &[u32]| {
        let number =
            group.iter().fold(0, |number, digit| number << 6 | digit) << (6 * (4 - group.len()));
        number.to_be_bytes()[1..group.len()].to_vec()
    };
    bits.chunks(4).flat_map(group).collect()
}

/// What we make of an input: the settings, or the codes of the errors.
fn outcome(case: &Value) -> Value {
    let file_names = [".env.dev".to_owned()];
    let (project, diagnostics) = Project::assemble(Parts {
        file_names: &file_names,
        manifest: None,
    });
    assert!(diagnostics.is_empty());
    let mut sources = Sources::new();
    let mut documents = Documents::default();
    documents.add(&mut sources, ".env.dev", ".env.dev", &input(case));
    let host: Host = [("HOSTVAR", "from_host"), ("PRE", "host")]
        .into_iter()
        .collect();
    let inputs = Inputs {
        project: &project,
        documents: &documents,
        sources: &sources,
        host: &host,
        arguments: &[],
    };
    let resolution = resolve(inputs, &project.environments[0]);
    let errors: Vec<&str> = resolution
        .diagnostics
        .iter()
        .filter(|d| d.is_error())
        .map(|diagnostic| diagnostic.code)
        .collect();
    if errors.is_empty() {
        let long = |text: &str| {
            if text.len() > 1000 {
                format!("<{} bytes>", text.len())
            } else {
                text.to_owned()
            }
        };
        let settings = resolution
            .settings
            .iter()
            .map(|(name, s)| (name.clone(), json!(long(s.value.expose()))));
        Value::Object(settings.collect())
    } else {
        json!(errors)
    }
}

/// By case: what we do, and the rule that says so.
fn choices() -> BTreeMap<&'static str, (Value, &'static str)> {
    let rows = CHOICES.lines().skip(1).map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap();
        (next(), (serde_json::from_str(next()).unwrap(), next()))
    });
    rows.collect()
}

fn check(id: &str) {
    let corpus = corpus();
    let case = corpus["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["id"] == id)
        .unwrap();
    let ours = outcome(case);
    let (chosen, rule) = &choices()[id];
    assert_eq!(&ours, chosen, "{id}: {}", case["input"]);
    if case["distinct_outcomes"] == 1 {
        let agreed = case["results"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap();
        assert_eq!(ours, agreed["vars"], "{id}: all loaders agree");
        assert_eq!(*rule, "agreed");
    } else {
        assert!(
            BOOK.contains(&format!("\n### {rule}\n")),
            "{id}: the book does not give the reason `{rule}`"
        );
    }
}

macro_rules! cases {
    ($($id:ident),* $(,)?) => {
        $(#[test] fn $id() { check(stringify!($id)); })*
        const NAMED: &[&str] = &[$(stringify!($id)),*];
    };
}

cases! {
    basic, dq, sq, backtick, dq_escapes, sq_escapes, unq_escapes, dq_escaped_dq, sq_escaped_sq,
    dq_has_sq, sq_has_dq, adjacent_quotes, dq_trailing_text, mid_quote, sq_shell_concat,
    unterminated_dq, unterminated_sq, stray_dq_end, dq_unknown_escape, unq_winpath, dq_winpath,
    dq_unicode_escape, dq_hex_escape, unq_line_cont, dq_line_cont, unq_backslash_space,
    smart_quotes, apostrophe_in_unq, ml_dq, ml_sq, ml_pem, ml_hash, ml_triple, ml_kv_inside,
    inline_comment, inline_nospace, dq_then_comment, dq_hash, sq_comment_apos, unq_comment_quoted,
    unq_comment_dq_hash, indented_comment, hash_immediately, space_hash, hex_color, tab_comment,
    password_hash, semicolon_comment, slash_comment, export, export_tab, export_multi, export_bare,
    leading_ws, sp_both, sp_before, sp_after, trailing_ws, dq_trailing_ws, unq_spaces, missing_eq,
    missing_key, bad_line, yaml_colon, multi_eq, double_eq, plus_eq, set_prefix, ini_section,
    no_eof_newline, blank_only, two_on_a_line, crlf, crlf_dq, crlf_ml, bare_cr, bom, utf8_value,
    utf8_key, latin1_value, nul_value, utf16le, nbsp_trailing, formfeed, emoji_zwj, zero_width_key,
    empty, empty_dq, empty_sq, dup, dup_empty_last, i_dollar, i_brace, i_dq, i_sq, i_infile,
    i_adjacent, i_forward, i_missing, i_missing_bare, i_default, i_default_nocolon, i_default_set,
    i_default_empty, i_default_nocolon_empty, i_default_space, i_default_url, i_required, i_alt,
    i_nested, i_nested2, i_assign, i_strlen, i_escaped_unq, i_escaped_dq, i_double_dollar,
    i_dollar_end, i_dollar_digit, i_dollar_pw, i_dq_dollar_pw, i_unclosed, i_percent, i_cmd,
    i_cmd_dq, i_cmd_sq, i_self, i_self_unset, i_circular, i_order_dup, i_value_has_dollar,
    p_host_wins, p_interp_host_vs_file, p_empty_file, k_dot, k_dash, k_lower, k_digit, k_space,
    k_quoted, k_slash, k_bracket, s_semicolon, s_amp, s_pipe_gt, s_parens, s_star, s_tilde,
    s_json_unq, s_json_sq, s_url_qs, s_b64, s_excl, s_fn, big_value,
}

#[test]
fn every_case_of_the_corpus_is_named_here() {
    let corpus = corpus();
    let ids: Vec<&str> = corpus["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, NAMED);
    assert_eq!(choices().len(), ids.len());
}

/// Prints what we do now, in the format of the choices, to look at after a change of the grammar:
/// `cargo test -p ringfence-model --test corpus -- --nocapture outcomes`.
#[test]
fn outcomes() {
    for case in corpus()["cases"].as_array().unwrap() {
        println!("{}\t{}", case["id"].as_str().unwrap(), outcome(case));
    }
}
