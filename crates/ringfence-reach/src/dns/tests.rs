use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1));

/// As `dig api.Example.com` sends it: recursion desired, an OPT record with a cookie.
const DIG: &[u8] = b"\xb1\x61\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x03api\x07Example\x03com\x00\x00\x01\x00\x01\
\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08\x52\x0e\x5a\x06\xa2\x7c\x6f\x88";

/// A query for a name of labels, without EDNS.
fn query(labels: &[&[u8]], kind: u16) -> Vec<u8> {
    let mut message = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    for label in labels {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend_from_slice(label);
    }
    message.push(0);
    message.extend([kind, INTERNET].into_iter().flat_map(u16::to_be_bytes));
    message
}

/// The answer to `query`, in hexadecimal from the counts on.
fn check(query: &[u8], answer: Answer, expected: &str) {
    let question = read(query).unwrap();
    let message = write(&question, answer);
    assert_eq!(message[..2], query[..2], "the id is repeated");
    assert_eq!(message[2] & 0x80, 0x80, "it is a response");
    assert_eq!(message[3] & 0x80, 0x80, "recursion is available");
    let counts: Vec<u8> = message[4..12].iter().copied().skip(1).step_by(2).collect();
    let after = 12 + question.wire.len();
    assert_eq!(message[12..after], question.wire, "so is the question");
    let hexadecimal: String = message[after..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        format!("{} {counts:?} {hexadecimal}", message[3] & 0xF),
        expected
    );
}

#[test]
fn questions_are_read() {
    let question = read(DIG).unwrap();
    assert_eq!(
        (question.id, question.name.as_str()),
        (0xB161, "api.example.com")
    );
    assert_eq!((question.kind, question.class), (A, INTERNET));
    assert_eq!(question.flags, 0x0120);
    assert_eq!(question.edns.map(|edns| edns.version), Some(0));
    assert_eq!(read(&query(&[], 2)).unwrap().name, "");
    assert_eq!(
        read(&query(&[b"a.b\\", b"\x00\xff \x7f", b"_SRV"], 33))
            .unwrap()
            .name,
        "a\\.b\\\\.\\000\\255\\032\\127._srv"
    );
}

#[test]
fn answers_are_written() {
    let v4 = "c00c 0001 0001 00000005 0004 7f4d0001".replace(' ', "");
    let v6 = "c00c 001c 0001 00000005 0010 00000000000000000000000000000001".replace(' ', "");
    let edns = "00 0029 04d0 00 00 0000 0000".replace(' ', "");
    let address = Answer::Address(ADDRESS);
    let other = Answer::Address(Ipv6Addr::LOCALHOST.into());
    for (kind, answer, expected) in [
        (A, address, format!("0 [1, 1, 0, 0] {v4}")),
        (ANY, address, format!("0 [1, 1, 0, 0] {v4}")),
        (AAAA, other, format!("0 [1, 1, 0, 0] {v6}")),
        (AAAA, address, "0 [1, 0, 0, 0] ".to_owned()),
        (A, other, "0 [1, 0, 0, 0] ".to_owned()),
        (65, address, "0 [1, 0, 0, 0] ".to_owned()),
        (33, Answer::Empty, "0 [1, 0, 0, 0] ".to_owned()),
        (A, Answer::NoSuchName, "3 [1, 0, 0, 0] ".to_owned()),
        (A, Answer::Refused, "5 [1, 0, 0, 0] ".to_owned()),
        (A, Answer::Failed, "2 [1, 0, 0, 0] ".to_owned()),
    ] {
        check(&query(&[b"Db", b"internal"], kind), answer, &expected);
    }
    check(DIG, address, &format!("0 [1, 1, 0, 1] {v4}{edns}"));
    check(DIG, Answer::NoSuchName, &format!("3 [1, 0, 0, 1] {edns}"));
}

#[test]
fn unknown_versions_of_edns_are_said_to_be_bad() {
    let mut later = DIG.to_vec();
    // The version, and the flag that DNSSEC records are welcome.
    (later[39], later[40]) = (1, 0x80);
    let expected = "0 [1, 0, 0, 1] 00002904d0010080000000";
    check(&later, Answer::Address(ADDRESS), expected);
}

#[test]
fn format_errors_repeat_the_id() {
    let error = write_format_error(&DIG[..20]).unwrap();
    assert_eq!(error, b"\xb1\x61\x81\x81\0\0\0\0\0\0\0\0");
    assert_eq!(write_format_error(&DIG[..11]), None);
    assert_eq!(write_format_error(&error), None);
}

#[test]
fn the_rest_is_refused() {
    let good = query(&[b"db"], A);
    let with = |at: usize, byte: u8| {
        let mut message = good.clone();
        message[at] = byte;
        message
    };
    for (why, message) in [
        ("a response", with(2, 0x81)),
        ("an update", with(2, 0x28)),
        ("no question", with(5, 0)),
        ("two questions", with(5, 2)),
        ("an answer that is not there", with(7, 1)),
        ("a pointer to itself", with(12, 0xC0)),
        ("a reserved kind of label", with(12, 0x40)),
        ("bytes behind the end", [&good[..], &[0]].concat()),
    ] {
        assert_eq!(read(&message), None, "{why}");
    }
    for length in 0..DIG.len() {
        assert_eq!(read(&DIG[..length]), None, "{length} bytes");
    }
    let label: &[u8] = &[b'a'; 63];
    assert!(read(&query(&[label, label, label, &label[..61]], A)).is_some());
    assert_eq!(read(&query(&[label, label, label, &label[..62]], A)), None);
    let opt = &DIG[33..];
    let mut twice = [DIG, opt].concat();
    twice[11] = 2;
    assert_eq!(read(&twice), None, "two OPT records");
}

#[test]
fn dig_is_content() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let asked = [
        ("db.internal", "A", "NOERROR"),
        ("db.internal", "AAAA", "NOERROR"),
        ("db.internal", "HTTPS", "NOERROR"),
        ("secret.exfil.example", "TXT", "NXDOMAIN"),
    ];
    let answerer = thread::spawn(move || {
        for _ in asked {
            answer_one(&socket);
        }
    });
    for (name, kind, status) in asked {
        let output = dig(port, name, kind);
        match output {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no `dig` here");
                return;
            }
            output => {
                let text = String::from_utf8(output.unwrap().stdout).unwrap();
                assert!(text.contains(&format!("status: {status}")), "{text}");
                assert!(!text.contains("WARNING"), "{text}");
                let has_address = text.contains("db.internal.\t\t5\tIN\tA\t127.77.0.1");
                assert_eq!(has_address, kind == "A", "{text}");
            }
        }
    }
    answerer.join().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the real client is asked")]
fn dig(port: u16, name: &str, kind: &str) -> std::io::Result<std::process::Output> {
    let port = port.to_string();
    Command::new("dig")
        .args([
            "@127.0.0.1",
            "-p",
            &port,
            "+tries=1",
            "+time=10",
            name,
            kind,
        ])
        .output()
}

/// Answers one query as the broker would, knowing `db.internal` alone.
fn answer_one(socket: &UdpSocket) {
    let mut buffer = [0; 4096];
    let Ok((length, client)) = socket.recv_from(&mut buffer) else {
        return;
    };
    let question = read(&buffer[..length]).unwrap();
    let answer = if question.name == "db.internal" {
        Answer::Address(ADDRESS)
    } else {
        Answer::NoSuchName
    };
    socket.send_to(&write(&question, answer), client).unwrap();
}

/// What must hold of an answer: it is short, and asks the same once it is no response any more.
fn check_answer(question: &Question, answer: Answer) {
    let mut message = write(question, answer);
    assert!(message.len() < 512);
    message[2] &= 0x7F;
    let again = read(&message).unwrap();
    assert_eq!((&again.name, again.kind), (&question.name, question.kind));
    assert_eq!(again.wire, question.wire);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(message in prop::collection::vec(any::<u8>(), 0..200), length in 0..DIG.len()) {
        let _ = write_format_error(&message);
        // Behind the beginning of a real query more of it is read than of noise.
        for message in [&message[..], &[&DIG[..length], &message].concat()] {
            if let Some(question) = read(message) {
                check_answer(&question, Answer::Address(ADDRESS));
            }
        }
    }

    #[test]
    fn what_is_asked_is_answered(
        labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..10),
        kind: u16,
    ) {
        let labels: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
        let question = read(&query(&labels, kind)).unwrap();
        prop_assert_eq!(question.kind, kind);
        for answer in [Answer::Address(ADDRESS), Answer::NoSuchName, Answer::Refused] {
            check_answer(&question, answer);
        }
    }
}
