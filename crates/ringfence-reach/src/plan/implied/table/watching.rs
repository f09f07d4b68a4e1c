//! Vendors of errors, metrics, products, flags.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row(
        "Sentry",
        &["SENTRY_AUTH_TOKEN"],
        &["sentry.io", "us.sentry.io", "de.sentry.io"],
    )
    .or_value(&["sntrys_"])
    .unless(&["SENTRY_URL"]),
    row(
        "Datadog",
        &["DD_API_KEY", "DATADOG_API_KEY"],
        &["api.{DD_SITE}", "http-intake.logs.{DD_SITE}"],
    ),
    row(
        "New Relic",
        &[
            "NEW_RELIC_LICENSE_KEY",
            "NEW_RELIC_*API_KEY",
            "NEWRELIC_*KEY",
        ],
        &[
            "collector.newrelic.com",
            "collector.eu01.nr-data.net",
            "log-api.newrelic.com",
            "log-api.eu.newrelic.com",
            "metric-api.newrelic.com",
            "metric-api.eu.newrelic.com",
            "otlp.nr-data.net",
            "otlp.eu01.nr-data.net",
        ],
    )
    .unless(&["NEW_RELIC_HOST"]),
    row(
        "Honeycomb",
        &["HONEYCOMB_*KEY"],
        &["api.honeycomb.io", "api.eu1.honeycomb.io"],
    )
    .unless(&["HONEYCOMB_API_ENDPOINT"]),
    row(
        "PostHog",
        &["POSTHOG_*KEY", "POSTHOG_*TOKEN"],
        &["us.i.posthog.com", "eu.i.posthog.com"],
    )
    .or_value(&["phc_"])
    .unless(&[
        "POSTHOG_HOST",
        "NEXT_PUBLIC_POSTHOG_HOST",
        "VITE_POSTHOG_HOST",
        "VITE_PUBLIC_POSTHOG_HOST",
    ]),
    row(
        "Segment",
        &["SEGMENT_*KEY"],
        &["api.segment.io", "events.eu1.segmentapis.com"],
    ),
    row(
        "Mixpanel",
        &["MIXPANEL_*"],
        &["api.mixpanel.com", "api-eu.mixpanel.com"],
    ),
    row(
        "Amplitude",
        &["AMPLITUDE_*KEY"],
        &["api2.amplitude.com", "api.eu.amplitude.com"],
    ),
    row(
        "LaunchDarkly",
        &["LAUNCHDARKLY_*", "LAUNCH_DARKLY_*"],
        &[
            "sdk.launchdarkly.com",
            "stream.launchdarkly.com",
            "events.launchdarkly.com",
        ],
    ),
    row(
        "Flagsmith",
        &["FLAGSMITH_*KEY", "FLAGSMITH_ENVIRONMENT_ID"],
        &["edge.api.flagsmith.com", "api.flagsmith.com"],
    )
    .unless(&["FLAGSMITH_API_URL"]),
    row("Rollbar", &["ROLLBAR_*TOKEN"], &["api.rollbar.com"]),
    row(
        "BugSnag",
        &["BUGSNAG_*KEY"],
        &["notify.bugsnag.com", "sessions.bugsnag.com"],
    ),
    row("Axiom", &["AXIOM_*TOKEN"], &["api.axiom.co"])
        .or_value(&["xaat-"])
        .unless(&["AXIOM_URL"]),
    row(
        "Better Stack",
        &["LOGTAIL_*TOKEN"],
        &["in.logs.betterstack.com"],
    ),
];
