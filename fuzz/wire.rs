//! What must hold for any bytes that a process sends to the broker; run by libFuzzer (`fuzz/run`) and, for a short time, by
//! `cargo test`.

use ringfence_reach::dns::{self, Answer};
use ringfence_reach::hello::{self, Hello};

/// A DNS message: each answer to it is short, and asks the same once it is no response any more.
pub(crate) fn dns(bytes: &[u8]) {
    if let Some(error) = dns::write_format_error(bytes) {
        assert_eq!(dns::read(&error), None, "a response is no question");
    }
    let Some(question) = dns::read(bytes) else {
        return;
    };
    let answers = [
        Answer::Address([127, 77, 0, 1].into()),
        Answer::Address(std::net::Ipv6Addr::LOCALHOST.into()),
        Answer::Empty,
        Answer::NoSuchName,
        Answer::Refused,
        Answer::Failed,
    ];
    for answer in answers {
        let mut message = dns::write(&question, answer);
        assert!(message.len() < 512, "it is never truncated");
        message[2] &= 0x7F;
        let again = dns::read(&message).expect("an answer can be read");
        assert_eq!(
            (again.id, &again.name, again.kind, again.class),
            (question.id, &question.name, question.kind, question.class)
        );
    }
}

/// The beginning of a stream: what is said of it stays true when more comes.
pub(crate) fn hello(bytes: &[u8]) {
    let whole = hello::read(bytes);
    for length in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
        let part = hello::read(&bytes[..length]);
        assert!(part == Hello::Incomplete || part == whole, "{length} bytes");
    }
    if let Hello::Tls {
        server_name: Some(name),
        ..
    } = whole
    {
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(name, name.to_ascii_lowercase());
    }
}
