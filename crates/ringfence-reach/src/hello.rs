//! Which server a TLS client says that it wants, read from the first bytes of its stream: the ClientHello (RFC 8446, section
//! 4.1.2) with its server name (RFC 6066, section 3), and whether it carries an encrypted one (RFC 9849).
//!
//! ```
//! use ringfence_reach::hello::{Hello, read};
//! assert_eq!(read(b"\x16\x03\x01"), Hello::Incomplete);
//! assert_eq!(read(b"GET / HTTP/1.1\r\n"), Hello::NotTls);
//! ```
//!
//! What always holds: once the answer is not [`Hello::Incomplete`], further bytes do not change it; nothing longer than
//! [`LONGEST_BYTES`] is waited for; what two servers could read differently (two server names, bytes behind the end of a list) is
//! [`Hello::NotTls`].
//!
//! # What a caller does who wants the server name to be the declared host
//!
//! An extension `encrypted_client_hello` in the outer hello says little. Chromium and Firefox put one with random content into
//! nearly every hello (GREASE ECH, RFC 9849, section 6.2), made so that nobody on the way can tell it from a real one. What can be told:
//!
//! - with GREASE, the visible server name is the host that is meant;
//! - with real ECH, an honest client shows the provider's public name (section 6.1), which is no declared host;
//! - an honest client has no key for real ECH in an environment: keys come in DNS records of type HTTPS (RFC 9848), and
//!   an environment's answerer has none of that type;
//! - a lying client may show a declared host above a hidden one, and servers need not mind: to compare the two is a MAY (section
//!   7.1). But it needs no ECH for that: on a shared front it can show the declared host and name another in the request's `Host`.
//!
//! So the rule that is recommended, in this order:
//!
//! 1. [`Hello::NotTls`], no server name, or another one than the declared host: reset.
//! 2. `encrypted`, and the address is also one of another environment's hosts, or the manifest asks for it: reset, and say why.
//! 3. Otherwise pass.
//!
//! The second line is the shared balancer; it costs browsers that one host, unless they are started without ECH (Chromium's policy
//! `EncryptedClientHelloEnabled`). To refuse every `encrypted` hello would cost them all hosts. None of this holds a lying client
//! on a front that is shared: only a broker that speaks HTTP itself does.

/// How many bytes of a stream are looked at: more than any client sends, as one record holds 16 KiB (RFC 8446, section 5.1).
pub const LONGEST_BYTES: usize = 64 * 1024;

/// What the beginning of a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// It may become a ClientHello: wait for more.
    Incomplete,
    /// It is none, or a malformed or ambiguous one.
    NotTls,
    /// A whole ClientHello.
    Tls {
        /// In small letters and without a final dot; visible ASCII characters, but not always a name that DNS would take.
        server_name: Option<String>,
        /// The extension of ECH is there, real or not: see the module's head.
        encrypted: bool,
    },
}

/// Why there is no whole ClientHello.
enum Fault {
    Incomplete,
    Malformed,
}

/// Reads the bytes that a client sent so far.
#[must_use]
pub fn read(bytes: &[u8]) -> Hello {
    let (looked_at, is_long) = match bytes.split_at_checked(LONGEST_BYTES) {
        Some((start, _)) => (start, true),
        None => (bytes, false),
    };
    let message = match message(looked_at) {
        Ok(message) => message,
        Err(Fault::Incomplete) if !is_long => return Hello::Incomplete,
        Err(_) => return Hello::NotTls,
    };
    extensions(&message).map_or(Hello::NotTls, |(server_name, encrypted)| Hello::Tls {
        server_name,
        encrypted,
    })
}

/// Whether a PostgreSQL client asks for TLS: eight bytes, and not one more before the server has said `S` to them, after which the
/// ClientHello comes (PostgreSQL's documentation, "Message Formats", `SSLRequest`).
///
/// A client with a Kerberos ticket may ask for GSSAPI encryption first (code 80877104), which a server may refuse with `N`.
#[must_use]
pub fn is_postgres_ssl_request(bytes: &[u8]) -> bool {
    const LENGTH: [u8; 4] = 8_u32.to_be_bytes();
    const CODE: [u8; 4] = 80_877_103_u32.to_be_bytes();
    bytes
        .split_first_chunk()
        .is_some_and(|(length, code)| *length == LENGTH && code == CODE)
}

/// The body of the ClientHello, put together from the records that carry it.
fn message(mut stream: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut handshake = Vec::new();
    loop {
        if let Some(body) = body(&handshake)? {
            return Ok(body.to_vec());
        }
        let length = take_record_header(&mut stream)?;
        let (fragment, after, is_whole) = match stream.split_at_checked(length) {
            Some((fragment, after)) => (fragment, after, true),
            None => (stream, stream, false),
        };
        handshake.extend_from_slice(fragment);
        if !is_whole {
            // What is there may already show that it is no ClientHello.
            body(&handshake)?;
            return Err(Fault::Incomplete);
        }
        stream = after;
    }
}

/// The length of the next record's fragment (RFC 8446, section 5.1): a handshake record, never empty.
fn take_record_header(stream: &mut &[u8]) -> Result<usize, Fault> {
    const HANDSHAKE: u8 = 22;
    const MAJOR_VERSION: u8 = 3;
    const LONGEST_FRAGMENT: usize = 1 << 14;
    let malformed =
        |at: usize, holds: fn(u8) -> bool| stream.get(at).is_some_and(|byte| !holds(*byte));
    if malformed(0, |byte| byte == HANDSHAKE)
        || malformed(1, |byte| byte == MAJOR_VERSION)
        || malformed(2, |byte| byte <= 4)
        || malformed(3, |byte| usize::from(byte) << 8 <= LONGEST_FRAGMENT)
    {
        return Err(Fault::Malformed);
    }
    let (header, after) = stream.split_first_chunk().ok_or(Fault::Incomplete)?;
    let [_, _, _, high, low] = *header;
    *stream = after;
    match usize::from(u16::from_be_bytes([high, low])) {
        length @ 1..=LONGEST_FRAGMENT => Ok(length),
        _ => Err(Fault::Malformed),
    }
}

/// The ClientHello's body, where enough of the handshake is there (RFC 8446, section 4).
fn body(handshake: &[u8]) -> Result<Option<&[u8]>, Fault> {
    const CLIENT_HELLO: u8 = 1;
    if handshake.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(Fault::Malformed);
    }
    let Some(([_, high, middle, low], after)) = handshake.split_first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    match usize::try_from(length) {
        Ok(length) if length <= LONGEST_BYTES => {
            Ok(after.split_at_checked(length).map(|(body, _)| body))
        }
        _ => Err(Fault::Malformed),
    }
}

/// The server name, and whether there is an extension of ECH; `None` for what is malformed.
fn extensions(body: &[u8]) -> Option<(Option<String>, bool)> {
    const SERVER_NAME: u16 = 0;
    const ENCRYPTED_CLIENT_HELLO: u16 = 0xFE0D;
    let mut rest = body;
    take::<34>(&mut rest)?; // version and random
    let session = take_short_vector(&mut rest)?;
    let ciphers = take_vector(&mut rest)?;
    let compressions = take_short_vector(&mut rest)?;
    let is_sound = session.len() <= 32 && ciphers.len() >= 2 && ciphers.len() % 2 == 0;
    if !is_sound || compressions.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((None, false)); // a client from before extensions (RFC 5246, section 7.4.1.2)
    }
    let (mut server_name, mut encrypted) = (None, false);
    let mut list = take_vector(&mut rest)?;
    while !list.is_empty() {
        let kind = take(&mut list).map(u16::from_be_bytes)?;
        let data = take_vector(&mut list)?;
        match kind {
            SERVER_NAME if server_name.is_some() => return None,
            SERVER_NAME => server_name = Some(host_name(data)?),
            ENCRYPTED_CLIENT_HELLO => encrypted = true,
            _ => (),
        }
    }
    rest.is_empty().then(|| (server_name.flatten(), encrypted))
}

/// The name of type `host_name` in a list of server names, where there is one; `None` where it is malformed or there are two.
fn host_name(mut data: &[u8]) -> Option<Option<String>> {
    const HOST_NAME: u8 = 0;
    let mut list = take_vector(&mut data)?;
    if list.is_empty() || !data.is_empty() {
        return None;
    }
    let mut host = None;
    while !list.is_empty() {
        let [kind] = take(&mut list)?;
        let name = take_vector(&mut list)?;
        if kind == HOST_NAME && host.replace(folded(name)?).is_some() {
            return None;
        }
    }
    Some(host)
}

/// A host name as it is compared. The standard wants no final dot, some clients send one.
fn folded(name: &[u8]) -> Option<String> {
    const LONGEST_NAME: usize = 255;
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_visible = name.iter().all(u8::is_ascii_graphic);
    let is_sound = !name.is_empty() && name.len() <= LONGEST_NAME && is_visible;
    let text = std::str::from_utf8(name).ok()?;
    is_sound.then(|| text.to_ascii_lowercase())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

/// Bytes behind one byte of length.
fn take_short_vector<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [length] = take(rest)?;
    take_bytes(rest, usize::from(length))
}

/// Bytes behind two bytes of length.
fn take_vector<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest).map(u16::from_be_bytes)?;
    take_bytes(rest, usize::from(length))
}

fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests;
