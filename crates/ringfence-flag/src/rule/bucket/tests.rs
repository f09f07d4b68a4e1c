use serde_json::{Value as Json, json};

use super::*;

/// Vectors of the reference implementation's `MurmurHash3_x86_32` with seed 0.
#[test]
fn the_hash_is_murmur3() {
    let check = |text: &str, expected: u32| assert_eq!(hash(text.as_bytes()), expected, "{text}");
    check("", 0);
    check("a", 0x3c25_69b2);
    check("aa", 0x3710_91a9);
    check("aaa", 0xb4d0_5fb7);
    check("aaaa", 0x7eee_d987);
    check("test", 0xba6b_d213);
    check("Hello, world!", 0xc036_3e43);
    check("The quick brown fox jumps over the lazy dog", 0x2e4f_f723);
}

/// RFC 8949, appendix A, and the order of keys of RFC 7049, section 3.9.
#[test]
fn the_encoding_is_canonical_cbor() {
    let check = |value: Json, expected: &str| {
        let bytes = encoded(&Value::from(&value)).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected, "{value}");
    };
    check(json!(0), "00");
    check(json!(23), "17");
    check(json!(24), "1818");
    check(json!(100), "1864");
    check(json!(1000), "1903e8");
    check(json!(1_000_000), "1a000f4240");
    check(json!(1_000_000_000_000_u64), "1b000000e8d4a51000");
    check(json!(u64::MAX), "1bffffffffffffffff");
    check(json!(-1), "20");
    check(json!(-1000), "3903e7");
    check(json!(i64::MIN), "3b7fffffffffffffff");
    check(json!(1.5), "f93e00");
    check(json!(-4.1), "fbc010666666666666");
    check(json!(5.960_464_477_539_063e-8), "f90001");
    check(json!(0.000_061_035_156_25), "f90400");
    check(json!(3.402_823_466_385_288_6e38), "fa7f7fffff");
    check(json!(1.0e300), "fb7e37e43c8800759c");
    check(json!(1.1), "fb3ff199999999999a");
    check(json!(false), "f4");
    check(json!(null), "f6");
    check(json!("IETF"), "6449455446");
    check(json!("ü"), "62c3bc");
    check(
        json!([1, [2, 3], []]),
        "83018202038 0".replace(' ', "").as_str(),
    );
    check(
        json!({"aa": 1, "b": [2]}),
        "a261628102626161 01".replace(' ', "").as_str(),
    );
}

#[test]
fn a_whole_double_is_a_whole_number() {
    for (one, other) in [("1.0", "1"), ("-0.0", "0"), ("1e3", "1000"), ("-2.0", "-2")] {
        let [one, other] = [one, other].map(|text| serde_json::from_str::<Json>(text).unwrap());
        assert_eq!(encoded(&Value::from(&one)), encoded(&Value::from(&other)));
    }
    assert_eq!(whole(18_446_744_073_709_551_616.0), None);
    assert_eq!(whole(1.5), None);
    assert_eq!(whole(f64::NAN), None);
}
