use super::*;

fn bytes(value: Value<'_>, kind: &Kind) -> String {
    let mut bytes = Vec::new();
    canonical(value, kind, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn declared_types_are_read_in_both_dialects() {
    let text = |limit| Kind::Text {
        limit,
        folded: false,
    };
    let decimal = |precision, scale| Kind::Decimal { precision, scale };
    let cases = [
        ("text", Kind::TEXT),
        ("", Kind::TEXT),
        ("VARCHAR(20)", text(Some(20))),
        ("character(3)", text(Some(3))),
        ("char", text(Some(1))),
        ("INTEGER", Kind::Integer(32)),
        ("int8", Kind::Integer(64)),
        ("numeric(10,2)", decimal(10, Some(2))),
        ("DECIMAL", decimal(0, None)),
        ("numeric(5)", decimal(5, Some(0))),
        ("timestamp(3) with time zone", Kind::Timestamp),
        ("timestamp without time zone", Kind::Timestamp),
        ("DATETIME", Kind::Timestamp),
        ("date", Kind::Date),
        ("double precision", Kind::Real),
        ("jsonb", Kind::Json),
        ("vector(1536)", Kind::Vector),
        ("text[]", Kind::Other),
        ("inet", Kind::Other),
    ];
    for (declared, kind) in cases {
        assert_eq!(Kind::read(declared), kind, "{declared}");
    }
}

#[test]
fn two_stores_give_one_form() {
    let integer = Kind::Integer(64);
    assert_eq!(
        bytes(Value::Integer(-5), &integer),
        bytes(Value::Text("-05"), &integer)
    );
    let raw = [0xab, 0x01];
    assert_eq!(
        bytes(Value::Bytes(&raw), &Kind::Bytes),
        bytes(Value::Text("\\xAB01"), &Kind::Bytes)
    );
    let id = "7D444840-9dc0-11d1-b245-5ffdce74fad2";
    assert_eq!(
        bytes(Value::Text(id), &Kind::Uuid),
        bytes(Value::Text(&id.to_lowercase()), &Kind::TEXT)
    );
    assert_eq!(
        bytes(Value::Text("2026-01-02T03:04:05.500Z"), &Kind::Timestamp),
        bytes(Value::Text("2026-01-02 03:04:05.5+00"), &Kind::Timestamp)
    );
    assert_eq!(
        bytes(Value::Text("t"), &Kind::Boolean),
        bytes(Value::Integer(1), &Kind::Boolean)
    );
    let decimal = Kind::read("numeric(6,2)");
    assert_eq!(
        bytes(Value::Text("010.50"), &decimal),
        bytes(Value::Real(10.5), &decimal)
    );
    assert_eq!(bytes(Value::Text("-0.00"), &decimal), "0");
}

#[test]
fn keys_do_not_run_into_each_other() {
    let key = |parts: &[&str]| {
        let mut bytes = Vec::new();
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (Value::Text(part), &Kind::TEXT))
            .collect();
        key_bytes(&parts, &mut bytes);
        bytes
    };
    assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    assert_ne!(key(&["", "a"]), key(&["a", ""]));
    let mut null = Vec::new();
    key_bytes(&[(Value::Null, &Kind::TEXT)], &mut null);
    assert_ne!(null, key(&[""]));
}
