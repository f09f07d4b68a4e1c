//! A command inside a barrier: what is told while it runs and when it ends, and what happens where no barrier can be built.

use ringfence_reach::plan::{MADE, Plan, Unnamed};
use ringfence_sandbox::level::Level;
use ringfence_sandbox::refusal::Event;

use super::{Command, Start};
use crate::ambient::{self, Ambient};
use crate::args::Wall;
use crate::barrier::{self, Demand};
use crate::failure::{Failure, exit};
use crate::output::{Output, Tone};

/// Starts the command, and ends as it ends.
#[cfg(target_os = "linux")]
pub(super) fn start(
    mut start: Start,
    plan: &Plan,
    command: &Command,
    demand: Demand,
    wall: &Wall,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    use ringfence_sandbox::{StartError, end_like};
    use std::os::fd::AsRawFd;

    let weakest = demand.required.max(if plan.unnamed == Unnamed::Closed {
        Level::NetworkOnly
    } else {
        Level::NoPidns
    });
    if let Some(handed) = &command.handed {
        start
            .block
            .variables
            .insert(handed.variable.into(), MADE.into());
    }
    let sandboxed = ringfence_sandbox::Command {
        program: command.program.clone(),
        arguments: command.arguments.clone(),
        variables: start.block.variables.clone().into_iter().collect(),
        kept: command
            .kept
            .iter()
            .chain(&start.files)
            .map(AsRawFd::as_raw_fd)
            .collect(),
        ingress: start
            .carrier
            .as_mut()
            .and_then(|carrier| carrier.inlet.take()),
    };
    let tell = teller(&start, plan, wall, ambient);
    match ringfence_sandbox::start(plan, sandboxed, (demand.wanted, weakest), tell) {
        Ok(ended) => {
            say_end(&ended.events, plan, wall, output);
            Ok(end_like(ended.status))
        }
        Err(StartError::NotExecuted(error)) => {
            let error = ambient::not_executed(error, &command.program, &start.block);
            Err(start.not_executed(&command.program, error))
        }
        Err(error) if demand.required == Level::ConfigOnly && error.is_of_machine() => {
            let obstacle = ringfence_sandbox::status::obstacle(&error, demand.wanted);
            output.say(&format!(
                "ringfence: no barrier can be built here ({}: {}), so nothing is enforced; `ringfence doctor` says what mends it",
                obstacle.step, obstacle.reason
            ));
            Err(start.replace(command, "no barrier", ambient, output))
        }
        Err(error) => Err(not_built(&start, &error, demand)),
    }
}

/// Where there is no barrier for the system, that is said, and what demands one is refused.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(
    start: Start,
    _plan: &Plan,
    command: &Command,
    demand: Demand,
    _wall: &Wall,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    if demand.required > Level::ConfigOnly {
        let message = format!(
            "`{}` requires the barrier `{}`, and there is none for this system; nothing was started",
            start.name, demand.required
        );
        return Err(Failure::error(exit::NOT_SET_UP, message)
            .hint("start it on Linux, or say `barrier = \"config-only\"` for it in ringfence.toml")
            .into());
    }
    output.say("ringfence: there is no barrier for this system: settings are kept apart, and nothing is enforced");
    Err(start.replace(command, "no barrier", ambient, output))
}

/// Tells events while they happen: as lines for people, or as JSON.
#[cfg(target_os = "linux")]
fn teller(
    start: &Start,
    plan: &Plan,
    wall: &Wall,
    ambient: &Ambient,
) -> Box<dyn FnMut(&Event) + Send> {
    let mut output = Output::new(ambient);
    let banner = |level: Level| {
        let mode = match plan.unnamed {
            Unnamed::Closed => "",
            Unnamed::Learn => ", learning",
            Unnamed::Open => ", open egress",
        };
        start.banner(&format!("barrier {level}{mode}"))
    };
    let banners: Vec<(Level, String)> = [Level::Full, Level::NoPidns, Level::NetworkOnly]
        .map(|level| (level, banner(level)))
        .into();
    let (environment, tier) = (start.name.clone(), start.tier);
    let carried = plan.carried.clone();
    let (is_terminal, json) = (ambient.stderr_is_terminal, wall.json);
    Box::new(move |event| {
        if json {
            if let Ok(line) = serde_json::to_string(event) {
                output.say(&line);
            }
            return;
        }
        if let Event::Built { level } = event {
            let banner = banners.iter().find(|(known, _)| known == level);
            if let Some((_, banner)) = banner.filter(|_| is_terminal) {
                let plain = ringfence_diagnostic::render::without_controls(banner);
                output.say(&output.loud(Tone::of_tier(tier), &plain));
            }
            if *level != Level::Full {
                output.say(&format!(
                    "ringfence: the barrier is `{level}`: {}",
                    level.lacks()
                ));
            }
        }
        if let Some(line) = barrier::words(event, &environment, &carried) {
            output.say(&ringfence_diagnostic::render::without_controls(&line));
        }
    })
}

/// Sums up what was refused, or learnt.
fn say_end(events: &[Event], plan: &Plan, wall: &Wall, output: &mut Output) {
    if wall.json {
        let refusals: Vec<&Event> = events
            .iter()
            .filter(|event| matches!(event, Event::Refused(_)))
            .collect();
        if let Ok(line) =
            serde_json::to_string(&serde_json::json!({ "event": "ended", "refusals": refusals }))
        {
            output.say(&line);
        }
        return;
    }
    if let Some(line) = barrier::summary(events) {
        output.say(&ringfence_diagnostic::render::without_controls(&line));
    }
    if plan.unnamed == Unnamed::Learn {
        output.say(&barrier::lesson(events, &plan.environment));
    }
}

#[cfg(target_os = "linux")]
fn not_built(start: &Start, error: &ringfence_sandbox::StartError, demand: Demand) -> Failure {
    let obstacle = ringfence_sandbox::status::obstacle(error, demand.wanted);
    let why = if start.is_fronted() {
        ", and without it what comes in would not be limited"
    } else {
        ""
    };
    let message = format!(
        "the barrier `{}` of `{}` cannot be built here{why}; nothing was started",
        demand.required.max(Level::NetworkOnly),
        start.name
    );
    Failure::error(exit::NOT_SET_UP, message)
        .caused_by(format!("{}: {}", obstacle.step, obstacle.reason))
        .hint(obstacle.mend.join("\n      "))
        .into()
}
