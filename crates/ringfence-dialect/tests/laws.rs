//! What holds for every text: a reading ends, in time and memory that grow with the text and no faster.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;
use ringfence_dialect::{Dialect, Reading, read};

fn caller() -> BTreeMap<String, String> {
    let variables = [("HOME", "/home/user"), ("HOST", "from host"), ("EMPTY", "")];
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Bytes in the values of a reading.
fn size(reading: &Reading) -> usize {
    match reading {
        Reading::Variables(variables) => variables.values().map(String::len).sum(),
        Reading::Refused(_) | Reading::RunsCommand => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        for dialect in Dialect::ALL {
            let _ = read(dialect, &text, &caller());
        }
    }

    /// Texts made of what means something to one of the loaders.
    #[test]
    fn any_mixture_of_special_characters_is_read(
        parts in prop::collection::vec(prop::sample::select(PARTS), 0..40),
    ) {
        let text = parts.concat();
        for dialect in Dialect::ALL {
            let first = read(dialect, &text, &caller());
            prop_assert_eq!(first, read(dialect, &text, &caller()));
        }
    }

    /// Where every loader is told the same, all say the same.
    #[test]
    fn plain_lines_mean_the_same_to_all(
        lines in prop::collection::btree_map("[A-Z]{3}_[A-Z]{1,5}", "[A-Za-z0-9_./,@:-]{0,10}", 0..8),
    ) {
        let mut text = String::new();
        for (name, value) in &lines {
            writeln!(text, "{name}={value}").unwrap();
        }
        for dialect in Dialect::ALL {
            prop_assert_eq!(read(dialect, &text, &BTreeMap::new()), Reading::Variables(lines.clone()));
        }
    }
}

const PARTS: &[&str] = &[
    "K",
    "L",
    "=",
    "=",
    "\n",
    "\n",
    " ",
    "\t",
    "\r",
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "${",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "#",
    ":",
    ":-",
    ":?",
    "+",
    "-",
    "export ",
    "$K",
    "${L}",
    "${HOST:-",
    "${EMPTY:-",
    "$(",
    "<",
    ">",
    "|",
    "&",
    ";",
    "~",
    "!",
    "é",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\0",
    "0",
    "a b",
    "\\n",
    "\\\n",
    "$'",
    "$$",
];

#[test]
fn references_do_not_multiply() {
    let mut text = String::from("V0=0123456789\n");
    for line in 1..60 {
        let last = line - 1;
        writeln!(text, "V{line}=${{V{last}}}${{V{last}}}").unwrap();
    }
    for dialect in Dialect::ALL {
        let reading = read(dialect, &text, &BTreeMap::new());
        assert!(size(&reading) < 4 << 20, "{}", dialect.name());
        let resolves = !matches!(dialect, Dialect::NpmDotenv | Dialect::Node);
        assert_eq!(
            matches!(reading, Reading::Refused(_)),
            resolves,
            "{}",
            dialect.name()
        );
    }
}

#[test]
fn a_long_value_that_is_named_often_is_refused() {
    let long = "x".repeat(1 << 18);
    for reference in ["K=${V}\n", "K=${#V}\n", "V+=(a)\n", "V[1]=a\n"] {
        let text = format!("V={long}\n{}", reference.repeat(1 << 14));
        let reading = read(Dialect::Bash, &text, &BTreeMap::new());
        assert!(matches!(reading, Reading::Refused(_)), "{reference}");
    }
}

#[test]
fn a_reason_never_quotes_the_text() {
    let hostile = [
        "K=\"sesame",
        "K=${sesame",
        "sesame=(",
        "=sesame\nsesame sesame=1",
        "K=$sesame$$",
        "sesame\\",
    ];
    for text in hostile {
        for dialect in Dialect::ALL {
            if let Reading::Refused(reason) = read(dialect, text, &BTreeMap::new()) {
                assert!(!reason.contains("sesame"));
            }
        }
    }
}
