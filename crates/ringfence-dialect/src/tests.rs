use std::collections::BTreeMap;

use crate::cursor::steps;
use crate::{Dialect, read};

const BEGINNINGS: [&str; 9] = [
    "",
    "K=",
    "K=\"",
    "K='",
    "K=${A:-",
    "K=(",
    "export ",
    "A=\"x\"\nK=$(",
    "K=`",
];

const PARTS: [&str; 54] = [
    "'",
    "\"",
    "`",
    "$",
    "${",
    "{",
    "}",
    "(",
    "\\",
    "\\\"",
    "\\'",
    "#",
    " ",
    "\n",
    "\r\n",
    "=",
    ":",
    "x",
    "${A",
    "${A:-",
    "${A:-\"",
    "$A",
    "${A}",
    "$(",
    "$((",
    "$$",
    "$'",
    "<(",
    "K=\"",
    "K='\\'",
    "\nK='",
    "\nK=\"x",
    "\nK=`",
    "\nK=\\\"",
    " #",
    "\n'",
    "\n\"",
    "K=(",
    "\nK= \n",
    "\nK",
    "\nexport ",
    "export\n",
    "~:",
    "a&",
    "a;",
    "K=a&",
    "K=a;",
    "K=a|",
    "K=a\n",
    "&&K=",
    "${A:-}",
    "${A:-$",
    "\u{2028}",
    "\u{a0}",
];

/// Holds every dialect to a number of looks at each byte.
fn check(beginning: &str, part: &str, length: usize) {
    let text = format!("{beginning}{}", part.repeat(length / part.len()));
    let caller = BTreeMap::from([("HOME".to_owned(), "/home/user".to_owned())]);
    for dialect in Dialect::ALL {
        let looked = steps::of(|| drop(read(dialect, &text, &caller)));
        assert!(
            looked <= 16 * text.len(),
            "{}: {looked} for {length} bytes of {part:?} after {beginning:?}",
            dialect.name()
        );
    }
}

#[test]
fn hostile_text_is_looked_at_a_few_times_at_most() {
    for part in PARTS {
        for beginning in BEGINNINGS {
            check(beginning, part, 1 << 14);
        }
    }
}

#[test]
fn so_is_a_megabyte_on_one_line() {
    let parts = ["x", "'", "$", "{", "${", "${A:-", "}", "\\'"];
    for part in parts {
        check("K=\"", part, 1 << 20);
    }
    check("K=", "${A:-x}", 1 << 20);
    check("K='", "x", 1 << 20);
}
