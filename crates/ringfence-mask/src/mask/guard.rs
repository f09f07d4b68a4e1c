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

/// Four characters in lower case, and where in a text they are.
struct Run {
    characters: [char; LENGTH],
    begin: usize,
    end: usize,
}

impl Guard {
    /// Forgets the last original and takes this one.
    pub(super) fn load(&mut self, original: &str) {
        self.whole.clear();
        self.whole
            .extend(original.chars().flat_map(char::to_lowercase));
        let size = u32::try_from(self.whole.len().max(16).saturating_mul(16))
            .unwrap_or(u32::MAX)
            .min(1 << 27)
            .next_power_of_two();
        self.mask = size - 1;
        self.bits.clear();
        self.bits.resize(usize::try_from(size / 64).unwrap_or(1), 0);
        for run in runs_of(&self.whole) {
            let (word, bit) = self.place(&run);
            if let Some(word) = self.bits.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a run of the original occurs in the text where it touches what was drawn, or the text is the original.
    pub(super) fn survives(&self, text: &str, drawn: &[(usize, usize)]) -> bool {
        self.is_whole(text)
            || runs_of(text).any(|run| {
                let touches = |(begin, end): &(usize, usize)| run.begin < *end && run.end > *begin;
                self.knows(&run) && drawn.iter().any(touches)
            })
    }

    fn is_whole(&self, text: &str) -> bool {
        let lower = text.chars().flat_map(char::to_lowercase);
        text.len() == self.whole.len() && lower.eq(self.whole.chars())
    }

    fn knows(&self, run: &Run) -> bool {
        let (word, bit) = self.place(run);
        let perhaps = self.bits.get(word).is_some_and(|word| word & bit != 0);
        perhaps && self.whole.contains(&String::from_iter(run.characters))
    }

    fn place(&self, run: &Run) -> (usize, u64) {
        let hash = run.characters.iter().fold(0_u64, |hash, character| {
            (hash.rotate_left(23) ^ u64::from(*character)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let at = u32::try_from(hash >> 32).unwrap_or(0) & self.mask;
        (usize::try_from(at / 64).unwrap_or(0), 1 << (at % 64))
    }
}

/// Each run of four characters in lower case.
fn runs_of(text: &str) -> impl Iterator<Item = Run> {
    let mut last = [('\0', 0_usize); LENGTH];
    let characters = text.char_indices().flat_map(|(at, character)| {
        let end = at + character.len_utf8();
        let lower = character.to_lowercase();
        lower.map(move |lower| (lower, at, end))
    });
    characters
        .enumerate()
        .filter_map(move |(count, (character, at, end))| {
            last.rotate_left(1);
            if let Some(place) = last.last_mut() {
                *place = (character, at);
            }
            let run = Run {
                characters: last.map(|(character, _)| character),
                begin: last.first().map_or(0, |(_, at)| *at),
                end,
            };
            (count + 1 >= LENGTH).then_some(run)
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
