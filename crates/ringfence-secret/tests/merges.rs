//! Two branches of one file: 50 pairs of edits in each form, the same in every run, join to the union of both.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use ringfence_secret::identity::{Identity, Recipient};
use ringfence_secret::sops::{File, Format, MergeError, Opened};
use serde_json::{Value, json};

const NOW: &str = "2026-01-02T03:04:05Z";
const PAIRS: u64 = 50;

/// Numbers that look like chance (xorshift64*, Vigna 2016), the same in each run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn word(&mut self) -> String {
        const PIECES: [&str; 8] = ["a", "Z9", "ü", "\n", "\\n", "=", "\"", "# "];
        (0..self.below(9))
            .map(|_| PIECES[self.below(PIECES.len())])
            .collect()
    }

    /// Any value that the form can hold.
    fn value(&mut self, format: Format) -> Value {
        let kinds = if format == Format::Json { 8 } else { 1 };
        match self.below(kinds) {
            1 => json!(self.below(1_000)),
            2 => json!(self.below(1_000) as f64 + 0.25),
            3 => json!(self.below(2) == 1),
            4 => json!(null),
            5 => json!([self.word(), self.below(9), [self.word()]]),
            6 => json!({"a": self.word(), "b": {"c": self.below(9), "d": null}}),
            _ => json!(self.word()),
        }
    }
}

type Settings = BTreeMap<String, Value>;

/// A file's settings as they are in the clear.
fn settings(opened: &Opened, format: Format) -> Settings {
    match format {
        Format::Json => serde_json::from_str(opened.plain_text().expose()).unwrap(),
        Format::Dotenv => opened
            .values()
            .map(Result::unwrap)
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect(),
    }
}

/// Changes a file until it has these settings.
fn write(opened: &mut Opened, format: Format, settings: &Settings) {
    if format == Format::Json {
        return opened
            .replace(&serde_json::to_string(settings).unwrap())
            .unwrap();
    }
    let names: Vec<String> = opened.names().map(str::to_owned).collect();
    for name in names.iter().filter(|name| !settings.contains_key(*name)) {
        assert!(opened.unset(name));
    }
    for (name, value) in settings {
        opened.set(name, value.as_str().unwrap()).unwrap();
    }
}

/// Three people, a base that all of them read, and two branches.
struct Branches {
    format: Format,
    people: [Identity; 3],
    base: Opened,
}

impl Branches {
    fn new(format: Format, random: &mut Random) -> Self {
        let people = [(); 3].map(|()| Identity::generate().0);
        let mut base = Opened::new(format);
        base.readers(&people.each_ref().map(|person| person.recipient().clone()))
            .unwrap();
        let settings = (0..12)
            .map(|at| (format!("NAME_{at}"), random.value(format)))
            .collect();
        write(&mut base, format, &settings);
        let base = reopened(&mut base, format, &people[0]);
        Self {
            format,
            people,
            base,
        }
    }

    /// The base with changes to these names: set, changed or taken out.
    fn branch(&self, names: &[usize], random: &mut Random) -> (Opened, Settings) {
        let mut branch = self.base.clone();
        let mut settings = settings(&branch, self.format);
        for at in names {
            let name = format!("NAME_{at}");
            let before = settings.remove(&name);
            let value = random.value(self.format);
            if before.is_none() || (random.below(3) > 0 && before != Some(value.clone())) {
                settings.insert(name, value);
            }
        }
        write(&mut branch, self.format, &settings);
        (
            reopened(&mut branch, self.format, &self.people[0]),
            settings,
        )
    }

    fn recipient(&self, at: usize) -> Recipient {
        self.people[at].recipient().clone()
    }
}

/// Sealed and read again, as git keeps it.
fn reopened(opened: &mut Opened, format: Format, person: &Identity) -> Opened {
    let bytes = opened.seal(NOW).unwrap();
    let opened = File::parse(&bytes, format)
        .unwrap()
        .open(std::slice::from_ref(person));
    opened.ok().unwrap()
}

#[test]
fn pairs_of_edits_join_to_their_union() {
    for (seed, format) in (0..PAIRS).flat_map(|seed| [(seed, Format::Dotenv), (seed, Format::Json)])
    {
        let mut random = Random::new(seed);
        let branches = Branches::new(format, &mut random);
        // Names up to 17: those from 12 on are new.
        let (own, others): (Vec<usize>, Vec<usize>) = (0..18).partition(|_| random.below(2) == 0);
        let few = |names: Vec<usize>, random: &mut Random| -> Vec<usize> {
            names.into_iter().filter(|_| random.below(3) == 0).collect()
        };
        let (own, others) = (few(own, &mut random), few(others, &mut random));
        let (mut ours, our_settings) = branches.branch(&own, &mut random);
        let (theirs, their_settings) = branches.branch(&others, &mut random);
        let mut expected = our_settings;
        for name in others.iter().map(|at| format!("NAME_{at}")) {
            match their_settings.get(&name) {
                Some(value) => drop(expected.insert(name, value.clone())),
                None => drop(expected.remove(&name)),
            }
        }
        ours.merge(&branches.base, &theirs).unwrap();
        let merged = reopened(&mut ours, format, &branches.people[2]);
        assert_eq!(settings(&merged, format), expected, "seed {seed}");
    }
}

#[test]
fn conflicts_are_named_and_nothing_is_changed() {
    for (seed, format) in (0..PAIRS).flat_map(|seed| [(seed, Format::Dotenv), (seed, Format::Json)])
    {
        let mut random = Random::new(seed);
        let branches = Branches::new(format, &mut random);
        let mut names = || -> BTreeSet<usize> { (0..6).map(|_| random.below(18)).collect() };
        let (own, others) = (names(), names());
        let branch = |names: &BTreeSet<usize>, value: &str| {
            let mut branch = branches.base.clone();
            for at in names {
                // Where both change a name with an even number, they do the same.
                let value = if at % 2 == 0 { "both" } else { value };
                if branch.set(&format!("NAME_{at}"), value).is_err() {
                    branch.unset(&format!("NAME_{at}"));
                    branch.set(&format!("NAME_{at}"), value).unwrap();
                }
            }
            branch
        };
        let (mut ours, theirs) = (branch(&own, "ours"), branch(&others, "theirs"));
        let before = settings(&ours, format);
        let both = own.intersection(&others).filter(|at| *at % 2 == 1);
        let mut conflicts: Vec<String> = both.map(|at| format!("NAME_{at}")).collect();
        conflicts.sort();
        let outcome = ours.merge(&branches.base, &theirs);
        if conflicts.is_empty() {
            outcome.unwrap();
            continue;
        }
        let error = outcome.unwrap_err();
        let listed: Vec<String> = conflicts.iter().map(|name| format!("`{name}`")).collect();
        assert_eq!(
            error.to_string(),
            format!("both branches changed {}", listed.join(", "))
        );
        assert_eq!(error, MergeError::Conflicts(conflicts));
        assert_eq!(settings(&ours, format), before);
    }
}

#[test]
fn who_was_taken_out_is_out_and_nobody_is_let_in() {
    for (seed, format) in (0..PAIRS).flat_map(|seed| [(seed, Format::Dotenv), (seed, Format::Json)])
    {
        let mut random = Random::new(seed);
        let mut branches = Branches::new(format, &mut random);
        branches
            .base
            .readers(&[branches.recipient(0), branches.recipient(1)])
            .unwrap();
        let base: BTreeSet<usize> = [0, 1].into();
        // Person 0 stays; 1 may go and 2 may come on either side.
        let mut side = || -> BTreeSet<usize> {
            (0..3)
                .filter(|at| *at == 0 || random.below(2) == 0)
                .collect()
        };
        let (own, others) = (side(), side());
        let branch = |readers: &BTreeSet<usize>| {
            let mut branch = branches.base.clone();
            let readers: Vec<Recipient> =
                readers.iter().map(|at| branches.recipient(*at)).collect();
            branch.readers(&readers).unwrap();
            branch
        };
        let (mut ours, theirs) = (branch(&own), branch(&others));
        let left_out = ours.merge(&branches.base, &theirs).unwrap();
        let is_gone = |at: &usize| !own.contains(at) || !others.contains(at);
        // Whom this side let in stays as long as there is no new data key.
        let stays = |at: &usize| match base.contains(at) {
            true => !is_gone(at),
            false => own.contains(at) && !is_gone(&1),
        };
        let is_left_out = (own.contains(&2) || others.contains(&2)) && !stays(&2);
        let expected = is_left_out.then(|| branches.recipient(2).text().to_owned());
        assert_eq!(left_out, Vec::from_iter(expected), "seed {seed}");
        let bytes = ours.seal(NOW).unwrap();
        for at in 0..3 {
            let file = File::parse(&bytes, format).unwrap();
            let opens = file
                .open(std::slice::from_ref(&branches.people[at]))
                .is_ok();
            assert_eq!(opens, stays(&at), "seed {seed}, person {at}");
        }
        let gone = !stays(&1);
        assert_eq!(
            ours.data_key_digest() != branches.base.data_key_digest(),
            gone,
            "seed {seed}"
        );
    }
}

#[test]
fn a_data_key_that_one_side_gave_up_does_not_come_back() {
    let mut random = Random::new(0);
    let branches = Branches::new(Format::Dotenv, &mut random);
    let old = branches.base.data_key_digest();
    let all = [0, 1, 2].map(|at| branches.recipient(at));
    let mut rotated = branches.base.clone();
    rotated.rotate(&all).unwrap();
    for (ours, theirs) in [(&branches.base, &rotated), (&rotated, &branches.base)] {
        let mut ours = ours.clone();
        ours.set("ADDED", "1").unwrap();
        ours.merge(&branches.base, theirs).unwrap();
        assert_ne!(ours.data_key_digest(), old);
        let merged = reopened(&mut ours, Format::Dotenv, &branches.people[1]);
        assert_eq!(merged.get("ADDED"), Some("1"));
    }
}

#[test]
fn the_data_key_of_a_forged_branch_is_not_taken() {
    let mut random = Random::new(0);
    let branches = Branches::new(Format::Dotenv, &mut random);
    let all = [0, 1, 2].map(|at| branches.recipient(at));
    // Made from public keys alone, with a data key that its maker knows.
    let mut forged = Opened::new(Format::Dotenv);
    forged.readers(&all).unwrap();
    let known = forged.data_key_digest();
    let mut theirs = branches.base.clone();
    theirs.set("ADDED", "1").unwrap();
    for (mut ours, theirs) in [(forged.clone(), &theirs), (theirs.clone(), &forged)] {
        ours.merge(&branches.base, theirs).unwrap();
        assert_ne!(ours.data_key_digest(), known);
        assert_eq!(ours.get("ADDED"), Some("1"));
    }
}

#[test]
fn comments_and_what_is_unchanged_stay_as_they_are() {
    let identity = Identity::generate().0;
    let mut base = Opened::new(Format::Dotenv);
    base.readers(std::slice::from_ref(identity.recipient()))
        .unwrap();
    base.replace("# of all\nA=1\nB=2\n").unwrap();
    let base = reopened(&mut base, Format::Dotenv, &identity);
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.replace("# of all\n# of ours\nA=1\nB=2\nC=3\n")
        .unwrap();
    theirs.replace("# of theirs\nA=one\nB=2\nD=4\n").unwrap();
    let theirs = reopened(&mut theirs, Format::Dotenv, &identity);
    let before = ours.seal(NOW).unwrap();
    ours.merge(&base, &theirs).unwrap();
    assert_eq!(
        ours.plain_text().expose(),
        "# of all\n# of ours\nA=one\nB=2\nC=3\nD=4\n"
    );
    let after = String::from_utf8(ours.seal(NOW).unwrap()).unwrap();
    let before = String::from_utf8(before).unwrap();
    let kept = before
        .lines()
        .filter(|line| !line.starts_with("A=") && !line.starts_with("sops_"));
    for line in kept {
        assert!(after.lines().any(|own| own == line), "{line}");
    }
}
