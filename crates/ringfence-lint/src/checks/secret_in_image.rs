//! A secret that everyone who pulls the image has.

use ringfence_diagnostic::Span;
use ringfence_syntax::dockerfile::Kind;

use crate::about::About;
use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{self, Format, Role};
use crate::name::{self, Credential};
use crate::survey::{Content, File, Survey};
use crate::value::{Strength, strength};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "secret-in-image",
    about: "an image is built with a secret in it: by ENV or ARG, or by copying a .env file",
    page: include_str!("../../../../docs/book/src/checks/secret-in-image.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey.of_format(Format::Dockerfile) {
        let Content::Dockerfile(instructions) = &file.content else {
            continue;
        };
        for instruction in instructions {
            findings.extend(match &instruction.kind {
                Kind::Env {
                    name,
                    name_span,
                    value,
                    ..
                } => of_value(file, name, *name_span, value),
                Kind::Arg {
                    name,
                    name_span,
                    value: Some(value),
                    ..
                } => of_value(file, name, *name_span, value),
                Kind::Copy { sources, .. } => sources
                    .iter()
                    .find_map(|(path, span)| of_copy(survey, file, path, *span)),
                _ => None,
            });
        }
    }
    for compose in &survey.wiring.compose {
        findings.extend(of_build(survey, compose));
    }
}

fn of_value(file: &File, name: &str, span: Span, value: &str) -> Option<Finding> {
    let about = About::of(name);
    let secret = about.secret(value)?;
    let is_real = matches!(strength(secret), Strength::Weak | Strength::Strong);
    let for_the_build = [
        "dummy",
        "fake",
        "build",
        "test",
        "none",
        "null",
        "unused",
        "placeholder",
    ]
    .iter()
    .any(|word| secret.to_ascii_lowercase().contains(word));
    (is_real && !for_the_build).then(|| {
        CHECK
            .finding(name, format!("`{name}` is built into the image"))
            .at(file.place(span), "in a layer of the image")
            .because("everyone who can pull the image reads it with `docker history`, in every environment")
            .help(format!("pass `{name}` when the container starts, or use `RUN --mount=type=secret` for the build"))
    })
}

/// A `.env` file that is copied into the image, by name or with its folder.
fn of_copy(survey: &Survey, file: &File, path: &str, span: Span) -> Option<Finding> {
    let named = path.trim_start_matches("./");
    let is_sealed = survey.file(named).is_some_and(File::is_sealed);
    let by_name = layout::of(named).is_some_and(|layout| {
        !is_sealed
            && layout.format == Format::Dotenv
            && !matches!(layout.role, Role::Template(_))
            && path.contains(".env")
    });
    let whole_folder = matches!(path, "." | "./");
    let taken = survey.of_format(Format::Dotenv).find(|other| {
        let is_below = other.folder() == file.folder() || file.folder().is_empty();
        let is_real = !other.is_template() && !other.is_sealed() && has_secret(survey, other);
        whole_folder
            && is_below
            && is_real
            && other.folder() == file.folder()
            && !survey.is_docker_ignored(&other.path)
    });
    let (what, confidence) = match taken {
        Some(other) => (other.path.clone(), Confidence::Medium),
        None if by_name => (path.to_owned(), Confidence::High),
        None => return None,
    };
    Some(
        CHECK
            .finding(&what, format!("`{what}` is copied into the image"))
            .at(file.place(span), "copied here")
            .because(
                "one image then holds one environment's secrets, and runs with them in every other",
            )
            .help("add `.env*` to .dockerignore and pass the settings when the container starts")
            .confidence(confidence),
    )
}

fn has_secret(survey: &Survey, file: &File) -> bool {
    survey
        .parts_of(file)
        .flat_map(|part| &part.entries)
        .any(|entry| entry.strength == Some(Strength::Strong))
}

/// Build arguments stay in the image's history.
fn of_build(survey: &Survey, compose: &crate::survey::ComposeService) -> Option<Finding> {
    let file = survey.files.get(compose.file)?;
    let text = survey.sources.text(file.source);
    let arguments = &compose.service.build.as_ref()?.arguments;
    let secret = arguments.iter().find(|argument| {
        name::credential(&argument.name) == Some(Credential::Certain)
            && argument.name_span.of(text) == argument.name
    })?;
    let name = &secret.name;
    Some(
        CHECK
            .finding(
                name,
                format!("`{name}` is a build argument of `{}`", compose.service.name),
            )
            .at(file.place(secret.name_span), "stays in the image's history")
            .because("everyone who can pull the image reads it with `docker history`")
            .help("use `secrets` under `build`, with `RUN --mount=type=secret` in the Dockerfile")
            .confidence(Confidence::Medium),
    )
}
