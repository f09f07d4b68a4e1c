//! `ringfence secret keygen`: a key of one's own.

use ringfence_secret::identity::Identity;

use crate::ambient::{self, Ambient};
use crate::args::secret::Keygen;
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(super) fn run(
    arguments: &Keygen,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let usual = || {
        let folder = ambient.configuration_folder()?.join("ringfence");
        Some(folder.join("identity"))
    };
    let path = arguments.out.clone().or_else(usual).ok_or_else(|| {
        Failure::error(exit::FAULT, "there is no home directory to keep the key in")
            .hint("name a file with `--out FILE`")
    })?;
    let shown = path.display().to_string();
    if ambient::exists(&path) {
        let message = format!("`{shown}` is there already; it is left as it is");
        return Err(Failure::error(exit::REFUSED, message)
            .hint("use the key that is in it, or name another file with `--out FILE`")
            .into());
    }
    let (identity, text) = Identity::generate();
    let public = identity.recipient().text();
    let content = ringfence_secret::value::Secret::new(format!(
        "# created: {}\n# public key: {public}\n{}\n",
        ambient::now(),
        text.expose()
    ));
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), ambient::create_private_folder);
    made.and_then(|()| ambient::create_private_file(&path, content.expose().as_bytes()))
        .map_err(|error| {
            Failure::error(exit::FAULT, format!("`{shown}` cannot be written"))
                .caused_by(error)
                .hint("name another file with `--out FILE`")
        })?;
    output.say(&format!(
        "wrote {shown}; keep a copy where it is safe: without it, nothing that is sealed for it can be opened"
    ));
    output.say(&format!(
        "next: `ringfence secret grant ENV YOUR-NAME --key {public}`, said by you or by whoever can read ENV already"
    ));
    output.print(&format!("{public}\n"))
}
