//! Settings that the program is given as files: `as = "file"`. The variable holds the path of a file in memory that nobody can
//! change, so the value stands in no environment block.

use std::path::Path;

use super::Start;
use crate::ambient;
use crate::failure::{Failure, exit};

impl Start {
    /// Puts the values of such settings into files, and the files' paths into the block.
    pub(super) fn hand_files(&mut self, folder: &Path) -> Result<(), Failure> {
        let declared = self.loaded.project.declarations.iter();
        let declared = declared.flat_map(|all| all.values());
        for declaration in declared.filter(|declaration| declaration.as_file.is_some()) {
            let name = &declaration.name;
            let Some(setting) = self.inside().settings.get(name) else {
                continue;
            };
            let (file, path) =
                ambient::sealed_file(folder, setting.value.expose()).map_err(|error| {
                    let message =
                        format!("`{name}` cannot be handed over as a file; nothing was started");
                    Failure::error(exit::NOT_SET_UP, message)
                        .caused_by(error)
                        .hint(format!(
                            "take `as = \"file\"` away from `{name}` to hand it over as a variable"
                        ))
                })?;
            self.block.variables.insert(name.into(), path.into());
            self.files.push(file);
        }
        Ok(())
    }
}
