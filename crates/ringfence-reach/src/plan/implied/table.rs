//! The vendors: hosts that each documents for its API, or that its own client library has built in.

use super::{Implied, Part, When};

mod clouds;
mod code;
mod data;
mod messages;
mod models;
mod money;
mod others;
mod people;
mod watching;

const fn row(
    vendor: &'static str,
    names: &'static [&'static str],
    hosts: &'static [&'static str],
) -> Implied {
    Implied {
        vendor,
        names,
        values: &[],
        when: When::Always,
        hosts,
    }
}

impl Implied {
    /// Values that begin so imply the hosts under any name.
    const fn or_value(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    const fn unless(self, names: &'static [&'static str]) -> Self {
        self.when(When::Unless(names))
    }

    const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }
}

/// Who implies what, by what is sold.
pub const IMPLIED: &[&[Implied]] = &[
    models::ROWS,
    money::ROWS,
    messages::ROWS,
    code::ROWS,
    clouds::ROWS,
    watching::ROWS,
    data::ROWS,
    people::ROWS,
    others::ROWS,
];

/// The parts of hosts that other settings say.
pub const PARTS: &[Part] = &[
    Part {
        name: "AWS_REGION",
        settings: &[
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_S3_REGION_NAME",
            "AWS_S3_REGION",
            "S3_REGION",
            "AWS_BUCKET_REGION",
        ],
        default: None,
        has_dots: false,
    },
    Part {
        name: "R2_ACCOUNT",
        settings: &[
            "R2_ACCOUNT_ID",
            "CLOUDFLARE_R2_ACCOUNT_ID",
            "CLOUDFLARE_ACCOUNT_ID",
            "CF_ACCOUNT_ID",
        ],
        default: None,
        has_dots: false,
    },
    Part {
        name: "ADYEN_PREFIX",
        settings: &["ADYEN_LIVE_ENDPOINT_URL_PREFIX", "ADYEN_LIVE_URL_PREFIX"],
        default: None,
        has_dots: false,
    },
    Part {
        name: "DD_SITE",
        settings: &["DD_SITE", "DATADOG_SITE"],
        default: Some("datadoghq.com"),
        has_dots: true,
    },
    Part {
        name: "PUSHER_CLUSTER",
        settings: &["PUSHER_CLUSTER", "PUSHER_APP_CLUSTER"],
        default: Some("mt1"),
        has_dots: false,
    },
];
