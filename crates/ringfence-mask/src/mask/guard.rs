//! Whether anything of an original survives in what was written for it.

/// How many characters in a row must not survive.
const LENGTH: usize = 4;

/// The places of a text that were drawn, as byte ranges; all else comes from the rule.
pub(super) type Drawn = Vec<(usize, usize)>;

/// Remembers the runs of four characters of one original, in lower case.
#[derive(Clone, Default)]
pub(super) struct Guard {
    /// A filter with 16 bits and more for each run, so that most of what was drawn need not be looked for.
    bits: Vec<u64>,
    mask: u32,
    whole: String,
}

impl Guard {
    /// Forgets the last original and takes this one.
    pub(super) fn load(&mut self, original: &str) {
        self.whole.clear();
        match original.is_ascii() {
            true => {
                self.whole.push_str(original);
                self.whole.make_ascii_lowercase();
            }
            false => self
                .whole
                .extend(original.chars().flat_map(char::to_lowercase)),
        }
        let size = u32::try_from(self.whole.len().max(16).saturating_mul(16))
            .unwrap_or(u32::MAX)
            .min(1 << 27)
            .next_power_of_two();
        self.mask = size - 1;
        self.bits.clear();
        self.bits.resize(usize::try_from(size / 64).unwrap_or(1), 0);
        let (bits, mask) = (&mut self.bits, self.mask);
        each_run(&self.whole, |run, _, _| {
            let (word, bit) = place(run, mask);
            if let Some(word) = bits.get_mut(word) {
                *word |= bit;
            }
            false
        });
    }

    /// Whether a run of the original occurs in the text where it touches what was drawn, or the text is the original.
    pub(super) fn survives(&self, text: &str, drawn: &[(usize, usize)]) -> bool {
        self.is_whole(text)
            || each_run(text, |run, from, to| {
                self.may_know(run)
                    && drawn.iter().any(|(begin, end)| from < *end && to > *begin)
                    && self.knows(text.get(from..to).unwrap_or_default())
            })
    }

    /// Whether a run of the original occurs anywhere in the text.
    pub(super) fn meets(&self, text: &str) -> bool {
        each_run(text, |run, from, to| {
            self.may_know(run) && self.knows(text.get(from..to).unwrap_or_default())
        })
    }

    fn is_whole(&self, text: &str) -> bool {
        let lower = text.chars().flat_map(char::to_lowercase);
        text.len() == self.whole.len() && lower.eq(self.whole.chars())
    }

    fn may_know(&self, run: u64) -> bool {
        let (word, bit) = place(run, self.mask);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    fn knows(&self, run: &str) -> bool {
        self.whole.contains(&run.to_lowercase())
    }
}

fn place(run: u64, mask: u32) -> (usize, u64) {
    let hash = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let at = u32::try_from(hash).unwrap_or(0) & mask;
    (usize::try_from(at / 64).unwrap_or(0), 1 << (at % 64))
}

/// Calls a function for each run of four characters with a number for it in lower case, and where it begins and ends, until one is met.
fn each_run(text: &str, mut met: impl FnMut(u64, usize, usize) -> bool) -> bool {
    if !text.is_ascii() {
        return each_wide_run(text, met);
    }
    let mut run = 0_u32;
    text.bytes().enumerate().any(|(at, byte)| {
        run = (run << 8) | u32::from(byte.to_ascii_lowercase());
        at + 1 >= LENGTH && met(u64::from(run), at + 1 - LENGTH, at + 1)
    })
}

fn each_wide_run(text: &str, mut met: impl FnMut(u64, usize, usize) -> bool) -> bool {
    let mut last = [(0_u64, 0_usize); LENGTH];
    let characters = text.char_indices().flat_map(|(at, character)| {
        let end = at + character.len_utf8();
        let lower = character.to_lowercase();
        lower.map(move |lower| (u64::from(lower), at, end))
    });
    characters.enumerate().any(|(count, (character, at, end))| {
        last.rotate_left(1);
        if let Some(place) = last.last_mut() {
            *place = (character, at);
        }
        // Of four ASCII characters, the number is that of the other way.
        let run = last
            .iter()
            .fold(0_u64, |run, (character, _)| match character {
                0..0x80 => run.rotate_left(8) ^ character,
                _ => run.rotate_left(8) ^ character.wrapping_mul(0xa24b_aed4_963e_e407),
            });
        let begin = last.first().map_or(0, |(_, at)| *at);
        count + 1 >= LENGTH && met(run, begin, end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives(original: &str, text: &str) -> bool {
        let mut guard = Guard::default();
        guard.load(original);
        guard.survives(text, &[(0, text.len())])
    }

    #[test]
    fn four_characters_survive_in_any_case() {
        assert!(survives("Christina", "xxCHRIxx"));
        assert!(survives("straße", "1 TRAß"));
        assert!(!survives("Christina", "Chr ist ina"));
        assert!(survives("Bob", "bob"));
        assert!(!survives("Bob", "Bobby"));
        assert!(survives("中文字符", "x中文字符"));
    }

    #[test]
    fn what_the_rule_spells_is_no_survivor() {
        let mut guard = Guard::default();
        guard.load("ada@example.invalid");
        let text = "q7x2@example.invalid";
        assert!(!guard.survives(text, &[(0, 4)]));
        assert!(guard.survives("2ada@", &[(0, 4)]));
    }
}
