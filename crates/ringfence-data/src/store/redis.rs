//! Redis and Valkey: a reserved key. They have no place for a mark that would not travel, so a copy looks like the original at another address.
//!
//! The protocol is RESP 2 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>), of which four commands need simple
//! strings, errors, integers and bulk strings.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use super::{Store, StoreError};
use crate::address::{self, RedisAddress, Target, Trust};
use crate::marker::{Found, Marker};
use crate::tls;

/// The reserved key.
const KEY: &str = "ringfence:marker";

/// The longest answer that is read.
const MOST: usize = 1 << 16;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection.
pub(crate) struct Redis {
    stream: BufReader<Box<dyn Stream>>,
    shown: String,
}

impl Redis {
    pub(crate) fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        let address = address::redis(&target.value)?;
        let mut redis = Self {
            stream: BufReader::new(connect(&address, patience)?),
            shown: address.shown(),
        };
        if let Some(password) = &address.password {
            let mut words = vec!["AUTH"];
            words.extend(address.user.as_deref().map(String::as_str));
            words.push(password);
            redis.ask(&words)?;
        }
        if address.database != 0 {
            redis.ask(&["SELECT", &address.database.to_string()])?;
        }
        Ok(redis)
    }

    /// Takes everything out of the database that the address names.
    pub(crate) fn empty(&mut self) -> Result<(), StoreError> {
        self.ask(&["FLUSHDB"]).map(|_| ())
    }

    /// Sends a command and reads its answer; `None` where there is no such key.
    fn ask(&mut self, words: &[&str]) -> Result<Option<String>, StoreError> {
        let mut message = Zeroizing::new(Vec::with_capacity(MOST));
        message.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            message.extend(format!("${}\r\n", word.len()).bytes());
            message.extend(word.bytes());
            message.extend(b"\r\n");
        }
        let stream = self.stream.get_mut();
        stream
            .write_all(&message)
            .and_then(|()| stream.flush())
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Option<String>, StoreError> {
        let unreadable = || StoreError::Unreadable("its answer is none of Redis".into());
        let mut line = Vec::new();
        let lost = |error: std::io::Error| StoreError::Unreachable(error.to_string());
        let bounded = &mut self.stream.by_ref().take(MOST as u64);
        bounded.read_until(b'\n', &mut line).map_err(lost)?;
        let line = String::from_utf8(line).map_err(|_| unreadable())?;
        let line = line.strip_suffix("\r\n").ok_or_else(unreadable)?;
        if let Some(said) = line.strip_prefix('-') {
            return Err(StoreError::Refused(said.to_owned()));
        }
        if let Some(said) = line.strip_prefix(['+', ':']) {
            return Ok(Some(said.to_owned()));
        }
        let length = line.strip_prefix('$').ok_or_else(unreadable)?;
        if length == "-1" {
            return Ok(None);
        }
        let length: usize = length.parse().map_err(|_| unreadable())?;
        if length > MOST {
            return Err(unreadable());
        }
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).map_err(lost)?;
        bytes.truncate(length);
        String::from_utf8(bytes).map(Some).map_err(|_| unreadable())
    }
}

fn connect(address: &RedisAddress, patience: Duration) -> Result<Box<dyn Stream>, StoreError> {
    let lost = |error: std::io::Error| StoreError::Unreachable(error.to_string());
    let found = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .map_err(lost)?;
    let mut refused = std::io::Error::from(std::io::ErrorKind::NotFound);
    for place in found {
        match TcpStream::connect_timeout(&place, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience)).map_err(lost)?;
                stream.set_write_timeout(Some(patience)).map_err(lost)?;
                return if address.is_tls {
                    encrypted(stream, address)
                } else {
                    Ok(Box::new(stream))
                };
            }
            Err(error) => refused = error,
        }
    }
    Err(lost(refused))
}

fn encrypted(stream: TcpStream, address: &RedisAddress) -> Result<Box<dyn Stream>, StoreError> {
    let config = Arc::new(tls::config(&Trust::Verified(None))?);
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| address::AddressError::Unreadable)?;
    let connection = ClientConnection::new(config, name)
        .map_err(|error| StoreError::Unreachable(error.to_string()))?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

impl Store for Redis {
    fn read(&mut self) -> Result<Found, StoreError> {
        let marker = match self.ask(&["GET", KEY])? {
            Some(text) => Some(
                serde_json::from_str(&text)
                    .map_err(|error| StoreError::Unreadable(error.to_string()))?,
            ),
            None => None,
        };
        Ok(Found::without_place(marker, &self.shown))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let marker = marker.without_place();
        let text = serde_json::to_string(&marker)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.ask(&["SET", KEY, &text]).map(|_| ())
    }
}
