//! `ringfence secret import | export`: from and to files in the clear.

use std::path::Path;

use ringfence_diagnostic::{Sources, diagnostic};
use ringfence_model::document::Documents;
use ringfence_model::environment::{Environment, Files};
use ringfence_model::host::Host;
use ringfence_model::project::{Parts, Project};
use ringfence_model::resolve::{Inputs, resolve};
use ringfence_secret::value::Secret;

use super::Subject;
use super::desk::{self, Desk};
use super::values::check_name;
use crate::ambient::{self, Ambient};
use crate::args::secret::{Export, ExportFormat, Import};
use crate::failure::{Failure, exit};
use crate::gather;
use crate::load::Loaded;
use crate::output::Output;
use crate::sealed::About;

pub(super) fn import(
    arguments: &Import,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let path = desk::path(&loaded, &environment)?;
    let own = || environment.usual_file();
    let from = arguments.file.as_ref();
    let (shown, whole) = match from {
        Some(file) => (file.display().to_string(), ambient.directory.join(file)),
        None => (own(), loaded.root.join(own())),
    };
    let bytes = ambient::read_file(&whole).map_err(|error| {
        Failure::error(exit::USAGE, format!("`{shown}` cannot be read"))
            .caused_by(error)
            .hint("name the plain file: `ringfence secret import ENV FILE`")
    })?;
    if ringfence_secret::sops::format(&bytes).is_some() {
        let message = format!("`{shown}` is sealed already");
        let hint =
            "its settings are changed with `ringfence secret set` and `ringfence secret edit`";
        return Err(Failure::error(exit::REFUSED, message).hint(hint).into());
    }
    let rows = plain_rows(&environment, &shown, &bytes)?;
    let about = About {
        loaded: &loaded,
        environment: &environment,
        path: &path,
    };
    let mut desk = Desk::change(about, ambient, output)?;
    for (name, value) in &rows {
        check_name(name)?;
        desk.file
            .set(name, value.expose())
            .map_err(|error| desk::refused(&error))?;
    }
    desk.save(&arguments.sealing, ambient, output)?;
    let sealed = match rows.len() {
        1 => "1 setting was sealed".to_owned(),
        many => format!("{many} settings were sealed"),
    };
    output.say(&format!(
        "{sealed}; `{shown}` still has it all in the clear:"
    ));
    say_remains(&loaded, &whole, &shown, output);
    Ok(exit::FINE)
}

/// What has to go, now that it is sealed.
fn say_remains(loaded: &Loaded, whole: &Path, shown: &str, output: &mut Output) {
    let inner = whole.strip_prefix(&loaded.root).ok().and_then(Path::to_str);
    let tracked = inner.is_some_and(|path| gather::is_tracked(&loaded.root, path));
    if tracked {
        output.say(&format!("  git rm --cached {shown}    # git tracks it"));
        output.say(
            "  and re-issue each secret in it: git's history keeps the old values, in every clone",
        );
    }
    output.say(&format!(
        "  rm {shown}    # once `ringfence run` was seen to work"
    ));
}

/// The settings of one plain file, as they would reach a program.
fn plain_rows(
    environment: &Environment,
    shown: &str,
    bytes: &[u8],
) -> Result<Vec<(String, Secret)>, Failure> {
    let mut sources = Sources::new();
    let mut documents = Documents::default();
    documents.add(&mut sources, shown, shown, bytes);
    let alone = Environment {
        files: Files::Found(shown.to_owned()),
        sealed: Vec::new(),
        personal: None,
        from_host: false,
        ..environment.clone()
    };
    let host: Host = std::iter::empty::<(std::ffi::OsString, std::ffi::OsString)>().collect();
    // A project of this one file: what a manifest demands of the whole environment is no matter here.
    let (project, _) = Project::assemble(Parts {
        file_names: &[],
        manifest: None,
    });
    let inputs = Inputs {
        project: &project,
        documents: &documents,
        sources: &sources,
        host: &host,
        arguments: &[],
    };
    let resolution = resolve(inputs, &alone);
    if diagnostic::has_errors(&resolution.diagnostics) {
        return Err(Failure::Diagnostics(
            resolution.diagnostics,
            Box::new(sources),
        ));
    }
    if let Some((name, _)) = resolution.closed.first_key_value() {
        let message = format!("the value of `{name}` in `{shown}` is encrypted by another tool");
        return Err(Failure::error(exit::REFUSED, message)
            .hint("decrypt the file with that tool first")
            .into());
    }
    let rows = resolution.settings.iter();
    Ok(rows
        .map(|(name, setting)| (name.clone(), Secret::new(setting.value.expose())))
        .collect())
}

pub(super) fn export(
    arguments: &Export,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let about = subject.about();
    let desk = Desk::read(about, ambient, output)?;
    let rows: Vec<(&str, &str)> = desk.file.values().filter_map(Result::ok).collect();
    let text = match arguments.format {
        ExportFormat::Json => as_json(&rows),
        ExportFormat::Dotenv => as_dotenv(&rows)?,
    };
    output.print(text.expose())
}

fn as_json(rows: &[(&str, &str)]) -> Secret {
    let rows: serde_json::Map<String, serde_json::Value> = rows
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let text = serde_json::Value::Object(rows);
    Secret::new(format!("{text:#}\n"))
}

/// Lines that every loader reads alike: a value between single quotes stands for itself.
fn as_dotenv(rows: &[(&str, &str)]) -> Result<Secret, Failure> {
    let mut text = String::new();
    for (name, value) in rows {
        if value.contains('\'') {
            let message = format!(
                "the value of `{name}` has a `'` in it, which loaders read differently in every quoting"
            );
            return Err(Failure::error(exit::REFUSED, message)
                .hint("say `--format json`")
                .into());
        }
        text.push_str(&format!("{name}='{value}'\n"));
    }
    Ok(Secret::new(text))
}
