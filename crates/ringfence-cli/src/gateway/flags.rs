//! The flags of an environment: rows of the manifest, and `flags.json` in flagd's format.

use ringfence_diagnostic::{Diagnostic, Sources};
use ringfence_flag::definition::{
    self, DefinitionError, FlagFile, FlagSet, Place, Row, Written, build,
};
use ringfence_gateway::config::Driven;
use ringfence_model::environment::Environment;
use ringfence_model::project::Project;
use ringfence_syntax::manifest::{FlagEntry, FlagValue};

use super::fault;

/// The flags, where nothing is wrong with them.
pub(super) fn flags(
    project: &Project,
    environment: &Environment,
    sources: &Sources,
    file: Option<&str>,
    faults: &mut Vec<Diagnostic>,
) -> FlagSet {
    let rows: Vec<Row> = project
        .flags
        .iter()
        .map(|(place, entry)| row(entry, located(&sources.locate(*place))))
        .collect();
    let read = file.map(|text| FlagFile::read("flags.json", text));
    let (files, unreadable) = match read {
        None => (Vec::new(), None),
        Some(Ok(file)) => (vec![file], None),
        Some(Err(error)) => (Vec::new(), Some(error)),
    };
    let defined = definition::Sources {
        rows: &rows,
        files: &files,
        retired: &[],
    };
    let environment = definition::Environment {
        name: environment.name.clone(),
        tier: environment.tier.name().to_owned(),
    };
    let (set, errors) = build(&defined, &environment);
    let errors = unreadable.into_iter().chain(errors);
    faults.extend(
        errors
            .filter(|error| !error.is_served)
            .map(|error| wrong(&error)),
    );
    set
}

/// The values of all variants of a flag that a resource obeys.
pub(super) fn driven<T>(
    flags: &FlagSet,
    key: &str,
    at: ringfence_diagnostic::Place,
    parse: impl Fn(&str) -> Result<T, Diagnostic>,
) -> Result<Driven<T>, Diagnostic> {
    let outcomes = match flags.outcomes(key) {
        None => return Err(fault::unknown_flag(key, at, flags.environment())),
        Some(Err(why)) => return Err(fault::unusable_flag(why, at)),
        Some(Ok(outcomes)) => outcomes,
    };
    if outcomes.may_be_silent {
        return Err(fault::silent_flag(key, at, &outcomes, flags.environment()));
    }
    let variant = |(name, value): (&String, &String)| {
        let text: String = serde_json::from_str(value)
            .map_err(|_| fault::flag_of_another_kind(key, at, &outcomes))?;
        let value = parse(&text).map_err(|fault| {
            fault.help(format!(
                "it is the variant `{name}` of the flag `{key}`, at {}",
                outcomes.place
            ))
        })?;
        Ok((name.clone(), value))
    };
    let variants = outcomes.values.iter().map(variant);
    Ok(Driven::Flag {
        key: key.to_owned(),
        variants: variants.collect::<Result<_, Diagnostic>>()?,
    })
}

fn wrong(error: &DefinitionError) -> Diagnostic {
    Diagnostic::error("invalid-flag", error.to_string())
        .because("the program would get its own default in the place of what was meant")
        .help(error.mend.clone())
}

/// `file:line:column`, taken apart.
fn located(text: &str) -> Place {
    let mut parts = text.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(1);
    let (column, line) = (number(), number());
    Place {
        file: parts.next().unwrap_or(text).to_owned(),
        line,
        column,
        pointer: String::new(),
    }
}

fn row(entry: &FlagEntry, place: Place) -> Row {
    let within = entry.value.within.iter();
    Row {
        name: entry.name.value.clone(),
        place,
        default: entry.value.default.as_ref().map(written),
        within: within
            .map(|(name, value)| (name.value.clone(), written(value)))
            .collect(),
    }
}

fn written(value: &FlagValue) -> Written {
    match value {
        FlagValue::Boolean(truth) => Written::Boolean(*truth),
        FlagValue::Number(number) => Written::Number(number.clone()),
        FlagValue::Text(text) => Written::Text(text.clone()),
        FlagValue::List(values) => Written::List(values.iter().map(written).collect()),
    }
}
