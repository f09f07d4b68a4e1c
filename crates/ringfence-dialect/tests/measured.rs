//! Readings beyond the corpus, as measured with bash 5.2.15, dotenv 16.6.1, Node.js 24.19.0, python-dotenv 1.2.4 and
//! dotenvy 0.15.7.

use std::collections::BTreeMap;

use ringfence_dialect::{Dialect, Reading, read};

fn check(dialect: Dialect, text: &str, expected: &[(&str, &str)]) {
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let caller = owned(&[("HOME", "/home/user"), ("HOST", "from_host"), ("EMPTY", "")]);
    assert_eq!(
        read(dialect, text, &caller),
        Reading::Variables(owned(expected)),
        "{text:?}"
    );
}

fn check_refused(dialect: Dialect, text: &str) {
    let reading = read(dialect, text, &BTreeMap::new());
    assert!(
        matches!(reading, Reading::Refused(_)),
        "{text:?}: {reading:?}"
    );
}

fn check_runs(text: &str) {
    assert_eq!(
        read(Dialect::Bash, text, &BTreeMap::new()),
        Reading::RunsCommand,
        "{text:?}"
    );
}

#[test]
fn bash_carries_out_what_sets_variables() {
    let check = |text, expected| check(Dialect::Bash, text, expected);
    check("K=a;L=b\n", &[("K", "a"), ("L", "b")]);
    check("K=a && L=b || M=c\n", &[("K", "a"), ("L", "b")]);
    check("export K=a L=$K\n", &[("K", "a"), ("L", "")]);
    check("K=a export L=b\n", &[("L", "b")]);
    check(
        "export K={a,b} \"L=a b\" HOST\n",
        &[("K", "{a,b}"), ("L", "a b")],
    );
    check("export 1K=v\nexport a-b=v\nL=2\n", &[("L", "2")]);
    check("K=a $MISSING\n", &[("K", "a")]);
    check(
        "K=~/x:~/y\nL=a~/x\nM=\"~/x\"\n",
        &[
            ("K", "/home/user/x:/home/user/y"),
            ("L", "a~/x"),
            ("M", "~/x"),
        ],
    );
    check(
        "K=\"${MISSING:-'a b'}\"\nL=${MISSING:-'a b'}\n",
        &[("K", "'a b'"), ("L", "a b")],
    );
    check("K=$'a\\nb'\nL=$\"a b\"\n", &[("K", "a\nb"), ("L", "a b")]);
    check(
        "K=${EMPTY-a}${EMPTY:-b}${HOST:+c}${#HOST}\n",
        &[("K", "bc9")],
    );
}

#[test]
fn bash_goes_on_after_what_it_rejects_while_running() {
    check(Dialect::Bash, "UID=5\nK=1\n", &[("K", "1")]);
    check(
        Dialect::Bash,
        "K=1\nK=${HOST!x}; L=1\nM=2\n",
        &[("K", "1"), ("M", "2")],
    );
}

#[test]
fn bash_loses_what_runs_beside_it_and_what_is_an_array() {
    check(Dialect::Bash, "K=a&L=b\n", &[("L", "b")]);
    check(Dialect::Bash, "K=a|L=b\n", &[]);
    check(Dialect::Bash, "K=(a b)\nL=$K\n", &[("L", "a")]);
    check(Dialect::Bash, "K=a\nK[1]=b\n", &[]);
}

#[test]
fn bash_stops_at_an_error_in_its_grammar() {
    for text in [
        "K=<token>\n",
        "K=a(b)\n",
        "K=a )\n",
        "K=a ;; L=b\n",
        "& K=a\n",
        "K=${HOST\n",
        "K=a &&",
        "K=\"${K:-it's}\"\n",
    ] {
        check_refused(Dialect::Bash, text);
    }
    check_runs("date\nK=(\n");
}

#[test]
fn bash_runs_commands_where_a_value_seems_to_be() {
    for text in [
        "K=a>b\n",
        "K=<(date)\n",
        "K=${MISSING:-$(date)}\n",
        "K=\"`date`\"\n",
        "K=(a $(date))\n",
        "K=v\r\n\r\n",
    ] {
        check_runs(text);
    }
    let caller = BTreeMap::from([("HOST".to_owned(), "h".to_owned())]);
    let set = Reading::Variables(BTreeMap::from([("K".to_owned(), "h".to_owned())]));
    assert_eq!(read(Dialect::Bash, "K=${HOST:-$(date)}\n", &caller), set);
}

#[test]
fn npm_dotenv_finds_a_quoted_value_on_a_later_line() {
    check(
        Dialect::NpmDotenv,
        "K=\n\n'v'\nL\n=w\n",
        &[("K", "v"), ("L", "w")],
    );
    check(Dialect::NpmDotenv, "K='a\\' # 'b\n", &[("K", "a\\")]);
}

#[test]
fn node_keeps_export_where_no_value_follows() {
    check(
        Dialect::Node,
        "export K=\nexport L=v\n",
        &[("export K", ""), ("L", "v")],
    );
}

#[test]
fn dotenvy_counts_the_white_space_before_a_comment() {
    check(Dialect::Dotenvy, "K=a # it's\n", &[("K", "a")]);
    check_refused(Dialect::Dotenvy, "K=a  # it's\n");
    check_refused(Dialect::Dotenvy, "K=a ");
}

#[test]
fn python_dotenv_takes_a_bare_name_back() {
    check(Dialect::PythonDotenv, "K=a\nK\nL=${K}\n", &[("L", "")]);
}
