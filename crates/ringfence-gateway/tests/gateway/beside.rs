//! A gateway for one program alone: what is closed, who needs no token, and the end.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;

use ringfence_gateway::config::Upstream;
use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::memory::Memory;
use ringfence_gateway::record::writer::Recorder;
use ringfence_gateway::serve::{Gateway, Source, run_for};

use crate::world::{Api, World, callers, config, eventually, target};

#[test]
fn what_is_closed_says_why_and_the_next_of_the_list_answers() {
    let other = || Api {
        name: "other",
        ..Api::llm("mock://")
    };
    let world = World::new(&[Api::llm("mock://"), other()]);
    let mut closed = config(2, &[Api::llm("mock://"), other()]);
    closed.resources[0].upstream = Upstream::Closed("the reason".to_owned());
    world.reload(Some(closed));
    let body = r#"{"model":"chat","messages":[]}"#;
    let refused = eventually(|| {
        let answer = world.post("/llm/v1/chat/completions", body);
        (answer.status == 403).then_some(answer)
    });
    assert_eq!(refused.refused(403), "resource_closed");
    assert!(refused.body.contains("the reason"), "{refused:?}");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let targets = vec![target(None, "m-1"), target(Some("other"), "m-2")];
    let several = Api {
        models: vec![("chat", targets)],
        ..Api::llm("mock://")
    };
    let mut closed = config(3, &[several, other()]);
    closed.resources[0].upstream = Upstream::Closed("the reason".to_owned());
    world.reload(Some(closed));
    let answer = eventually(|| {
        let answer = world.post("/llm/v1/chat/completions", body);
        (answer.status == 200).then_some(answer)
    });
    assert!(answer.body.contains("\"model\":\"m-2\""), "{answer:?}");
}

#[test]
fn a_stranger_counts_where_there_is_no_key_and_nowhere_else() {
    let keyed = || Api::http("http://127.0.0.1:1");
    let world = World::new(&[Api::llm("mock://"), keyed()]);
    let chat = |authorization: &str| {
        let body = br#"{"model":"chat","messages":[]}"#;
        world.send("POST", "/llm/v1/chat/completions", &[authorization], body)
    };
    assert_eq!(
        chat("Authorization: Bearer own").refused(401),
        "invalid_token"
    );
    let mut open = config(2, &[Api::llm("mock://"), keyed()]);
    open.callers = callers("dev").with_stranger("run");
    world.reload(Some(open));
    eventually(|| (chat("Authorization: Bearer own").status == 200).then_some(()));
    let line = world.records(1).pop().unwrap();
    assert_eq!(line["ringfence.caller"], "run");
    // A token that is one has to count.
    let forged = format!(
        "Authorization: Bearer {}",
        callers("prod").token("a").unwrap().as_str()
    );
    assert_eq!(chat(&forged).refused(401), "wrong_environment");
    let none = ["Authorization: Bearer own"];
    for path in ["/pay/x", "/-/metrics", "/ofrep/v1/evaluate/flags"] {
        assert_eq!(world.send("POST", path, &none, b"{}").status, 401, "{path}");
    }
}

struct Nothing;

impl Source for Nothing {
    fn has_changed(&mut self) -> bool {
        false
    }

    fn load(&mut self, _: u64) -> Option<ringfence_gateway::config::Config> {
        None
    }

    fn served(&mut self, _: u64) {}
}

#[test]
fn it_ends_when_its_program_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let recorder = Recorder::start(Box::new(std::io::sink()));
    let gateway = Gateway::new(
        config(1, &[Api::llm("mock://?latency=60s")]),
        recorder,
        Store::Memory(Memory::default()),
    );
    let (program, life) = channel::<()>();
    let served = std::thread::spawn(move || {
        run_for(listener, gateway, Box::new(Nothing), move || {
            // Fails when the other end is gone, as a program goes.
            let _ = life.recv();
        })
    });
    let mut waiting = TcpStream::connect(address).unwrap();
    let token = callers("dev").token("run").unwrap();
    let body = r#"{"model":"chat","messages":[]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        token.as_str(),
        body.len()
    );
    std::io::Write::write_all(&mut waiting, head.as_bytes()).unwrap();
    drop(program);
    // A request that is under way does not keep it.
    served.join().unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}
