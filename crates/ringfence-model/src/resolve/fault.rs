//! Diagnostics for references that cannot be followed.

use ringfence_diagnostic::{Diagnostic, Place, spelling};

use super::Inputs;
use super::collect::Candidate;
use super::interpolate::{MAX_EXPANDED, Problem};
use crate::environment::Environment;
use crate::variable;

/// What is wrong with a reference in the value of `name`, whose layers are `candidates`.
pub(super) fn reference(
    inputs: Inputs<'_>,
    environment: &Environment,
    name: &str,
    problem: &Problem,
    candidates: Option<&Vec<Candidate<'_>>>,
) -> Diagnostic {
    let diagnostic = match problem {
        Problem::Cycle(names) => cycle(names),
        Problem::Unknown(missing, _) => unknown(inputs, environment, name, missing),
        Problem::Demanded(missing, message, _) => demanded(environment, missing, message),
        Problem::TooLarge => too_large(name),
    };
    let winner = candidates.and_then(|candidates| candidates.last());
    let Some((winner, place)) = winner.and_then(|winner| Some((winner, winner.origin.place()?)))
    else {
        return diagnostic;
    };
    let span = match problem {
        Problem::Unknown(_, span) | Problem::Demanded(_, _, span) if winner.layer.is_file() => {
            *span
        }
        _ => place.span,
    };
    diagnostic.at(Place::new(place.source, span), label(problem))
}

const fn label(problem: &Problem) -> &'static str {
    match problem {
        Problem::Cycle(_) => "the references lead back here",
        Problem::Unknown(..) => "no such setting in this environment",
        Problem::Demanded(..) => "demanded here",
        Problem::TooLarge => "in this value",
    }
}

fn cycle(names: &[String]) -> Diagnostic {
    const MOST: usize = 8;
    let mut path: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    if names.len() > MOST {
        path.push("…");
    }
    path.extend(names.first().map(String::as_str));
    Diagnostic::error(
        "reference-cycle",
        format!(
            "settings refer to each other in a circle: {}",
            path.join(" → ")
        ),
    )
    .because("none of them has a value; other loaders leave them empty or half replaced")
    .help("write one of the values out")
}

fn unknown(inputs: Inputs<'_>, environment: &Environment, name: &str, missing: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "unknown-reference",
        format!("the value of `{name}` refers to `{missing}`, which `{}` does not set", environment.name),
    )
    .because("a reference is followed inside one environment only, never into the shell; most loaders would leave it empty");
    let host = inputs.host.get(missing).is_some() || variable::is_ordinary(missing);
    let known = inputs
        .project
        .declarations
        .iter()
        .flat_map(|declarations| declarations.keys());
    match spelling::closest(missing, known.map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if host => diagnostic
            .help(format!("to take the host's variable, declare `{missing} = {{ from = \"host\" }}` under `[settings]`"))
            .help(format!("or set `{missing}` in `{}`", environment.usual_file())),
        None => diagnostic
            .help(format!("set `{missing}` in `{}`, or write `${{{missing}:-…}}` with a default", environment.usual_file()))
            .help("to keep the text as it is, put single quotes around it"),
    }
}

fn demanded(environment: &Environment, missing: &str, message: &str) -> Diagnostic {
    let said = if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    };
    Diagnostic::error(
        "required-reference",
        format!("`{missing}` is required{said}"),
    )
    .because(format!(
        "`{}` does not set it, or sets it to nothing",
        environment.name
    ))
    .help(format!("set `{missing}` in `{}`", environment.usual_file()))
}

fn too_large(name: &str) -> Diagnostic {
    Diagnostic::error(
        "value-too-large",
        format!("the value of `{name}` grows too large by its references"),
    )
    .because(format!(
        "the settings together would have over {} MiB, more than any kernel takes",
        MAX_EXPANDED >> 20
    ))
    .help("refer to fewer settings")
}
