//! Circles of references: finding them (Tarjan, "Depth-first search and linear graph algorithms", 1972), breaking them, and the order
//! of what is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cycle, Edge, PlanError, Treatment};
use crate::schema::Table;

/// Breaks every circle of followed references: at one that may be null, else at one that can be checked later.
pub(super) fn break_all(
    edges: &mut [Edge],
    tables: &BTreeMap<&str, &Table>,
    errors: &mut Vec<PlanError>,
) -> Vec<Cycle> {
    let mut cycles = Vec::new();
    for circle in circles(&*edges) {
        let mut broken = Vec::new();
        while let Some(inside) = first_inside(edges, &circle) {
            match weakest(edges, &inside, tables) {
                Some((at, treatment)) => {
                    if let Some(edge) = edges.get_mut(at) {
                        edge.treatment = treatment;
                    }
                    broken.push(at);
                }
                None => {
                    let references = inside.iter().filter_map(|at| edges.get(*at));
                    errors.push(PlanError::Cycle {
                        tables: circle.iter().cloned().collect(),
                        references: references.map(Edge::name).collect(),
                    });
                    break;
                }
            }
        }
        broken.sort_unstable();
        cycles.push(Cycle {
            tables: circle.into_iter().collect(),
            broken,
        });
    }
    cycles
}

/// The references within a first circle that is left among these tables.
fn first_inside(edges: &[Edge], among: &BTreeSet<String>) -> Option<Vec<usize>> {
    let left = circles(edges)
        .into_iter()
        .find(|left| left.is_subset(among))?;
    let inside = edges.iter().enumerate().filter(|(_, edge)| {
        edge.orders() && left.contains(&edge.child) && left.contains(&edge.parent)
    });
    Some(inside.map(|(at, _)| at).collect())
}

/// The reference to break at: rather one that leaves no circle, rather one that may be null.
fn weakest(
    edges: &[Edge],
    inside: &[usize],
    tables: &BTreeMap<&str, &Table>,
) -> Option<(usize, Treatment)> {
    let own: Vec<Edge> = inside
        .iter()
        .filter_map(|at| edges.get(*at).cloned())
        .collect();
    let candidates = inside.iter().enumerate().filter_map(|(place, at)| {
        let treatment = breakable(own.get(place)?, tables)?;
        let others = own.iter().enumerate().filter(|(other, _)| *other != place);
        let left = circles(others.map(|(_, edge)| edge)).len();
        Some((left, treatment == Treatment::Deferred, *at, treatment))
    });
    let mut best: Option<(usize, bool, usize, Treatment)> = None;
    for candidate in candidates {
        let (left, deferred, at, _) = &candidate;
        let better = |(least, later, first, _): &(usize, bool, usize, Treatment)| {
            (left, deferred, at) < (least, later, first)
        };
        let ideal = *left == 0 && !deferred;
        if best.as_ref().is_none_or(better) {
            best = Some(candidate);
        }
        if ideal {
            break;
        }
    }
    best.map(|(_, _, at, treatment)| (at, treatment))
}

fn breakable(edge: &Edge, tables: &BTreeMap<&str, &Table>) -> Option<Treatment> {
    let table = tables.get(edge.child.as_str())?;
    let mut references = table.foreign_keys.iter();
    let reference = references
        .find(|reference| reference.columns == edge.columns && reference.parent == edge.parent)?;
    // What is set later is found again by its primary key.
    if table.is_nullable(reference) && !table.primary_key.is_empty() {
        return Some(Treatment::Later);
    }
    reference.deferrable.then_some(Treatment::Deferred)
}

/// The circles of tables, each as a set, by name. A table that points to itself is none.
fn circles<'a>(edges: impl IntoIterator<Item = &'a Edge>) -> Vec<BTreeSet<String>> {
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in edges.into_iter().filter(|edge| edge.orders()) {
        arrows.entry(&edge.child).or_default().insert(&edge.parent);
        arrows.entry(&edge.parent).or_default();
    }
    let mut search = Search {
        arrows: &arrows,
        numbers: BTreeMap::new(),
        stack: Vec::new(),
        found: Vec::new(),
    };
    for name in arrows.keys() {
        if !search.numbers.contains_key(name) {
            search.visit(name);
        }
    }
    let mut found = search.found;
    found.sort();
    found
}

/// Tarjan's search, by a stack of its own: a chain of tables may be longer than the thread's stack is deep.
struct Search<'a> {
    arrows: &'a BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// When a table was met, and the earliest one that is known to be reached from it.
    numbers: BTreeMap<&'a str, (usize, usize)>,
    stack: Vec<&'a str>,
    found: Vec<BTreeSet<String>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, start: &'a str) {
        let mut path = vec![(start, self.enter(start))];
        while let Some((name, left)) = path.last_mut() {
            let name = *name;
            match left.pop() {
                Some(next) if !self.numbers.contains_key(next) => {
                    let arrows = self.enter(next);
                    path.push((next, arrows));
                }
                Some(next) => {
                    if self.stack.contains(&next) {
                        let met = self.numbers.get(next).map_or(usize::MAX, |(met, _)| *met);
                        self.lower(name, met);
                    }
                }
                None => {
                    path.pop();
                    let lowest = self.leave(name);
                    if let Some((before, _)) = path.last() {
                        self.lower(before, lowest);
                    }
                }
            }
        }
    }

    fn enter(&mut self, name: &'a str) -> Vec<&'a str> {
        let number = self.numbers.len();
        self.numbers.insert(name, (number, number));
        self.stack.push(name);
        let arrows = self.arrows.get(name);
        arrows
            .map(|next| next.iter().rev().copied().collect())
            .unwrap_or_default()
    }

    fn lower(&mut self, name: &'a str, number: usize) {
        if let Some((_, lowest)) = self.numbers.get_mut(name) {
            *lowest = number.min(*lowest);
        }
    }

    /// Gives the earliest table that is reached; a circle is complete where that is the table itself.
    fn leave(&mut self, name: &'a str) -> usize {
        let (met, lowest) = self.numbers.get(name).copied().unwrap_or_default();
        if met == lowest {
            let at = self.stack.iter().position(|other| *other == name);
            let circle = self.stack.split_off(at.unwrap_or(0));
            if circle.len() > 1 {
                self.found
                    .push(circle.into_iter().map(str::to_owned).collect());
            }
            // It is complete: what points here later does not belong to it.
            return usize::MAX;
        }
        lowest
    }
}

/// Tables with those before them that they point to; else by name.
pub(super) fn order<'a>(names: &BTreeSet<&'a str>, edges: &[Edge]) -> Vec<&'a str> {
    let mut waits: BTreeMap<&str, usize> = names.iter().map(|name| (*name, 0)).collect();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.orders()) {
        if let Some(child) = names.get(edge.child.as_str()) {
            *waits.entry(child).or_default() += 1;
            children.entry(&edge.parent).or_default().push(child);
        }
    }
    let is_free = |name: &&str| waits.get(name) == Some(&0);
    let mut free: BTreeSet<&str> = names.iter().copied().filter(is_free).collect();
    let mut order = Vec::new();
    while let Some(next) = free.pop_first() {
        order.push(next);
        for child in children.get(next).into_iter().flatten() {
            let Some(count) = waits.get_mut(child) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                free.insert(child);
            }
        }
    }
    order
}

/// The references that bring rows along, parents before children.
pub(super) fn along(edges: &[Edge], errors: &mut Vec<PlanError>) -> Vec<usize> {
    let mut left: Vec<usize> = (0..edges.len())
        .filter(|at| edges.get(*at).is_some_and(|edge| edge.along.is_some()))
        .collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let edge = |at: &usize| edges.get(*at);
        let brought: BTreeSet<&str> = left
            .iter()
            .filter_map(edge)
            .map(|edge| edge.child.as_str())
            .collect();
        let free = left
            .iter()
            .position(|at| edge(at).is_some_and(|edge| !brought.contains(edge.parent.as_str())));
        match free {
            Some(place) => order.push(left.remove(place)),
            None => {
                errors.push(PlanError::AlongCycle {
                    tables: brought.into_iter().map(str::to_owned).collect(),
                });
                break;
            }
        }
    }
    order
}
