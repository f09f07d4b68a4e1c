//! Origins of pages (RFC 6454): whose scripts a browser lets read an answer.

use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

/// A page's origin: scheme, host, and port where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Whose scripts may ask for flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// Those that the manifest lists.
    pub listed: Vec<Origin>,
    /// Whether pages that this machine serves may, too.
    pub takes_loopback: bool,
}

impl Origin {
    /// Reads an origin in the spelling of a browser, or one that means the same; `None` for `*`, `null`, and what has a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = parts(text)?;
        let usual = if scheme == "https" { 443 } else { 80 };
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| *port != usual);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self(format!("{scheme}://{host}{port}")))
    }
}

fn parts(text: &str) -> Option<(&'static str, Authority)> {
    let uri: Uri = text.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => "http",
        "https" => "https",
        _ => return None,
    };
    let authority = uri.authority()?.clone();
    let has_more = uri.path() != "/" || uri.query().is_some() || text.ends_with(['/', '?', '#']);
    let is_host = !authority.as_str().contains('@') && !authority.host().contains('*');
    (is_host && !has_more).then_some((scheme, authority))
}

impl Origins {
    /// Whether a browser that says `origin` may hand answers to the page.
    pub(crate) fn take(&self, origin: &str) -> bool {
        let Some(read) = Origin::parse(origin) else {
            return false;
        };
        // What a browser says is in its one spelling; whoever writes otherwise is none.
        read.0 == origin
            && (self.listed.contains(&read) || self.takes_loopback && is_loopback(origin))
    }
}

fn is_loopback(origin: &str) -> bool {
    let Some((_, authority)) = parts(origin) else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    let is_address = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    is_address || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        let origins = |takes_loopback| Origins {
            listed: ["https://App.example.com:443", "http://10.0.0.5:3000"]
                .map(|text| Origin::parse(text).unwrap())
                .to_vec(),
            takes_loopback,
        };
        for (origin, in_production, in_development) in [
            ("https://app.example.com", true, true),
            ("http://10.0.0.5:3000", true, true),
            ("http://localhost:5173", false, true),
            ("http://127.0.0.1", false, true),
            ("https://[::1]:8443", false, true),
            ("http://shop.localhost:80", false, false),
            ("http://shop.localhost", false, true),
            ("http://app.example.com", false, false),
            ("https://app.example.com:8443", false, false),
            ("https://app.example.com.evil.example", false, false),
            ("https://evil.example", false, false),
            ("http://localhost.evil.example", false, false),
            ("http://127.0.0.1.nip.example", false, false),
            ("null", false, false),
            ("*", false, false),
            ("", false, false),
            ("file://", false, false),
        ] {
            assert_eq!(
                (origins(false).take(origin), origins(true).take(origin)),
                (in_production, in_development),
                "{origin}"
            );
        }
        for bad in [
            "*",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://a@b",
            "https://*.example.com",
            "ftp://x",
            "null",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }
}
