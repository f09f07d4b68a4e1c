//! The words for what marks say.

use ringfence_data::address::Kind;
use ringfence_data::marker::Verdict;
use ringfence_data::probe::Answer;
use ringfence_diagnostic::Diagnostic;
use ringfence_diagnostic::render::without_controls;
use ringfence_model::environment::Environment;

use super::Known;

/// What the banner says behind a resource's endpoint.
pub(super) fn shown(known: &Known<'_>, environment: &Environment) -> Option<String> {
    let name = &environment.name;
    let text = match known.verdict.as_ref()? {
        Verdict::Own | Verdict::Moved { .. } => format!("✓ marked {name}"),
        Verdict::OwnCopy { .. } => format!("a copy of {name}'s"),
        Verdict::OthersCopy { whose, .. } => {
            format!("a copy of {}'s, quarantined", whose.environment)
        }
        Verdict::Unmarked => "unmarked".to_owned(),
        Verdict::Others { .. } | Verdict::Emptied { .. } => return None,
    };
    Some(text)
}

/// In words, for lists.
pub(crate) fn words(verdict: &Verdict, environment: &str) -> String {
    // Whoever wrote the marker may have written anything.
    without_controls(&said(verdict, environment)).into_owned()
}

fn said(verdict: &Verdict, environment: &str) -> String {
    match verdict {
        Verdict::Own => format!("marked {environment}"),
        Verdict::Moved { address } => {
            format!("marked {environment}, at another address: {address}")
        }
        Verdict::OwnCopy { sign } => format!("a copy of {environment}'s own: {}", sign.words()),
        Verdict::Others { whose } => format!("belongs to {whose}"),
        Verdict::OthersCopy {
            whose,
            sign,
            is_scrubbed,
        } => {
            let scrubbed = if *is_scrubbed { ", scrubbed" } else { "" };
            format!("a copy of {whose}{scrubbed}: {}", sign.words())
        }
        Verdict::Emptied { environment } if environment.is_empty() => {
            "emptied: its place is marked, and its data are not".to_owned()
        }
        Verdict::Emptied { environment } => {
            format!("emptied: its place is marked for `{environment}`, and its data are not")
        }
        Verdict::Unmarked => "unmarked".to_owned(),
    }
}

/// One line for what does not keep anything from starting.
pub(super) fn note(known: &Known<'_>, environment: &Environment) -> String {
    let resource = &known.resource.name;
    let name = &environment.name;
    match (&known.verdict, &known.answer) {
        (Some(Verdict::Moved { address }), _) => format!(
            "ringfence: `{resource}` was marked at {address}; a tunnel or a new name looks like this, and a physical copy too; `ringfence mark {name} {resource}` says that it is right"
        ),
        (Some(Verdict::OthersCopy { whose, .. }), _) => format!(
            "ringfence: `{resource}` is a scrubbed copy of {whose}, so only stores are in reach; `ringfence mark {name} {resource}` ends that"
        ),
        (Some(verdict), _) => format!(
            "ringfence: `{resource}` is {}; `ringfence mark {name} {resource}` makes sure that no other environment takes it for its own",
            words(verdict, name)
        ),
        (None, Answer::Silent(why)) => {
            format!("ringfence: `{resource}` was not asked whose it is: {why}")
        }
        (None, Answer::Found(_)) => String::new(),
    }
}

/// Why nothing is started.
pub(super) fn refusal(known: &Known<'_>, environment: &Environment) -> Diagnostic {
    let resource = &known.resource.name;
    let name = &environment.name;
    let diagnostic = match &known.verdict {
        Some(Verdict::Others { whose }) => others(known, whose, name),
        Some(Verdict::OthersCopy { whose, sign, .. }) => Diagnostic::error(
            "marker-of-a-copy",
            format!("`{resource}` is a copy of {whose}: {}", sign.words()),
        )
        .because("nothing was started: what is scheduled and whom it names came along")
        .help(format!(
            "`ringfence scrub {name} {resource}` empties what `drop` names; then `ringfence mark {name} {resource}`"
        )),
        Some(Verdict::Own | Verdict::Moved { .. } | Verdict::OwnCopy { .. })
            if known.vectors.is_some() =>
        {
            vectors(known, name)
        }
        Some(Verdict::OwnCopy { sign }) => Diagnostic::error(
            "marker-of-a-copy",
            format!("`{resource}` is a copy of `{name}`'s own: {}", sign.words()),
        )
        .because("nothing was started: the original may be at work elsewhere")
        .help(format!(
            "where it has taken the original's place, say `ringfence mark {name} {resource}`"
        )),
        Some(Verdict::Emptied { environment }) => emptied(known, environment, name),
        Some(_) => Diagnostic::error(
            "marker-missing",
            format!("`{resource}` does not say that it belongs to `{name}`"),
        )
        .because("nothing was started: in production every store says whose it is")
        .help(format!(
            "`ringfence mark {name} {resource}`, or say `marked = {{ in.{name} = false }}` for it"
        )),
        None => {
            let why = match &known.answer {
                Answer::Silent(why) => why.as_str(),
                Answer::Found(_) => "",
            };
            Diagnostic::error(
                "resource-not-asked",
                format!("`{resource}` was not asked whose it is: {why}"),
            )
            .because(format!(
                "nothing was started: from tier staging on, what cannot be asked may be another environment's (`{name}` is of tier {})",
                environment.tier
            ))
            .help(readable(known.kind))
            .help(format!("or say `marked = {{ in.{name} = false }}` for it"))
        }
    };
    diagnostic.at(known.resource.place, "this resource")
}

/// What has to be so for a store to be asked.
fn readable(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => {
            "see that it runs, that its address is right, and that its role may read `ringfence.marker`"
        }
        Kind::Sqlite => "see that the file is there, and that it may be read",
        Kind::Redis => {
            "see that it runs, that its address is right, and that its user may read the key `ringfence:marker`"
        }
        Kind::Qdrant => {
            "see that it runs, that its address is right, and that `key` names a setting with a key that may read"
        }
        Kind::S3 => {
            "give the environment `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or the resource a `key`, with the rights `s3:GetObject` and `s3:ListBucket`"
        }
        Kind::Http => "see that it runs, and that it serves `/.well-known/ringfence`",
    }
}

fn others(known: &Known<'_>, whose: &ringfence_data::marker::Whose, name: &str) -> Diagnostic {
    let resource = &known.resource.name;
    let setting = known.resource.setting.as_deref().unwrap_or_default();
    let diagnostic = Diagnostic::error(
        "marker-of-another",
        format!(
            "`{resource}` belongs to {whose}, of tier {}, and `{name}` was asked for",
            whose.tier
        ),
    )
    .because("nothing was started: it would have worked on another environment's data")
    .help(format!("let `{setting}` of `{name}` name its own"));
    match known.kind {
        Kind::Postgres => diagnostic.help(
            "where it is a physical copy, its administrator says so in it: `ALTER DATABASE … RESET ringfence.place`",
        ),
        Kind::Redis => diagnostic.help(
            "where it is a copy, empty it, or take the key `ringfence:marker` out of it",
        ),
        _ => diagnostic,
    }
}

fn vectors(known: &Known<'_>, name: &str) -> Diagnostic {
    let resource = &known.resource.name;
    let (what, is, wanted) = known.vectors.clone().unwrap_or_default();
    Diagnostic::error(
        "index-of-another-model",
        format!("the vectors of `{resource}` are of another {what}: `{is}`, and `{name}` uses `{wanted}`"),
    )
    .because("nothing was started: what is found by comparing vectors of two models means nothing")
    .help(format!("make them again, and say `ringfence mark {name} {resource}`; or correct `index` in ringfence.toml"))
}

fn emptied(known: &Known<'_>, of: &str, name: &str) -> Diagnostic {
    let resource = &known.resource.name;
    let whose = if of.is_empty() {
        String::new()
    } else {
        format!(" for `{of}`")
    };
    Diagnostic::error(
        "marker-gone",
        format!("`{resource}` was marked{whose}, and its data no longer say so"),
    )
    .because("nothing was started: something emptied it, or put other data there")
    .help(format!(
        "find out what did; where it was meant, say `ringfence mark {name} {resource}`"
    ))
}
