//! `ringfence secret verify`: everything that can be said of sealed files without a key.

use std::collections::BTreeSet;

use ringfence_model::environment::Environment;
use ringfence_secret::identity::Recipient;
use ringfence_secret::seal::Found;
use ringfence_secret::sops::File;
use serde::Serialize;

use super::desk;
use super::values::person_of;
use crate::ambient::Ambient;
use crate::args::secret::Verify;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, SealedFile, load};
use crate::output::{Output, Tone};
use crate::sealed::keys::without_comment;
use crate::sealed::{self, About, missed};

/// What `--json` prints.
#[derive(Serialize)]
struct Record {
    files: Vec<FileRecord>,
}

#[derive(Serialize)]
struct FileRecord {
    environment: String,
    file: String,
    revision: Option<u64>,
    sealed_by: Option<String>,
    /// What does not hold; empty where everything does.
    problems: Vec<String>,
}

impl FileRecord {
    fn of(environment: &Environment, path: &str) -> Self {
        Self {
            environment: environment.name.clone(),
            file: path.to_owned(),
            revision: None,
            sealed_by: None,
            problems: Vec::new(),
        }
    }
}

pub(super) fn run(
    arguments: &Verify,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let loaded = load(ambient)?.checked()?;
    let mut files = Vec::new();
    for environment in chosen(&loaded, &arguments.environments)? {
        let paths = sealed::paths(&loaded, environment);
        if let Some(missed) = missed::find(&loaded, environment) {
            let record = FileRecord::of(environment, &missed.path);
            let problems = vec![format!("it {}", missed.why)];
            files.push(FileRecord { problems, ..record });
            continue;
        }
        if paths.is_empty() && !arguments.environments.is_empty() {
            return Err(desk::nothing_sealed(environment).into());
        }
        for path in &paths {
            let about = About {
                loaded: &loaded,
                environment,
                path,
            };
            files.extend(
                loaded
                    .sealed
                    .get(path)
                    .map(|file| record(&about, file, ambient)),
            );
        }
    }
    let holds = files.iter().all(|file| file.problems.is_empty());
    if arguments.json {
        output.print_json(&Record { files })?;
    } else {
        if files.is_empty() {
            output.say("no environment has a sealed file");
        }
        let text: String = files.iter().map(|file| lines(file, output)).collect();
        output.print(&text)?;
    }
    Ok(if holds { exit::FINE } else { exit::FINDINGS })
}

fn chosen<'a>(loaded: &'a Loaded, names: &[String]) -> Result<Vec<&'a Environment>, Failure> {
    if names.is_empty() {
        return Ok(loaded.project.environments.iter().collect());
    }
    let found = names.iter().map(|name| loaded.find(name));
    found
        .collect::<Result<_, _>>()
        .map_err(|diagnostic| sealed::refused(loaded, *diagnostic))
}

fn lines(record: &FileRecord, output: &Output) -> String {
    let place = format!("{} ({})", record.file, record.environment);
    if record.problems.is_empty() {
        let seal = match (&record.revision, &record.sealed_by) {
            (Some(revision), Some(who)) => format!("revision {revision}, sealed by {who}"),
            _ => "no seal, and none is required".to_owned(),
        };
        return format!("{}  {place}: {seal}\n", output.data(Tone::Good, "holds"));
    }
    let problem = |problem: &String| {
        format!(
            "{}  {place}: {problem}\n",
            output.data(Tone::Danger, "broken")
        )
    };
    record.problems.iter().map(problem).collect()
}

fn record(about: &About<'_>, sealed: &SealedFile, ambient: &Ambient) -> FileRecord {
    let mut record = FileRecord::of(about.environment, about.path);
    let file = match &sealed.file {
        Ok(file) => file,
        Err(error) => {
            record.problems.push(format!("it cannot be read: {error}"));
            return record;
        }
    };
    let clear = file.unencrypted();
    if !clear.is_empty() {
        record
            .problems
            .push(format!("in the clear: {}", clear.join(", ")));
    }
    record.problems.extend(recipients(about, file));
    seal(about, (sealed, file), ambient, &mut record);
    record
}

/// Who can open the file that should not, and the other way round.
fn recipients(about: &About<'_>, file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    if !file.other_readers().is_empty() {
        problems.push(format!(
            "it can be opened by other means than age: {}",
            file.other_readers().join(", ")
        ));
    }
    let readers = match desk::readers(about.loaded, about.environment) {
        Ok(Some(readers)) => readers,
        Ok(None) => return problems,
        Err(Failure::Error(error)) => return vec![error.message],
        Err(Failure::Diagnostics(..)) => return problems,
    };
    let named: BTreeSet<&str> = readers.iter().map(Recipient::text).collect();
    let found: BTreeSet<&str> = file.recipients().map(without_comment).collect();
    let spoken = |key: &&str| {
        let short: String = key.chars().take(24).collect();
        person_of(about.loaded, key).map_or_else(|| format!("{short}…"), str::to_owned)
    };
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    let extra: BTreeSet<String> = found.difference(&named).map(spoken).collect();
    let missing: BTreeSet<String> = named.difference(&found).map(spoken).collect();
    if !extra.is_empty() {
        problems.push(format!(
            "the manifest lets these not read it, and they can: {}",
            list(extra)
        ));
    }
    if !missing.is_empty() {
        problems.push(format!(
            "the manifest lets these read it, and they cannot: {}",
            list(missing)
        ));
    }
    problems
}

fn seal(
    about: &About<'_>,
    (sealed, file): (&SealedFile, &File),
    ambient: &Ambient,
    record: &mut FileRecord,
) {
    let name = &about.environment.name;
    let required = about.loaded.project.people.keeping(name);
    let required = required.requires_seal(about.environment.tier);
    let seal = match about.written_seal() {
        Ok(Some(seal)) => seal,
        Ok(None) if required => {
            record.problems.push("it has no seal".to_owned());
            return;
        }
        Ok(None) => return,
        Err(error) => {
            record.problems.push(error.to_string());
            return;
        }
    };
    record.revision = Some(seal.statement().revision());
    let names: BTreeSet<String> = file.names().map(str::to_owned).collect();
    let found = Found {
        environment: name,
        file: &sealed.bytes,
        names: &names,
        lowest_revision: about.seen(ambient).max(1),
    };
    match about.editors() {
        None => record
            .problems
            .push("the manifest does not say whose seal counts".to_owned()),
        Some(editors) => match seal.verify(&found, &editors) {
            Ok(who) => record.sealed_by = Some(who.to_owned()),
            Err(error) => record.problems.push(error.to_string()),
        },
    }
}
