use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The hosts that the first of the settings implies, beside the others.
fn check(settings: &[(&str, &str)], expected: &[&str]) {
    let map: BTreeMap<&str, &str> = settings.iter().copied().collect();
    let (name, value) = settings[0];
    let found = implied(name, value, &|name| map.get(name).copied());
    let hosts: Vec<&str> = found.iter().map(|found| found.host.as_str()).collect();
    assert_eq!(hosts, expected, "{name}");
    assert!(found.iter().all(|found| found.port == PORT));
}

#[test]
fn names_imply_hosts() {
    check(&[("OPENAI_API_KEY", "k")], &["api.openai.com"]);
    check(&[("openai.api-key", "k")], &["api.openai.com"]);
    check(
        &[("GEMINI_API_KEY", "k")],
        &["generativelanguage.googleapis.com"],
    );
    check(
        &[("STRIPE_WEBHOOK_SECRET", "k")],
        &["api.stripe.com", "files.stripe.com"],
    );
    check(&[("NEXT_PUBLIC_MAPBOX_TOKEN", "k")], &["api.mapbox.com"]);
    for name in ["OPENAI_MODEL", "MY_STRIPE", "STRIPE", "DATABASE_URL", ""] {
        check(&[(name, "k")], &[]);
    }
}

#[test]
fn values_imply_hosts() {
    check(
        &[("LLM_KEY", "sk-ant-api03-0123456789abcdef")],
        &["api.anthropic.com"],
    );
    check(&[("MODEL", "hf_hub:timm/resnet50.a1_in1k")], &[]);
    check(&[("LLM_KEY", "sk-ant-")], &[]);
}

#[test]
fn what_is_not_filled_in_implies_nothing() {
    for value in [
        "", " ", "false", "OFF", "0", "none", "changeme", "<key>", "your_key", "xxxx",
    ] {
        check(&[("STRIPE_SECRET_KEY", value)], &[]);
    }
}

#[test]
fn a_setting_that_says_the_host_takes_its_place() {
    let key = ("OPENAI_API_KEY", "k");
    check(
        &[key, ("OPENAI_BASE_URL", "http://localhost:11434/v1")],
        &[],
    );
    check(&[key, ("OPENAI_BASE_URL", "")], &["api.openai.com"]);
    check(
        &[
            ("S3_BUCKET", "b"),
            ("S3_ENDPOINT", "http://minio:9000"),
            ("AWS_REGION", "us-east-1"),
        ],
        &[],
    );
}

#[test]
fn the_live_world_is_implied_where_it_is_said() {
    let id = ("PAYPAL_CLIENT_ID", "k");
    check(&[id], &["api-m.sandbox.paypal.com"]);
    check(
        &[id, ("PAYPAL_MODE", "sandbox")],
        &["api-m.sandbox.paypal.com"],
    );
    check(&[id, ("PAYPAL_MODE", " Live")], &["api-m.paypal.com"]);
    check(
        &[("PLAID_SECRET", "k"), ("PLAID_ENV", "production")],
        &["production.plaid.com"],
    );
    check(
        &[
            ("ADYEN_API_KEY", "k"),
            ("ADYEN_ENVIRONMENT", "LIVE"),
            ("ADYEN_LIVE_ENDPOINT_URL_PREFIX", "1797a-Shop"),
        ],
        &[
            "1797a-shop-checkout-live.adyenpayments.com",
            "1797a-shop-pal-live.adyenpayments.com",
            "management-live.adyen.com",
        ],
    );
}

#[test]
fn hosts_are_built_from_values() {
    check(&[("AWS_ACCESS_KEY_ID", "AKIA")], &["sts.amazonaws.com"]);
    check(
        &[
            ("AWS_STORAGE_BUCKET_NAME", "avatars"),
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", "cn-north-1"),
        ],
        &[
            "avatars.s3.cn-north-1.amazonaws.com.cn",
            "avatars.s3.amazonaws.com",
            "s3.cn-north-1.amazonaws.com.cn",
        ],
    );
    check(
        &[
            ("R2_BUCKET", "media"),
            ("CLOUDFLARE_ACCOUNT_ID", "0123abcd"),
        ],
        &["media.0123abcd.r2.cloudflarestorage.com"],
    );
    check(
        &[("AUTH0_DOMAIN", "Shop.eu.auth0.com.")],
        &["shop.eu.auth0.com"],
    );
    check(
        &[("DD_API_KEY", "k")],
        &["api.datadoghq.com", "http-intake.logs.datadoghq.com"],
    );
    check(
        &[("DD_API_KEY", "k"), ("DD_SITE", "datadoghq.eu")],
        &["api.datadoghq.eu", "http-intake.logs.datadoghq.eu"],
    );
}

#[test]
fn values_that_are_no_hosts_build_none() {
    for value in [
        "https://shop.auth0.com",
        "shop",
        "10.0.0.1",
        "a..b",
        "a_b.example.com",
        "-a.com",
        "a.com:443",
    ] {
        check(&[("AUTH0_DOMAIN", value)], &[]);
    }
    for value in ["a.b", "a/b", "a b", "a_b", "*", "ä"] {
        check(&[("S3_BUCKET", value)], &[]);
    }
}

#[test]
fn no_value_is_shown() {
    let found = implied("AUTH0_DOMAIN", "shop.eu.auth0.com", &|_| None);
    assert_eq!(format!("{found:?}"), "[{host}:443 (Auth0)]");
}

fn rows() -> impl Iterator<Item = &'static Implied> {
    IMPLIED.iter().copied().flatten()
}

/// The text between braces.
fn parts(pattern: &str) -> impl Iterator<Item = &str> {
    pattern
        .split('{')
        .skip(1)
        .map(|rest| rest.split_once('}').unwrap().0)
}

#[test]
fn the_table_is_sound() {
    for row in rows() {
        assert!(
            !row.names.is_empty() && !row.hosts.is_empty(),
            "{}",
            row.vendor
        );
        for name in row.names {
            let is_pattern = |byte: u8| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_*".contains(&byte)
            };
            assert!(name.bytes().all(is_pattern), "{name}");
            assert!(name.matches('*').count() <= 1, "{name}");
            assert!(
                name.find('*').is_none_or(|at| at >= 3),
                "{name} is too wide"
            );
        }
        for pattern in row.hosts {
            let known = |name: &str| {
                ["value", "host"].contains(&name) || PARTS.iter().any(|part| part.name == name)
            };
            assert!(parts(pattern).all(known), "{pattern}");
            let host = fill(pattern, "example.com", &|_| Some("example"))
                .or_else(|| fill(pattern, "example", &|_| Some("example")));
            assert!(host.is_some(), "{pattern}");
        }
    }
    for part in PARTS {
        let is_used = |row: &Implied| {
            row.hosts
                .iter()
                .any(|host| parts(host).any(|name| name == part.name))
        };
        assert!(rows().any(is_used), "{}", part.name);
    }
}

proptest! {
    #[test]
    fn whatever_is_said_only_hosts_are_built(value: String, other: String, row in 0..rows().count()) {
        let name = rows().nth(row).unwrap().names[0].replace('*', "");
        for found in implied(&name, &value, &|_| Some(&other)) {
            prop_assert!(is_host(&found.host));
        }
        let _ = implied(&value, &other, &|_| None);
    }
}
