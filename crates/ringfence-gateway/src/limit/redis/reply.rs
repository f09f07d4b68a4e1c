//! What a server says: the kinds of reply that the scripts and the mark need (RESP2).

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// There is nothing.
    Nothing,
    /// A text, in a line or with its length.
    Text(String),
    /// A number.
    Number(i64),
    /// Numbers.
    List(Vec<u64>),
}

/// The longest text and list that are taken.
const LONGEST: usize = 1 << 20;

/// Reads one.
///
/// # Errors
/// The first word of what the server complains of, because the rest may quote what it was sent; and where something else comes than a
/// reply of these kinds.
pub async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Reply> {
    let line = line(from).await?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(no_reply)?;
    match kind {
        "+" => Ok(Reply::Text(rest.to_owned())),
        ":" => Ok(Reply::Number(rest.parse().map_err(|_| no_reply())?)),
        "$" => text(from, rest).await,
        "*" => list(from, rest).await,
        "-" => Err(io::Error::other(
            rest.split(' ').next().unwrap_or_default().to_owned(),
        )),
        _ => Err(no_reply()),
    }
}

async fn text(from: &mut (impl AsyncBufRead + Unpin), length: &str) -> io::Result<Reply> {
    if length == "-1" {
        return Ok(Reply::Nothing);
    }
    let length = bounded(length)?;
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes).await?;
    if bytes.split_off(length) != b"\r\n" {
        return Err(no_reply());
    }
    String::from_utf8(bytes)
        .map(Reply::Text)
        .map_err(|_| no_reply())
}

/// A list of numbers: the scripts give no other.
async fn list(from: &mut (impl AsyncBufRead + Unpin), length: &str) -> io::Result<Reply> {
    let mut numbers = Vec::new();
    for _ in 0..bounded(length)? {
        let line = line(from).await?;
        let number = line
            .strip_prefix(':')
            .and_then(|number| number.parse().ok());
        numbers.push(number.ok_or_else(no_reply)?);
    }
    Ok(Reply::List(numbers))
}

async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST as u64).read_line(&mut line).await?;
    line.strip_suffix("\r\n")
        .map(str::to_owned)
        .ok_or_else(no_reply)
}

fn bounded(length: &str) -> io::Result<usize> {
    let length = length.parse().ok().filter(|length| *length <= LONGEST);
    length.ok_or_else(no_reply)
}

fn no_reply() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no reply of Redis")
}
