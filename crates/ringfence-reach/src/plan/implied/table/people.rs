//! Vendors of signing in, and telling people from robots.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row("Auth0", &["AUTH0_*DOMAIN"], &["{host}"]),
    row("Okta", &["OKTA_*DOMAIN"], &["{host}"]),
    row("Clerk", &["CLERK_*"], &["api.clerk.com"]).unless(&["CLERK_API_URL"]),
    row("WorkOS", &["WORKOS_*"], &["api.workos.com"]),
    row(
        "Google OAuth",
        &[
            "GOOGLE_CLIENT_*",
            "GOOGLE_OAUTH_*",
            "GOOGLE_ID",
            "GOOGLE_SECRET",
            "AUTH_GOOGLE_*",
        ],
        &[
            "accounts.google.com",
            "oauth2.googleapis.com",
            "openidconnect.googleapis.com",
            "www.googleapis.com",
        ],
    ),
    row(
        "reCAPTCHA",
        &["RECAPTCHA_*"],
        &["www.google.com", "www.recaptcha.net"],
    ),
    row(
        "hCaptcha",
        &["HCAPTCHA_*"],
        &["api.hcaptcha.com", "hcaptcha.com"],
    ),
    row(
        "Turnstile",
        &["TURNSTILE_*", "CLOUDFLARE_TURNSTILE_*"],
        &["challenges.cloudflare.com"],
    ),
];
