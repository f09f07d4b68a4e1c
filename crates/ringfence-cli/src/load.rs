//! From a folder to a project: finds its root, reads the manifest and the files, once, and assembles them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use ringfence_diagnostic::{Diagnostic, SourceId, Sources, Span, diagnostic};
use ringfence_model::discover::{self, FileRole};
use ringfence_model::document::{Documents, Unreadable};
use ringfence_model::environment::Environment;
use ringfence_model::host::Host;
use ringfence_model::project::{Parts, Project};
use ringfence_model::resolve::{Inputs, Resolution, resolve, selector};
use ringfence_model::select::{By, find, select};
use ringfence_secret::sops;
use ringfence_syntax::manifest;

use crate::ambient::{self, Ambient};
use crate::failure::{Failure, exit};

/// The manifest's name.
pub(crate) const MANIFEST: &str = "ringfence.toml";

/// A project with everything that was read of it.
pub(crate) struct Loaded {
    /// The folder that paths are relative to.
    pub(crate) root: PathBuf,
    /// The project.
    pub(crate) project: Project,
    /// Its files.
    pub(crate) documents: Documents,
    /// Their texts.
    pub(crate) sources: Sources,
    /// What is wrong with the manifest.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The sealed files among them, closed, by path from the root.
    pub(crate) sealed: BTreeMap<String, SealedFile>,
}

/// A sealed file as it was read.
pub(crate) struct SealedFile {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// What stands in it.
    pub(crate) file: Result<sops::File, sops::ParseError>,
}

/// Reads the project around the working directory.
pub(crate) fn load(ambient: &Ambient) -> Result<Loaded, Failure> {
    let root = root(&ambient.directory);
    refuse_inner(&root)?;
    load_at(root, ambient, None)
}

/// Refuses a manifest inside another one's project: whoever can write in a folder of a project could give it rules of his own there.
fn refuse_inner(root: &Path) -> Result<(), Failure> {
    if !ambient::exists(&root.join(MANIFEST)) || ambient::exists(&root.join(".git")) {
        return Ok(());
    }
    let owner = ambient::owner(root);
    let above = root
        .ancestors()
        .skip(1)
        .take_while(|folder| ambient::owner(folder) == owner);
    for folder in above {
        if ambient::exists(&folder.join(MANIFEST)) {
            let message = format!(
                "`{}` lies inside the project of `{}`, whose rules it would replace; nothing was started",
                root.join(MANIFEST).display(),
                folder.join(MANIFEST).display()
            );
            return Err(Failure::error(exit::REFUSED, message)
                .hint("remove one of the two, or make the inner folder a repository of its own")
                .into());
        }
        if ambient::exists(&folder.join(".git")) {
            break;
        }
    }
    Ok(())
}

/// Reads the project in a folder, with another text in the place of its manifest where one is given.
pub(crate) fn load_at(
    root: PathBuf,
    ambient: &Ambient,
    manifest: Option<String>,
) -> Result<Loaded, Failure> {
    let names = file_names(&root).map_err(|error| cannot_read(&root, error))?;
    let mut sources = Sources::new();
    let shown = |path: &str| shown(&root, &ambient.directory, path);
    let text = match manifest {
        Some(text) => Some(text),
        None => manifest_text(&root, &names, &shown(MANIFEST))?,
    };
    let manifest = text.map(|text| parse_manifest(text, &mut sources, &shown(MANIFEST)));
    let parts = Parts {
        file_names: &names,
        manifest: manifest
            .as_ref()
            .map(|(id, parsed)| (*id, &parsed.manifest)),
    };
    let (project, faults) = Project::assemble(parts);
    let mut documents = Documents::default();
    let mut sealed = BTreeMap::new();
    for path in project.paths() {
        let bytes = match ambient::read_file(&root.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                documents.add_unreadable(path, why(&error));
                continue;
            }
        };
        match sealed_form(&root, path, &bytes) {
            Some(format) => {
                let file = sops::File::parse(&bytes, format);
                let names = sealed_names(&bytes, format, file.as_ref().ok());
                documents.add_sealed(&mut sources, path, &shown(path), (&bytes, names));
                sealed.insert(path.to_owned(), SealedFile { bytes, file });
            }
            None => documents.add(&mut sources, path, &shown(path), &bytes),
        }
    }
    let mut diagnostics = manifest
        .map(|(_, parsed)| parsed.diagnostics)
        .unwrap_or_default();
    // Where the text is no TOML, or breaks its rules, what follows from it is only noise.
    if !diagnostic::has_errors(&diagnostics) {
        diagnostics.extend(faults);
    }
    Ok(Loaded {
        root,
        project,
        documents,
        sources,
        diagnostics,
        sealed,
    })
}

/// The files of the root that matter, and the sealed ones in the folder where those are kept.
fn file_names(root: &Path) -> io::Result<Vec<String>> {
    let folder = root.join(discover::SEALED_FOLDER);
    let kept = ambient::file_names(&folder, |name| {
        name.ends_with(".env") || name.ends_with(".json")
    });
    let kept = kept.unwrap_or_default().into_iter();
    let mut names = ambient::file_names(root, is_looked_at)?;
    names.extend(kept.map(|name| format!("{}{name}", discover::SEALED_FOLDER)));
    // What only has the name of a sealed file is another tool's.
    names.retain(|name| match discover::role(name) {
        Some(FileRole::Sealed(_)) => ambient::read_file(&root.join(name))
            .is_ok_and(|bytes| sealed_form(root, name, &bytes).is_some()),
        role => role.is_some() || is_looked_at(name),
    });
    Ok(names)
}

/// The form of a sealed file: by what SOPS says in it, or by the seal beside it, without which a file whose end was cut
/// off would be taken for a plain one.
fn sealed_form(root: &Path, path: &str, bytes: &[u8]) -> Option<sops::Format> {
    sops::format(bytes).or_else(|| {
        let seal = root.join(format!("{path}.seal"));
        let by_name = if path.ends_with(".json") {
            sops::Format::Json
        } else {
            sops::Format::Dotenv
        };
        ambient::exists(&seal).then_some(by_name)
    })
}

/// The names in a sealed file, and where they stand.
fn sealed_names(
    bytes: &[u8],
    format: sops::Format,
    file: Option<&sops::File>,
) -> Vec<(String, Span)> {
    let text = String::from_utf8_lossy(bytes);
    let mut places: HashMap<&str, Span> = HashMap::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start_matches('\t');
        let name = match format {
            sops::Format::Dotenv => line.split_once('=').map(|(name, _)| name),
            sops::Format::Json => trimmed
                .strip_prefix('"')
                .and_then(|rest| rest.split_once("\":"))
                .map(|(name, _)| name),
        };
        if let Some(name) = name {
            let quote = usize::from(format == sops::Format::Json);
            let begin = start + line.len() - trimmed.len() + quote;
            places
                .entry(name)
                .or_insert_with(|| Span::new(begin, begin + name.len()));
        }
        start += line.len();
    }
    let names = file.into_iter().flat_map(sops::File::names);
    let place = |name: &str| places.get(name).copied().unwrap_or(Span::at(0));
    names.map(|name| (name.to_owned(), place(name))).collect()
}

fn is_looked_at(name: &str) -> bool {
    name == MANIFEST || name == "package.json" || discover::role(name).is_some()
}

fn manifest_text(root: &Path, names: &[String], shown: &str) -> Result<Option<String>, Failure> {
    if !names.iter().any(|name| name == MANIFEST) {
        return Ok(None);
    }
    let path = root.join(MANIFEST);
    let bytes = ambient::read_file(&path).map_err(|error| cannot_read(&path, error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Failure::error(
            exit::REFUSED,
            format!("`{shown}` is not UTF-8 (byte {place})"),
        )
        .hint("save it as UTF-8")
    })?;
    Ok(Some(text))
}

fn parse_manifest(
    text: String,
    sources: &mut Sources,
    shown: &str,
) -> (SourceId, manifest::Parsed) {
    let id = sources.add(shown, text);
    let parsed = manifest::parse(id, sources.text(id));
    if let Some(source) = sources.get_mut(id) {
        source.reveal(parsed.shown.clone());
    }
    (id, parsed)
}

fn cannot_read(path: &Path, error: io::Error) -> Failure {
    Failure::error(
        exit::REFUSED,
        format!("`{}` cannot be read", path.display()),
    )
    .caused_by(error)
    .hint("nothing was started; make it readable, or name another folder with `-C FOLDER`")
    .into()
}

fn why(error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Refused(error.to_string()),
    }
}

/// The project's root: the nearest folder with a manifest, else the nearest with an environment's file, else the
/// working directory. The search goes up to the first folder with `.git`, and never into a folder of another user.
fn root(start: &Path) -> PathBuf {
    let owner = ambient::owner(start);
    let mut folders = Vec::new();
    for folder in start.ancestors() {
        if ambient::owner(folder) != owner {
            break;
        }
        folders.push(folder);
        if ambient::exists(&folder.join(".git")) {
            break;
        }
    }
    let with_manifest = folders
        .iter()
        .find(|folder| ambient::exists(&folder.join(MANIFEST)));
    let has_files = |folder: &&&Path| {
        ambient::file_names(folder, |name| discover::role(name).is_some())
            .is_ok_and(|names| !discover::environments(&names).is_empty())
    };
    let root = with_manifest
        .or_else(|| folders.iter().find(has_files))
        .copied()
        .unwrap_or(start);
    root.to_owned()
}

/// The top of the repository around a folder, or the folder itself outside of any; never a folder of another user.
pub(crate) fn repository(start: &Path) -> PathBuf {
    let owner = ambient::owner(start);
    let own = start
        .ancestors()
        .take_while(|folder| ambient::owner(folder) == owner);
    let top = own.into_iter().find(|folder| {
        ambient::exists(&folder.join(".git")) || ambient::exists(&folder.join(MANIFEST))
    });
    top.unwrap_or(start).to_owned()
}

/// A path of the project as seen from the working directory.
fn shown(root: &Path, directory: &Path, path: &str) -> String {
    let levels = directory
        .strip_prefix(root)
        .map_or(0, |below| below.components().count());
    let absolute = Path::new(path).is_absolute();
    if absolute {
        path.to_owned()
    } else {
        format!("{}{path}", "../".repeat(levels))
    }
}

impl Loaded {
    /// What a resolution is made from.
    pub(crate) fn inputs<'a>(
        &'a self,
        host: &'a Host,
        arguments: &'a [(String, String)],
    ) -> Inputs<'a> {
        Inputs {
            project: &self.project,
            documents: &self.documents,
            sources: &self.sources,
            host,
            arguments,
        }
    }

    /// The environment that is meant; a manifest with errors in it means none.
    pub(crate) fn select(
        &self,
        argument: Option<&str>,
        host: &Host,
    ) -> Result<(&Environment, By), Box<Diagnostic>> {
        let selector = selector(self.inputs(host, &[]));
        select(&self.project, argument, selector, host)
    }

    /// The environment of that name.
    pub(crate) fn find(&self, name: &str) -> Result<&Environment, Box<Diagnostic>> {
        find(&self.project, name, None)
    }

    /// The settings of an environment.
    pub(crate) fn resolve(
        &self,
        environment: &Environment,
        host: &Host,
        arguments: &[(String, String)],
    ) -> Resolution {
        resolve(self.inputs(host, arguments), environment)
    }

    /// Refuses to go on where the manifest has errors in it.
    pub(crate) fn checked(self) -> Result<Self, Failure> {
        if diagnostic::has_errors(&self.diagnostics) {
            return Err(Failure::Diagnostics(
                self.diagnostics,
                Box::new(self.sources),
            ));
        }
        Ok(self)
    }
}
