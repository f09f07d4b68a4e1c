//! What a program prints, without the environment's secrets.

use super::Start;
use crate::args::Redact;
use crate::failure::{Failure, exit};

/// Puts a screen around what is printed from now on, where that is wanted. Gives the code to end with in the process that stays
/// behind; nothing in the one that goes on.
#[cfg(target_os = "linux")]
pub(super) fn screened(start: &Start, redact: Redact) -> Result<Option<u8>, Failure> {
    use ringfence_model::tier::Tier;
    use ringfence_sandbox::end_like;
    use ringfence_sandbox::screen::{Outputs, Side, behind};

    let outputs = match redact {
        Redact::Never => return Ok(None),
        Redact::Auto if start.tier < Tier::Staging => return Ok(None),
        Redact::Auto => Outputs::Pipes,
        Redact::Always => Outputs::All,
    };
    let shared = redacting::Shared::of(start);
    match behind(outputs, || shared.screen()) {
        Ok(Side::Program) => Ok(None),
        Ok(Side::Ended(status)) => Ok(Some(end_like(status))),
        Err(error) => {
            let message = format!(
                "what `{}` prints cannot be looked at for secrets; nothing was started",
                start.name
            );
            Err(Failure::error(exit::NOT_SET_UP, message)
                .caused_by(error)
                .hint("say `--redact=never` to start it as it is")
                .into())
        }
    }
}

/// Where nothing can be put between a program and its readers, that is said where it was asked for.
#[cfg(not(target_os = "linux"))]
pub(super) fn screened(start: &Start, redact: Redact) -> Result<Option<u8>, Failure> {
    match redact {
        Redact::Auto | Redact::Never => Ok(None),
        Redact::Always => Err(Failure::error(
            exit::NOT_SET_UP,
            format!(
                "what `{}` prints cannot be looked at on this system; nothing was started",
                start.name
            ),
        )
        .hint("start it on Linux, or say `--redact=never`")
        .into()),
    }
}

#[cfg(target_os = "linux")]
mod redacting {
    use std::cell::OnceCell;
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use ringfence_model::value::{Value, secrecy};
    use ringfence_model::variable;
    use ringfence_sandbox::screen::Screen;
    use ringfence_secret::redact::{Patterns, Stream};

    use super::Start;
    use crate::output::Output;

    /// What the screens of one run have in common. The patterns are made when something is printed for the first time: a program
    /// that prints nothing does not wait for them.
    #[derive(Clone)]
    pub(super) struct Shared(Rc<Inner>);

    struct Inner {
        secrets: Vec<(String, Value)>,
        /// Those that are secrets by what the manifest, their name or their value says, and not only because they were sealed.
        named: BTreeSet<String>,
        patterns: OnceCell<Patterns>,
    }

    impl Shared {
        pub(super) fn of(start: &Start) -> Self {
            let settings = start.resolution.settings.iter();
            let secrets = settings.filter(|(name, setting)| {
                setting.is_secret && name.as_str() != variable::ENVIRONMENT
            });
            let secrets: Vec<(String, Value)> = secrets
                .map(|(name, setting)| (name.clone(), Value::new(setting.value.expose())))
                .collect();
            let is_named = |(name, value): &&(String, Value)| {
                let declaration = start.loaded.project.declaration(name);
                let declared = declaration.and_then(|declaration| declaration.secret);
                secrecy::is_secret(name, declared, value.expose())
            };
            let named = secrets.iter().filter(is_named);
            Self(Rc::new(Inner {
                named: named.map(|(name, _)| name.clone()).collect(),
                secrets,
                patterns: OnceCell::new(),
            }))
        }

        pub(super) fn screen(&self) -> Box<dyn Screen> {
            Box::new(Redacting {
                shared: self.clone(),
                stream: None,
            })
        }

        fn patterns(&self) -> &Patterns {
            self.0.patterns.get_or_init(|| {
                let secrets = self.0.secrets.iter();
                let patterns =
                    Patterns::new(secrets.map(|(name, value)| (name.as_str(), value.expose())));
                let left = patterns.left_alone().iter();
                let left: Vec<&str> = left
                    .map(String::as_str)
                    .filter(|name| self.0.named.contains(*name))
                    .collect();
                if !left.is_empty() {
                    Output::plain().say(&format!(
                        "ringfence: numbers and short words are not redacted: {}",
                        left.join(", ")
                    ));
                }
                patterns
            })
        }
    }

    struct Redacting {
        shared: Shared,
        stream: Option<Stream>,
    }

    impl Redacting {
        fn stream(&mut self) -> &mut Stream {
            let shared = &self.shared;
            self.stream
                .get_or_insert_with(|| shared.patterns().stream())
        }
    }

    impl Screen for Redacting {
        fn pass(&mut self, printed: &[u8], out: &mut Vec<u8>) {
            self.stream().pass(printed, out);
        }

        fn finish(&mut self, out: &mut Vec<u8>) {
            if let Some(stream) = &mut self.stream {
                stream.finish(out);
            }
        }
    }
}
