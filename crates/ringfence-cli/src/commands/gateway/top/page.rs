//! The page of the live view: a status as lines that fit a terminal.

use std::time::Instant;

use ringfence_gateway::status::{Budget, Status, Traffic, Upstream};

use crate::output::Tone;

/// What is shown, and what came before it, for rates.
#[derive(Default)]
pub(super) struct Page {
    present: Option<(Status, Instant)>,
    past: Option<(Status, Instant)>,
    /// Why nothing newer is known.
    lost: Option<String>,
}

/// Where it is shown.
pub(super) struct Frame<'a> {
    pub(super) url: &'a str,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A line, and how loud it is.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) tone: Option<Tone>,
    pub(super) text: String,
}

/// The columns of numbers, after the name.
const NUMBERS: usize = 60;

impl Page {
    pub(super) const fn is_empty(&self) -> bool {
        self.present.is_none()
    }

    pub(super) fn take(&mut self, status: Status, at: Instant) {
        self.lost = None;
        // One that was started anew counts from nothing, and has no rate with the one before it.
        let goes_on = |(old, _): &(Status, Instant)| old.uptime_seconds <= status.uptime_seconds;
        self.past = self.present.take().filter(goes_on);
        self.present = Some((status, at));
    }

    pub(super) fn lose(&mut self, why: &str) {
        self.lost = Some(why.to_owned());
    }

    /// The lines, none longer or more than the frame holds.
    pub(super) fn lines(&self, frame: &Frame<'_>) -> Vec<Line> {
        let Some((status, _)) = &self.present else {
            return Vec::new();
        };
        let mut lines = self.head(status, frame);
        let sections: Vec<Vec<Line>> = [
            self.traffic("resource", &status.resources, |status| &status.resources),
            self.traffic("model", &status.models, |status| &status.models),
            self.traffic("caller", &status.callers, |status| &status.callers),
            budgets(&status.budgets),
            upstreams(&status.upstreams),
        ]
        .into_iter()
        .filter(|section| section.len() > 1)
        .collect();
        let room = frame.rows.saturating_sub(lines.len());
        lines.extend(fitted(sections, room));
        lines.truncate(frame.rows);
        for line in &mut lines {
            line.text = cut(&line.text, frame.columns);
        }
        lines
    }

    fn head(&self, status: &Status, frame: &Frame<'_>) -> Vec<Line> {
        let tone = if status.production {
            Tone::Danger
        } else {
            Tone::Good
        };
        let name = plain(&status.environment);
        let up = lasting(status.uptime_seconds);
        let first = format!(
            "{name} · {} · configuration {} · up {up}",
            plain(frame.url),
            status.generation
        );
        let reloads = &status.reloads;
        let second = format!(
            "{} under way, {} of them streams · {}reloads: {} taken, {} refused",
            status.under_way,
            status.streams,
            self.rate(|status| sum(&status.resources))
                .map(|rate| format!("{} requests/s · ", decimal(rate)))
                .unwrap_or_default(),
            reloads.taken,
            reloads.refused
        );
        let mut lines = vec![loud(tone, first), Line::from(second)];
        let careful = |text: String| loud(Tone::Careful, text);
        lines.extend(
            self.lost
                .iter()
                .map(|why| careful(format!("! no answer any more: {}", plain(why)))),
        );
        let refused = reloads.refused_because.iter();
        lines.extend(refused.map(|why| {
            careful(format!(
                "! the newest configuration is not served: {}",
                plain(why)
            ))
        }));
        for (count, what) in [
            (status.records_lost, "records could not be written"),
            (
                status.budgets_not_kept,
                "times budgets could not be kept on disk",
            ),
        ] {
            if count > 0 {
                lines.push(careful(format!("! {count} {what}")));
            }
        }
        lines
    }

    fn traffic(
        &self,
        title: &str,
        all: &[Traffic],
        of: impl Fn(&Status) -> &Vec<Traffic>,
    ) -> Vec<Line> {
        let mut lines = vec![loud(
            Tone::Strong,
            row(
                title,
                ["requests", "/s", "errors", "429", "in", "out", "p50", "p95"],
            ),
        )];
        let mut all: Vec<&Traffic> = all.iter().collect();
        all.sort_by_key(|traffic| std::cmp::Reverse(traffic.requests));
        lines.extend(all.into_iter().map(|traffic| {
            let count = |status: &Status| {
                let mut same = of(status).iter().filter(|other| other.name == traffic.name);
                same.next().map_or(0, |traffic| traffic.requests)
            };
            let rate = self.rate(count).map(decimal).unwrap_or_default();
            let numbers = [
                short(traffic.requests),
                rate,
                short(traffic.errors),
                short(traffic.limited),
                short(traffic.input_tokens),
                short(traffic.output_tokens),
                traffic.p50_ms.map(milliseconds).unwrap_or_default(),
                traffic.p95_ms.map(milliseconds).unwrap_or_default(),
            ];
            Line::from(row(
                &plain(&traffic.name),
                numbers.each_ref().map(String::as_str),
            ))
        }));
        lines
    }

    /// How much more a count is a second, since the status before.
    fn rate(&self, count: impl Fn(&Status) -> u64) -> Option<f64> {
        let ((present, at), (past, before)) = (self.present.as_ref()?, self.past.as_ref()?);
        let seconds = at.saturating_duration_since(*before).as_secs_f64();
        let more = count(present).saturating_sub(count(past));
        (seconds > 0.0).then(|| more as f64 / seconds)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self { tone: None, text }
    }
}

fn loud(tone: Tone, text: String) -> Line {
    Line {
        tone: Some(tone),
        text,
    }
}

fn sum(all: &[Traffic]) -> u64 {
    all.iter().map(|traffic| traffic.requests).sum()
}

/// A name and eight numbers; the name has what the frame's usual width leaves.
fn row(name: &str, numbers: [&str; 8]) -> String {
    const NAME: usize = 80 - NUMBERS;
    const WIDTHS: [usize; 8] = [9, 7, 7, 7, 8, 8, 7, 7];
    let mut text = format!("{:NAME$}", cut(name, NAME));
    for (number, width) in numbers.iter().zip(WIDTHS) {
        text.push_str(&format!("{number:>width$}"));
    }
    text
}

fn budgets(all: &[Budget]) -> Vec<Line> {
    let mut lines = vec![loud(
        Tone::Strong,
        format!(
            "{:<42}{:>13}{:>13}{:>12}",
            "budget", "used", "left", "resets in"
        ),
    )];
    lines.extend(all.iter().map(|budget| {
        let owners = [&budget.caller, &budget.model];
        let owners = owners.into_iter().flatten().map(|name| format!(" {name}"));
        let name = format!(
            "{} {}:{}",
            budget.resource,
            budget.limit,
            owners.collect::<String>()
        );
        let name = plain(name.trim_end_matches(':'));
        let is_money = !matches!(budget.unit.as_str(), "tokens" | "requests");
        let amount = |amount: f64| {
            if is_money {
                format!("{amount:.4}")
            } else {
                format!("{amount:.0}")
            }
        };
        let text = format!(
            "{:<42}{:>13}{:>13}{:>12}",
            cut(&name, 41),
            amount(budget.used),
            amount(budget.left),
            lasting(budget.resets_in_seconds as f64)
        );
        let tone = match budget.left / budget.most.max(f64::MIN_POSITIVE) {
            part if part <= 0.0 => Some(Tone::Danger),
            part if part < 0.1 => Some(Tone::Careful),
            _ => None,
        };
        Line { tone, text }
    }));
    lines
}

fn upstreams(all: &[Upstream]) -> Vec<Line> {
    let mut lines = vec![loud(Tone::Strong, "upstream".to_owned())];
    lines.extend(all.iter().map(|upstream| {
        let name = plain(&upstream.address);
        let (tone, state) = match (upstream.rests_ms, upstream.failures) {
            (0, 0) => (None, "answers".to_owned()),
            (0, failures) => (None, format!("failures in a row: {failures}")),
            (rest, _) => {
                let seconds = rest.div_ceil(1000);
                (
                    Some(Tone::Careful),
                    format!("left alone for {seconds} s more"),
                )
            }
        };
        Line {
            tone,
            text: format!("{name:<42} {state}"),
        }
    }));
    lines
}

/// The sections, each shortened alike where they are too long together.
fn fitted(sections: Vec<Vec<Line>>, room: usize) -> Vec<Line> {
    let most = |share: usize| -> usize {
        let lengths = sections.iter().map(|section| section.len().min(share));
        lengths.sum()
    };
    let longest = sections.iter().map(Vec::len).max().unwrap_or(0);
    let share = (2..=longest)
        .rev()
        .find(|share| most(*share) <= room)
        .unwrap_or(2);
    let sections = sections.into_iter().map(|mut section| {
        let more = section.len().saturating_sub(share);
        if more > 0 {
            section.truncate(share.max(2) - 1);
            section.push(Line::from(format!("… {} more", more + 1)));
        }
        section
    });
    sections.flatten().collect()
}

/// A number in four characters or so.
fn short(number: u64) -> String {
    match number {
        0..=99_999 => number.to_string(),
        100_000..=99_999_999 => format!("{}k", number / 1000),
        _ => format!("{}M", number / 1_000_000),
    }
}

fn decimal(number: f64) -> String {
    if number < 100.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

fn milliseconds(time: f64) -> String {
    match time {
        time if time < 10.0 => format!("{time:.1}ms"),
        time if time < 10_000.0 => format!("{time:.0}ms"),
        time => format!("{:.0}s", time / 1000.0),
    }
}

/// A time as people say it: two units at most.
fn lasting(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round();
    let (minutes, hours, days) = (
        (seconds / 60.0).floor(),
        (seconds / 3600.0).floor(),
        (seconds / 86_400.0).floor(),
    );
    match seconds {
        seconds if seconds < 60.0 => format!("{seconds:.0}s"),
        seconds if seconds < 3600.0 => format!("{minutes:.0}m {:.0}s", seconds % 60.0),
        seconds if seconds < 86_400.0 => format!("{hours:.0}h {:.0}m", minutes % 60.0),
        _ => format!("{days:.0}d {:.0}h", hours % 24.0),
    }
}

/// Of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept = text.chars().take(most.saturating_sub(1));
            kept.chain(['…']).collect()
        }
    }
}

/// A name without what moves a cursor or turns the direction of what follows: names come from callers.
fn plain(text: &str) -> String {
    text.replace(is_active, "\u{fffd}")
}

/// JSON without them: they stand in strings alone, where an escape means the same.
pub(super) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_active(character) {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
    text
}

/// Control characters, and those that turn the direction of writing (Unicode Standard Annex 9).
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
