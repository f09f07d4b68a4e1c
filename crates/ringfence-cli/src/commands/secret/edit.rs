//! `ringfence secret edit`: all secrets in an editor. The text lies in a folder of this user alone on a memory file system, never
//! on a disk, and is cleared when the editor is left.

use std::path::Path;

use ringfence_secret::value::Secret;

use super::Subject;
use super::desk::{self, Desk};
use crate::ambient::{self, Ambient, PrivateFolder};
use crate::args::secret::One;
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::sealed::keys::read_text;

pub(super) fn run(arguments: &One, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        environment, path, ..
    } = &subject;
    let about = subject.about();
    let mut desk = Desk::change(about, ambient, output)?;
    let folder = ambient.memory_folder().map_err(|error| {
        Failure::error(
            exit::NOT_SET_UP,
            "there is no memory file system to edit secrets on; nothing was written to disk",
        )
        .caused_by(error)
        .hint("mount a tmpfs at /dev/shm, or set single values with `ringfence secret set`")
    })?;
    let extension = if path.ends_with(".json") {
        "json"
    } else {
        "env"
    };
    let file = folder
        .path()
        .join(format!("{}.{extension}", environment.name));
    let before = desk.file.plain_text();
    write(&file, &before)?;
    loop {
        start_editor(&file, ambient, &folder)?;
        let after = read(&file)?;
        if after.expose() == before.expose() {
            output.say("nothing was changed");
            return Ok(exit::FINE);
        }
        let refused = match desk.file.replace(after.expose()) {
            Ok(()) => super::values::usable(&desk.file).err(),
            Err(error) => Some(desk::refused(&error)),
        };
        let Some(error) = refused else { break };
        let code = output.failure(&error.into());
        if !ambient::ask_enter("press Enter to edit it again, Ctrl-C to leave everything as it was")
        {
            return Ok(code);
        }
    }
    drop(folder);
    desk.save(&arguments.sealing, ambient, output)?;
    Ok(exit::FINE)
}

fn start_editor(file: &Path, ambient: &Ambient, folder: &PrivateFolder) -> Result<(), Failure> {
    let variables = ["VISUAL", "EDITOR"];
    let named = variables
        .iter()
        .find_map(|name| ambient.host.get(name)?.to_str());
    let line = named.filter(|line| !line.trim().is_empty()).unwrap_or("vi");
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let program = words.remove(0);
    let mut arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let kind = real_name(program, ambient);
    arguments.extend(quiet(&kind).iter().map(|word| (*word).to_owned()));
    arguments.push(file.display().to_string());
    let ended = ambient.wait_for(program, &arguments, folder.path());
    let ended = ended.map_err(|error| {
        Failure::error(
            exit::NOT_FOUND,
            format!("the editor `{program}` cannot be started"),
        )
        .caused_by(error)
        .hint("name one in `EDITOR`")
    })?;
    if ended.success() {
        return Ok(());
    }
    let message = format!("the editor ended with {ended}; everything was left as it was");
    Err(Failure::error(exit::REFUSED, message)
        .hint("say it again, or set single values with `ringfence secret set`")
        .into())
}

/// The name of the program that really runs: `vi` is a link to `vim` on many systems.
fn real_name(program: &str, ambient: &Ambient) -> String {
    let path = ambient.host.get("PATH").unwrap_or_default();
    let found = std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|candidate| ambient::exists(candidate));
    let real = ambient::followed(&found.unwrap_or_else(|| program.into()));
    let name = real.file_name().and_then(|name| name.to_str());
    name.unwrap_or(program).to_owned()
}

/// What keeps an editor from writing copies elsewhere (swap files, backups, undo files, registers), or lets it be waited for.
fn quiet(name: &str) -> &'static [&'static str] {
    const VIM: &[&str] = &[
        "-n",
        "-i",
        "NONE",
        "--cmd",
        "set nobackup nowritebackup noundofile",
    ];
    const EMACS: &[&str] = &[
        "--eval",
        "(setq make-backup-files nil auto-save-default nil create-lockfiles nil)",
    ];
    match name {
        "vim" | "nvim" | "gvim" => VIM,
        // Debian's names: `vim.basic`, `vim.tiny`.
        _ if name.starts_with("vim.") => VIM,
        "emacs" => EMACS,
        // Debian's names, and those that `make install` gives: `emacs-nox`, `emacs-gtk`, `emacs-29.1`. `emacsclient` is none of them.
        _ if name.starts_with("emacs-") => EMACS,
        // Not quiet, but else gone before anything was edited.
        "code" | "codium" | "subl" | "zed" => &["--wait"],
        _ => &[],
    }
}

fn write(file: &Path, text: &Secret) -> Result<(), Failure> {
    ambient::create_private_file(file, text.expose().as_bytes())
        .map_err(|error| desk::not_written(&file.display().to_string(), &error).into())
}

fn read(file: &Path) -> Result<Secret, Failure> {
    read_text(file).map_err(|error| {
        Failure::error(
            exit::REFUSED,
            "what the editor left cannot be read; everything was left as it was",
        )
        .caused_by(error)
        .hint("say it again, and save under the same name, as UTF-8")
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_known_by_the_names_that_systems_give_them() {
        for name in ["vim.basic", "nvim", "emacs", "emacs-nox", "emacs-29.1"] {
            assert!(quiet(name).len() > 1, "{name}");
        }
        // Its `--eval` would take the file's name for code.
        assert!(quiet("emacsclient").is_empty());
        assert!(quiet("nano").is_empty());
    }
}
