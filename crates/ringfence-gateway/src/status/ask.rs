//! Asks a running gateway for its status, once or every second.

use std::io;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};
use zeroize::Zeroizing;

use super::{PATH, Status};
use crate::config::{AddressError, Upstream};
use crate::upstream::{Clients, look};

/// A gateway that can be asked.
pub struct Gateway {
    address: Upstream,
    token: Zeroizing<String>,
    clients: Clients,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The URL is none of a gateway.
    #[error("the URL cannot be a gateway's: {0}")]
    Url(#[from] AddressError),
    /// The system gives no loop, timer or signal.
    #[error("the system refused what is needed to ask: {0}")]
    System(#[from] io::Error),
    /// Nobody answers.
    #[error("nobody answers: {0}")]
    Unreachable(String),
    /// It answers with an error; for a token of another environment it says so.
    #[error("it answers {0}: {1}")]
    Refused(StatusCode, String),
    /// What answers is no gateway, or one of another version.
    #[error("what answers there is no gateway of this version")]
    Foreign,
}

/// What whoever looks on sees next.
#[derive(Debug)]
pub enum Seen {
    /// A status.
    Status(Box<Status>),
    /// Why there is none.
    Nothing(AskError),
    /// The terminal has another size.
    Resized,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest answer that is taken.
const LARGEST: usize = 4 << 20;

impl Gateway {
    /// The gateway at a URL such as `http://127.0.0.1:4000`, asked with a caller's token.
    ///
    /// # Errors
    /// Where the URL is none.
    pub fn at(url: &str, token: Zeroizing<String>) -> Result<Self, AskError> {
        let address = Upstream::parse(url)?;
        if matches!(address, Upstream::Mock(_)) {
            return Err(AddressError::Scheme.into());
        }
        Ok(Self {
            address,
            token,
            clients: Clients::default(),
        })
    }

    async fn ask(&self) -> Seen {
        let asked = timeout(PATIENCE, self.asked()).await;
        let asked = asked.unwrap_or_else(|_| {
            let why = format!("not within {} seconds", PATIENCE.as_secs());
            Err(AskError::Unreachable(why))
        });
        asked.map_or_else(Seen::Nothing, |status| Seen::Status(Box::new(status)))
    }

    async fn asked(&self) -> Result<Status, AskError> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.as_str()));
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| AskError::Foreign)?;
        bearer.set_sensitive(true);
        let Upstream::Server(address) = &self.address else {
            return Err(AskError::Foreign);
        };
        let uri = address.uri(PATH, None).ok_or(AskError::Foreign)?;
        let mut request = http::Request::new(crate::answer::whole(""));
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let answer = look(&self.clients, address, request).await;
        let (head, body) = answer.map_err(AskError::Unreachable)?.into_parts();
        let body = http_body_util::Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| AskError::Unreachable(error.to_string()))?;
        let body = body.to_bytes();
        if !head.status.is_success() {
            return Err(refused(head.status, &body));
        }
        serde_json::from_slice(&body).map_err(|_| AskError::Foreign)
    }
}

/// An error in the shape that the gateway gives it.
fn refused(status: StatusCode, body: &[u8]) -> AskError {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = answer
        .pointer("/error/message")
        .and_then(serde_json::Value::as_str);
    message.map_or(AskError::Foreign, |message| {
        AskError::Refused(status, message.to_owned())
    })
}

/// Asks every `pause`, and hands over what comes, until `look` says that it is enough, or SIGINT, SIGTERM or SIGHUP comes. Blocks.
///
/// # Errors
/// Where the system gives no loop or signals, and what `look` says.
pub fn watch<E: From<AskError>>(
    gateway: &Gateway,
    pause: Duration,
    mut look: impl FnMut(Seen) -> Result<bool, E>,
) -> Result<(), E> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AskError::System)?;
    runtime.block_on(async {
        let heard = |kind| signal(kind).map_err(AskError::System);
        let mut interrupt = heard(SignalKind::interrupt())?;
        let mut end = heard(SignalKind::terminate())?;
        let mut hang_up = heard(SignalKind::hangup())?;
        let mut resized = heard(SignalKind::window_change())?;
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let seen = tokio::select! {
                seen = async { ticks.tick().await; gateway.ask().await } => seen,
                _ = resized.recv() => Seen::Resized,
                _ = interrupt.recv() => return Ok(()),
                _ = end.recv() => return Ok(()),
                _ = hang_up.recv() => return Ok(()),
            };
            if !look(seen)? {
                return Ok(());
            }
        }
    })
}
