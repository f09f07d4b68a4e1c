use proptest::prelude::*;

use super::*;
use crate::rule::{REVISION, Rule, TableRule};
use crate::schema::{Column, ForeignKey, Kind, Value};

fn key() -> Key {
    Key::read(&[7; 32]).unwrap()
}

fn table(name: &str, columns: &[(&str, &str)]) -> Table {
    let column = |(name, kind): &(&str, &str)| {
        let kind = Kind::read(kind);
        Column::new(name, kind).nullable()
    };
    Table {
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        ..Table::default()
    }
}

fn rules(tables: &[(&str, &[(&str, &str)])]) -> Rules {
    let mut rules = Rules::default();
    for (name, columns) in tables {
        let rule = TableRule {
            columns: columns
                .iter()
                .map(|(column, rule)| ((*column).to_owned(), rule.parse().unwrap()))
                .collect(),
            ..TableRule::default()
        };
        rules.tables.insert((*name).to_owned(), rule);
    }
    rules
}

/// Masks values of one column, one after the other.
struct One {
    masker: TableMasker,
    out: MaskedRow,
}

impl One {
    fn new(kind: &str, rule: &str) -> Self {
        Self::of(kind, rule, false)
    }

    fn of(kind: &str, rule: &str, unique: bool) -> Self {
        Self::under(&key(), kind, rule, unique)
    }

    fn under(key: &Key, kind: &str, rule: &str, unique: bool) -> Self {
        let mut table = table("t", &[("id", "bigint"), ("c", kind)]);
        table.primary_key = vec!["id".to_owned()];
        if unique {
            table.unique.push(vec!["c".to_owned()]);
        }
        let rules = rules(&[("t", &[("c", rule)])]);
        let masking = Masking::new(&[&table], &rules, key).unwrap();
        Self {
            masker: masking.table("t").unwrap(),
            out: MaskedRow::default(),
        }
    }

    fn mask(&mut self, value: Value<'_>) -> Result<Option<String>, Reason> {
        self.row(1, value)
    }

    fn row(&mut self, id: i64, value: Value<'_>) -> Result<Option<String>, Reason> {
        let row = [Value::Integer(id), value];
        let masked = self.masker.mask(&row, &mut self.out);
        masked.map_err(|error| error.reason)?;
        Ok(match self.out.cell(0).unwrap() {
            Cell::Null => None,
            Cell::Original(place) => {
                assert_eq!(place, 1);
                Some("original".to_owned())
            }
            Cell::Text(text) => Some(text.to_owned()),
        })
    }

    fn text(&mut self, text: &str) -> String {
        self.mask(Value::Text(text)).unwrap().unwrap()
    }
}

fn masked(kind: &str, rule: &str, text: &str) -> String {
    One::new(kind, rule).text(text)
}

#[test]
fn results_have_the_form_that_the_rule_says() {
    let luhn = |digits: &str| {
        let sum = digits.bytes().rev().enumerate().map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * (1 + place as u32 % 2);
            digit / 10 + digit % 10
        });
        sum.sum::<u32>() % 10 == 0
    };
    let email = masked("text", "email", "ada@lovelace.org");
    assert!(
        email.ends_with("@example.invalid") && email.len() == 32,
        "{email}"
    );
    assert_eq!(masked("varchar(26)", "email", "ada@lovelace.org").len(), 26);
    assert_eq!(masked("text", "hash", "x").len(), 26);
    assert_eq!(masked("varchar(9)", "hash:12", "x").len(), 9);
    let card = masked("text", "number:card", "4111111111111111");
    assert!(
        card.starts_with("9999") && card.len() == 16 && luhn(&card),
        "{card}"
    );
    let card = masked("numeric(16)", "number:card", "4111111111111111");
    assert!(luhn(&card) && card.len() == 16);
    let uuid = masked("uuid", "uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2");
    assert_eq!(uuid.len(), 36);
    assert_eq!(uuid.get(14..15).unwrap(), "4");
    assert!("89ab".contains(uuid.get(19..20).unwrap()));
    for (range, begin, length) in [
        ("us", "+1", 12),
        ("uk", "+447700900", 13),
        ("de", "+49", 13),
        ("fr", "+3363998", 12),
        ("se", "+467017406", 12),
        ("any", "+999", 16),
    ] {
        let phone = masked("text", &format!("phone:{range}"), "+43 1 234 56 78");
        assert!(phone.starts_with(begin) && phone.len() == length, "{phone}");
    }
    let phone = masked("bigint", "phone", "4312345678");
    assert_eq!(
        (
            phone.get(..1).unwrap(),
            phone.get(4..9).unwrap(),
            phone.len()
        ),
        ("1", "55501", 11)
    );
    assert_eq!(masked("text", "number", "AB-12 cd--").len(), 9);
    assert_eq!(masked("jsonb", "text", "{\"a\": 1}"), "{}");
    assert!(masked("text", "choice:a|b", "x").len() == 1);
    let template = masked("text", "template:user{n:4}-{hash:8}", "x");
    assert!(template.starts_with("user") && template.len() == 17);
    assert_eq!(masked("text", "address:postcode", "SW1A 1AA").len(), 5);
    assert!(masked("text", "address", "1 Infinite Loop").contains(", 00"));
    assert!(masked("text", "name:zh", "Ada").chars().count() <= 4);
    assert_eq!(masked("bytea", "hash", "\\xdeadbeefdeadbeef").len(), 16);
    let words = masked("text", "text", &"a b c ".repeat(50));
    assert!((200..=300).contains(&words.len()), "{}", words.len());
    assert_eq!(masked("char(2)", "text", "ab").chars().count(), 2);
}

#[test]
fn null_and_empty_stay() {
    for (kind, rule) in [
        ("text", "email"),
        ("text", "name"),
        ("text", "text"),
        ("text", "number"),
        ("text", "template:x{n}"),
        ("text", "choice:a|b"),
        ("text", "date"),
        ("bytea", "hash"),
    ] {
        let mut one = One::new(kind, rule);
        assert_eq!(one.mask(Value::Null), Ok(None));
        assert_eq!(one.text(""), "original");
    }
    assert_eq!(One::new("text", "null").masker.reads(), ["id"]);
}

#[test]
fn numbers_keep_their_digits_sign_and_type() {
    for number in [
        0_i64,
        5,
        -5,
        9,
        10,
        99,
        12345,
        -12345,
        2_147_483_647,
        -2_147_483_648,
    ] {
        let result: i64 = masked("int4", "number", &number.to_string())
            .parse()
            .unwrap();
        assert!(i32::try_from(result).is_ok(), "{number} {result}");
        if number >= 0 {
            assert_eq!(result.to_string().len(), number.to_string().len());
        }
        assert!((result < 0) == (number < 0));
        let hash: i64 = masked("int4", "hash", &number.to_string()).parse().unwrap();
        assert!(i32::try_from(hash).is_ok());
    }
    let price = masked("numeric(8,2)", "number", "123.40");
    assert_eq!((price.len(), price.get(3..4).unwrap()), (6, "."));
    assert_eq!(masked("numeric(8,2)", "number", "0.05").len(), 4);
    let ranged: i64 = masked("int2", "number:1..100", "3000").parse().unwrap();
    assert!((1..=100).contains(&ranged));
    let near: f64 = masked("numeric(8,2)", "number:noise 10%", "100.00")
        .parse()
        .unwrap();
    assert!((90.0..=110.0).contains(&near) && near != 100.0);
    let near: f64 = masked("double precision", "number:noise 10%", "100")
        .parse()
        .unwrap();
    assert!((90.0..=110.0).contains(&near));
    assert_eq!(masked("numeric", "number", "NaN"), "original");
    let mut one = One::new("int4", "number");
    assert!(matches!(
        one.mask(Value::Text("many")),
        Err(Reason::Malformed(_))
    ));
}

#[test]
fn dates_move_alike_within_a_row_or_a_subject() {
    let mut table = table(
        "t",
        &[
            ("id", "bigint"),
            ("who", "bigint"),
            ("a", "date"),
            ("b", "timestamp"),
            ("c", "date"),
        ],
    );
    table.primary_key = vec!["id".to_owned()];
    let rules = rules(&[(
        "t",
        &[
            ("a", "date:shift 30"),
            ("b", "date:shift 30"),
            ("c", "date:shift 9 by who"),
        ],
    )]);
    let mut masker = Masking::new(&[&table], &rules, &key())
        .unwrap()
        .table("t")
        .unwrap();
    assert_eq!(masker.reads(), ["id", "who", "a", "b", "c"]);
    assert_eq!(masker.writes(), ["a", "b", "c"]);
    let mut out = MaskedRow::default();
    let mut row = |id, who, a| {
        let row = [
            Value::Integer(id),
            Value::Integer(who),
            Value::Text(a),
            Value::Text("2024-03-05 10:11:12.5+02"),
            Value::Text("2024-03-05"),
        ];
        masker.mask(&row, &mut out).unwrap();
        let cells: Vec<String> = out
            .cells()
            .map(|cell| match cell {
                Cell::Text(text) => text.to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        cells
    };
    let one = row(1, 7, "2024-03-05");
    assert_eq!(one[1], format!("{} 10:11:12.5+02", one[0]));
    assert_ne!(one[0], "2024-03-05");
    let other = row(2, 7, "2024-03-05");
    assert_eq!(other[2], one[2], "one subject, one shift");
    assert_eq!(row(1, 8, "2024-03-05")[0], one[0]);
}

#[test]
fn dates_are_cut_or_refused() {
    assert_eq!(masked("date", "date:year", "2024-02-29"), "2024-01-01");
    assert_eq!(
        masked("timestamptz", "date:month", "2024-02-29 10:11:12+02"),
        "2024-02-01 00:00:00+02"
    );
    assert_eq!(
        masked("timestamp", "date:day", "2024-02-29T10:11:12.345Z"),
        "2024-02-29T00:00:00.000Z"
    );
    assert_eq!(masked("bigint", "date:year", "1709208672"), "1704067200");
    assert_eq!(masked("timestamp", "date", "infinity"), "original");
    assert_eq!(masked("date", "date:day", "0001-01-01"), "0001-01-01");
    for wrong in [
        "2023-02-29",
        "yesterday",
        "2024-1-1",
        "0000-01-01",
        "2024-01-01 BC",
    ] {
        let result = One::new("date", "date").mask(Value::Text(wrong));
        assert!(matches!(result, Err(Reason::Malformed(_))), "{wrong}");
    }
}

#[test]
fn a_crowded_column_says_so() {
    let mut one = One::of("text", "phone:se", true);
    let mut seen = BTreeSet::new();
    let error = (0..200).find_map(|id| match one.mask(Value::Text(&format!("{id}"))) {
        Ok(phone) => {
            assert!(seen.insert(phone), "twice");
            None
        }
        Err(reason) => Some(reason),
    });
    assert_eq!(error, Some(Reason::Crowded));
    assert!(seen.len() > 50, "{}", seen.len());
    let mut ranged = One::of("int4", "number:1..100", true);
    assert_eq!(ranged.mask(Value::Integer(101)), Err(Reason::OutOfRange));
}

#[test]
fn a_name_is_drawn_again_until_it_is_free_and_then_stays() {
    let mut one = One::of("text", "name:first", true);
    let first: Vec<_> = (0..1500).map(|id| one.text(&format!("u{id}"))).collect();
    let distinct: BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 1500);
    let second: Vec<_> = (0..1500).map(|id| one.text(&format!("u{id}"))).collect();
    assert_eq!(first, second);
}

fn problems(table: &Table, columns: &[(&str, &str)]) -> Vec<String> {
    let name = table.name.clone();
    match Masking::new(&[table], &rules(&[(&name, columns)]), &key()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let strict = |kind: &str| Table {
        name: "t".to_owned(),
        columns: vec![Column::new("c", Kind::read(kind))],
        primary_key: vec!["c".to_owned()],
        ..Table::default()
    };
    type Columns<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Columns<'_>, &str); 12] = [
        (
            "text",
            &[],
            "`t.c` must have a value, and no rule covers it: give it a rule, such as `text`",
        ),
        (
            "text",
            &[("c", "null")],
            "`t.c` must have a value, and its rule is `null`",
        ),
        (
            "text",
            &[("c", "hash"), ("d", "keep")],
            "`t.d` has a rule, but there is no such column",
        ),
        (
            "int4",
            &[("c", "email")],
            "`t.c` has a type that masker `email` does not write: expected `keep`, `null`, `number`",
        ),
        ("int4", &[("c", "phone")], "masker `phone` does not write"),
        (
            "int4",
            &[("c", "number:1..5000000000")],
            "a range that fits the column's type",
        ),
        (
            "varchar(20)",
            &[("c", "email")],
            "`t.c` is too short for masker `email`, which needs 24 characters",
        ),
        ("boolean", &[("c", "choice:yes")], "`t.c` cannot hold `yes`"),
        (
            "text",
            &[("c", "choice:a|b")],
            "`t.c` is unique, and masker `choice` gives different values the same result",
        ),
        ("text", &[("c", "template:x")], "is unique"),
        ("int4", &[("c", "number:noise 5%")], "is unique"),
        ("vector(3)", &[("c", "hash")], "expected `keep` or `null`"),
    ];
    for (kind, columns, expected) in cases {
        let found = problems(&strict(kind), columns);
        assert!(
            found.iter().any(|text| text.contains(expected)),
            "{expected}: {found:?}"
        );
    }
    let plain = table("t", &[("c", "date")]);
    let found = problems(&plain, &[("c", "date")]);
    assert_eq!(
        found,
        [
            "`t.c` is shifted by its row, and the table has no primary key: name a column with `date:shift 90 by COLUMN`"
        ]
    );
    let found = problems(&plain, &[("c", "date:shift 3 by x")]);
    assert!(found[0].contains("by `x`, which the table does not have"));
    let mut generated = table("t", &[("c", "text")]);
    generated.columns[0].generated = true;
    assert!(problems(&generated, &[("c", "keep")])[0].contains("the store computes it"));
}

#[test]
fn a_column_without_a_rule_is_neither_read_nor_written() {
    let mut table = table(
        "t",
        &[("id", "int8"), ("a", "text"), ("b", "text"), ("c", "text")],
    );
    table.primary_key = vec!["id".to_owned()];
    table.columns[2].default = true;
    let rules = rules(&[("t", &[("id", "keep"), ("c", "null")])]);
    let mut masker = Masking::new(&[&table], &rules, &key())
        .unwrap()
        .table("t")
        .unwrap();
    assert_eq!(masker.reads(), ["id"]);
    assert_eq!(masker.writes(), ["id", "c"]);
    let mut out = MaskedRow::default();
    masker.mask(&[Value::Integer(1)], &mut out).unwrap();
    assert_eq!(
        out.cells().collect::<Vec<_>>(),
        [Cell::Original(0), Cell::Null]
    );
    assert_eq!(out.cell(2), None);
    let error = masker.mask(&[], &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot mask a value of `t.id`: the row ends before it"
    );
}

#[test]
fn references_whose_sides_part_are_refused() {
    let mut users = table("users", &[("email", "text"), ("code", "varchar(12)")]);
    users.unique = vec![vec!["email".to_owned()]];
    let mut letters = table("letters", &[("to", "varchar(40)"), ("code", "varchar(12)")]);
    letters.foreign_keys = vec![ForeignKey {
        columns: vec!["to".to_owned()],
        parent: "users".to_owned(),
        referenced: vec!["email".to_owned()],
        deferrable: false,
    }];
    let check = |theirs: &[(&str, &str)], own: &[(&str, &str)]| {
        let rules = rules(&[("users", theirs), ("letters", own)]);
        Masking::new(&[&users, &letters], &rules, &key())
            .map(|_| ())
            .map_err(|errors| errors[0].to_string())
    };
    assert_eq!(check(&[("email", "email")], &[("to", "email")]), Ok(()));
    assert_eq!(check(&[("email", "hash")], &[("to", "hash")]), Ok(()));
    assert_eq!(
        check(&[("email", "email")], &[]),
        Ok(()),
        "null points nowhere"
    );
    assert_eq!(check(&[("email", "email")], &[("to", "null")]), Ok(()));
    for (theirs, own) in [
        ("email", "keep"),
        ("email", "email@x"),
        ("hash:50", "hash:50"),
    ] {
        let error = check(&[("email", theirs)], &[("to", own)]).unwrap_err();
        assert!(
            error.contains("`letters.to` points to `users.email`, which has another rule or type"),
            "{error}"
        );
    }
    assert!(check(&[], &[("to", "keep")]).is_err());
}

#[test]
fn what_a_plan_cuts_becomes_null() {
    let mut users = table("users", &[("id", "int8"), ("manager_id", "int8")]);
    users.primary_key = vec!["id".to_owned()];
    users.foreign_keys = vec![ForeignKey {
        columns: vec!["manager_id".to_owned()],
        parent: "users".to_owned(),
        referenced: vec!["id".to_owned()],
        deferrable: false,
    }];
    let mut rules = rules(&[("users", &[("id", "keep"), ("manager_id", "keep")])]);
    let unused = table("unused", &[("id", "int8")]);
    let tables = [users, unused];
    rules.tables.get_mut("users").unwrap().rows = "all".parse().unwrap();
    let plan = crate::closure::plan(&tables, &rules).unwrap();
    let masking = Masking::for_plan(&plan, &tables, &rules, &key()).unwrap();
    assert!(masking.table("unused").is_none());
    let mut masker = masking.table("users").unwrap();
    assert_eq!(masker.reads(), ["id"]);
    let mut out = MaskedRow::default();
    masker.mask(&[Value::Integer(1)], &mut out).unwrap();
    assert_eq!(out.cell(1), Some(Cell::Null));
}

#[test]
fn a_masker_may_go_to_another_thread() {
    fn sent<T: Send + 'static>(_: T) {}
    let table = table("t", &[("c", "text")]);
    let masking = Masking::new(&[&table], &rules(&[("t", &[("c", "name")])]), &key()).unwrap();
    sent(masking.table("t").unwrap());
}

#[test]
fn the_lists_are_those_of_this_revision() {
    assert_eq!(REVISION, 1);
    assert_eq!(
        fingerprint(),
        "59c1acb2db7c83dcf3e0ac315370ee4d1bc7ba6baaa2070fce7ffd864a297e42",
        "other lists give other results: raise REVISION, then change this"
    );
}

#[test]
fn results_are_those_of_this_revision() {
    let cases = [
        ("text", "hash", "Ada", "cyctdtc3ppd4nrjvhabwkh4jdl"),
        ("text", "hash:12", "Ada", "cyctdtc3ppd4"),
        (
            "text",
            "email",
            "ada@lovelace.org",
            "dkh3vhbqyug4r4wr@example.invalid",
        ),
        ("text", "name", "Ada King", "Weston Wolff"),
        ("text", "name:last de", "King", "Schmitz"),
        ("text", "phone", "+44 20 7123 4567", "+14795550115"),
        ("text", "phone:any", "+44 20 7123 4567", "+999281158426209"),
        (
            "text",
            "address",
            "12 St James's Square",
            "122 Adams Extensions, 00278 Koelpinmouth",
        ),
        (
            "text",
            "text",
            "She asked for the notes",
            "sit eius sed quidem nih",
        ),
        ("text", "number", "AB-12-34", "BX-27-60"),
        (
            "text",
            "number:card",
            "4111111111111111",
            "9999315948026121",
        ),
        ("text", "choice:a|b|c", "x", "a"),
        (
            "text",
            "template:user{n}-{hash:8}",
            "ada",
            "user949143628911879-6lylkvrd",
        ),
        ("int4", "number", "1843", "7298"),
        ("int4", "hash", "1843", "376117452"),
        ("int4", "number:1..100", "42", "39"),
        ("numeric(8,2)", "number:noise 10%", "100.00", "93.79"),
        ("date", "date", "1815-12-10", "1815-12-08"),
        (
            "uuid",
            "uuid",
            "7d444840-9dc0-11d1-b245-5ffdce74fad2",
            "961f53a1-a768-497b-8998-10c5c13bbb4f",
        ),
    ];
    let changed: Vec<_> = cases
        .iter()
        .map(|(kind, rule, original, expected)| (rule, masked(kind, rule, original), *expected))
        .filter(|(_, result, expected)| result != expected)
        .collect();
    assert!(
        changed.is_empty(),
        "raise REVISION, then change these: {changed:#?}"
    );
}

const TEXT_RULES: [&str; 17] = [
    "hash",
    "hash:12",
    "email",
    "name",
    "name:first",
    "name:last de",
    "name:ja",
    "phone",
    "phone:any",
    "address",
    "address:city",
    "text",
    "uuid",
    "number:card",
    "number",
    "template:user{n}{hash:6}",
    "template:{first} {last} of {n:6}",
];

/// Runs of four characters, in lower case.
fn runs(text: &str) -> BTreeSet<Vec<char>> {
    let lower: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    lower.windows(4).map(<[char]>::to_vec).collect()
}

/// What the rule spells out itself.
fn spelt(rule: &str) -> &'static [&'static str] {
    match rule.split(':').next().unwrap() {
        "email" => &["@example.invalid"],
        "phone" => &["55501", "+999"],
        "template" => &["user", " of "],
        "number" => &["9999"],
        _ => &[],
    }
}

fn originals() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][a-z]{2,9} [A-Z][a-z]{2,9}",
        "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{2,8}\\.(com|invalid)",
        "\\+1 [2-9][0-9]{2} 555 01[0-9]{2}",
        "(lorem |ipsum |dolor |sit |amet |voluptatem |quia ){1,60}",
        "[0-9]{16}",
        "[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-8[a-f0-9]{3}-[a-f0-9]{12}",
        "\\PC{1,40}",
    ]
}

proptest! {
    #[test]
    fn nothing_of_the_original_survives(original in originals(), which in 0..TEXT_RULES.len()) {
        let rule = TEXT_RULES[which];
        let result = match One::new("text", rule).mask(Value::Text(&original)) {
            Ok(result) => result.unwrap(),
            Err(reason) => { prop_assert_eq!(reason, Reason::Survives); return Ok(()); }
        };
        prop_assert_ne!(&result, "original");
        let shared: Vec<String> = runs(&original).intersection(&runs(&result)).map(|run| run.iter().collect()).collect();
        let own = |run: &String| spelt(rule).iter().any(|text| text.contains(run.as_str()));
        prop_assert!(shared.iter().all(own), "{} became {} by {}", original, result, rule);
        if original.chars().count() >= 4 {
            prop_assert_ne!(result.to_lowercase(), original.to_lowercase());
        }
    }

    #[test]
    fn the_same_key_gives_the_same_and_another_gives_another(original in "[a-z]{5,20}", which in 0..TEXT_RULES.len()) {
        let rule = TEXT_RULES[which];
        let one = masked("text", rule, &original);
        prop_assert_eq!(&one, &masked("text", rule, &original));
        prop_assert_eq!(&one, &masked("varchar(200)", rule, &original));
        if !rule.starts_with("name") && !rule.starts_with("address") && !rule.starts_with("text") {
            let other = One::under(&Key::read(&[8; 32]).unwrap(), "text", rule, false).text(&original);
            prop_assert_ne!(one, other);
        }
    }

    #[test]
    fn joins_survive_between_tables_types_and_stores(id in any::<i64>(), name in "[a-z]{1,20}") {
        let tables = [
            table("a", &[("id", "bigint"), ("mail", "text")]),
            table("b", &[("ref", "bigint"), ("address", "varchar(80)")]),
        ];
        let rules = rules(&[("a", &[("id", "hash"), ("mail", "email")]), ("b", &[("ref", "hash"), ("address", "email")])]);
        let masking = Masking::new(&[&tables[0], &tables[1]], &rules, &key()).unwrap();
        let (mut one, mut other) = (MaskedRow::default(), MaskedRow::default());
        masking.table("a").unwrap().mask(&[Value::Integer(id), Value::Text(&name)], &mut one).unwrap();
        masking.table("b").unwrap().mask(&[Value::Text(&id.to_string()), Value::Text(&name)], &mut other).unwrap();
        prop_assert!(one.cells().eq(other.cells()));
    }

    #[test]
    fn a_group_sets_columns_apart(original in "[a-z]{5,20}") {
        prop_assert_ne!(masked("text", "email", &original), masked("text", "email@other", &original));
        prop_assert_eq!(masked("text", "email@other", &original), masked("text", "email@other", &original));
    }

    #[test]
    fn different_numbers_stay_different(numbers in prop::collection::btree_set(any::<i32>(), 1..80), which in 0..2_usize) {
        let rule = ["number", "hash"][which];
        let mut one = One::of("int4", rule, true);
        let results: BTreeSet<String> = numbers.iter().map(|number| one.mask(Value::Integer(i64::from(*number))).unwrap().unwrap()).collect();
        prop_assert_eq!(results.len(), numbers.len());
        prop_assert!(results.iter().all(|text| text.parse::<i32>().is_ok()));
    }

    #[test]
    fn small_numbers_are_permuted_among_themselves(low in -50_i64..50, size in 1_i64..60) {
        let rule = format!("number:{low}..{}", low + size);
        let mut one = One::of("int4", &rule, true);
        let results: BTreeSet<i64> = (low..=low + size).map(|number| one.mask(Value::Integer(number)).unwrap().unwrap().parse().unwrap()).collect();
        prop_assert_eq!(results, (low..=low + size).collect());
    }

    #[test]
    fn unique_columns_stay_unique(originals in prop::collection::btree_set("[a-z0-9]{1,12}", 1..60), which in 0..TEXT_RULES.len()) {
        let rule = TEXT_RULES[which];
        prop_assume!(rule != "text");
        let mut one = One::of("text", rule, true);
        let mut results = BTreeSet::new();
        for original in &originals {
            match one.mask(Value::Text(original)) {
                Ok(Some(result)) => prop_assert!(results.insert(result)),
                Ok(None) => prop_assert!(false),
                Err(reason) => prop_assert_eq!(reason, Reason::Crowded, "{}", original),
            }
        }
    }

    #[test]
    fn texts_fit_their_column(original in "\\PC{1,60}", limit in 16_u32..40, which in 0..TEXT_RULES.len()) {
        let rule: Rule = TEXT_RULES[which].parse().unwrap();
        let kind = Kind::Text { limit: Some(limit), folded: false };
        let fits = form::Form::of(&rule.masker, &kind).is_ok();
        prop_assume!(fits);
        let mut one = One::new(&format!("varchar({limit})"), TEXT_RULES[which]);
        if let Ok(Some(result)) = one.mask(Value::Text(&original)) {
            prop_assert!(result.chars().count() <= limit as usize, "{}", result);
            prop_assert!(!result.is_empty());
        }
    }

    #[test]
    fn shifts_stay_near_and_never_stand_still(days in 0_i64..60_000, id in any::<i64>(), most in 1_u16..400) {
        let mut text = String::new();
        let mut one = One::new("bigint", &format!("date:shift {most}"));
        text.push_str(&one.row(id, Value::Integer(days * 86_400 + 5)).unwrap().unwrap());
        let moved = text.parse::<i64>().unwrap() - (days * 86_400 + 5);
        prop_assert_eq!(moved % 86_400, 0);
        prop_assert!((1..=i64::from(most)).contains(&(moved / 86_400).abs()));
    }

    #[test]
    fn errors_and_results_never_panic(original in "\\PC{0,40}", kind in "(text|int4|int8|numeric\\(6,2\\)|numeric|float8|date|timestamp|uuid|json|bytea)", rule in "(hash|number|number:1\\.\\.50|number:noise 5%|date|date:month|uuid|text|email|phone:any)") {
        let rule: Rule = rule.parse().unwrap();
        let kind_read = Kind::read(&kind);
        if form::Form::of(&rule.masker, &kind_read).is_err() {
            return Ok(());
        }
        let _ = One::new(&kind, &rule.to_string()).mask(Value::Text(&original));
        let _ = One::new(&kind, &rule.to_string()).mask(Value::Real(1e300));
        let _ = One::new(&kind, &rule.to_string()).mask(Value::Integer(i64::MIN));
    }
}

#[test]
fn a_vector_is_not_kept_beside_its_masked_text() {
    let chunks = table(
        "chunks",
        &[
            ("body", "text"),
            ("lang", "text"),
            ("embedding", "vector(3)"),
        ],
    );
    let check = |columns: &[(&str, &str)], expected: &str| {
        let rules = rules(&[("chunks", columns)]);
        let key = Key::read(&[7; 32]).unwrap();
        let said = match Masking::new(&[&chunks], &rules, &key) {
            Ok(_) => String::new(),
            Err(errors) => errors[0].to_string(),
        };
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{said}"
        );
    };
    let kept = ("embedding", "keep");
    check(
        &[("body", "text"), kept],
        "`chunks.embedding` is kept, and `body` is masked",
    );
    check(&[("body", "keep"), ("lang", "text"), kept], "");
    check(&[("lang", "hash"), kept], "");
    check(&[("body", "text")], "");
}

#[test]
fn a_vector_that_must_be_there_is_kept_or_made_again() {
    let mut chunks = table("chunks", &[("body", "text"), ("embedding", "vector(3)")]);
    chunks.columns[1].nullable = false;
    let mut rules = rules(&[("chunks", &[("body", "text")])]);
    let key = Key::read(&[7; 32]).unwrap();
    let Err(errors) = Masking::new(&[&chunks], &rules, &key) else {
        panic!("covered");
    };
    assert!(
        errors[0].to_string().contains("must have a vector"),
        "{}",
        errors[0]
    );
    let rule = rules.tables.get_mut("chunks").unwrap();
    rule.remade.insert("embedding".to_owned());
    assert!(Masking::new(&[&chunks], &rules, &key).is_ok());
}
