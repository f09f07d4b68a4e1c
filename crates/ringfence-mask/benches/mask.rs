//! How many rows of ten typical columns are masked in a second, on one core: `cargo bench -p ringfence-mask --bench mask`
//!
//! Beside it, in the same run: the rows copied and nothing else; and the way that is written first, a keyed hash of each value as the
//! seed of a generator of fake values, which keeps neither types' limits nor uniqueness and does not look at what survives.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints"
)]

use std::hint::black_box;
use std::time::Instant;

use fake::Fake;
use fake::faker::{
    address::en as address, internet::en as internet, lorem::en as lorem, name::en as name,
};
use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use hmac::{Hmac, Mac};
use ringfence_mask::key::Key;
use ringfence_mask::mask::{Cell, MaskedRow, Masking};
use ringfence_mask::rule::Rules;
use ringfence_mask::schema::{Column, Kind, Table, Value};
use sha2::Sha256;

const COLUMNS: [(&str, &str, &str); 10] = [
    ("id", "bigint", "keep"),
    ("email", "varchar(255)", "email"),
    ("first_name", "text", "name:first"),
    ("last_name", "text", "name:last"),
    ("phone", "varchar(32)", "phone"),
    ("street", "text", "address:street"),
    ("born", "date", "date:shift 30"),
    ("balance", "numeric(10,2)", "number"),
    ("token", "uuid", "uuid"),
    ("note", "text", "text"),
];

const ROWS: usize = 10_000;

fn rows() -> Vec<[String; 10]> {
    let row = |at: usize| {
        [
            at.to_string(),
            format!("person{at}.lastname@mail{}.example.com", at % 977),
            format!("Given{}", at % 3511),
            format!("Family{}", at % 9973),
            format!("+1 ({}) 867-{:04}", 200 + at % 700, at % 10_000),
            format!("{} Long Road", at % 300),
            format!("19{:02}-{:02}-{:02}", at % 100, 1 + at % 12, 1 + at % 28),
            format!("{}.{:02}", at * 37 % 100_000, at % 100),
            format!("{at:08x}-1111-4222-8333-{:012x}", at * 7919),
            format!("Called on day {at} and asked for the invoice to be sent again"),
        ]
    };
    (0..ROWS).map(row).collect()
}

fn table() -> (Table, Rules) {
    let table = Table {
        name: "people".to_owned(),
        columns: COLUMNS
            .map(|(name, kind, _)| Column::new(name, Kind::read(kind)))
            .to_vec(),
        primary_key: vec!["id".to_owned()],
        unique: vec![vec!["email".to_owned()]],
        ..Table::default()
    };
    let mut rules = Rules::default();
    let rule = rules.tables.entry("people".to_owned()).or_default();
    for (name, _, text) in COLUMNS {
        rule.columns.insert(name.to_owned(), text.parse().unwrap());
    }
    (table, rules)
}

fn masked(rows: &[[String; 10]]) -> usize {
    let (table, rules) = table();
    let key = Key::read(&[7; 32]).unwrap();
    let masking = Masking::new(&[&table], &rules, &key).unwrap();
    let mut masker = masking.table("people").unwrap();
    let mut out = MaskedRow::default();
    let mut written = 0;
    for row in rows {
        let values: [Value<'_>; 10] = std::array::from_fn(|place| {
            Value::Text(row.get(place).map(String::as_str).unwrap_or_default())
        });
        masker.mask(&values, &mut out).unwrap();
        written += out
            .cells()
            .map(|cell| match cell {
                Cell::Text(text) => text.len(),
                Cell::Null | Cell::Original(_) => 1,
            })
            .sum::<usize>();
    }
    written
}

fn naive(rows: &[[String; 10]]) -> usize {
    let seed = |value: &str| {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        hmac.update(value.as_bytes());
        let tag: [u8; 32] = hmac.finalize().into_bytes().into();
        StdRng::from_seed(tag)
    };
    let one = |place: usize, value: &str| -> String {
        let mut random = seed(value);
        match place {
            0 => value.to_owned(),
            1 => internet::SafeEmail().fake_with_rng(&mut random),
            2 => name::FirstName().fake_with_rng(&mut random),
            3 => name::LastName().fake_with_rng(&mut random),
            4 => fake::faker::phone_number::en::PhoneNumber().fake_with_rng(&mut random),
            5 => address::StreetName().fake_with_rng(&mut random),
            6 => format!(
                "19{:02}-01-01",
                (0..100).fake_with_rng::<i32, _>(&mut random)
            ),
            7 => (0..100_000)
                .fake_with_rng::<i32, _>(&mut random)
                .to_string(),
            8 => format!(
                "{:032x}",
                (0..u64::MAX).fake_with_rng::<u64, _>(&mut random)
            ),
            _ => lorem::Sentence(5..10).fake_with_rng(&mut random),
        }
    };
    let columns = |row: &[String; 10]| -> usize {
        row.iter()
            .enumerate()
            .map(|(place, value)| one(place, value).len())
            .sum()
    };
    rows.iter().map(columns).sum()
}

fn copied(rows: &[[String; 10]]) -> usize {
    let mut out = String::new();
    let mut written = 0;
    for row in rows {
        out.clear();
        row.iter().for_each(|value| out.push_str(value));
        written += black_box(&out).len();
    }
    written
}

fn main() {
    const ROUNDS: usize = 40;
    let rows = rows();
    type Way = fn(&[[String; 10]]) -> usize;
    let ways: [(&str, Way); 3] = [
        ("masked", masked),
        ("peer: keyed seed, fake values", naive),
        ("copied", copied),
    ];
    // Interleaved, and the fastest round of each: what else the machine does then hits all of them alike.
    let mut fastest = ways.map(|_| f64::INFINITY);
    for _ in 0..ROUNDS {
        for (fastest, (_, way)) in fastest.iter_mut().zip(&ways) {
            let begin = Instant::now();
            black_box(way(black_box(&rows)));
            *fastest = begin.elapsed().as_secs_f64().min(*fastest);
        }
    }
    for (seconds, (name, _)) in fastest.iter().zip(&ways) {
        println!("{name:32} {:9.0} rows/s", ROWS as f64 / seconds);
    }
}
