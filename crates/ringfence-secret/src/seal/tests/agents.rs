//! A real ssh-agent, and agents that lie.

#![expect(clippy::disallowed_methods, reason = "a test that starts programs")]

use std::io::{Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::openssh::{has, made, verify};
use super::*;
use crate::seal::agent::{Agent, AgentError, LONGEST_BYTES};

/// An ssh-agent of a test's own, which ends with it.
struct Running {
    folder: tempfile::TempDir,
    child: Child,
}

impl Running {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(folder.path().join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { folder, child };
        let mut tries = 0..500;
        while !running.socket().exists() && tries.next().is_some() {
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn agent(&self) -> Agent<UnixStream> {
        Agent::new(UnixStream::connect(self.socket()).unwrap())
    }

    fn add(&self, words: &[&str], folder: &Path) -> bool {
        let output = Command::new("ssh-add")
            .args(words)
            .current_dir(folder)
            .env("SSH_AUTH_SOCK", self.socket())
            .stdin(Stdio::null())
            .output();
        output.unwrap().status.success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn an_agent_seals_with_every_kind_of_key() {
    if !has("ssh-keygen") || !has("ssh-agent") {
        return;
    }
    let running = Running::new();
    assert!(running.agent().identities().unwrap().is_empty());
    let kinds: [&[&str]; 3] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa"],
        &["-t", "rsa", "-b", "2048"],
    ];
    let folders = kinds.map(|kind| {
        let folder = tempfile::tempdir().unwrap();
        let (_, public) = made(folder.path(), kind);
        assert!(running.add(&["key"], folder.path()));
        (folder, public)
    });
    let mut agent = running.agent();
    let identities = agent.identities().unwrap();
    assert_eq!(identities.len(), 3);
    for ((_, public), identity) in folders.iter().zip(&identities) {
        assert_eq!(identity.key_data(), public.key_data());
        assert_eq!(identity.comment(), "ann@example.test");
        let seal = agent.sign(statement(None), identity).unwrap();
        assert_eq!(verify(&seal, public), Ok(()));
        assert_eq!(Seal::parse(seal.to_text().as_bytes()).unwrap(), seal);
    }
    assert!(running.add(&["-D"], running.folder.path()));
    let refusal = agent.sign(statement(None), &identities[0]);
    assert!(matches!(refusal, Err(AgentError::Refused)));
}

/// An agent that gives one answer to whatever it is asked.
struct Scripted {
    answer: Cursor<Vec<u8>>,
}

impl Scripted {
    fn agent(message: &[u8]) -> Agent<Self> {
        let mut answer = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        answer.extend_from_slice(message);
        Agent::new(Self {
            answer: Cursor::new(answer),
        })
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.answer.read(buffer)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer to a request to sign.
fn signed(signature: &[u8]) -> Vec<u8> {
    let mut answer = vec![14];
    wire::put_string(&mut answer, signature);
    answer
}

#[test]
fn an_agent_that_lies_makes_no_seal() {
    let (key, other) = (key(Algorithm::Ed25519), key(Algorithm::Ed25519));
    let ask = |answer: &[u8]| Scripted::agent(answer).sign(statement(None), key.public());
    let message = statement(None).to_text();
    ask(&signed(&key.sign(message.as_bytes()).unwrap())).unwrap();
    for lie in [other.sign(message.as_bytes()), key.sign(b"another message")] {
        let refusal = ask(&signed(&lie.unwrap()));
        assert!(matches!(
            refusal,
            Err(AgentError::Seal(SealError::WrongSignature))
        ));
    }
    for malformed in [&[][..], &[14], &[14, 0, 0, 0, 9], &[6], &[12, 0, 0, 0, 0]] {
        assert!(matches!(ask(malformed), Err(AgentError::Malformed)));
    }
    assert!(matches!(ask(&[5]), Err(AgentError::Refused)));
    let followed = [signed(&key.sign(message.as_bytes()).unwrap()), vec![0]].concat();
    assert!(matches!(ask(&followed), Err(AgentError::Malformed)));
}

#[test]
fn a_long_or_broken_answer_is_refused() {
    let raw = |answer: Vec<u8>| {
        let mut agent = Agent::new(Scripted {
            answer: Cursor::new(answer),
        });
        agent.identities().unwrap_err()
    };
    assert!(matches!(raw(vec![0xff; 8]), AgentError::TooLong { .. }));
    let longest = u32::try_from(LONGEST_BYTES).unwrap();
    assert!(matches!(
        raw((longest + 1).to_be_bytes().to_vec()),
        AgentError::TooLong { .. }
    ));
    assert!(matches!(
        raw(longest.to_be_bytes().to_vec()),
        AgentError::Io(_)
    ));
    assert!(matches!(raw(vec![0, 0]), AgentError::Io(_)));
    // More keys than the answer has bytes for.
    let mut agent = Scripted::agent(&[12, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(agent.identities(), Err(AgentError::Malformed)));
}
