use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What is behind two bytes of length.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector(data)].concat()
}

/// An extension `server_name` with names of their types.
fn server_names(names: &[(u8, &str)]) -> Vec<u8> {
    let entry = |(kind, name): &(u8, &str)| [&[*kind][..], &vector(name.as_bytes())].concat();
    let list: Vec<u8> = names.iter().flat_map(entry).collect();
    extension(0, &vector(&list))
}

/// A ClientHello, with its head and without its record.
fn handshake(extensions: Option<&[Vec<u8>]>) -> Vec<u8> {
    let mut body = [&[3, 3][..], &[7; 32], &[0], &vector(&[0x13, 0x01]), &[1, 0]].concat();
    if let Some(extensions) = extensions {
        body.extend(vector(&extensions.concat()));
    }
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1][..], &length[1..], &body].concat()
}

/// Bytes in records of at most `size`.
fn records(handshake: &[u8], size: usize) -> Vec<u8> {
    handshake
        .chunks(size)
        .flat_map(|fragment| [&[22, 3, 1][..], &vector(fragment)].concat())
        .collect()
}

fn tls(server_name: Option<&str>, encrypted: bool) -> Hello {
    Hello::Tls {
        server_name: server_name.map(str::to_owned),
        encrypted,
    }
}

fn check(extensions: &[Vec<u8>], expected: &Hello) {
    let stream = records(&handshake(Some(extensions)), 1 << 14);
    assert_eq!(&read(&stream), expected);
}

/// Every prefix of a ClientHello is waited for, and what comes after it changes nothing.
fn check_prefixes(stream: &[u8]) {
    let whole = read(stream);
    assert!(matches!(whole, Hello::Tls { .. }), "{whole:?}");
    for length in 0..stream.len() {
        assert_eq!(read(&stream[..length]), Hello::Incomplete, "{length} bytes");
    }
    assert_eq!(read(&[stream, b"\x17\x03\x03 more"].concat()), whole);
}

#[test]
fn server_names_are_read() {
    let host = |name| server_names(&[(0, name)]);
    check(&[], &tls(None, false));
    check(
        &[host("api.example.com")],
        &tls(Some("api.example.com"), false),
    );
    check(
        &[host("API.Example.COM.")],
        &tls(Some("api.example.com"), false),
    );
    check(
        &[
            extension(0x0A0A, &[]),
            server_names(&[(9, "x"), (0, "a")]),
            extension(16, b"\0\x03\x02h2"),
        ],
        &tls(Some("a"), false),
    );
    check(&[server_names(&[(9, "x")])], &tls(None, false));
    check(
        &[host("a"), extension(0xFE0D, &[0; 40])],
        &tls(Some("a"), true),
    );
    assert_eq!(read(&records(&handshake(None), 1 << 14)), tls(None, false));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let host = |name| server_names(&[(0, name)]);
    let long = "a".repeat(256);
    for extensions in [
        vec![server_names(&[(0, "a"), (0, "b")])],
        vec![host("a"), host("a")],
        vec![host("")],
        vec![host(".")],
        vec![host("a\0b")],
        vec![host("a b")],
        vec![host("ä")],
        vec![host(&long)],
        vec![extension(0, &[])],
        vec![extension(0, &[0, 0])],
        vec![extension(0, b"\0\x04\0\0\x01ax")],
        vec![extension(0, b"\0\x05\0\0\x09ax")],
        vec![vec![0, 0, 0]],
    ] {
        check(&extensions, &Hello::NotTls);
    }
    let mut trailing = handshake(Some(&[host("a")]));
    trailing.push(0);
    trailing[3] += 1;
    assert_eq!(read(&records(&trailing, 1 << 14)), Hello::NotTls);
}

#[test]
fn records_are_put_together() {
    let handshake = handshake(Some(&[server_names(&[(0, "api.example.com")])]));
    for size in [1, 3, 4, 5, 50, handshake.len()] {
        let stream = records(&handshake, size);
        assert_eq!(read(&stream), tls(Some("api.example.com"), false), "{size}");
        check_prefixes(&stream);
    }
}

#[test]
fn other_protocols_are_told_at_once() {
    let alert = [
        &records(&handshake(None)[..9], 9)[..],
        b"\x15\x03\x01\0\x02\x02\x28",
    ]
    .concat();
    for stream in [
        &b"G"[..],
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x02",
        b"\x16\x03\x05",
        b"\x16\x03\x01\x41",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\0\x04\x02",
        b"\x16\x03\x01\0\x04\x01\x01\0\x01",
        &alert,
    ] {
        assert_eq!(read(stream), Hello::NotTls, "{stream:x?}");
    }
}

#[test]
fn there_is_an_end_to_waiting() {
    // Announced is as much as may be, in records of one byte each: six bytes of stream for one of handshake.
    let handshake = [&[1, 0, 0xFF, 0xFF][..], &[0; 20_000]].concat();
    let stream = records(&handshake, 1);
    assert_eq!(read(&stream[..LONGEST_BYTES - 1]), Hello::Incomplete);
    assert_eq!(read(&stream[..LONGEST_BYTES]), Hello::NotTls);
    assert_eq!(read(&stream), Hello::NotTls);
}

#[test]
fn postgres_asks_first() {
    let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
    assert!(is_postgres_ssl_request(request));
    for other in [
        &request[..7],
        b"\0\0\0\x08\x04\xd2\x16\x30",
        b"\0\0\0\x08\x04\xd2\x16\x2f\x16",
        b"",
    ] {
        assert!(!is_postgres_ssl_request(other), "{other:x?}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a real client speaks")]
fn python_is_understood() {
    const SCRIPT: &str = "
import ssl, sys
context = ssl.create_default_context()
context.set_alpn_protocols(['h2', 'http/1.1'])
sent = ssl.MemoryBIO()
client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname='Db.Internal.example')
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    sys.stdout.buffer.write(sent.read())
";
    let output = Command::new("python3").args(["-c", SCRIPT]).output();
    let Some(output) = output.ok().filter(|output| !output.stdout.is_empty()) else {
        println!("skipped: there is no `python3` with `ssl` here");
        return;
    };
    assert_eq!(
        read(&output.stdout),
        tls(Some("db.internal.example"), false)
    );
    check_prefixes(&output.stdout);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a real client speaks")]
fn openssl_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &address,
            "-servername",
            "api.example.com",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut client) = client else {
        println!("skipped: there is no `openssl` here");
        return;
    };
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 700];
    while read(&bytes) == Hello::Incomplete {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the client went away");
        bytes.extend_from_slice(&buffer[..length]);
    }
    drop(stream);
    client.wait().unwrap();
    assert_eq!(read(&bytes), tls(Some("api.example.com"), false));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kept in 0..120_usize) {
        let _ = read(&bytes);
        let mut stream = records(&handshake(Some(&[server_names(&[(0, "api.example.com")])])), 40);
        stream.truncate(kept);
        stream.extend_from_slice(&bytes);
        let whole = read(&stream);
        for length in 0..stream.len() {
            let part = read(&stream[..length]);
            prop_assert!(part == Hello::Incomplete || part == whole, "{length}: {part:?}, {whole:?}");
        }
    }

    #[test]
    fn names_come_back(name in "[!-~]{1,200}", size in 1..300_usize, encrypted: bool) {
        let mut extensions = vec![server_names(&[(0, &name)])];
        if encrypted {
            extensions.insert(0, extension(0xFE0D, &[1; 200]));
        }
        let expected = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
        prop_assume!(!expected.is_empty());
        let stream = records(&handshake(Some(&extensions)), size);
        prop_assert_eq!(read(&stream), tls(Some(&expected), encrypted));
    }
}
