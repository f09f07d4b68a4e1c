//! The lists that names, places and words are picked from: those of the `fake` crate. Its generators are not used: they draw from random
//! numbers in ways that change between releases, and a result has to follow from the key alone.

use fake::locales::{AR_SA, DE_DE, Data, EN, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, TR_TR, ZH_CN};
use sha2::{Digest, Sha256};

use crate::rule::Language;

/// Given names and family names.
pub(super) struct Names {
    pub(super) first: &'static [&'static str],
    pub(super) last: &'static [&'static str],
    /// What stands between them, the family name first or last.
    pub(super) family_first: Option<&'static str>,
}

pub(super) const WORDS: &[&str] = EN::LOREM_WORD;
pub(super) const CITY_SUFFIXES: &[&str] = EN::ADDRESS_CITY_SUFFIX;
pub(super) const STREET_SUFFIXES: &[&str] = EN::ADDRESS_STREET_SUFFIX;

const ALL: [Language; 10] = [
    Language::Ar,
    Language::De,
    Language::En,
    Language::Fr,
    Language::It,
    Language::Ja,
    Language::Nl,
    Language::Pt,
    Language::Tr,
    Language::Zh,
];

pub(super) fn names(language: Language) -> Names {
    fn of<L: Data>(family_first: Option<&'static str>) -> Names {
        Names {
            first: L::NAME_FIRST_NAME,
            last: L::NAME_LAST_NAME,
            family_first,
        }
    }
    match language {
        Language::Ar => of::<AR_SA>(None),
        Language::De => of::<DE_DE>(None),
        Language::En => of::<EN>(None),
        Language::Fr => of::<FR_FR>(None),
        Language::It => of::<IT_IT>(None),
        Language::Ja => of::<JA_JP>(Some(" ")),
        Language::Nl => of::<NL_NL>(None),
        Language::Pt => of::<PT_BR>(None),
        Language::Tr => of::<TR_TR>(None),
        Language::Zh => of::<ZH_CN>(Some("")),
    }
}

/// SHA-256 over all lists, in hexadecimal: where it changes, so do results, and [`crate::rule::REVISION`] has to be raised.
#[must_use]
pub fn fingerprint() -> String {
    let mut hash = Sha256::new();
    let names = ALL.map(names);
    let lists = names.iter().flat_map(|names| [names.first, names.last]);
    for list in lists.chain([WORDS, CITY_SUFFIXES, STREET_SUFFIXES]) {
        for word in list {
            hash.update(word.as_bytes());
            hash.update([0]);
        }
        hash.update([1]);
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
