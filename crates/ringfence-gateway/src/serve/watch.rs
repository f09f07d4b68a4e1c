//! Looks for a changed configuration, and swaps it in whole or not at all.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::Gateway;
use crate::config::Config;

/// Where configurations come from.
pub trait Source: Send {
    /// Whether anything has changed since the last load. Called twice a second.
    fn has_changed(&mut self) -> bool;

    /// Reads, checks and builds the configuration of that generation; says itself what is wrong where there is none.
    fn load(&mut self, generation: u64) -> Option<Config>;

    /// What was wrong with the configuration that could not be loaded last, in a line.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Hears that the configuration of that generation answers from now on.
    fn served(&mut self, generation: u64);
}

/// The threads that look for changes, and that write budgets down; they end with it.
pub(super) struct Watch {
    wanted: Sender<()>,
    _budgets: Sender<()>,
}

impl Watch {
    /// Loads now, changed or not.
    pub(super) fn reload(&self) {
        // Without a watcher there is no reload, and the process is about to end.
        let _ = self.wanted.send(());
    }
}

/// Between two looks at the files.
const LOOK: Duration = Duration::from_millis(500);
/// Between two writes of budgets: what a kill loses, with time to spare for a disk that others keep busy.
const KEEP: Duration = Duration::from_millis(250);

pub(super) fn start(gateway: Arc<Gateway>, source: Box<dyn Source>) -> io::Result<Watch> {
    // A thread of its own: a load may ask an agent for a key, and what is spent meanwhile is written down all the same.
    let budgets = thread(("keep", KEEP), Arc::clone(&gateway), |gateway, _| {
        gateway.keep_budgets();
    })?;
    let mut source = source;
    let wanted = thread(("watch", LOOK), gateway, move |gateway, is_wanted| {
        if is_wanted || source.has_changed() {
            reload(gateway, source.as_mut());
        }
    })?;
    Ok(Watch {
        wanted,
        _budgets: budgets,
    })
}

/// A thread that does something each time it is told to, and after each pause; it ends with what tells it.
fn thread(
    (name, pause): (&str, Duration),
    gateway: Arc<Gateway>,
    mut act: impl FnMut(&Gateway, bool) + Send + 'static,
) -> io::Result<Sender<()>> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        loop {
            let is_told = match receiver.recv_timeout(pause) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            act(&gateway, is_told);
        }
    })?;
    Ok(sender)
}

fn reload(gateway: &Gateway, source: &mut dyn Source) {
    let generation = gateway.snapshot().generation + 1;
    match source.load(generation) {
        Some(config) => {
            gateway.swap(config);
            source.served(generation);
            gateway.metrics.reload("taken", None);
        }
        None => {
            let why = source.complaint();
            let why = why.unwrap_or_else(|| "it could not be loaded".to_owned());
            gateway.metrics.reload("refused", Some(why));
        }
    }
}
