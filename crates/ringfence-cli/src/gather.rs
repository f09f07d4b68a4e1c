//! From a folder to what `check` looks at: every file that says something about environments, read once, within bounds.

mod sealed;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringfence_diagnostic::Sources;
use ringfence_lint::survey::{self, Declared, Input, RawFile, Survey};
use ringfence_model::project::Project;
use ringfence_syntax::git_index;

use crate::ambient::{self, Ambient, Walk};
use crate::failure::{Failure, exit};
use crate::load::{self, Loaded, MANIFEST};

/// Largest file that is read: configuration that people write is a thousand times smaller.
const MAX_FILE_BYTES: u64 = 5 << 20;
/// All files together.
const MAX_ALL_BYTES: usize = 64 << 20;
/// Largest index of git: some two million files.
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// Reads the project in `root`.
pub(crate) fn gather(root: &Path, ambient: &Ambient) -> Result<Survey, Failure> {
    let loaded = with_manifest(root, ambient)?;
    let mut input = loaded
        .as_ref()
        .map_or_else(Input::default, |loaded| declared(&loaded.project));
    let mut progress = Progress::new(ambient.stderr_is_terminal);
    let is_wanted =
        |path: &str| survey::is_looked_at(path) || survey::is_looked_at_when_sealed(path);
    let walk = ambient::walk(root, ambient::WHOLE, is_wanted, |seen| {
        progress.seen(seen);
    });
    progress.end();
    let Walk {
        files,
        links,
        left_out,
        ..
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
    if let Some(repository) = Repository::around(root) {
        input.tracked = repository.tracked();
        input.outer_ignores = repository.outer_ignores();
    }
    let mut look = sealed::Look::new(root, loaded.as_ref(), ambient);
    input.sealed = look.at(&mut input.files);
    let key = look.used_key();
    let sources = loaded.map_or_else(Sources::new, |loaded| loaded.sources);
    let mut survey = Survey::of(input, sources);
    if let Some(key) = key {
        survey.mark(|secret| key.fingerprint(secret));
    }
    Ok(survey)
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

/// The project of a manifest in the folder; a manifest with errors in it is refused.
fn with_manifest(root: &Path, ambient: &Ambient) -> Result<Option<Loaded>, Failure> {
    if !ambient::exists(&root.join(MANIFEST)) {
        return Ok(None);
    }
    let loaded = load::load_at(root.to_owned(), ambient, None)?;
    loaded.checked().map(Some)
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
        allowances: project.gateway.allowances().collect(),
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

/// Whether git tracks a file below a folder; also where no answer can be had, no.
pub(crate) fn is_tracked(root: &Path, path: &str) -> bool {
    let tracked = Repository::around(root).and_then(|repository| repository.tracked());
    tracked.is_some_and(|paths| paths.contains(path))
}

/// The repository that a folder is in.
struct Repository<'a> {
    root: &'a Path,
    /// The folder with `.git` in it.
    top: &'a Path,
    /// The way from there to the root, `""` or ending in `/`.
    way: String,
    /// Where git keeps its own files.
    git: PathBuf,
}

impl<'a> Repository<'a> {
    fn around(root: &'a Path) -> Option<Self> {
        let top = root
            .ancestors()
            .find(|folder| ambient::exists(&folder.join(".git")))?;
        let way = root.strip_prefix(top).ok()?.to_str()?.to_owned();
        Some(Self {
            root,
            top,
            way: if way.is_empty() { way } else { way + "/" },
            git: git_folder(top)?,
        })
    }

    /// The paths below the root that git tracks.
    fn tracked(&self) -> Option<HashSet<String>> {
        let bytes = ambient::read_at_most(&self.git.join("index"), MAX_INDEX_BYTES).ok()?;
        let paths = git_index::paths(&bytes).ok()?.into_iter();
        let below = paths.filter_map(|path| path.strip_prefix(&self.way).map(str::to_owned));
        Some(below.collect())
    }

    /// The patterns that stand above the root: the repository's own list first, then those of the folders on the way.
    fn outer_ignores(&self) -> Vec<(String, String)> {
        let exclude = (self.git.join("info/exclude"), self.way.clone());
        let mut files = vec![exclude];
        let mut folders: Vec<&Path> = self
            .root
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(self.top))
            .collect();
        folders.reverse();
        for folder in folders {
            let way = self.root.strip_prefix(folder).ok().and_then(Path::to_str);
            files.extend(way.map(|way| (folder.join(".gitignore"), format!("{way}/"))));
        }
        files
            .into_iter()
            .filter_map(|(path, way)| Some((way, read(&path, &mut 0).ok()?)))
            .collect()
    }
}

/// Where git keeps what it obeys for a folder: of the repository around it, and where that is a worktree, of what it shares.
pub(crate) fn git_folders(root: &Path) -> Vec<PathBuf> {
    let Some(repository) = Repository::around(root) else {
        return vec![root.join(".git")];
    };
    let shared = ambient::read_at_most(&repository.git.join("commondir"), 4096).ok();
    let shared = shared.and_then(|bytes| String::from_utf8(bytes).ok());
    let shared = shared.map(|path| repository.git.join(path.trim_end()));
    let own: Vec<PathBuf> = std::iter::once(repository.git).chain(shared).collect();
    // What belongs to submodules and other worktrees is obeyed just as well.
    let inner = own
        .iter()
        .flat_map(|git| ["modules", "worktrees"].map(|name| git.join(name)));
    let inner: Vec<PathBuf> = inner
        .flat_map(|folder| ambient::git_folders_below(&folder))
        .collect();
    own.into_iter().chain(inner).collect()
}

/// What git obeys besides its own folders, as far as its configuration and layout say: a `.git` that is a file, folders of hooks and
/// included files that the configuration names.
pub(crate) fn obeyed_by_git(root: &Path) -> Vec<PathBuf> {
    let Some(repository) = Repository::around(root) else {
        return Vec::new();
    };
    let mut obeyed = Vec::new();
    let marker = repository.top.join(".git");
    if marker.is_file() {
        obeyed.push(marker);
    }
    for folder in git_folders(root) {
        let text = ambient::read_at_most(&folder.join("config"), MAX_FILE_BYTES).ok();
        let text = text
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "hookspath" => obeyed.push(repository.top.join(value)),
                "path" => obeyed.push(folder.join(value)),
                // A submodule's: the file there says whose configuration git obeys.
                "worktree" => obeyed.push(folder.join(value).join(".git")),
                _ => {}
            }
        }
    }
    // A path into the home directory is what its own rules are for.
    obeyed.retain(|path| !path.components().any(|part| part.as_os_str() == "~"));
    obeyed
}

/// The paths below a folder that git tracks; empty outside of a repository.
pub(crate) fn tracked(root: &Path) -> HashSet<String> {
    Repository::around(root)
        .and_then(|repository| repository.tracked())
        .unwrap_or_default()
}

/// `.git` itself, or the folder that a worktree's `.git` file names.
fn git_folder(top: &Path) -> Option<PathBuf> {
    const LONGEST: u64 = 4096;
    let git = top.join(".git");
    match ambient::read_at_most(&git, LONGEST) {
        Err(_) => Some(git),
        Ok(text) => {
            let text = String::from_utf8(text).ok()?;
            Some(top.join(text.strip_prefix("gitdir:")?.trim()))
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
