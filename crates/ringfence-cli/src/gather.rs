//! From a folder to what `check` looks at: every file that says something about environments, read once, within bounds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringfence_diagnostic::Sources;
use ringfence_lint::survey::{self, Declared, Input, RawFile, Survey};
use ringfence_model::project::Project;
use ringfence_syntax::git_index;

use crate::ambient::{self, Ambient, Walk};
use crate::failure::{Failure, exit};
use crate::load::{self, MANIFEST};

/// Largest file that is read: configuration that people write is a thousand times smaller.
const MAX_FILE_BYTES: u64 = 5 << 20;
/// All files together.
const MAX_ALL_BYTES: usize = 64 << 20;
/// Largest index of git: some two million files.
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// Reads the project in `root`.
pub(crate) fn gather(root: &Path, ambient: &Ambient) -> Result<Survey, Failure> {
    let (mut input, sources) = with_manifest(root, ambient)?;
    let mut progress = Progress::new(ambient.stderr_is_terminal);
    let walk = ambient::walk(root, survey::is_looked_at, |seen| progress.seen(seen));
    progress.end();
    let Walk {
        files,
        links,
        left_out,
    } = walk.map_err(|error| cannot_read(root, &error))?;
    input.links = links.into_iter().collect();
    let mut bytes = 0;
    for path in files {
        let text = read(&root.join(&path), &mut bytes);
        input.files.push(RawFile { path, text });
    }
    let unread = left_out.into_iter().map(|(path, why)| RawFile {
        path,
        text: Err(why),
    });
    input.files.extend(unread);
    input.tracked = tracked(root);
    Ok(Survey::of(input, sources))
}

fn cannot_read(root: &Path, error: &std::io::Error) -> Failure {
    Failure::error(
        exit::REFUSED,
        format!("`{}` cannot be read", root.display()),
    )
    .caused_by(error)
    .hint("`ringfence check PATH` takes the path of a folder")
    .into()
}

/// What a manifest in the folder declares; a manifest with errors in it is refused.
fn with_manifest(root: &Path, ambient: &Ambient) -> Result<(Input, Sources), Failure> {
    if !ambient::exists(&root.join(MANIFEST)) {
        return Ok((Input::default(), Sources::new()));
    }
    let loaded = load::load_at(root.to_owned(), ambient)?.checked()?;
    Ok((declared(&loaded.project), loaded.sources))
}

fn declared(project: &Project) -> Input {
    let environments = project.environments.iter().flat_map(|environment| {
        let names = std::iter::once(&environment.name).chain(&environment.aliases);
        names.map(|name| (name.clone(), environment.tier))
    });
    let settings = project.declarations.as_ref().map(|declarations| {
        let one = declarations.values().map(|declaration| Declared {
            name: declaration.name.clone(),
            place: declaration.place,
            kind: declaration.kind.clone(),
        });
        one.collect()
    });
    Input {
        declared: environments.collect(),
        settings,
        default: project.default.clone(),
        ..Input::default()
    }
}

/// The text of a file, or why there is none.
fn read(path: &Path, all: &mut usize) -> Result<String, String> {
    let bytes = ambient::read_at_most(path, MAX_FILE_BYTES).map_err(|error| error.to_string())?;
    *all += bytes.len();
    if *all > MAX_ALL_BYTES {
        return Err(format!(
            "the files before it have more than {} MiB together",
            MAX_ALL_BYTES >> 20
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 (byte {at})")
    })
}

/// The paths below `root` that git tracks.
fn tracked(root: &Path) -> Option<HashSet<String>> {
    let (top, git) = root.ancestors().find_map(|folder| {
        let git = folder.join(".git");
        ambient::exists(&git).then_some((folder, git))
    })?;
    let index = index_of(top, &git)?;
    let bytes = ambient::read_at_most(&index, MAX_INDEX_BYTES).ok()?;
    let below = root.strip_prefix(top).ok()?.to_str()?.to_owned();
    let prefix = if below.is_empty() { below } else { below + "/" };
    let paths = git_index::paths(&bytes).ok()?.into_iter();
    Some(
        paths
            .filter_map(|path| path.strip_prefix(&prefix).map(str::to_owned))
            .collect(),
    )
}

/// Where the index is: in `.git`, or in the folder that a worktree's `.git` file names.
fn index_of(top: &Path, git: &Path) -> Option<PathBuf> {
    const LONGEST: u64 = 4096;
    match ambient::read_at_most(git, LONGEST) {
        Err(_) => Some(git.join("index")),
        Ok(text) => {
            let text = String::from_utf8(text).ok()?;
            let folder = text.strip_prefix("gitdir:")?.trim();
            Some(top.join(folder).join("index"))
        }
    }
}

/// A line on the terminal for what takes longer than a second.
struct Progress {
    started: Instant,
    is_terminal: bool,
    shown: bool,
}

impl Progress {
    fn new(is_terminal: bool) -> Self {
        Self {
            started: Instant::now(),
            is_terminal,
            shown: false,
        }
    }

    fn seen(&mut self, files: usize) {
        const STEP: usize = 5000;
        if self.is_terminal
            && files.is_multiple_of(STEP)
            && self.started.elapsed() > Duration::from_secs(1)
        {
            self.shown = true;
            ambient::status(&format!("looking at files: {files}"));
        }
    }

    fn end(&self) {
        if self.shown {
            ambient::status("");
        }
    }
}
