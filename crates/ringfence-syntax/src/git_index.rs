//! `.git/index`: which paths git tracks.
//!
//! ```text
//! index     = "DIRC" , version , count , { entry } , { extension } , checksum
//! entry     = 40 bytes , object id , flags , [ more flags ] , name , padding
//! extension = 4 letters , size , content
//! ```
//!
//! All numbers are big-endian. The format is git's own documentation's (`gitformat-index`). Versions 2 and 3 write
//! each name in full and pad with one to eight NUL bytes to a multiple of eight; version 4 writes how many bytes to
//! drop from the end of the name before, what to append, and one NUL. An object id has 20 bytes (SHA-1) or 32
//! (SHA-256), which the file does not say: every entry says the length of its name, and the extensions must end exactly
//! where the checksum begins, so the layout that fits is the one; the shorter is tried first.
//!
//! Nothing that the file announces is trusted: memory stays below a fixed multiple of its length. A path in conflict
//! stands in the index up to three times and is given once. In a sparse index a folder outside the checkout is one
//! path that ends in `/`. A split index keeps most of its paths in another file and is refused.
//!
//! ```
//! use ringfence_syntax::git_index::{Unreadable, paths};
//!
//! assert_eq!(paths(b"PK\x03\x04"), Err(Unreadable::NotAnIndex));
//! ```

use std::fmt;

/// Why an index cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The bytes do not begin like an index.
    NotAnIndex,
    /// A version that git's documentation does not have.
    UnknownVersion(u32),
    /// It ends before what it announces, or its lengths do not fit together.
    Cut,
    /// A split index: most paths are in a file beside it.
    Split,
    /// An extension without which the entries cannot be understood, by its four letters.
    UnknownExtension([u8; 4]),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIndex => write!(formatter, "this is no index of git"),
            Self::UnknownVersion(version) => {
                write!(formatter, "version {version} of git's index is not known")
            }
            Self::Cut => write!(
                formatter,
                "the index is cut off, or its lengths do not fit together"
            ),
            Self::Split => write!(
                formatter,
                "the index is split: most of its paths are in another file"
            ),
            Self::UnknownExtension(letters) => write!(
                formatter,
                "the extension `{}` of git's index is not known",
                letters.escape_ascii()
            ),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The tracked paths, in the order of the index (by bytes), each once; invalid UTF-8 is replaced.
///
/// # Errors
///
/// [`Unreadable`] says what is wrong; there is no partial answer, because a path that is missing from it would look
/// untracked.
pub fn paths(bytes: &[u8]) -> Result<Vec<String>, Unreadable> {
    let mut reader = Reader { rest: bytes };
    if reader.take(4) != Ok(b"DIRC".as_slice()) {
        return Err(Unreadable::NotAnIndex);
    }
    let version = reader.number()?;
    if !(2..=4).contains(&version) {
        return Err(Unreadable::UnknownVersion(version));
    }
    let count = reader.number()?;
    let read = |id_length| {
        Layout { version, id_length }
            .read(reader.rest, count)
            .map(|names| decoded(&names))
    };
    match read(SHA1_LENGTH) {
        Err(reason @ (Unreadable::Cut | Unreadable::UnknownExtension(_))) => read(SHA256_LENGTH)
            .map_err(|other| {
                if other == Unreadable::Split {
                    other
                } else {
                    reason
                }
            }),
        known => known,
    }
}

const SHA1_LENGTH: usize = 20;
const SHA256_LENGTH: usize = 32;

/// All names together may be so many times as long as the index.
///
/// Version 4 can repeat the name before with two bytes; without a limit, memory would grow with the square of the
/// file's length. Real ones stay below 3.
const MAX_EXPANSION: usize = 16;

/// Bytes of an entry before its object id: times, device, mode, owner, size.
const BEFORE_ID: usize = 40;
/// Bytes of the times, device and inode before the mode.
const BEFORE_MODE: usize = 24;
/// An entry's flag that more flags follow.
const EXTENDED: u16 = 0x4000;
/// The part of an entry's flags that is the length of its name; all ones for this length and all above.
const NAME_LENGTH: u16 = 0x0fff;

/// What the beginning of an index says, and a guess at what it does not say.
#[derive(Clone, Copy)]
struct Layout {
    version: u32,
    id_length: usize,
}

impl Layout {
    /// The name of every entry; `body` is all that follows the header.
    fn read(self, body: &[u8], count: u32) -> Result<Vec<Vec<u8>>, Unreadable> {
        let mut reader = Reader { rest: body };
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut budget = body.len().saturating_mul(MAX_EXPANSION);
        for _ in 0..count {
            let before = names.last().map(Vec::as_slice).unwrap_or_default();
            let name = self.entry(&mut reader, before, budget)?;
            budget = budget.checked_sub(name.len()).ok_or(Unreadable::Cut)?;
            names.push(name);
        }
        self.extensions(reader)?;
        Ok(names)
    }

    /// Reads one entry and gives its name; `before` is the name of the entry before.
    fn entry(
        self,
        reader: &mut Reader,
        before: &[u8],
        budget: usize,
    ) -> Result<Vec<u8>, Unreadable> {
        let start = reader.rest.len();
        reader.take(BEFORE_MODE)?;
        if !is_mode(reader.number()?) {
            return Err(Unreadable::Cut);
        }
        reader.take(BEFORE_ID - BEFORE_MODE - 4 + self.id_length)?;
        let flags = reader.flags()?;
        if flags & EXTENDED != 0 {
            if self.version == 2 {
                return Err(Unreadable::Cut);
            }
            reader.flags()?;
        }
        let name = if self.version == 4 {
            let dropped = reader.offset_number()?;
            let kept = before.len().checked_sub(dropped).ok_or(Unreadable::Cut)?;
            let added = reader.until_nul()?;
            if kept + added.len() > budget {
                return Err(Unreadable::Cut);
            }
            [before.get(..kept).unwrap_or_default(), added].concat()
        } else {
            let name = reader.until_nul()?.to_vec();
            let length = start - reader.rest.len();
            reader.padding(length.next_multiple_of(8) - length)?;
            name
        };
        let announced = usize::from(flags & NAME_LENGTH);
        let fits = name.len().min(usize::from(NAME_LENGTH)) == announced;
        fits.then_some(name).ok_or(Unreadable::Cut)
    }

    /// Walks over the extensions: they must end where the checksum begins.
    ///
    /// Git ignores an unknown one that begins with a capital letter, and refuses the index for any other.
    fn extensions(self, mut reader: Reader) -> Result<(), Unreadable> {
        while reader.rest.len() > self.id_length {
            let letters = reader.take(4)?.first_chunk().ok_or(Unreadable::Cut)?;
            let size = usize::try_from(reader.number()?).map_err(|_| Unreadable::Cut)?;
            reader.take(size)?;
            match letters {
                b"link" => return Err(Unreadable::Split),
                b"sdir" | [b'A'..=b'Z', ..] => {}
                _ => return Err(Unreadable::UnknownExtension(*letters)),
            }
        }
        (reader.rest.len() == self.id_length)
            .then_some(())
            .ok_or(Unreadable::Cut)
    }
}

/// Whether this is the mode of a file, a symbolic link, a submodule or, in a sparse index, a folder.
fn is_mode(mode: u32) -> bool {
    matches!(mode >> 12, 0o10 | 0o12 | 0o16 | 0o4)
}

/// The names as text, those in a row that are the same once.
fn decoded(names: &[Vec<u8>]) -> Vec<String> {
    let once = names.chunk_by(|one, other| one == other);
    once.filter_map(|same| same.first())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Unreadable::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, Unreadable> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unreadable::Cut)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn flags(&mut self) -> Result<u16, Unreadable> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unreadable::Cut)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    /// A number of seven bits per byte, one added for every byte that follows: git's "offset encoding".
    fn offset_number(&mut self) -> Result<usize, Unreadable> {
        let mut number = 0_usize;
        loop {
            let byte = *self.take(1)?.first().ok_or(Unreadable::Cut)?;
            number = number
                .checked_mul(128)
                .and_then(|shifted| shifted.checked_add(usize::from(byte & 0x7f)))
                .ok_or(Unreadable::Cut)?;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            number = number.checked_add(1).ok_or(Unreadable::Cut)?;
        }
    }

    /// The bytes before the next NUL, which is passed over.
    fn until_nul(&mut self) -> Result<&'b [u8], Unreadable> {
        let length = memchr::memchr(0, self.rest).ok_or(Unreadable::Cut)?;
        let name = self.take(length)?;
        self.take(1)?;
        Ok(name)
    }

    fn padding(&mut self, length: usize) -> Result<(), Unreadable> {
        let is_nul = self.take(length)?.iter().all(|byte| *byte == 0);
        is_nul.then_some(()).ok_or(Unreadable::Cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An index of version 2 or 4 with these names, in which nothing is dropped from the name before.
    fn index(version: u8, id_length: usize, names: &[&str]) -> Vec<u8> {
        let mut bytes = b"DIRC\0\0\0".to_vec();
        bytes.push(version);
        bytes.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        let mut before = 0;
        for name in names {
            let start = bytes.len();
            bytes.extend([7; BEFORE_MODE]);
            bytes.extend(0o100_644_u32.to_be_bytes());
            bytes.extend(vec![9; BEFORE_ID - BEFORE_MODE - 4 + id_length]);
            bytes.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
            if version == 4 {
                bytes.push(before);
                before = u8::try_from(name.len()).unwrap();
            }
            bytes.extend(name.bytes());
            bytes.push(0);
            let length = bytes.len() - start;
            let padding = if version == 4 {
                0
            } else {
                length.next_multiple_of(8) - length
            };
            bytes.extend(vec![0; padding]);
        }
        bytes.extend(vec![5; id_length]);
        bytes
    }

    fn with_extension(mut bytes: Vec<u8>, extension: &[u8]) -> Vec<u8> {
        let checksum = bytes.len() - SHA1_LENGTH;
        bytes.splice(checksum..checksum, extension.iter().copied());
        bytes
    }

    fn check(bytes: &[u8], expected: Result<&[&str], Unreadable>) {
        let found = paths(bytes);
        let found = found.as_ref().map_err(|reason| *reason);
        let names: Result<Vec<&str>, _> =
            found.map(|names| names.iter().map(String::as_str).collect());
        assert_eq!(names.as_deref().map_err(|reason| *reason), expected);
    }

    #[test]
    fn names() {
        for version in [2, 4] {
            for id_length in [SHA1_LENGTH, SHA256_LENGTH] {
                check(&index(version, id_length, &[]), Ok(&[]));
                let tracked = [".env", "a b", "a b", "é/ß"];
                let once = [".env", "a b", "é/ß"];
                check(&index(version, id_length, &tracked), Ok(&once));
            }
        }
    }

    #[test]
    fn invalid_text_is_replaced() {
        let mut bytes = index(2, SHA1_LENGTH, &["ab"]);
        let name = bytes.len() - SHA1_LENGTH - "ab".len() - 8;
        bytes[name] = 0xff;
        check(&bytes, Ok(&["\u{fffd}b"]));
    }

    #[test]
    fn what_is_no_index() {
        check(b"", Err(Unreadable::NotAnIndex));
        check(b"DIRC", Err(Unreadable::Cut));
        check(
            b"DIRC\0\0\0\x05\0\0\0\0",
            Err(Unreadable::UnknownVersion(5)),
        );
        check(b"DIRC\0\0\0\x02\xff\xff\xff\xff", Err(Unreadable::Cut));
    }

    #[test]
    fn extensions() {
        let known = index(2, SHA1_LENGTH, &["a"]);
        let with = |extension: &[u8]| with_extension(known.clone(), extension);
        check(&with(b"TREE\0\0\0\x02xx"), Ok(&["a"]));
        check(&with(b"sdir\0\0\0\0"), Ok(&["a"]));
        check(&with(b"link\0\0\0\x02xx"), Err(Unreadable::Split));
        check(&with(b"TREE\0\0\0\x03xx"), Err(Unreadable::Cut));
        check(&with(b"TREE\xff\xff\xff\xffxx"), Err(Unreadable::Cut));
        let unknown = Unreadable::UnknownExtension(*b"what");
        check(&with(b"what\0\0\0\0"), Err(unknown));
    }

    #[test]
    fn every_shortened_index_is_refused() {
        let whole = index(4, SHA1_LENGTH, &["a/b", "a/c"]);
        for length in 0..whole.len() {
            assert!(paths(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn repeated_names_cannot_fill_the_memory() {
        let long = "x".repeat(1_000_000);
        let mut bytes = b"DIRC\0\0\0\x04\0\0\xff\xff".to_vec();
        for added in std::iter::once(long.as_str()).chain(vec![""; 0xfffe]) {
            bytes.extend([0; BEFORE_MODE]);
            bytes.extend(0o100_644_u32.to_be_bytes());
            bytes.extend([0; BEFORE_ID - BEFORE_MODE - 4 + SHA1_LENGTH]);
            bytes.extend(NAME_LENGTH.to_be_bytes());
            bytes.push(0);
            bytes.extend(added.bytes());
            bytes.push(0);
        }
        bytes.extend([0; SHA1_LENGTH]);
        check(&bytes, Err(Unreadable::Cut));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            let _ = paths(&bytes);
        }

        #[test]
        fn a_changed_index_is_read_or_refused(
            version in prop::sample::select(vec![2, 4]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = index(version, SHA1_LENGTH, &["a", "b/c", "b/d"]);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            let _ = paths(&bytes);
        }
    }
}
