//! Which bytes are text: UTF-8 with or without a byte order mark, and nothing else.

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};

const UTF_8_MARK: &str = "\u{feff}";

/// The text and the length of its byte order mark, or why there is none.
pub(super) fn decode(source: SourceId, bytes: &[u8]) -> Result<(&str, usize), Box<Diagnostic>> {
    if is_utf_16(bytes) {
        return Err(Box::new(utf_16(source)));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Box::new(not_utf_8(source, error.valid_up_to())))?;
    if let Some(offset) = memchr::memchr(0, bytes) {
        return Err(Box::new(nul(source, offset)));
    }
    let mark = if text.starts_with(UTF_8_MARK) {
        UTF_8_MARK.len()
    } else {
        0
    };
    Ok((text, mark))
}

/// A UTF-16 byte order mark, or a beginning of which every second byte is NUL.
fn is_utf_16(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 64;
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let pairs = bytes
        .get(..bytes.len().min(LOOKED_AT))
        .unwrap_or_default()
        .chunks_exact(2);
    let zero_in = |index: usize| {
        pairs
            .clone()
            .all(|pair| pair.get(index) == Some(&0) && pair.get(1 - index) != Some(&0))
    };
    marked || (pairs.len() > 1 && (zero_in(0) || zero_in(1)))
}

fn utf_16(source: SourceId) -> Diagnostic {
    Diagnostic::error("utf-16", "the file is UTF-16, not UTF-8")
        .at(Place::new(source, Span::at(0)), "the file begins here")
        .because("most loaders find no setting in it and say nothing")
        .help("save it as UTF-8; in Windows PowerShell: `Set-Content -Encoding utf8`")
}

fn not_utf_8(source: SourceId, offset: usize) -> Diagnostic {
    Diagnostic::error("not-utf-8", "the file is not UTF-8")
        .at(Place::new(source, Span::at(offset)), "the first byte that is no UTF-8")
        .because("loaders replace the byte or drop the file, so the value would not be what was meant")
        .help("save the file as UTF-8; `iconv -f latin1 -t utf-8` converts the most common other encoding")
}

fn nul(source: SourceId, offset: usize) -> Diagnostic {
    Diagnostic::error("nul-byte", "the file has a NUL byte in it")
        .at(Place::new(source, Span::new(offset, offset + 1)), "here")
        .because("no environment variable can hold one: the value would be cut off there")
        .help("remove it, or encode binary values, for example as base64")
}
