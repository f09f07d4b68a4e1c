use super::*;

const STREAM: &str = concat!(
    ": keep-alive\n\n",
    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n",
    "event: x\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}],\"usage\":null}\r\n\r\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

fn pass(stream: &str, size: usize, drops: bool) -> (String, Events, Result<(), EventError>) {
    let scrubber = Scrubber::new(["sk_live_12345"]);
    let mut events = Events::new(drops, true);
    let mut passed = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        let (ready, result) = events.push(piece, &scrubber);
        passed.extend(ready);
        if result.is_err() {
            return (String::from_utf8(passed).unwrap(), events, result);
        }
    }
    let end = events.finish();
    (String::from_utf8(passed).unwrap(), events, end)
}

#[test]
fn a_stream_passes_as_it_is_in_pieces_of_any_size() {
    for size in 1..STREAM.len() {
        let (passed, events, end) = pass(STREAM, size, false);
        assert_eq!((passed.as_str(), end), (STREAM, Ok(())), "{size}");
        let seen = events.seen;
        assert_eq!(
            seen.usage,
            Some(Usage {
                input: 3,
                output: 2
            })
        );
        assert_eq!(
            (seen.text.as_str(), seen.id.as_deref(), seen.is_done),
            ("Hello", Some("c1"), true)
        );
        assert_eq!(seen.finish_reasons, ["stop"]);
    }
}

#[test]
fn the_usage_that_nobody_asked_for_is_kept_back() {
    for size in 1..STREAM.len() {
        let (passed, events, _) = pass(STREAM, size, true);
        assert!(!passed.contains("prompt_tokens"), "{passed}");
        assert!(passed.ends_with("data: [DONE]\n\n"));
        assert!(events.seen.usage.is_some());
    }
}

#[test]
fn the_responses_api_tells_its_usage_in_an_event() {
    let stream = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"model\":\"m\",\"usage\":{\"input_tokens\":7,\"output_tokens\":4}}}\n\n";
    let (passed, events, end) = pass(stream, 9, true);
    assert_eq!((passed.as_str(), end), (stream, Ok(())));
    assert_eq!(
        events.seen.usage,
        Some(Usage {
            input: 7,
            output: 4
        })
    );
    assert_eq!(
        (events.seen.text.as_str(), events.seen.id.as_deref()),
        ("Hi", Some("r1"))
    );
}

#[test]
fn what_cannot_be_an_event_ends_the_stream() {
    assert_eq!(
        pass("data: {\"a\":1}\n\ndata: oops\n\n", 5, true).2,
        Err(EventError::NoJson)
    );
    assert_eq!(
        pass("data: {\"a\":1}\n\ndata: {\"b\"", 5, true).2,
        Err(EventError::CutOff)
    );
    let long = "data: ".to_owned() + &"x".repeat(LONGEST + 1);
    assert_eq!(pass(&long, 1 << 20, true).2, Err(EventError::TooLong));
}

/// A stream that ends badly has passed what was well before, whatever the pieces were.
#[test]
fn what_came_before_a_bad_event_is_passed() {
    let stream = "data: {\"a\":1}\n\ndata: oops\n\n";
    for size in 1..=stream.len() {
        let (passed, _, end) = pass(stream, size, true);
        assert_eq!(
            (passed.as_str(), end),
            ("data: {\"a\":1}\n\n", Err(EventError::NoJson))
        );
    }
}

#[test]
fn a_key_in_an_event_is_taken_out() {
    let (passed, ..) = pass("data: {\"a\":\"sk_live_12345\"}\n\n", 4, false);
    assert_eq!(passed, "data: {\"a\":\"*************\"}\n\n");
}

#[test]
fn data_of_several_lines_is_one() {
    let (_, events, end) = pass("data: {\"id\":\ndata: \"x\"}\n\n", 100, false);
    assert_eq!((events.seen.id.as_deref(), end), (Some("x"), Ok(())));
}
