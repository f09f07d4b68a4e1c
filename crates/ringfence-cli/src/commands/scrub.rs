//! `ringfence scrub`: empties what does something by itself in a copy of another environment's data.

use ringfence_data::address::Target;
use ringfence_data::marker::Verdict;
use ringfence_data::sample::key;
use ringfence_data::scrub::{self, Scrubbed, Wanted};
use ringfence_data::store;
use ringfence_mask::key::Key;
use ringfence_mask::rule::{Rows, Rules};
use ringfence_model::environment::Environment;
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;

use crate::ambient::Ambient;
use crate::args::data::Scrub;
use crate::commands::sample;
use crate::data::meter::Meter;
use crate::data::{self, Role, desk, rules};
use crate::failure::{Error, Failure, exit};
use crate::output::Output;

pub(crate) fn run(
    arguments: &Scrub,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let desk = desk::open(&arguments.environment, ambient, output)?;
    let name = &desk.environment.name;
    if desk.environment.tier == Tier::Production {
        let message = format!("`{name}` is of tier production, and nothing is scrubbed there");
        return Err(Failure::error(exit::DENIED, message)
            .hint(
                "only copies of another environment's data are scrubbed, in the environment below",
            )
            .into());
    }
    let targets = desk.targets(arguments.resource.as_deref(), Role::Owner)?;
    let mut copies = Vec::new();
    for (resource, target) in targets {
        match copy(&desk, resource, &target)? {
            Ok(()) => copies.push((resource, target)),
            Err(refusal) if arguments.resource.is_some() => return Err(refusal.into()),
            Err(_) => {}
        }
    }
    if copies.is_empty() {
        output.say(&format!(
            "ringfence: nothing of `{name}` is a copy of another environment's"
        ));
        return Ok(exit::FINE);
    }
    desk.consent(&arguments.consent, "scrub", ambient)?;
    for (resource, target) in copies {
        let mask = mask(&desk, resource, arguments.mask)?;
        let wanted = Wanted {
            drop: &resource.drop,
            mask: mask.as_ref().map(|(rules, key)| (rules, key)),
            environment: name,
        };
        let mut meter = Meter::new(ambient);
        let scrubbed = scrub::scrub(&target, &wanted, &mut |step| meter.tick(&step));
        meter.end();
        let scrubbed =
            scrubbed.map_err(|error| sample::failed(resource, &desk.environment, error))?;
        if arguments.mask && scrubbed.masked.is_empty() {
            output.say(&format!(
                "ringfence: no rule masks a column of `{0}`, so that all of it but the tables of `drop` is as it was; say the rules under `[resources.{0}.tables]` in ringfence.toml",
                resource.name
            ));
        }
        output.print(&told(resource, &desk.environment, &scrubbed))?;
    }
    Ok(exit::FINE)
}

/// Whether a resource is a copy that may be scrubbed; else why not.
fn copy(
    desk: &desk::Desk,
    resource: &Resource,
    target: &Target,
) -> Result<Result<(), Error>, Failure> {
    store::settle(target).map_err(|error| desk::failed(resource, &desk.environment, &error))?;
    let verdict = desk.look(resource, target)?.verdict;
    let own = &desk.environment.name;
    let name = &resource.name;
    if !matches!(verdict, Verdict::OthersCopy { .. }) {
        let message = format!(
            "`{name}` is no copy of another environment's: {}",
            data::words(&verdict, own)
        );
        return Ok(Err(Failure::error(exit::REFUSED, message).hint(
            "nothing was emptied; `ringfence mark ENV --look` says what is there",
        )));
    }
    if resource.drop.is_empty() {
        let message =
            format!("nobody has said which tables of `{name}` do something by themselves");
        let error = Failure::error(exit::REFUSED, message).hint(format!(
            "say `drop = [\"sessions\", \"outbox\", …]` under `[resources.{name}]` in ringfence.toml"
        ));
        return Err(error.into());
    }
    Ok(Ok(()))
}

/// The rules by which a copy is masked, and a key that nobody keeps: nothing outside of the copy has to be equal to it.
fn mask(
    desk: &desk::Desk,
    resource: &Resource,
    is_wanted: bool,
) -> Result<Option<(Rules, Key)>, Failure> {
    if !is_wanted {
        return Ok(None);
    }
    let rules = rules::rules(resource, Rows::Needed).map_err(|diagnostics| {
        Failure::Diagnostics(diagnostics, Box::new(desk.loaded.sources.clone()))
    })?;
    let words: Option<Vec<String>> = (0..4).map(|_| store::new_mark()).collect();
    let key = words.and_then(|words| key(words.concat().as_bytes(), &["scrub"]));
    let key = key.ok_or_else(|| Failure::error(exit::FAULT, "the system gives no random bytes"))?;
    Ok(Some((rules, key)))
}

fn told(resource: &Resource, environment: &Environment, scrubbed: &Scrubbed) -> String {
    let (name, own) = (&resource.name, &environment.name);
    let mut text = String::new();
    for (table, rows) in &scrubbed.emptied {
        text.push_str(&format!("{name}  {table}  {rows} rows emptied\n"));
    }
    for (table, rows) in &scrubbed.masked {
        text.push_str(&format!("{name}  {table}  {rows} rows masked\n"));
    }
    for table in &scrubbed.remembered {
        text.push_str(&format!("{name}  {table}  the planner's statistics still hold some of its values; a superuser says `DELETE FROM pg_statistic WHERE starelid = '{table}'::regclass`\n"));
    }
    for table in &scrubbed.missing {
        text.push_str(&format!("{name}  {table}  is not there\n"));
    }
    text + &format!(
        "{name}  scrubbed for {own}; `ringfence mark {own} {name}` makes it {own}'s own\n"
    )
}
