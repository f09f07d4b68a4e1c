//! About how many rows will travel.
//!
//! References are taken to be spread evenly: *k* rows that point into *n* reach *n*·(1 − (1 − 1/*n*)ᵏ) of them. Real ones are not,
//! and then fewer rows are reached: the estimate is rather too high.

use std::collections::BTreeMap;

use super::{Cut, Edge, Treatment};
use crate::rule::{Rows, Rules};
use crate::schema::Table;

/// So often is the whole worked out again; circles come to rest long before.
const ROUNDS: usize = 40;

/// Beyond so many references their blow-ups are left out: each takes the whole estimate once more.
const MOST_FACTORS: usize = 500;

struct Numbers<'a> {
    /// Rows that there are.
    all: BTreeMap<&'a str, f64>,
    /// Rows that are chosen or come along.
    chosen: BTreeMap<&'a str, f64>,
    /// Of these, by the place of the reference, those that came along by it: their parents are there already.
    brought: BTreeMap<usize, f64>,
}

/// The rows of each table in the given order, where its own number is known; and the blow-up of each reference.
pub(super) fn estimate<'a>(
    order: &[&'a str],
    tables: &BTreeMap<&str, &'a Table>,
    rules: &Rules,
    edges: &mut [Edge],
    along: &[usize],
) -> Vec<Option<f64>> {
    let numbers = Numbers::new(order, tables, rules, (edges, along));
    let rows = numbers.closed(edges, None);
    let told = edges.len() <= MOST_FACTORS;
    let factors: Vec<Option<f64>> = (0..edges.len())
        .map(|at| told.then(|| numbers.blow_up(edges, at, &rows)).flatten())
        .collect();
    for (edge, factor) in edges.iter_mut().zip(factors) {
        edge.blow_up = factor;
    }
    order.iter().map(|name| rows.get(name).copied()).collect()
}

impl<'a> Numbers<'a> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn new(
        order: &[&'a str],
        tables: &BTreeMap<&str, &'a Table>,
        rules: &Rules,
        (edges, along): (&[Edge], &[usize]),
    ) -> Self {
        let mut numbers = Self {
            all: BTreeMap::new(),
            chosen: BTreeMap::new(),
            brought: BTreeMap::new(),
        };
        for name in order {
            let Some(rows) = tables.get(name).and_then(|table| table.rows) else {
                continue;
            };
            let rows = rows as f64;
            let chosen = match rules.table(name).rows {
                Rows::All => rows,
                Rows::Fraction(fraction) => rows * fraction.as_number(),
                Rows::Count(count) => rows.min(count as f64),
                Rows::Needed | Rows::None => 0.0,
            };
            numbers.all.insert(name, rows);
            numbers.chosen.insert(name, chosen);
        }
        for at in along {
            if let Some(edge) = edges.get(*at) {
                numbers.bring(*at, edge);
            }
        }
        numbers
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn bring(&mut self, at: usize, edge: &Edge) {
        let number = |map: &BTreeMap<&str, f64>, name: &str| map.get(name).copied();
        let (Some(parents), Some(of), Some(children)) = (
            number(&self.chosen, &edge.parent),
            number(&self.all, &edge.parent),
            number(&self.all, &edge.child),
        ) else {
            return;
        };
        let each = children / of.max(1.0);
        let each = edge
            .along
            .flatten()
            .map_or(each, |cap| each.min(cap as f64));
        let brought = (parents * each).min(children);
        if let Some(chosen) = self.chosen.get_mut(edge.child.as_str()) {
            let before = *chosen;
            *chosen += brought * (1.0 - before / children.max(1.0));
            self.brought.insert(at, *chosen - before);
        }
    }

    /// Rows once everything that is pointed to is there; without one reference, if one is given.
    fn closed(&self, edges: &[Edge], without: Option<usize>) -> BTreeMap<&'a str, f64> {
        let mut rows = self.chosen.clone();
        for _ in 0..ROUNDS {
            let mut absent: BTreeMap<&str, f64> = BTreeMap::new();
            let followed = edges.iter().enumerate();
            for (at, edge) in
                followed.filter(|(at, edge)| edge.is_followed() && Some(*at) != without)
            {
                let all = self.all.get(edge.parent.as_str()).copied().unwrap_or(0.0);
                *absent.entry(&edge.parent).or_insert(1.0) *=
                    1.0 - self.reached(at, edge, &rows) / siblings(edges, edge) / all.max(1.0);
            }
            let mut moved = 0.0_f64;
            for (name, now) in &mut rows {
                let all = self.all.get(name).copied().unwrap_or(0.0);
                let chosen = self.chosen.get(name).copied().unwrap_or(0.0);
                let left = (1.0 - chosen / all.max(1.0)) * absent.get(name).copied().unwrap_or(1.0);
                let next = all * (1.0 - left.clamp(0.0, 1.0));
                moved = moved.max((next - *now).abs());
                *now = next;
            }
            if moved < 0.01 {
                break;
            }
        }
        rows
    }

    /// How many parents a reference's rows point to, without those that are there because of it.
    fn reached(&self, at: usize, edge: &Edge, rows: &BTreeMap<&str, f64>) -> f64 {
        let children = rows.get(edge.child.as_str()).copied().unwrap_or(0.0);
        let brought = self.brought.get(&at).copied().unwrap_or(0.0);
        let all = self.all.get(edge.parent.as_str()).copied().unwrap_or(0.0);
        reach(all, (children - brought).max(0.0))
    }

    fn blow_up(&self, edges: &[Edge], at: usize, rows: &BTreeMap<&str, f64>) -> Option<f64> {
        let edge = edges.get(at)?;
        let now = *rows.get(edge.parent.as_str())?;
        let (with, without) = match edge.treatment {
            Treatment::Cut {
                why: Cut::OwnTable, ..
            } => (self.followed(edge, now)?, now),
            Treatment::Cut { .. } => return None,
            _ => (
                now,
                *self.closed(edges, Some(at)).get(edge.parent.as_str())?,
            ),
        };
        (without >= 1.0).then_some(with / without)
    }

    /// A table's rows if a reference into itself were followed.
    fn followed(&self, edge: &Edge, rows: f64) -> Option<f64> {
        let all = *self.all.get(edge.parent.as_str())?;
        let step = |now: f64| {
            all * (1.0 - (1.0 - rows / all.max(1.0)) * (1.0 - reach(all, now) / all.max(1.0)))
        };
        Some((0..ROUNDS).fold(rows, |now, _| step(now)))
    }
}

/// Among how many links by the same columns a table's rows are divided: evenly, as far as anybody knows.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn siblings(edges: &[Edge], edge: &Edge) -> f64 {
    if !edge.is_link() {
        return 1.0;
    }
    let is_one = |other: &&Edge| {
        other.is_link() && other.child == edge.child && other.columns == edge.columns
    };
    edges.iter().filter(is_one).count() as f64
}

/// How many of `all` are pointed to by so many that point anywhere.
fn reach(all: f64, pointing: f64) -> f64 {
    if all <= 1.0 {
        return all.min(pointing);
    }
    all * (1.0 - (1.0 - 1.0 / all).powf(pointing))
}
