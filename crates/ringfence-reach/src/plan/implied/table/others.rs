//! Vendors of customers, shops, files.

use super::{Implied, row};

pub(super) const ROWS: &[Implied] = &[
    row("Shopify", &["SHOPIFY_*DOMAIN", "SHOPIFY_SHOP"], &["{host}"]),
    row("HubSpot", &["HUBSPOT_*"], &["api.hubapi.com"]),
    row(
        "Intercom",
        &["INTERCOM_*TOKEN"],
        &[
            "api.intercom.io",
            "api.eu.intercom.io",
            "api.au.intercom.io",
        ],
    ),
    row("Zendesk", &["ZENDESK_SUBDOMAIN"], &["{value}.zendesk.com"]),
    row(
        "Spotify",
        &["SPOTIFY_*"],
        &["accounts.spotify.com", "api.spotify.com"],
    ),
    row(
        "Dropbox",
        &["DROPBOX_*"],
        &["api.dropboxapi.com", "content.dropboxapi.com"],
    ),
];
