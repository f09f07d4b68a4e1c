//! Asks many resources at once for their marks, within a time limit.
//!
//! Looking up a name cannot be interrupted, so a resource whose answer does not come leaves a thread behind. Whoever wants none asks
//! in a process of its own and ends it; [`encode`] and [`decode`] carry the question there through a pipe.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::address::{Kind, Target};
use crate::marker::Found;
use crate::store;

/// What came of asking one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Its marks.
    Found(Box<Found>),
    /// It could not be asked, and why.
    Silent(String),
}

/// Asks all at once; the answers come in the order of the targets, after `within` at the latest.
#[must_use]
pub fn ask(targets: Vec<Target>, within: Duration) -> Vec<Answer> {
    let end = Instant::now() + within;
    let (sender, receiver) = mpsc::channel();
    let mut answers: Vec<Answer> = Vec::new();
    for (index, target) in targets.into_iter().enumerate() {
        let sender = sender.clone();
        answers.push(Answer::Silent(format!(
            "it did not answer within {} ms",
            within.as_millis()
        )));
        std::thread::spawn(move || {
            let answer = match store::open(&target, within).and_then(|mut store| store.read()) {
                Ok(found) => Answer::Found(Box::new(found)),
                Err(error) => Answer::Silent(error.to_string()),
            };
            // Nobody listens any more where the time is over.
            let _ = sender.send((index, answer));
        });
    }
    drop(sender);
    while let Ok((index, answer)) =
        receiver.recv_timeout(end.saturating_duration_since(Instant::now()))
    {
        if let Some(place) = answers.get_mut(index) {
            *place = answer;
        }
    }
    answers
}

/// What separates the fields of a question: no setting can have it in its value.
const NUL: char = '\0';

/// The question in bytes. Values of settings hold no NUL, because no variable can.
#[must_use]
pub fn encode(targets: &[Target], within: Duration) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(String::with_capacity(4096 + 8192 * targets.len()));
    text.push_str(&within.as_millis().to_string());
    for target in targets {
        let root = target.root.to_string_lossy();
        let key = target.key.as_ref().map_or("", |key| key.as_str());
        for field in [&target.name, target.kind.name(), &target.value, key, &root] {
            text.push(NUL);
            text.push_str(field);
        }
        text.push(NUL);
        text.push_str(&target.settings.len().to_string());
        for (name, value) in &target.settings {
            for field in [name.as_str(), value.as_str()] {
                text.push(NUL);
                text.push_str(field);
            }
        }
    }
    Zeroizing::new(text.as_bytes().to_vec())
}

/// The question again; `None` where the bytes are none.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(Vec<Target>, Duration)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut fields = text.split(NUL);
    let within = Duration::from_millis(fields.next()?.parse().ok()?);
    let mut targets = Vec::new();
    while let Some(name) = fields.next() {
        let kind = Kind::named(fields.next()?)?;
        let value = Zeroizing::new(fields.next()?.to_owned());
        let key = fields.next()?;
        let root = PathBuf::from(fields.next()?);
        let mut settings = Vec::new();
        for _ in 0..fields.next()?.parse::<usize>().ok()? {
            let name = fields.next()?.to_owned();
            settings.push((name, Zeroizing::new(fields.next()?.to_owned())));
        }
        targets.push(Target {
            name: name.to_owned(),
            kind,
            value,
            key: (!key.is_empty()).then(|| Zeroizing::new(key.to_owned())),
            root,
            settings,
        });
    }
    Some((targets, within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_out_as_it_went_in() {
        let target = Target {
            name: "db".into(),
            kind: Kind::Postgres,
            value: Zeroizing::new("postgres://u:p\n@h/d".into()),
            key: None,
            root: "/srv".into(),
            settings: vec![("AWS_REGION".into(), Zeroizing::new("eu".into()))],
        };
        let bytes = encode(&[target], Duration::from_millis(500));
        let (targets, within) = decode(&bytes).unwrap();
        assert_eq!(within, Duration::from_millis(500));
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].value.as_str(), "postgres://u:p\n@h/d");
        assert_eq!(targets[0].settings[0].1.as_str(), "eu");
        assert!(targets[0].key.is_none() && targets[0].root.as_os_str() == "/srv");
        assert!(decode(b"500\0db").is_none());
        assert!(decode(b"").is_none());
    }

    #[test]
    fn what_does_not_answer_is_said() {
        let target = Target {
            name: "db".into(),
            kind: Kind::Redis,
            value: Zeroizing::new("redis://127.0.0.1:1".into()),
            key: None,
            root: "/".into(),
            settings: Vec::new(),
        };
        let answers = ask(vec![target], Duration::from_millis(400));
        assert!(
            matches!(&answers[..], [Answer::Silent(why)] if why.starts_with("it cannot be reached"))
        );
    }
}
