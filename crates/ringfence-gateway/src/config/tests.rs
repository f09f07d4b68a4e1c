use super::*;
use crate::limit::rule;

fn resource(name: &str, kind: Kind, upstream: &str) -> Resource {
    Resource {
        name: name.to_owned(),
        kind,
        upstream: Upstream::parse(upstream).unwrap(),
        key: None,
        key_class: None,
        scrubber: Scrubber::new([]),
        limits: rule::parse("60 requests/min", true).unwrap().into(),
        record: Level::Metadata.into(),
        timeout: Duration::from_secs(1),
    }
}

fn llm(upstream: &str) -> Resource {
    let models = BTreeMap::from([("chat".to_owned(), vec![target(None)])]);
    resource("llm", Kind::OpenAi { models }, upstream)
}

fn target(price: Option<Price>) -> Target {
    Target {
        resource: None,
        model: "m".to_owned(),
        price,
    }
}

fn http(upstream: &str) -> Resource {
    let headers = Vec::new();
    resource("pay", Kind::Http { headers }, upstream)
}

/// The codes of what is refused in production and outside.
#[track_caller]
fn check(change: impl Fn(&mut Resource), base: fn(&str) -> Resource, expected: (&[&str], &[&str])) {
    let codes = |production| {
        let mut resource = base("https://api.example.com/v1");
        change(&mut resource);
        let config = config(production, vec![resource]);
        refusals(&config)
            .into_iter()
            .map(|refused| refused.code)
            .collect::<Vec<_>>()
    };
    assert_eq!((codes(true).as_slice(), codes(false).as_slice()), expected);
}

fn config(production: bool, resources: Vec<Resource>) -> Config {
    Config {
        environment: "here".to_owned(),
        production,
        generation: 1,
        resources,
        flags: no_flags(),
        origins: Origins::default(),
        callers: CallerKey::derived(b"secret", "p", "here"),
        secrets: Patterns::new([]),
        ingress: Ingress::default(),
        allowances: Allowances::default(),
    }
}

fn no_flags() -> FlagSet {
    let environment = ringfence_flag::definition::Environment {
        name: "here".to_owned(),
        tier: "development".to_owned(),
    };
    ringfence_flag::definition::build(
        &ringfence_flag::definition::Sources::default(),
        &environment,
    )
    .0
}

fn with_key(resource: &mut Resource) {
    resource.key = Some(InjectedKey::new(None, "sk_live_1").unwrap());
}

#[test]
fn a_key_goes_over_tls_or_to_this_machine() {
    check(with_key, llm, (&[], &[]));
    for (address, is_refused) in [
        ("http://api.example.com", true),
        ("http://10.0.0.1:80/v1", true),
        ("http://localhost.example.com", true),
        ("http://127.0.0.1.nip.example", true),
        ("http://127.0.0.1:11434/v1", false),
        ("http://localhost:8000", false),
        ("http://[::1]:8000", false),
    ] {
        let expected: &[&str] = if is_refused {
            &["key-in-cleartext"]
        } else {
            &[]
        };
        let change = |resource: &mut Resource| {
            with_key(resource);
            resource.upstream = Upstream::parse(address).unwrap();
        };
        check(change, llm, (expected, expected));
        // Without a key there is nothing to read on the way.
        check(
            |resource| resource.upstream = Upstream::parse(address).unwrap(),
            llm,
            (&[], &[]),
        );
    }
}

/// A15: a live payment key in staging.
#[test]
fn keys_stay_with_their_class() {
    check(
        |r| r.key_class = Some(KeyClass::Live),
        http,
        (&[], &["key-of-wrong-class"]),
    );
    check(
        |r| r.key_class = Some(KeyClass::Test),
        http,
        (&["key-of-wrong-class"], &[]),
    );
}

#[test]
fn production_has_floors_and_words_that_lower_them() {
    check(
        |r| r.limits = Vec::new().into(),
        llm,
        (&["production-without-limits"], &[]),
    );
    check(
        |r| r.record = Level::Full.into(),
        llm,
        (&["production-with-full-records"], &[]),
    );
    let mock = |r: &mut Resource| r.upstream = Upstream::parse("mock://").unwrap();
    check(mock, llm, (&["production-with-mock"], &[]));
    let mut all = llm("mock://");
    all.limits = Vec::new().into();
    all.record = Level::Full.into();
    let mut config = config(true, vec![all]);
    assert_eq!(refusals(&config).len(), 3);
    config.allowances = Allowances {
        no_limits: true,
        full_records: true,
        mock: true,
    };
    assert_eq!(refusals(&config), []);
}

#[test]
fn what_would_not_hold_is_refused() {
    let tokens = |r: &mut Resource| r.limits = rule::parse("9 tokens/day", true).unwrap().into();
    check(
        tokens,
        http,
        (&["limit-without-effect"], &["limit-without-effect"]),
    );
    check(tokens, llm, (&[], &[]));
    let full = |r: &mut Resource| r.record = Level::Full.into();
    check(
        full,
        http,
        (
            &["record-without-effect", "production-with-full-records"],
            &["record-without-effect"],
        ),
    );
    let money = |r: &mut Resource| r.limits = rule::parse("9 usd/day", true).unwrap().into();
    check(money, llm, (&["budget-without-price"], &[]));
    let priced = |r: &mut Resource| {
        money(r);
        let price = Price {
            input: 1,
            output: 1,
        };
        let models = BTreeMap::from([("chat".to_owned(), vec![target(Some(price))])]);
        r.kind = Kind::OpenAi { models };
    };
    check(priced, llm, (&[], &[]));
    let any_name = |r: &mut Resource| {
        money(r);
        let models = BTreeMap::new();
        r.kind = Kind::OpenAi { models };
    };
    check(
        any_name,
        llm,
        (&["budget-without-price"], &["budget-without-price"]),
    );
    let elsewhere = |r: &mut Resource| {
        let mut target = target(None);
        target.resource = Some("nowhere".to_owned());
        let models = BTreeMap::from([("chat".to_owned(), vec![target])]);
        r.kind = Kind::OpenAi { models };
    };
    check(
        elsewhere,
        llm,
        (&["unknown-upstream"], &["unknown-upstream"]),
    );
    let reserved = &["reserved-resource-name"];
    for name in ["v1", "ofrep", "-", "a/b", "a b"] {
        check(|r| r.name = name.to_owned(), llm, (reserved, reserved));
    }
}

#[test]
fn addresses_are_base_urls_and_errors_hold_no_value() {
    for bad in [
        "",
        "api.example.com",
        "ftp://x/",
        "https://",
        "https://user:hunter2@x/",
        "https://x/?key=hunter2",
        "https://x/#hunter2",
        "https://x y/",
        "mock://?latency=hunter2",
        "mock://?fail=200",
    ] {
        let error = Upstream::parse(bad).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{bad}: {error}");
    }
    let Upstream::Server(address) = Upstream::parse("https://x.example/v1/").unwrap() else {
        panic!("it is a server");
    };
    assert_eq!(
        address.uri("/chat", Some("a=1")).unwrap(),
        "https://x.example/v1/chat?a=1"
    );
    for (uri, is_same) in [
        ("https://x.example/other", true),
        ("https://X.example:443/", true),
        ("http://x.example/", false),
        ("https://x.example:8443/", false),
        ("https://x.example.evil/", false),
    ] {
        assert_eq!(
            address.is_same_server(&uri.parse().unwrap()),
            is_same,
            "{uri}"
        );
    }
}

#[test]
fn a_mock_follows_its_script() {
    let Upstream::Mock(script) =
        Upstream::parse("mock://slow?latency=20ms&pause=5ms&chunks=4&fail=503x2&cut=3").unwrap()
    else {
        panic!("it is a mock");
    };
    let expected = Script {
        latency: Duration::from_millis(20),
        pause: Duration::from_millis(5),
        chunks: Some(4),
        fail: Some(Failure {
            status: http::StatusCode::SERVICE_UNAVAILABLE,
            times: Some(2),
        }),
        cut: Some(3),
    };
    assert_eq!(script, expected);
    assert_eq!(
        (duration("2m"), duration("5"), duration("s"), duration("1h")),
        (Some(Duration::from_secs(120)), None, None, None)
    );
}

#[test]
fn prices_are_rounded_up() {
    let price = Price {
        input: 1_250_000,
        output: 10_000_000,
    };
    assert_eq!(
        (
            price.of(1_000_000, 0),
            price.of(1, 0),
            price.of(0, 1),
            price.of(0, 0)
        ),
        (1_250_000, 2, 10, 0)
    );
}

/// A value that a flag says is looked at in each of its variants.
#[test]
fn floors_hold_for_every_variant_of_a_flag() {
    fn driven<T>(variants: [(&str, T); 2]) -> Driven<T> {
        let variants = variants.map(|(name, value)| (name.to_owned(), value));
        Driven::Flag {
            key: "f".to_owned(),
            variants: BTreeMap::from(variants),
        }
    }
    let limits = |text| rule::parse(text, true).unwrap();
    let some_without = |r: &mut Resource| {
        r.limits = driven([("none", limits("none")), ("some", limits("6 requests/min"))]);
    };
    check(some_without, llm, (&["production-without-limits"], &[]));
    let all_with = |r: &mut Resource| {
        r.limits = driven([
            ("few", limits("6 requests/min")),
            ("many", limits("9 requests/s")),
        ]);
    };
    check(all_with, llm, (&[], &[]));
    let tokens = |r: &mut Resource| {
        r.limits = driven([
            ("a", limits("6 requests/min")),
            ("b", limits("9 tokens/day")),
        ]);
    };
    let code: &[&str] = &["limit-without-effect"];
    check(tokens, http, (code, code));
    let money = |r: &mut Resource| {
        r.limits = driven([("a", limits("6 requests/min")), ("b", limits("9 usd/day"))]);
    };
    check(money, llm, (&["budget-without-price"], &[]));
    let full = |r: &mut Resource| {
        r.record = driven([("a", Level::None), ("b", Level::Full)]);
    };
    check(full, llm, (&["production-with-full-records"], &[]));
    let mut resource = llm("https://api.example.com/v1");
    some_without(&mut resource);
    let refused = refusals(&config(true, vec![resource])).remove(0);
    assert!(
        refused.message.contains("the flag `f` says `none`"),
        "{refused:?}"
    );
}
