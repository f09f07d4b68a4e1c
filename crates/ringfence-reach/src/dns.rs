//! DNS messages as the answerer of an environment reads and writes them (RFC 1035): one question, one answer, nothing forwarded.
//!
//! ```
//! use ringfence_reach::dns::{Answer, read, write};
//! let query = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x02db\0\x00\x01\x00\x01";
//! let question = read(query).ok_or("no question")?;
//! assert_eq!(question.name, "db");
//! let answer = write(&question, Answer::Address([127, 77, 0, 1].into()));
//! assert_eq!(answer[6..8], [0, 1]);
//! # Ok::<(), &str>(())
//! ```
//!
//! What always holds: reading is linear and never follows a pointer; an answer repeats the question byte for byte, with the
//! capitals that a client chose to recognize it by; an answer is shorter than 512 bytes, so that it is never truncated, over UDP
//! or over TCP (there, two bytes of length stand before each message: the caller's business).

use std::fmt::Write as _;
use std::net::IpAddr;

/// An IPv4 address (RFC 1035, section 3.4.1).
pub const A: u16 = 1;
/// An IPv6 address (RFC 3596, section 2.1).
pub const AAAA: u16 = 28;
/// Whatever there is (RFC 8482).
pub const ANY: u16 = 255;
/// The class of the internet (RFC 1035, section 3.2.4).
pub const INTERNET: u16 = 1;
/// How long an answer may be kept, in seconds: an environment's addresses last as long as its process.
pub const TTL_SECONDS: u32 = 5;

/// The pseudo-record of EDNS (RFC 6891, section 6.1).
const OPT: u16 = 41;
/// What the answerer takes over UDP, in bytes, as the DNS flag day of 2020 agreed; it writes less than 512.
const PAYLOAD_BYTES: u16 = 1232;
/// The longest name on the wire, in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 255;

/// Bits of the header's second word (RFC 1035, section 4.1.1; RFC 4035, section 3.2.2).
mod flag {
    pub(super) const RESPONSE: u16 = 0x8000;
    pub(super) const OPCODE: u16 = 0x7800;
    pub(super) const RECURSION_DESIRED: u16 = 0x0100;
    pub(super) const RECURSION_AVAILABLE: u16 = 0x0080;
    pub(super) const CHECKING_DISABLED: u16 = 0x0010;
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Repeated in the answer.
    pub id: u16,
    /// The second word of the header.
    pub flags: u16,
    /// In small letters, without the final dot, empty for the root. A byte that is no visible character, and a dot or backslash
    /// inside a label, is escaped as in zone files (RFC 1035, section 5.1), so that no two names look alike.
    pub name: String,
    /// The type that is asked for: [`A`], [`AAAA`] or another.
    pub kind: u16,
    /// Mostly [`INTERNET`].
    pub class: u16,
    /// The question as it came: name, type, class.
    wire: Vec<u8>,
    edns: Option<Edns>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The name's address, where the question is for one of that family or for [`ANY`]; otherwise as [`Self::Empty`].
    Address(IpAddr),
    /// The name is known, and has nothing of the type that is asked for.
    Empty,
    /// There is no such name.
    NoSuchName,
    /// The answerer does not say.
    Refused,
    /// The answerer could not find out.
    Failed,
}

impl Answer {
    /// The response code (RFC 1035, section 4.1.1).
    const fn code(self) -> u16 {
        match self {
            Self::Address(_) | Self::Empty => 0,
            Self::Failed => 2,
            Self::NoSuchName => 3,
            Self::Refused => 5,
        }
    }
}

/// What a query's OPT record says (RFC 6891, section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edns {
    version: u8,
    /// DNSSEC records are welcome; repeated (RFC 3225, section 3).
    is_dnssec_ok: bool,
}

/// The question of a query.
///
/// `None` for what is malformed, is itself a response, is no ordinary query (opcode 0), or has not exactly one question
/// (RFC 9619). A pointer in the question's name is malformed: no name stands before it that it could point to.
#[must_use]
pub fn read(message: &[u8]) -> Option<Question> {
    let mut rest = message;
    let (id, flags) = (take_u16(&mut rest)?, take_u16(&mut rest)?);
    let (questions, answers) = (take_u16(&mut rest)?, take_u16(&mut rest)?);
    let (authorities, additions) = (take_u16(&mut rest)?, take_u16(&mut rest)?);
    if flags & (flag::RESPONSE | flag::OPCODE) != 0 || questions != 1 {
        return None;
    }
    let start = rest;
    let name = take_name(&mut rest)?;
    let (kind, class) = (take_u16(&mut rest)?, take_u16(&mut rest)?);
    let (wire, _) = start.split_at_checked(start.len() - rest.len())?;
    for _ in 0..u32::from(answers) + u32::from(authorities) {
        take_record(&mut rest)?;
    }
    let edns = take_edns(&mut rest, additions)?;
    rest.is_empty().then(|| Question {
        id,
        flags,
        name,
        kind,
        class,
        wire: wire.to_vec(),
        edns,
    })
}

/// The message that answers a question. A version of EDNS that is not known is answered with `BADVERS` (RFC 6891, section 6.1.3).
#[must_use]
pub fn write(question: &Question, answer: Answer) -> Vec<u8> {
    const BAD_VERSION: u16 = 16;
    let code = match question.edns {
        Some(edns) if edns.version > 0 => BAD_VERSION,
        _ => answer.code(),
    };
    let data = match answer {
        Answer::Address(address) if code == 0 => record_data(question.kind, address),
        _ => None,
    };
    let counts = [
        1,
        u16::from(data.is_some()),
        0,
        u16::from(question.edns.is_some()),
    ];
    let mut message = header(question.id, question.flags, code & 0xF, counts);
    message.extend_from_slice(&question.wire);
    if let Some((kind, data)) = data {
        message.extend_from_slice(&NAME_OF_QUESTION.to_be_bytes());
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&question.class.to_be_bytes());
        message.extend_from_slice(&TTL_SECONDS.to_be_bytes());
        let length = u16::try_from(data.len()).unwrap_or_default();
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&data);
    }
    if let Some(edns) = question.edns {
        write_edns(&mut message, edns, code);
    }
    message
}

/// The answer `FORMERR` to a message that [`read`] refuses; `None` for what must not be answered: a response, or less than a header.
#[must_use]
pub fn write_format_error(message: &[u8]) -> Option<Vec<u8>> {
    const FORMAT_ERROR: u16 = 1;
    const HEADER_BYTES: usize = 12;
    let mut rest = message;
    let (id, flags) = (take_u16(&mut rest)?, take_u16(&mut rest)?);
    let is_answered = flags & flag::RESPONSE == 0 && message.len() >= HEADER_BYTES;
    is_answered.then(|| header(id, flags, FORMAT_ERROR, [0; 4]))
}

/// A pointer to the name of the question, which stands right after the header (RFC 1035, section 4.1.4).
const NAME_OF_QUESTION: u16 = 0xC00C;

/// The type and data of the record that holds the address, where the question is for it.
fn record_data(asked: u16, address: IpAddr) -> Option<(u16, Vec<u8>)> {
    let (kind, data) = match address {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    (asked == kind || asked == ANY).then_some((kind, data))
}

fn header(id: u16, flags: u16, code: u16, counts: [u16; 4]) -> Vec<u8> {
    let kept = flags & (flag::OPCODE | flag::RECURSION_DESIRED | flag::CHECKING_DISABLED);
    let flags = flag::RESPONSE | flag::RECURSION_AVAILABLE | kept | code;
    let words = [id, flags].into_iter().chain(counts);
    words.flat_map(u16::to_be_bytes).collect()
}

/// The OPT record: the root's name, the size in place of a class, and three fields in place of a time (RFC 6891, section 6.1.2).
fn write_edns(message: &mut Vec<u8>, edns: Edns, code: u16) {
    const DNSSEC_OK: u16 = 0x8000;
    let more_of_code = code >> 4;
    message.push(0);
    let flags = if edns.is_dnssec_ok { DNSSEC_OK } else { 0 };
    let words = [OPT, PAYLOAD_BYTES, more_of_code << 8, flags, 0];
    message.extend(words.into_iter().flat_map(u16::to_be_bytes));
}

/// A name without pointers; `None` where it is cut off or longer than [`NAME_BYTES`].
fn take_name(rest: &mut &[u8]) -> Option<String> {
    const LONGEST_LABEL: u8 = 63;
    let before = rest.len();
    let mut name = String::new();
    loop {
        let length = take_u8(rest)?;
        if length > LONGEST_LABEL {
            return None;
        }
        let (label, after) = rest.split_at_checked(usize::from(length))?;
        *rest = after;
        if before - rest.len() > NAME_BYTES {
            return None;
        }
        if label.is_empty() {
            return Some(name);
        }
        if !name.is_empty() {
            name.push('.');
        }
        label.iter().for_each(|byte| push_escaped(&mut name, *byte));
    }
}

fn push_escaped(name: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' => name.extend(['\\', char::from(byte)]),
        b'!'..=b'~' => name.push(char::from(byte.to_ascii_lowercase())),
        // Writing to a `String` cannot fail.
        _ => drop(write!(name, "\\{byte:03}")),
    }
}

/// A resource record's name, which may end in a pointer that is not followed, its type, class, time and data.
fn take_record(rest: &mut &[u8]) -> Option<Record> {
    let is_root = rest.first() == Some(&0);
    loop {
        match take_u8(rest)? {
            0 => break,
            0xC0.. => {
                take_u8(rest)?;
                break;
            }
            length @ 1..64 => *rest = rest.split_at_checked(usize::from(length))?.1,
            _ => return None,
        }
    }
    let kind = take_u16(rest)?;
    take_u16(rest)?;
    let [_, version, flags, _] = take(rest)?;
    let length = take_u16(rest)?;
    *rest = rest.split_at_checked(usize::from(length))?.1;
    let edns = Edns {
        version,
        is_dnssec_ok: flags & 0x80 != 0,
    };
    Some(Record {
        kind,
        is_root,
        edns,
    })
}

/// What matters of a record: whether it is the OPT record, and what that says.
struct Record {
    kind: u16,
    is_root: bool,
    edns: Edns,
}

/// The OPT record among `count` records, of which one at most may be there, with the root's name (RFC 6891, section 6.1.1).
fn take_edns(rest: &mut &[u8], count: u16) -> Option<Option<Edns>> {
    let mut edns = None;
    for _ in 0..count {
        let record = take_record(rest)?;
        if record.kind == OPT && (!record.is_root || edns.replace(record.edns).is_some()) {
            return None;
        }
    }
    Some(edns)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    take::<1>(rest).map(u8::from_be_bytes)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests;
