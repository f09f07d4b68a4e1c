//! All patterns in one pass.
//!
//! The text is looked at through a window of eight bytes, the shortest pattern's length. A table says from the last three bytes in the
//! window how far it can be moved without passing a pattern's beginning (Wu and Manber, "A fast algorithm for multi-pattern searching",
//! 1994). Where it cannot be moved, a second table says whether any pattern begins with these eight bytes, and the sorted list of
//! patterns gives the answer.

use zeroize::Zeroizing;

/// No pattern is shorter, in bytes.
const WINDOW: usize = 8;
/// So many bytes at the window's end choose how far it moves.
const BLOCK: usize = 3;
/// Both tables have two to this number of entries.
const TABLE_BITS: u32 = 16;

/// One way to write a secret.
pub(super) struct Spelling {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The secret's index.
    pub(super) name: usize,
}

/// Sorted patterns, and the tables for them.
pub(super) struct Search {
    patterns: Vec<Pattern>,
    labels: Vec<String>,
    moves: Zeroizing<Vec<u8>>,
    beginnings: Zeroizing<Vec<u8>>,
}

struct Pattern {
    spelling: Spelling,
    /// The longest of the other patterns that this one begins with.
    shorter: Option<usize>,
}

/// What begins at one place.
pub(super) struct Found {
    /// The longest pattern that is there: its length and its secret.
    pub(super) longest: Option<(usize, usize)>,
    /// Whether more text could make a longer one of it.
    pub(super) may_grow: bool,
}

impl Search {
    /// Sorts the patterns and makes the tables; of equal patterns the first counts. Those that are shorter than the window are left
    /// out.
    pub(super) fn new(mut spellings: Vec<Spelling>, labels: Vec<String>) -> Self {
        spellings.retain(|spelling| spelling.bytes.len() >= WINDOW);
        spellings.sort_by(|one, other| one.bytes.cmp(&other.bytes));
        spellings.dedup_by(|later, first| later.bytes == first.bytes);
        let (moves, beginnings) = tables(&spellings);
        Self {
            patterns: chained(spellings),
            labels,
            moves,
            beginnings,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = &[u8]> {
        self.patterns.iter().map(Pattern::bytes)
    }

    /// What stands in a secret's place.
    pub(super) fn label(&self, name: usize) -> &[u8] {
        self.labels.get(name).map_or(b"", |label| label.as_bytes())
    }

    /// The first place, at or after `from`, where a whole window is and a pattern may begin. None begins before it.
    pub(super) fn candidate(&self, text: &[u8], mut from: usize) -> Option<usize> {
        loop {
            let word = u64::from_le_bytes(*text.get(from..)?.first_chunk::<WINDOW>()?);
            let block = word >> (8 * (WINDOW - BLOCK));
            match self.moves.get(entry(block)) {
                Some(0) | None if self.begins(word) => return Some(from),
                Some(0) | None => from += 1,
                Some(bytes) => from += usize::from(*bytes),
            }
        }
    }

    fn begins(&self, word: u64) -> bool {
        self.beginnings.get(entry(word)) == Some(&1)
    }

    /// What begins where a text does.
    pub(super) fn at(&self, text: &[u8]) -> Found {
        let after = self
            .patterns
            .partition_point(|pattern| pattern.bytes() <= text);
        let next = self.patterns.get(after);
        // Every pattern that a text begins with is sorted before it, and all that are sorted between begin with that pattern, too.
        let mut before = after.checked_sub(1);
        let mut longest = None;
        while let (None, Some(pattern)) = (longest, before.and_then(|at| self.patterns.get(at))) {
            if text.starts_with(pattern.bytes()) {
                longest = Some((pattern.bytes().len(), pattern.spelling.name));
            }
            before = pattern.shorter;
        }
        Found {
            longest,
            may_grow: next.is_some_and(|pattern| pattern.bytes().starts_with(text)),
        }
    }

    /// The first place within the last bytes, too few for a window, from which on the text is a pattern's beginning; the text's length
    /// where there is none.
    pub(super) fn beginning(&self, text: &[u8]) -> usize {
        let first = text.len().saturating_sub(WINDOW - 1);
        let mut places = first..text.len();
        places
            .find(|at| text.get(*at..).is_some_and(|rest| self.at(rest).may_grow))
            .unwrap_or(text.len())
    }
}

impl Pattern {
    fn bytes(&self) -> &[u8] {
        &self.spelling.bytes
    }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4) of up to eight bytes.
fn entry(bytes: u64) -> usize {
    let product = bytes.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(product >> (u64::BITS - TABLE_BITS)).unwrap_or_default()
}

/// How far the window moves, and where patterns begin.
fn tables(spellings: &[Spelling]) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
    const FARTHEST: u8 = (WINDOW - BLOCK + 1) as u8;
    let size = 1 << TABLE_BITS;
    let mut moves = Zeroizing::new(vec![FARTHEST; size]);
    let mut beginnings = Zeroizing::new(vec![0; size]);
    let windows = spellings
        .iter()
        .filter_map(|spelling| spelling.bytes.first_chunk::<WINDOW>());
    for window in windows {
        for (before, block) in (1..=FARTHEST).rev().zip(window.windows(BLOCK)) {
            let block = block
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            if let Some(bytes) = moves.get_mut(entry(block)) {
                *bytes = (*bytes).min(before - 1);
            }
        }
        if let Some(begins) = beginnings.get_mut(entry(u64::from_le_bytes(*window))) {
            *begins = 1;
        }
    }
    (moves, beginnings)
}

/// Finds for each of the sorted patterns the one before that it begins with.
fn chained(spellings: Vec<Spelling>) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::with_capacity(spellings.len());
    for spelling in spellings {
        let mut shorter = patterns.len().checked_sub(1);
        while let Some(pattern) = shorter.and_then(|at| patterns.get(at)) {
            if spelling.bytes.starts_with(pattern.bytes()) {
                break;
            }
            shorter = pattern.shorter;
        }
        patterns.push(Pattern { spelling, shorter });
    }
    patterns
}
