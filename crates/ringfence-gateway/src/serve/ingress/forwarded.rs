//! The headers of a request and an answer on their way between client and program.
//!
//! Those of a connection end with it (RFC 9110, section 7.6.1). What a client says of where it came from is the client's own word:
//! it goes on only where a proxy that the manifest names says it, with the connection's other end behind it.

use std::net::IpAddr;

use http::StatusCode;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};

/// From where a request came, as proxies say it.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What else is said of it.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

/// Protocols that a connection is not handed over to: requests within them would not be counted.
const COUNTED: [&str; 2] = ["h2c", "http/2.0"];

/// What the connection is to become after the answer, where the client asks for that.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    let asks = named(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let text = wanted.to_str().ok()?;
    let is_counted = |protocol: &str| {
        let protocol = protocol.trim();
        COUNTED.iter().any(|own| protocol.eq_ignore_ascii_case(own))
            || protocol.to_ascii_lowercase().starts_with("tls/")
    };
    (asks && !text.split(',').any(is_counted)).then(|| wanted.clone())
}

/// A request's headers as the program gets them, in the order in which they came.
pub(super) fn to_program(
    headers: &HeaderMap,
    upgrade: Option<HeaderValue>,
    from: Peer,
) -> HeaderMap {
    let takes_trailers = headers
        .get(TE)
        .and_then(|te| te.to_str().ok())
        .is_some_and(|te| {
            te.split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("trailers"))
        });
    // The body is sent as it comes, so that nobody waits for the program to ask for it.
    let is_dropped = |name: &HeaderName| {
        *name == EXPECT
            || *name == FORWARDED_FOR
            || name.as_str() == "http2-settings"
            || !from.is_proxy && FORWARDED.contains(&name.as_str())
    };
    let mut kept = beyond_the_connection(headers, is_dropped);
    if takes_trailers {
        kept.insert(TE, HeaderValue::from_static("trailers"));
        kept.append(CONNECTION, HeaderValue::from_static("te"));
    }
    // The body's length is not known, whatever another header says of it.
    if headers.contains_key(TRANSFER_ENCODING) {
        kept.remove(CONTENT_LENGTH);
        kept.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(upgrade) = upgrade {
        kept.append(CONNECTION, HeaderValue::from_static("upgrade"));
        kept.insert(UPGRADE, upgrade);
    }
    let told = headers.get_all(FORWARDED_FOR).iter();
    let told = told.filter_map(|value| value.to_str().ok().filter(|_| from.is_proxy));
    let own = from.address.to_canonical().to_string();
    let all: Vec<&str> = told.chain([own.as_str()]).collect();
    if let Ok(value) = HeaderValue::from_str(&all.join(", ")) {
        kept.insert(FORWARDED_FOR, value);
    }
    kept
}

/// The other end of a client's connection.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) is_proxy: bool,
}

/// An answer's headers as the client gets them.
pub(super) fn to_client(headers: &HeaderMap, status: StatusCode) -> HeaderMap {
    let mut kept = beyond_the_connection(headers, |_| false);
    // `426 Upgrade Required` says to what.
    if let (StatusCode::UPGRADE_REQUIRED, Some(upgrade)) = (status, headers.get(UPGRADE)) {
        kept.insert(UPGRADE, upgrade.clone());
    }
    kept
}

/// The headers without what belongs to one connection alone, and without what is dropped.
fn beyond_the_connection(
    headers: &HeaderMap,
    is_dropped: impl Fn(&HeaderName) -> bool,
) -> HeaderMap {
    let named: Vec<String> = named(headers).map(str::to_ascii_lowercase).collect();
    let is_own = |name: &HeaderName| {
        let is_named = named.iter().any(|own| own == name.as_str());
        // A length that is said to end here would leave the next hop without the body's end.
        is_named && *name != CONTENT_LENGTH
            || [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE].contains(name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection")
    };
    let mut kept = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        if !is_own(name) && !is_dropped(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// What the connection's own header names.
fn named(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(is_proxy: bool, lines: &[(&str, &str)], expected: &[(&str, &str)]) {
        let got = headers(lines);
        let from = Peer {
            address: "127.0.0.9".parse().unwrap(),
            is_proxy,
        };
        let wanted = upgrade(&got);
        let got = to_program(&got, wanted, from);
        let mut lines: Vec<_> = got
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let mut expected = expected.to_vec();
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_client_has_no_word_in_where_it_came_from() {
        let told = [
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("accept", "a/b"),
        ];
        let own = ("x-forwarded-for", "127.0.0.9");
        check(false, &told, &[own, ("accept", "a/b")]);
        check(false, &[], &[own]);
        check(
            true,
            &told,
            &[
                ("x-forwarded-for", "1.1.1.1, 127.0.0.9"),
                ("forwarded", "for=1.1.1.1"),
                ("x-real-ip", "1.1.1.1"),
                ("x-forwarded-proto", "https"),
                ("accept", "a/b"),
            ],
        );
    }

    #[test]
    fn what_is_a_connections_own_ends_with_it() {
        let own = ("x-forwarded-for", "127.0.0.9");
        let lines = [
            ("connection", "keep-alive, X-Mine, content-length"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("te", "gzip"),
            ("cookie", "a=b"),
        ];
        check(
            false,
            &lines,
            &[own, ("content-length", "3"), ("cookie", "a=b")],
        );
        check(
            false,
            &[("te", "trailers, gzip")],
            &[own, ("te", "trailers"), ("connection", "te")],
        );
    }

    #[test]
    fn a_body_has_one_length() {
        let own = ("x-forwarded-for", "127.0.0.9");
        check(
            false,
            &[("transfer-encoding", "chunked"), ("content-length", "3")],
            &[own, ("transfer-encoding", "chunked")],
        );
    }

    #[test]
    fn only_what_is_counted_once_is_upgraded_to() {
        let own = ("x-forwarded-for", "127.0.0.9");
        let asked = ("connection", "keep-alive, Upgrade");
        check(
            false,
            &[asked, ("upgrade", "websocket")],
            &[own, ("connection", "upgrade"), ("upgrade", "websocket")],
        );
        for hidden in ["h2c", "H2C", "websocket, h2c", "TLS/1.0", "HTTP/2.0"] {
            check(
                false,
                &[asked, ("upgrade", hidden), ("http2-settings", "AAMAAABk")],
                &[own],
            );
        }
        check(false, &[("upgrade", "websocket")], &[own]);
    }
}
