//! What must hold for whatever callers, upstreams and a store send to the gateway; run by libFuzzer (`fuzz/run`) and, for a short time,
//! by `cargo test`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ringfence_gateway::key::{Scrubber, StreamScrub};
use ringfence_gateway::limit::redis::reply::{self, Reply};
use ringfence_gateway::llm::events::Events;
use ringfence_gateway::llm::request::RequestBody;
use serde_json::Value;

/// The key that no answer may hold. It has no line end, as no header has.
pub(crate) const KEY: &str = "sk_live_a/b+c\"d";

/// A request's body: it is refused, or nothing but the model's name changes.
pub(crate) fn request(bytes: &[u8]) {
    let Ok(read) = RequestBody::read(bytes) else {
        return;
    };
    let body = Bytes::copy_from_slice(bytes);
    let edited = read.edited(&body, "another", false);
    let Some(name) = read.model() else {
        assert_eq!(edited, body, "without a model nothing changes");
        return;
    };
    assert_eq!(read.edited(&body, name, false), body);
    if name != "another" {
        is_exchanged(&body, &edited, name);
    }
    let again = RequestBody::read(&edited).expect("what is sent can be read");
    assert_eq!(again.model(), Some("another"));
    let asking = read.edited(&body, name, true);
    assert!(
        RequestBody::read(&asking)
            .expect("so can this")
            .wants_usage()
    );
    is_asked(&body, &asking);
}

/// Whether `edited` is `body` with another name in the name's place, byte for byte.
fn is_exchanged(body: &[u8], edited: &[u8], name: &str) {
    const NEW: &[u8] = b"\"another\"";
    let length = body.len() + NEW.len() - edited.len();
    let fits = |start: usize| {
        let old = body.get(start..start + length);
        old.is_some_and(|old| serde_json::from_slice(old).is_ok_and(|old: String| old == name))
            && edited == [&body[..start], NEW, &body[start + length..]].concat()
    };
    assert!((0..body.len()).any(fits), "more than the name has changed");
}

/// Whether `asking` is `body` but for the wish to be told the usage.
fn is_asked(body: &[u8], asking: &[u8]) {
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    // A number may be too large, or a value too deep, to be compared.
    let (Some(mut old), Some(mut new)) = (value(body), value(asking)) else {
        return;
    };
    for value in [&mut old, &mut new] {
        let mut options = value["stream_options"].take();
        if let Some(options) = options.as_object_mut() {
            options.remove("include_usage");
        }
        let is_empty = options.as_object().is_none_or(serde_json::Map::is_empty);
        value["stream_options"] = if is_empty { Value::Null } else { options };
    }
    assert_eq!(old, new, "more has changed than what is asked for");
}

/// A stream from a model, whose first byte says how it is cut: what passes does not depend on the pieces, and has no key in it.
pub(crate) fn events(bytes: &[u8]) {
    let Some((size, stream)) = bytes.split_first() else {
        return;
    };
    let scrubber = Scrubber::new([KEY]);
    let pass = |size: usize| {
        let mut events = Events::new(true, true);
        let mut passed = Vec::new();
        for piece in stream.chunks(size.max(1)) {
            let (ready, result) = events.push(piece, &scrubber);
            passed.extend_from_slice(&ready);
            if result.is_err() {
                return (passed, result);
            }
        }
        (passed, events.finish())
    };
    let (whole, end) = pass(stream.len());
    assert_eq!(pass(usize::from(*size)), (whole.clone(), end));
    assert_eq!(pass(1), (whole.clone(), end));
    has_no_key(&whole);
}

/// Any other body, whose first byte says how it is cut: the same, and its length stays.
pub(crate) fn scrub(bytes: &[u8]) {
    let Some((size, body)) = bytes.split_first() else {
        return;
    };
    let scrubber = Scrubber::new([KEY]);
    let pass = |size: usize| {
        let mut stream = StreamScrub::default();
        let pieces = body.chunks(size.max(1)).map(Bytes::copy_from_slice);
        let mut passed: Vec<u8> = Vec::new();
        for piece in pieces {
            passed.extend_from_slice(&stream.push(&scrubber, piece));
        }
        passed.extend_from_slice(&stream.finish());
        passed
    };
    let whole = pass(body.len());
    assert_eq!(whole.len(), body.len());
    assert_eq!(pass(usize::from(*size)), whole);
    assert_eq!(pass(1), whole);
    has_no_key(&whole);
}

fn has_no_key(passed: &[u8]) {
    let is_key = |window: &[u8]| window == KEY.as_bytes();
    assert!(!passed.windows(KEY.len()).any(is_key), "the key passes");
}

/// A reply of Redis: it is none, or what was read can be written and read again.
pub(crate) fn redis(bytes: &[u8]) {
    let Some(Ok(reply)) = at_once(bytes) else {
        return;
    };
    let text = match &reply {
        Reply::Nothing => "$-1\r\n".to_owned(),
        Reply::Text(text) => format!("${}\r\n{text}\r\n", text.len()),
        Reply::Number(number) => format!(":{number}\r\n"),
        Reply::List(numbers) => {
            let lines = numbers.iter().map(|number| format!(":{number}\r\n"));
            format!("*{}\r\n{}", numbers.len(), lines.collect::<String>())
        }
    };
    assert_eq!(at_once(text.as_bytes()).and_then(Result::ok), Some(reply));
}

/// What is read of bytes that are all there: nothing has to be waited for.
fn at_once(mut bytes: &[u8]) -> Option<std::io::Result<Reply>> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(reply::read(&mut bytes)).poll(&mut context) {
        Poll::Ready(reply) => Some(reply),
        Poll::Pending => None,
    }
}
