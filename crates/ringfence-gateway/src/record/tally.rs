//! Counts by resource, model and caller, for whoever looks on: Prometheus gets sums, a live view gets these.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::llm::usage::Usage;

/// Who asked for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) resource: &'a str,
    /// As the caller names it; empty where there is none.
    pub(crate) model: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) status: u16,
    /// Whether it failed otherwise than by a limit.
    pub(crate) has_failed: bool,
    pub(crate) took: Duration,
    pub(crate) usage: Option<Usage>,
}

/// Counts by resource, then model, then caller.
#[derive(Default)]
pub(crate) struct Tallies {
    cells: HashMap<String, HashMap<String, HashMap<String, Tally>>>,
    count: usize,
}

/// Names beyond are counted together: without rows of models, a caller says what it likes.
const MOST: usize = 512;
const OTHERS: &str = "(others)";

impl Tallies {
    pub(crate) fn add(&mut self, told: &Told<'_>) {
        let is_known = self
            .cells
            .get(told.resource)
            .and_then(|models| models.get(told.model)?.get(told.caller))
            .is_some();
        let (model, caller) = if is_known || self.count < MOST {
            (told.model, told.caller)
        } else {
            (OTHERS, OTHERS)
        };
        if !is_known {
            self.count += 1;
        }
        within(&mut self.cells, told.resource, |models| {
            within(models, model, |callers| {
                within(callers, caller, |tally| tally.add(told));
            });
        });
    }

    /// Resource, model, caller and count of each.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &str, &Tally)> {
        self.cells.iter().flat_map(|(resource, models)| {
            models.iter().flat_map(move |(model, callers)| {
                let callers = callers.iter();
                callers.map(move |(caller, tally)| {
                    (resource.as_str(), model.as_str(), caller.as_str(), tally)
                })
            })
        })
    }
}

/// Changes what stands under a name, which is copied only where it is new.
fn within<T: Default>(map: &mut HashMap<String, T>, name: &str, change: impl FnOnce(&mut T)) {
    if let Some(value) = map.get_mut(name) {
        change(value);
    } else {
        change(map.entry(name.to_owned()).or_default());
    }
}

/// What was counted.
#[derive(Default, Clone)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) limited: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    recent: Recent,
}

impl Tally {
    fn add(&mut self, told: &Told<'_>) {
        self.requests += 1;
        self.limited += u64::from(told.status == 429);
        self.errors += u64::from(told.has_failed);
        if let Some(usage) = told.usage {
            self.input += usage.input;
            self.output += usage.output;
        }
        self.recent.add(told.took, Instant::now());
    }

    /// Both together.
    pub(crate) fn join(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.limited += other.limited;
        self.input += other.input;
        self.output += other.output;
        self.recent.join(&other.recent);
    }

    /// How long the shortest of the slowest took, of the last one to two minutes; `None` where there were none.
    pub(crate) fn quantile(&self, part: f64) -> Option<Duration> {
        self.recent.quantile(part, Instant::now())
    }
}

/// Durations of this minute and of the one before.
#[derive(Default, Clone)]
struct Recent {
    began: Option<Instant>,
    present: Durations,
    past: Durations,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Recent {
    fn add(&mut self, took: Duration, now: Instant) {
        self.turn(now);
        self.present.add(took);
    }

    /// Lets go of what is too old.
    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age < MINUTE {
            return;
        }
        let present = std::mem::take(&mut self.present);
        self.past = if age < 2 * MINUTE {
            present
        } else {
            Durations::default()
        };
        self.began = Some(now);
    }

    fn join(&mut self, other: &Self) {
        let now = Instant::now();
        let mut other = other.clone();
        other.turn(now);
        self.turn(now);
        self.present.join(&other.present);
        self.past.join(&other.past);
    }

    fn quantile(&self, part: f64, now: Instant) -> Option<Duration> {
        let mut all = self.clone();
        all.turn(now);
        all.present.join(&all.past);
        all.present.quantile(part)
    }
}

/// Counts of durations in microseconds, four to each doubling, as HdrHistogram has them: off by an eighth at most.
#[derive(Clone, Default)]
struct Durations(Vec<u32>);

/// Up to half an hour.
const STEPS: usize = 4 * 31;

impl Durations {
    fn add(&mut self, took: Duration) {
        if self.0.is_empty() {
            self.0 = vec![0; STEPS];
        }
        if let Some(count) = self.0.get_mut(step(took)) {
            *count = count.saturating_add(1);
        }
    }

    fn join(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own = own.saturating_add(*other);
        }
    }

    fn quantile(&self, part: f64) -> Option<Duration> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut seen = 0;
        let mut steps = self.0.iter().enumerate();
        let found = steps.find(|(_, count)| {
            seen += u64::from(**count);
            seen > 0 && seen as f64 >= part * all as f64
        });
        found.map(|(step, _)| middle(step))
    }
}

fn step(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(4);
    let doubling = micros.ilog2();
    let within = (micros >> (doubling - 2)) & 3;
    let step = u64::from(doubling) * 4 + within;
    usize::try_from(step).unwrap_or(STEPS).min(STEPS - 1)
}

fn middle(step: usize) -> Duration {
    let (doubling, within) = (step as u64 / 4, step as u64 % 4);
    let width = 1 << doubling.saturating_sub(2);
    Duration::from_micros((4 + within) * width + width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_off_by_an_eighth_at_most() {
        for micros in [4, 5, 99, 1_000, 12_345, 999_999, 60_000_000, 1_700_000_000] {
            let mut durations = Durations::default();
            durations.add(Duration::from_micros(micros));
            let told = durations.quantile(0.5).unwrap().as_micros() as f64;
            let off = (told / micros as f64 - 1.0).abs();
            assert!(off <= 0.126, "{micros}: {told}");
        }
        let mut durations = Durations::default();
        assert_eq!(durations.quantile(0.5), None);
        for milliseconds in 1..=100 {
            durations.add(Duration::from_millis(milliseconds));
        }
        let milliseconds = |part| durations.quantile(part).unwrap().as_millis();
        assert!((44..=57).contains(&milliseconds(0.5)));
        assert!((84..=107).contains(&milliseconds(0.95)));
    }

    #[test]
    fn what_is_two_minutes_old_is_gone() {
        let mut recent = Recent::default();
        let began = Instant::now();
        recent.add(Duration::from_secs(1), began);
        let seen = |recent: &Recent, after| recent.quantile(0.5, began + after).is_some();
        assert!(seen(&recent, MINUTE - Duration::from_secs(1)));
        assert!(seen(&recent, MINUTE + Duration::from_secs(1)));
        assert!(!seen(&recent, 2 * MINUTE));
        recent.add(Duration::from_secs(1), began + MINUTE);
        assert!(seen(&recent, 2 * MINUTE));
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut tallies = Tallies::default();
        for number in 0..2000 {
            let model = format!("m-{number}");
            tallies.add(&Told {
                resource: "llm",
                model: &model,
                caller: "web",
                status: 429,
                has_failed: false,
                took: Duration::from_millis(1),
                usage: None,
            });
        }
        assert_eq!(tallies.all().count(), MOST + 1);
        let mut sum = Tally::default();
        for (_, _, _, tally) in tallies.all() {
            sum.join(tally);
        }
        assert_eq!((sum.requests, sum.limited), (2000, 2000));
    }
}
