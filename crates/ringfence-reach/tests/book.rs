//! The tables of `docs/book/src/egress.md` are those of the code. With `RINGFENCE_UPDATE_BOOK` set, they are written there.
#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::fs;
use std::path::Path;

use ringfence_reach::plan::implied::{IMPLIED, Implied, PARTS, PORT, When};
use ringfence_reach::plan::preset::PRESETS;

fn code<T: std::fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(" ")
}

fn either(names: &[&str]) -> String {
    code(names).replace("` `", "` or `")
}

fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |");
    let head: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(columns.len()));
    let rows: String = rows.map(|row| line(&row)).collect();
    format!("{}{rule}{rows}", line(&head))
}

fn condition(when: When) -> String {
    match when {
        When::Always => String::new(),
        When::Unless(names) => format!("unless {} is there", either(names)),
        When::Live(names) => format!("live, by {}", either(names)),
        When::Test(names) => format!("not live, by {}", either(names)),
    }
}

fn settings(row: &Implied) -> String {
    let values = row.values.iter().map(|start| format!("{start}…"));
    let mut text = code(row.names);
    if !row.values.is_empty() {
        text.push_str(", values ");
        text.push_str(&code(values));
    }
    text
}

fn implied() -> String {
    let rows = IMPLIED.iter().copied().flatten().map(|row| {
        let (vendor, hosts) = (row.vendor.to_owned(), code(row.hosts));
        vec![vendor, settings(row), hosts, condition(row.when)]
    });
    table(&["vendor", "settings", "hosts", "where"], rows)
}

fn parts() -> String {
    let rows = PARTS.iter().map(|part| {
        let default = part.default.map(|text| code([text])).unwrap_or_default();
        let name = format!("{{{}}}", part.name);
        vec![code([name]), code(part.settings), default]
    });
    table(&["part", "settings", "where none says it"], rows)
}

fn presets() -> String {
    let rows = PRESETS.iter().map(|preset| {
        let hosts = preset
            .hosts
            .iter()
            .map(|(host, port)| format!("{host}:{port}"));
        vec![code([preset.name]), preset.what.to_owned(), code(hosts)]
    });
    table(&["preset", "what works with it", "hosts"], rows)
}

/// The page with what is between a mark and the next end replaced.
fn with(page: &str, mark: &str, text: &str) -> String {
    let mark = format!("<!-- {mark} -->\n");
    let (before, after) = page.split_once(&mark).unwrap();
    let (_, after) = after.split_once("<!-- end -->").unwrap();
    format!("{before}{mark}\n{text}\n<!-- end -->{after}")
}

#[test]
fn the_tables_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/egress.md");
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains(&format!("All of them are on port {PORT}.")));
    let tables = [
        ("implied", implied()),
        ("parts", parts()),
        ("presets", presets()),
    ];
    let today = tables
        .iter()
        .fold(page.clone(), |page, (mark, text)| with(&page, mark, text));
    if option_env!("RINGFENCE_UPDATE_BOOK").is_some() {
        fs::write(&path, &today).unwrap();
    } else {
        assert!(
            page == today,
            "docs/book/src/egress.md is out of date: run this test with RINGFENCE_UPDATE_BOOK=1"
        );
    }
}
