//! Other APIs: the key is put in, and comes out nowhere.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::upstream::{Upstream, response, say};
use crate::world::{Api, KEY, World};

#[test]
fn the_callers_credentials_go_and_the_key_comes() {
    let upstream = Upstream::saying(response("200 OK", "Content-Type: text/plain\r\n", "ok"));
    let world = World::new(&[Api::http(&upstream.url)]);
    let headers = [
        "Cookie: a=b",
        "X-Api-Key: x",
        "X-Kept: y",
        "Connection: x-hop",
        "X-Hop: z",
        "Accept-Encoding: gzip",
        "Proxy-Authorization: q",
    ];
    let answer = world.send("PUT", "/pay/charges/1?a=%20", &headers, b"amount=5");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let request = upstream.requests().pop().unwrap();
    assert!(
        request.starts_with("PUT /base/charges/1?a=%20 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.ends_with("\r\n\r\namount=5"), "{request}");
    assert_eq!(request.matches("authorization:").count(), 1);
    assert!(
        request.contains(&format!("authorization: Bearer {KEY}")) && request.contains("x-kept: y")
    );
    assert!(request.contains("accept-encoding: identity"));
    for gone in [
        "cookie",
        "x-api-key",
        "x-hop",
        "proxy-authorization",
        &world.token,
        "gateway\r\n",
    ] {
        assert!(!request.contains(gone), "{gone} in {request}");
    }
}

#[test]
fn tokens_are_taken_where_client_libraries_put_them() {
    let upstream = Upstream::saying(response("200 OK", "", ""));
    let world = World::new(&[Api::http(&upstream.url)]);
    let token = world.token.clone();
    let basic = STANDARD.encode(format!("{token}:"));
    let password = STANDARD.encode(format!("user:{token}"));
    for header in [
        format!("Authorization: Basic {basic}"),
        format!("Authorization: basic {password}"),
        format!("Authorization: bearer {token}"),
    ] {
        assert_eq!(
            world.send("GET", "/pay/x", &[&header], b"").status,
            200,
            "{header}"
        );
    }
}

#[test]
fn an_echoed_key_is_taken_out_of_heads_and_bodies() {
    let json = KEY.replace('/', "\\/");
    let body = format!("<p>{KEY}</p> \"{json}\" {}", KEY.replace('/', "%2F"));
    let upstream = Upstream::new(move |stream, _| {
        let head = format!(
            "Content-Type: text/html\r\nETag: {KEY}\r\nX-Version: {KEY}\r\nX-Request-Id: {KEY}\r\n"
        );
        let text = response("404 Not Found", &head, &body);
        // In small pieces, so that the key is cut in the middle.
        for piece in text.as_bytes().chunks(7) {
            say(stream, std::str::from_utf8(piece).unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let world = World::new(&[Api::http(&upstream.url)]);
    let answer = world.send("GET", "/pay/x", &[], b"");
    assert_eq!(answer.status, 404);
    assert!(
        answer.is_whole && answer.header("content-length").is_some(),
        "{answer:?}"
    );
    for form in ["sk-up", "9f8Q", "e7D6c5B4a3"] {
        assert!(
            !answer.head.contains(form) && !answer.body.contains(form),
            "{answer:?}"
        );
    }
    assert!(answer.body.starts_with("<p>****"));
}

#[test]
fn response_headers_are_those_of_the_list() {
    let head = "Content-Type: text/plain\r\nX-Version: 3\r\nSet-Cookie: a=b\r\nServer: x\r\nX-Internal: y\r\nRetry-After: 3\r\nX-Request-Id: up\r\n";
    let upstream = Upstream::saying(response("429 Too Many Requests", head, ""));
    let world = World::new(&[Api::http(&upstream.url)]);
    let answer = world.send("GET", "/pay/x", &[], b"");
    for kept in [
        "content-type",
        "x-version",
        "retry-after",
        "x-request-id",
        "x-ringfence-generation",
    ] {
        assert!(answer.header(kept).is_some(), "{kept} in {answer:?}");
    }
    assert_eq!(answer.header("x-upstream-request-id"), Some("up"));
    for gone in ["set-cookie", "server", "x-internal"] {
        assert!(answer.header(gone).is_none(), "{gone} in {answer:?}");
    }
}

#[test]
fn redirects_stay_on_the_host() {
    let elsewhere = Upstream::saying(response("200 OK", "", "the key went elsewhere"));
    for (location, expected) in [
        ("/base/next?a=1".to_owned(), Some("/pay/next?a=1")),
        (elsewhere.url.clone(), None),
        ("//other.example/base/x".to_owned(), None),
        ("https://other.example/".to_owned(), None),
        ("/outside".to_owned(), None),
    ] {
        let head = format!("Location: {location}\r\n");
        let upstream = Upstream::saying(response("302 Found", &head, ""));
        let world = World::new(&[Api::http(&upstream.url)]);
        let answer = world.send("GET", "/pay/x", &[], b"");
        match expected {
            Some(expected) => assert_eq!(
                (answer.status, answer.header("location")),
                (302, Some(expected))
            ),
            None => assert_eq!(answer.refused(502), "foreign_redirect", "{location}"),
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn what_is_compressed_unasked_cannot_be_looked_through() {
    let upstream = Upstream::saying(response("200 OK", "Content-Encoding: gzip\r\n", "x"));
    let world = World::new(&[Api::http(&upstream.url)]);
    assert_eq!(
        world.send("GET", "/pay/x", &[], b"").refused(502),
        "upstream_compressed"
    );
}

#[test]
fn a_body_that_breaks_off_does_not_end_as_if_it_were_whole() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf",
    );
    let world = World::new(&[Api::http(&upstream.url)]);
    let answer = world.send("GET", "/pay/x", &[], b"");
    assert!(!answer.is_whole, "{answer:?}");
    assert_eq!(world.records(1)[0]["error.type"], "upstream_broken");
}

#[test]
fn requests_are_limited_and_written_down() {
    let upstream = Upstream::saying(response("200 OK", "", ""));
    let world = World::new(&[Api {
        limits: "2 requests/h per caller",
        ..Api::http(&upstream.url)
    }]);
    let statuses: Vec<u16> = (0..3)
        .map(|_| {
            world
                .send("GET", "/pay/x?secret=correct-Horse9battery", &[], b"")
                .status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 429]);
    let records = world.records(3);
    assert_eq!(
        (&records[2]["error.type"], &records[0]["url.path"]),
        (&"rate_limit_exceeded".into(), &"/pay/x".into())
    );
    assert_eq!(upstream.requests().len(), 2);
}
