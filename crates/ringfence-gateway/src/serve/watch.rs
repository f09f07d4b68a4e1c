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

/// The thread that looks.
pub(super) struct Watch(Sender<()>);

impl Watch {
    /// Loads now, changed or not.
    pub(super) fn reload(&self) {
        // Without a watcher there is no reload, and the process is about to end.
        let _ = self.0.send(());
    }
}

pub(super) fn start(gateway: Arc<Gateway>, mut source: Box<dyn Source>) -> io::Result<Watch> {
    const PAUSE: Duration = Duration::from_millis(500);
    let (sender, receiver) = channel();
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            loop {
                gateway.keep_budgets();
                let wanted = match receiver.recv_timeout(PAUSE) {
                    Ok(()) => true,
                    Err(RecvTimeoutError::Timeout) => source.has_changed(),
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                if wanted {
                    reload(&gateway, source.as_mut());
                }
            }
        })?;
    Ok(Watch(sender))
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
