//! Keys that say by themselves whether real money and real people are behind them.
//!
//! The beginnings are the ones that each vendor documents for its keys; the page of the check `live-key-outside-production`
//! lists them; a test compares.

/// Whether real users stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// They do.
    Live,
    /// They do not.
    Test,
}

/// A beginning of keys.
#[derive(Clone, Copy)]
struct Prefix {
    vendor: &'static str,
    prefix: &'static str,
    class: Class,
    /// A word that the setting's name must have where the beginning alone says too little.
    named: Option<&'static str>,
}

const fn live(vendor: &'static str, prefix: &'static str) -> Prefix {
    Prefix {
        vendor,
        prefix,
        class: Class::Live,
        named: None,
    }
}

const fn test(vendor: &'static str, prefix: &'static str) -> Prefix {
    Prefix {
        vendor,
        prefix,
        class: Class::Test,
        named: None,
    }
}

/// A beginning that counts only where the setting's name has the word in it.
const fn where_named(prefix: Prefix, word: &'static str) -> Prefix {
    Prefix {
        named: Some(word),
        ..prefix
    }
}

/// A longer beginning stands before the shorter one that it begins with.
const PREFIXES: &[Prefix] = &[
    where_named(live("Clerk", "sk_live_"), "CLERK"),
    where_named(test("Clerk", "sk_test_"), "CLERK"),
    where_named(live("Clerk", "pk_live_"), "CLERK"),
    where_named(test("Clerk", "pk_test_"), "CLERK"),
    where_named(live("Paystack", "sk_live_"), "PAYSTACK"),
    where_named(test("Paystack", "sk_test_"), "PAYSTACK"),
    where_named(live("Paystack", "pk_live_"), "PAYSTACK"),
    where_named(test("Paystack", "pk_test_"), "PAYSTACK"),
    live("Stripe", "sk_live_"),
    live("Stripe", "rk_live_"),
    live("Stripe", "pk_live_"),
    test("Stripe", "sk_test_"),
    test("Stripe", "rk_test_"),
    test("Stripe", "pk_test_"),
    live("Razorpay", "rzp_live_"),
    test("Razorpay", "rzp_test_"),
    live("Plaid", "access-production-"),
    test("Plaid", "access-sandbox-"),
    test("Plaid", "access-development-"),
    live("EasyPost", "EZAK"),
    test("EasyPost", "EZTK"),
    live("Duffel", "duffel_live_"),
    test("Duffel", "duffel_test_"),
    live("Shippo", "shippo_live_"),
    test("Shippo", "shippo_test_"),
    live("Lob", "live_pub_"),
    test("Lob", "test_pub_"),
    where_named(live("Lob", "live_"), "LOB"),
    where_named(test("Lob", "test_"), "LOB"),
    where_named(live("GoCardless", "live_"), "GOCARDLESS"),
    where_named(test("GoCardless", "sandbox_"), "GOCARDLESS"),
    where_named(live("Mollie", "live_"), "MOLLIE"),
    where_named(test("Mollie", "test_"), "MOLLIE"),
    where_named(live("Adyen", "live_"), "ADYEN"),
    where_named(test("Adyen", "test_"), "ADYEN"),
    where_named(live("Braintree", "production_"), "BRAINTREE"),
    where_named(test("Braintree", "sandbox_"), "BRAINTREE"),
    live("Braintree", "access_token$production$"),
    test("Braintree", "access_token$sandbox$"),
    test("Flutterwave", "FLWSECK_TEST-"),
    test("Flutterwave", "FLWPUBK_TEST-"),
    live("Flutterwave", "FLWSECK-"),
    live("Flutterwave", "FLWPUBK-"),
    live("Paddle", "pdl_live_"),
    test("Paddle", "pdl_sdbx_"),
    where_named(live("Paddle", "live_"), "PADDLE"),
    where_named(test("Paddle", "test_"), "PADDLE"),
    test("Square", "sandbox-sq0"),
    live("Square", "sq0idp-"),
    live("Square", "sq0csp-"),
    test("Checkout.com", "sk_sbox_"),
    test("Checkout.com", "pk_sbox_"),
    live("Xendit", "xnd_production_"),
    live("Xendit", "xnd_public_production_"),
    test("Xendit", "xnd_development_"),
    test("Xendit", "xnd_public_development_"),
    test("Midtrans", "SB-Mid-"),
    live("Midtrans", "Mid-server-"),
    live("Midtrans", "Mid-client-"),
    live("Mercado Pago", "APP_USR-"),
    where_named(test("Mercado Pago", "TEST-"), "MERCADO"),
    test("Omise", "skey_test_"),
    test("Omise", "pkey_test_"),
    where_named(live("Omise", "skey_"), "OMISE"),
    where_named(live("Omise", "pkey_"), "OMISE"),
];

/// Settings by which a vendor's library is told which of its worlds to talk to, with the words of each.
const MODES: &[(&str, &str)] = &[
    ("Adyen", "ADYEN_ENVIRONMENT"),
    ("Amadeus", "AMADEUS_ENV"),
    ("Amadeus", "AMADEUS_HOSTNAME"),
    ("Braintree", "BRAINTREE_ENVIRONMENT"),
    ("Braintree", "BRAINTREE_ENV"),
    ("Cashfree", "CASHFREE_ENV"),
    ("Cashfree", "CASHFREE_ENVIRONMENT"),
    ("Dwolla", "DWOLLA_ENV"),
    ("Dwolla", "DWOLLA_ENVIRONMENT"),
    ("GoCardless", "GOCARDLESS_ENVIRONMENT"),
    ("GoCardless", "GOCARDLESS_ENV"),
    ("Paddle", "PADDLE_ENV"),
    ("Paddle", "PADDLE_ENVIRONMENT"),
    ("PayPal", "PAYPAL_ENV"),
    ("PayPal", "PAYPAL_ENVIRONMENT"),
    ("PayPal", "PAYPAL_MODE"),
    ("Plaid", "PLAID_ENV"),
    ("Plaid", "PLAID_ENVIRONMENT"),
    ("Square", "SQUARE_ENV"),
    ("Square", "SQUARE_ENVIRONMENT"),
];

/// The vendor whose world a setting of that name chooses, by the name in capitals and `_`.
#[must_use]
pub fn mode_of(canonical: &str) -> Option<&'static str> {
    let mode = MODES.iter().find(|(_, mode)| canonical.ends_with(mode));
    mode.map(|(vendor, _)| *vendor)
}

/// The shortest rest of a key that is a key: what is shorter shows the form only.
const LEAST: usize = 8;

/// The vendor and the class of a key or of a vendor's mode; `None` where the value does not say. The setting's name is in
/// capitals and `_`, `mode` what [`mode_of`] says of it.
#[must_use]
pub fn class(
    canonical: &str,
    mode: Option<&'static str>,
    value: &str,
) -> Option<(&'static str, Class)> {
    if let Some(vendor) = mode {
        return Some((vendor, class_of_mode(value)?));
    }
    let fits = |known: &&Prefix| {
        if known.prefix.as_bytes().first() != value.as_bytes().first() {
            return false;
        }
        let rest = value.strip_prefix(known.prefix);
        let is_key = rest.is_some_and(|rest| rest.len() >= LEAST && rest.bytes().all(is_key_byte));
        is_key && known.named.is_none_or(|word| canonical.contains(word))
    };
    let known = PREFIXES.iter().find(fits)?;
    let names_no_vendor = known.prefix.starts_with("EZ") && value.len() < 40;
    (!names_no_vendor).then_some((known.vendor, known.class))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/=.$".contains(&byte)
}

/// The words by which a mode is the live one, and by which it is not.
const LIVE_MODES: &[&str] = &["live", "production", "prod"];
const TEST_MODES: &[&str] = &["test", "sandbox", "testing"];

fn class_of_mode(value: &str) -> Option<Class> {
    let word = value.trim().to_ascii_lowercase();
    match word.as_str() {
        word if LIVE_MODES.contains(&word) => Some(Class::Live),
        word if TEST_MODES.contains(&word) => Some(Class::Test),
        _ => None,
    }
}

/// Whether the text is a key of a known vendor's form, whatever world it opens: nobody writes such a thing by hand.
#[must_use]
pub fn is_issued_key(value: &str) -> bool {
    const BEGINNINGS: &[(&str, usize)] = &[
        ("GOCSPX-", 30),
        ("AKIA", 20),
        ("ASIA", 20),
        ("AIza", 39),
        ("ghp_", 40),
        ("gho_", 40),
        ("ghs_", 40),
        ("github_pat_", 50),
        ("glpat-", 20),
        ("xoxb-", 30),
        ("xoxp-", 30),
        ("SG.", 40),
        ("sk-proj-", 40),
        ("sk-ant-", 40),
        ("sk-or-", 40),
        ("gsk_", 40),
        ("hf_", 30),
        ("npm_", 36),
        ("dckr_pat_", 30),
        ("key-", 36),
        ("re_", 30),
        ("sk-lf-", 30),
        ("whsec_", 30),
        ("rk_live_", 24),
        ("sk_live_", 24),
        ("sk_test_", 24),
        ("pypi-", 40),
        ("dop_v1_", 40),
        ("lin_api_", 30),
        ("tfp_", 40),
        ("r8_", 35),
    ];
    let known = BEGINNINGS.iter().any(|(start, least)| {
        value.starts_with(start) && value.len() >= *least && value.bytes().all(is_key_byte)
    });
    known || value.contains("-----BEGIN") && value.contains("PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, expected: Option<(&str, Class)>) {
        assert_eq!(class(name, mode_of(name), value), expected, "{name}");
    }

    // The keys are put together here so that no scanner takes them for real ones.
    fn key(prefix: &str) -> String {
        format!(
            "{prefix}{}",
            "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5E"
        )
    }

    #[test]
    fn beginnings_say_which_world_a_key_opens() {
        check(
            "STRIPE_API_KEY",
            &key("sk_live_"),
            Some(("Stripe", Class::Live)),
        );
        check(
            "CLERK_SECRET_KEY",
            &key("sk_test_"),
            Some(("Clerk", Class::Test)),
        );
        check("LOB_API_KEY", &key("live_"), Some(("Lob", Class::Live)));
        check("OTHER", &key("live_"), None);
        check(
            "FLW_KEY",
            &key("FLWSECK_TEST-"),
            Some(("Flutterwave", Class::Test)),
        );
        check(
            "FLW_KEY",
            &key("FLWSECK-"),
            Some(("Flutterwave", Class::Live)),
        );
        check("EASYPOST", &key("EZTK"), Some(("EasyPost", Class::Test)));
        check("PAYPAL_MODE", "sandbox", Some(("PayPal", Class::Test)));
        check("STRIPE_API_KEY", "sk_test_...", None);
        check("STRIPE_API_KEY", "sk_live_xxx", None);
    }

    #[test]
    fn a_longer_beginning_comes_before_the_shorter_one_in_it() {
        for (index, one) in PREFIXES.iter().enumerate() {
            for later in PREFIXES.iter().skip(index + 1) {
                let hides =
                    later.prefix.starts_with(one.prefix) && later.prefix.len() > one.prefix.len();
                assert!(
                    !(hides && one.named.is_none()),
                    "{} hides {}",
                    one.prefix,
                    later.prefix
                );
            }
        }
    }

    const PAGE: &str = include_str!("../../../docs/book/src/checks/live-key-outside-production.md");

    /// The vendors of a table, each once, in its order.
    fn vendors(all: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
        let mut vendors = Vec::new();
        for vendor in all {
            if !vendors.contains(&vendor) {
                vendors.push(vendor);
            }
        }
        vendors
    }

    fn check_page(head: &str, rows: &[String]) {
        let table = format!("\n\n{head}\n{}\n\n", rows.join("\n"));
        assert!(PAGE.contains(&table), "the page's table is not:{table}");
    }

    #[test]
    fn the_page_lists_the_beginnings() {
        let cell = |vendor: &str, class| {
            let own = PREFIXES
                .iter()
                .filter(|one| one.vendor == vendor && one.class == class);
            let cells = own.map(|one| match one.named {
                None => format!("`{}`", one.prefix),
                Some(word) => {
                    let first = vendor.split_whitespace().next().unwrap();
                    assert_eq!(word, first.to_ascii_uppercase(), "the page says so");
                    format!("`{}` (by name)", one.prefix)
                }
            });
            cells.collect::<Vec<_>>().join(", ")
        };
        let rows = vendors(PREFIXES.iter().map(|one| one.vendor)).into_iter();
        let rows: Vec<String> = rows
            .map(|vendor| {
                let (live, test) = (cell(vendor, Class::Live), cell(vendor, Class::Test));
                format!("| {vendor} | {live} | {test} |")
            })
            .collect();
        check_page("| vendor | live | test |\n|---|---|---|", &rows);
        assert_eq!(PAGE.matches("\n|---").count(), 2, "two tables only");
    }

    #[test]
    fn the_page_lists_the_modes() {
        let spans = |words: &[&str]| {
            let spans: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            spans.join(", ")
        };
        let rows = vendors(MODES.iter().map(|(vendor, _)| *vendor)).into_iter();
        let rows: Vec<String> = rows
            .map(|vendor| {
                let own = MODES.iter().filter(|(other, _)| *other == vendor);
                let names: Vec<&str> = own.map(|(_, name)| *name).collect();
                format!("| {vendor} | {} |", spans(&names))
            })
            .collect();
        check_page("| vendor | settings that end in |\n|---|---|", &rows);
        let words = format!("live: {}; test: {}.", spans(LIVE_MODES), spans(TEST_MODES));
        assert!(PAGE.contains(&words), "the page does not say {words}");
    }
}
