//! `ringfence secret merge`: git's merge driver. What cannot be joined is named and left as it was.

use std::path::Path;

use ringfence_secret::seal::Seal;
use ringfence_secret::sops::{File, MergeError, Opened};

use crate::ambient::{self, Ambient};
use crate::args::secret::Merge;
use crate::failure::{Error, Failure, exit};
use crate::output::Output;
use crate::sealed::facts::short;
use crate::sealed::keys::{self, Keys};

pub(super) fn run(
    arguments: &Merge,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let ours = read(&arguments.ours)?;
    if ours.starts_with(b"ringfence-seal ") {
        return seals(arguments, &ours, output);
    }
    let mut keys = Keys::new(ambient);
    let base = opened("the base", &read(&arguments.base)?, &mut keys)?;
    let theirs = opened("their side", &read(&arguments.theirs)?, &mut keys)?;
    let mut merged = opened("our side", &ours, &mut keys)?;
    let left_out = match merged.merge(&base, &theirs) {
        Ok(left_out) => left_out,
        Err(error @ MergeError::Conflicts(_)) => {
            let error = Failure::error(
                exit::FINDINGS,
                format!("{error}, differently; our side was left as it was"),
            );
            return Err(error
                .hint("set each of them once more with `ringfence secret set ENV NAME`, and `git add` the file")
                .into());
        }
        Err(error) => return Err(not_joined(&error.to_string()).into()),
    };
    let bytes = merged
        .seal(&ambient::now())
        .map_err(|error| super::desk::refused(&error))?;
    write(&arguments.ours, &String::from_utf8_lossy(&bytes))?;
    output.say("ringfence: joined; where the file has a seal, an editor seals it again: `ringfence secret seal ENV`");
    if !left_out.is_empty() {
        let keys: Vec<String> = left_out.iter().map(|key| short(key)).collect();
        output.say(&format!(
            "ringfence: a merge lets nobody in, and a branch did: {}; `ringfence secret rotate ENV` seals the file for those in the manifest",
            keys.join(", ")
        ));
    }
    Ok(exit::FINE)
}

/// No seal fits what comes out of a merge; the higher revision stays, so that the next one is higher still.
fn seals(arguments: &Merge, ours: &[u8], output: &mut Output) -> Result<u8, Failure> {
    let theirs = read(&arguments.theirs)?;
    let revision = |bytes: &[u8]| {
        let seal = Seal::parse(bytes)
            .map_err(|error| not_joined(&format!("a seal does not hold: {error}")));
        seal.map(|seal| (seal.statement().revision(), seal.to_text().to_owned()))
    };
    let higher = revision(ours)?.max(revision(&theirs)?);
    write(&arguments.ours, &higher.1)?;
    output.say("ringfence: the seal has to be made again: `ringfence secret seal ENV`");
    Ok(exit::FINE)
}

fn opened(what: &str, bytes: &[u8], keys: &mut Keys<'_>) -> Result<Opened, Failure> {
    let format = ringfence_secret::sops::format(bytes);
    let format = format.ok_or_else(|| not_joined(&format!("{what} is no sealed file")))?;
    let file = File::parse(bytes, format)
        .map_err(|error| not_joined(&format!("{what} cannot be read: {error}")))?;
    let opened = keys.open(&file);
    opened.map_err(|error| {
        not_joined(&format!("{what} is not opened: {error}"))
            .hint(format!("keys are looked for in {}", keys::PLACES))
            .into()
    })
}

fn not_joined(why: &str) -> Error {
    Failure::error(
        exit::FINDINGS,
        format!("{why}; our side was left as it was"),
    )
    .hint("take one side with `git checkout --ours` or `--theirs`, and set what is missing")
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    ambient::read_file(path).map_err(|error| {
        Failure::error(exit::USAGE, format!("`{}` cannot be read", path.display()))
            .caused_by(error)
            .hint("git starts this with three files: see `ringfence secret merge --help`")
            .into()
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    ambient::replace_file(path, text)
        .map_err(|error| super::desk::not_written(&path.display().to_string(), &error).into())
}
