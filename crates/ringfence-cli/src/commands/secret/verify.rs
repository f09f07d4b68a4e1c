//! `ringfence secret verify`: everything that can be said of sealed files without a key.

use std::collections::BTreeSet;

use ringfence_diagnostic::render::without_controls;
use ringfence_model::environment::Environment;
use serde::Serialize;

use super::desk;
use crate::ambient::Ambient;
use crate::args::secret::Verify;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, SealedFile, load};
use crate::output::{Output, Tone};
use crate::sealed::facts::{Facts, Readers, SealState, spoken};
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
            output.data(Tone::Danger, "broken"),
            // It may hold names and keys of a file that anybody wrote.
            problem = without_controls(problem)
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
    let facts = Facts::of(about, (sealed, file), ambient);
    if !facts.clear.is_empty() {
        record
            .problems
            .push(format!("in the clear: {}", facts.clear.join(", ")));
    }
    record.problems.extend(recipients(about.loaded, &facts));
    match facts.seal {
        SealState::NotNeeded => {}
        SealState::Missing => record.problems.push("it has no seal".to_owned()),
        SealState::Holds { revision, by } => {
            record.revision = Some(revision);
            record.sealed_by = Some(by);
        }
        SealState::Refused { revision, why } => {
            record.revision = revision;
            record.problems.push(why);
        }
    }
    record
}

/// Who can open the file that should not, and the other way round.
fn recipients(loaded: &Loaded, facts: &Facts) -> Vec<String> {
    let mut problems = Vec::new();
    if !facts.others.is_empty() {
        problems.push(format!(
            "it can be opened by other means than age: {}",
            facts.others.join(", ")
        ));
    }
    let (extra, missing) = match &facts.readers {
        Readers::Unsaid => return problems,
        Readers::Unusable(unusable) => return vec![unusable.to_string()],
        Readers::Compared { extra, missing } => (extra, missing),
    };
    for (what, keys) in [
        ("the manifest lets these not read it, and they can", extra),
        ("the manifest lets these read it, and they cannot", missing),
    ] {
        if !keys.is_empty() {
            let names: BTreeSet<String> = keys.iter().map(|key| spoken(loaded, key)).collect();
            let names: Vec<String> = names.into_iter().collect();
            problems.push(format!("{what}: {}", names.join(", ")));
        }
    }
    problems
}
