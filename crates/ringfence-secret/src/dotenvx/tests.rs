use super::*;

// Made by dotenvx 2.38.2 with this throw-away key.
const KEY: &str = "5da8d001a07971cb208aac8c1aaac6a341b9586b301186905a640e1646bdfe57";
const HELLO: &str = "encrypted:BH59vRSZ10vmJa6jh8zr8jd7UAPrU6jWK2cBk6xA7ue7/AFILAi4BI7hAsQyVYF8JV//YHO9h7Bjmt0+feBO7091lvfByUWd3hGjOJacIWB8rNY0Z9yk/3p8mLJMoLDNmxl1OJR3";
const LINES: &str = "encrypted:BDdTOIndS68rDR6T5u/Hn5XzoUm1lVmMyPZJvHVeJubeh5uxE1Y+ClkvX36bKu/CnLW5boFN97FPRZYm/Ro9qdatWLLdNVizO6u6Sle2d6XPmbuus046kNaXHlOIqtv3YE4tWfi2xmo09rH1aw==";
const EMPTY: &str = "encrypted:BApJZ6fpEquvd1xk33USuskMj7SZ5eiWYUsCBs7qgPcNTOnfL9RXI2sQJ69ctVfsImvdE1dZfwF2KTJeuOH3MPjb2K1uit3Fbk2WXB/DvADs2K42OK0oOxDR+QBaEf9Vuw==";

fn key() -> Vec<PrivateKey> {
    vec![PrivateKey::parse(KEY).ok().unwrap()]
}

fn opened(value: &str) -> Result<String, DotenvxError> {
    open(value, &key()).map(|secret| secret.expose().to_owned())
}

#[test]
fn values_of_dotenvx_are_opened() {
    assert_eq!(opened(HELLO).as_deref(), Ok("hello"));
    assert_eq!(opened(EMPTY).as_deref(), Ok(""));
    assert_eq!(opened(LINES).as_deref(), Ok("ü line\nnext"));
}

#[test]
fn every_changed_byte_is_refused() {
    let encoded = HELLO.strip_prefix(PREFIX).unwrap();
    let bytes = BASE64_STANDARD.decode(encoded).unwrap();
    for index in 0..bytes.len() {
        for change in [1_u8, 0x80] {
            let mut changed = bytes.clone();
            changed[index] ^= change;
            let value = format!("{PREFIX}{}", BASE64_STANDARD.encode(&changed));
            assert!(opened(&value).is_err(), "{index}");
        }
        let cut = format!("{PREFIX}{}", BASE64_STANDARD.encode(&bytes[..index]));
        assert!(opened(&cut).is_err(), "{index}");
    }
    for index in PREFIX.len()..HELLO.len() {
        let mut changed = HELLO.as_bytes().to_vec();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(opened(&changed).is_err(), "{index}");
    }
}

#[test]
fn keys_that_do_not_fit_open_nothing() {
    let other = PrivateKey::parse(&"11".repeat(32)).ok().unwrap();
    assert_eq!(open(HELLO, &[other]).err(), Some(DotenvxError::NotOpened));
    assert_eq!(open(HELLO, &[]).err(), Some(DotenvxError::NotOpened));
    for bad in [
        "",
        "00",
        &"00".repeat(32),
        &"ff".repeat(32),
        &"+1".repeat(32),
        &"zz".repeat(32),
    ] {
        assert_eq!(
            PrivateKey::parse(bad).err(),
            Some(DotenvxError::Key),
            "{bad}"
        );
    }
}

#[test]
fn the_key_is_named_after_the_file() {
    for (path, variable) in [
        (".env", "DOTENV_PRIVATE_KEY"),
        (".env.production", "DOTENV_PRIVATE_KEY_PRODUCTION"),
        ("app/.env.ci", "DOTENV_PRIVATE_KEY_CI"),
        (".env.test.local", "DOTENV_PRIVATE_KEY_TEST_LOCAL"),
        (".env.a.b.c", "DOTENV_PRIVATE_KEY_A_B"),
        (".env.eu-west", "DOTENV_PRIVATE_KEY_EU-WEST"),
        (".env1", "DOTENV_PRIVATE_KEY_DEVELOPMENT1"),
        ("deploy/prod.env", "DOTENV_PRIVATE_KEY_PRODDEVELOPMENT"),
        (".env.Prod.txt", "DOTENV_PRIVATE_KEY_PROD"),
        ("", "DOTENV_PRIVATE_KEY_"),
    ] {
        assert_eq!(key_variable(path), variable);
    }
    let names = ["A", "DOTENV_PUBLIC_KEY_CI", "DOTENV_PUBLIC_KEY"];
    assert_eq!(
        key_variable_in(names).as_deref(),
        Some("DOTENV_PRIVATE_KEY_CI")
    );
    assert_eq!(key_variable_in(["A"]), None);
}
