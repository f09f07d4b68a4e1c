//! Sealing with a key that an ssh-agent keeps (`draft-miller-ssh-agent`, sections 4.4 and 4.5), over any stream: the caller connects to
//! the socket that `SSH_AUTH_SOCK` names.
//!
//! ```no_run
//! # use ringfence_secret::seal::{Statement, Seal, agent::{Agent, AgentError}};
//! # fn f(socket: std::os::unix::net::UnixStream, statement: Statement) -> Result<Option<Seal>, AgentError> {
//! let mut agent = Agent::new(socket);
//! let Some(key) = agent.identities()?.into_iter().next() else { return Ok(None) };
//! agent.sign(statement, &key).map(Some)
//! # }
//! ```
//!
//! What always holds: no message over [`LONGEST_BYTES`] is read, and the agent is not believed: a signature that is not valid makes no
//! seal.

use std::io::{self, Read, Write};

use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};
use thiserror::Error;

use super::envelope::Envelope;
use super::wire::{put_string, take_string, take_u32};
use super::{NAMESPACE, Seal, SealError, Statement, key};

/// The longest message: OpenSSH's own limit.
pub const LONGEST_BYTES: usize = 256 * 1024;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// `SSH_AGENT_RSA_SHA2_512`: without it, an agent signs with SHA-1.
const RSA_SHA2_512: u32 = 4;

/// Why an ssh-agent did not help.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The connection broke.
    #[error("the ssh-agent does not answer: {0}")]
    Io(#[from] io::Error),
    /// A message is too long.
    #[error("the ssh-agent's message has {bytes} bytes, more than {LONGEST_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has not the key, is locked, or somebody said no.
    #[error("the ssh-agent refused: it is locked, has not the key, or was told not to")]
    Refused,
    /// The answer is none to what was asked.
    #[error("the ssh-agent's answer is malformed")]
    Malformed,
    /// The key may not seal, or the signature is not valid.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A connection to an ssh-agent.
pub struct Agent<S> {
    stream: S,
}

impl<S: Read + Write> Agent<S> {
    /// Speaks to the agent at the other end. Time limits are the stream's.
    pub fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The agent's keys that may seal, in its order, with their comments. Certificates and keys of other kinds are left out.
    ///
    /// # Errors
    ///
    /// [`AgentError`], all but [`AgentError::Seal`].
    pub fn identities(&mut self) -> Result<Vec<PublicKey>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        let keys = identities(&answer).ok_or(AgentError::Malformed)?;
        Ok(keys.into_iter().flatten().collect())
    }

    /// Seals with one of the agent's keys. It may ask its user first, or wait for a touch.
    ///
    /// # Errors
    ///
    /// [`AgentError`].
    pub fn sign(&mut self, statement: Statement, key: &PublicKey) -> Result<Seal, AgentError> {
        let request = sign_request(&statement, key)?;
        let answer = self.ask(&request, SIGN_RESPONSE)?;
        let signature = only_string(&answer).ok_or(AgentError::Malformed)?;
        Ok(Seal::new(statement, &Envelope::new(key, signature)?)?)
    }

    /// Sends one message and returns what follows the expected kind in the answer.
    fn ask(&mut self, request: &[u8], expected: u8) -> Result<Vec<u8>, AgentError> {
        let mut message = Vec::with_capacity(request.len() + 4);
        put_string(&mut message, request);
        self.stream.write_all(&message)?;
        self.stream.flush()?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if bytes > LONGEST_BYTES {
            return Err(AgentError::TooLong { bytes });
        }
        let mut answer = vec![0; bytes];
        self.stream.read_exact(&mut answer)?;
        match answer.split_first() {
            Some((kind, rest)) if *kind == expected => Ok(rest.to_vec()),
            Some((&FAILURE, _)) => Err(AgentError::Refused),
            _ => Err(AgentError::Malformed),
        }
    }
}

/// The identities of an answer; `None` within for what may not seal.
fn identities(mut answer: &[u8]) -> Option<Vec<Option<PublicKey>>> {
    let count = take_u32(&mut answer)?;
    let keys = (0..count).map(|_| identity(&mut answer));
    let keys = keys.collect::<Option<Vec<_>>>()?;
    answer.is_empty().then_some(keys)
}

fn identity(answer: &mut &[u8]) -> Option<Option<PublicKey>> {
    let (bytes, comment) = (take_string(answer)?, take_string(answer)?);
    let key = PublicKey::from_bytes(bytes).ok();
    Some(
        key.filter(|key| key::algorithm(key).is_ok())
            .map(|mut key| {
                key.set_comment(String::from_utf8_lossy(comment));
                key
            }),
    )
}

fn sign_request(statement: &Statement, key: &PublicKey) -> Result<Vec<u8>, SealError> {
    let unfit = |_| SealError::MalformedSignature("its key is none");
    let flags = match key::algorithm(key)? {
        Algorithm::Rsa { .. } => RSA_SHA2_512,
        _ => 0,
    };
    let message = statement.to_text();
    let signed = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message.as_bytes());
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, &key.to_bytes().map_err(unfit)?);
    put_string(&mut request, &signed.map_err(unfit)?);
    request.extend_from_slice(&flags.to_be_bytes());
    Ok(request)
}

fn only_string(mut answer: &[u8]) -> Option<&[u8]> {
    let string = take_string(&mut answer)?;
    answer.is_empty().then_some(string)
}
