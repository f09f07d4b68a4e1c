//! Which references of a row become null because what they point to does not travel, row by row.
//!
//! A reference that the plan cuts is null in every row. A link may point to a row that is not there, or to a kind of rows that no link names;
//! nothing looks after it, so that is found out here. What must not be null stays, and is counted as well.

use std::collections::BTreeSet;

use ringfence_mask::closure::{Edge, Plan, Treatment};
use ringfence_mask::mask::TableMasker;
use ringfence_mask::schema::{Table, Value};

use super::SampleError;
use super::choice::{Canonical, Found, Pointer, kinds};

/// What is cut in a table's rows.
pub(super) struct Cuts<'a> {
    /// Of the columns that are written, those that are null in every row.
    always: Vec<bool>,
    /// Of the columns that are read, those whose value is lost in every row.
    lost: Vec<usize>,
    links: Vec<Links<'a>>,
    now: Vec<bool>,
}

/// What is cut in one row.
#[derive(Clone, Copy)]
pub(super) struct Cut<'a> {
    /// For each of the columns that are written, whether it is null.
    pub(super) columns: &'a [bool],
    /// Whether the row pointed to something, and does no more, or points to nothing.
    pub(super) is_lost: bool,
}

/// All links by the same columns.
struct Links<'a> {
    columns: &'a [String],
    ways: Vec<Link<'a>>,
    /// The places of its columns among those that are read.
    reads: Vec<usize>,
    /// The places of those that may be null among those that are written.
    writes: Vec<usize>,
}

struct Link<'a> {
    pointer: Pointer,
    /// What is there to be pointed to; nothing where it is not followed.
    there: Option<&'a BTreeSet<Canonical>>,
}

impl<'a> Cuts<'a> {
    pub(super) fn new(
        (plan, tables): (&'a Plan, &[Table]),
        (table, masker): (&Table, &TableMasker),
        found: &'a Found<'_>,
    ) -> Result<Self, SampleError> {
        let edges = plan.edges.iter().filter(|edge| edge.child == table.name);
        let (links, keys): (Vec<&Edge>, Vec<&Edge>) = edges.partition(|edge| edge.is_link());
        let cut = |edge: &&Edge| match &edge.treatment {
            Treatment::Cut { columns, .. } => columns.clone(),
            _ => Vec::new(),
        };
        let cut: Vec<String> = keys.iter().flat_map(cut).collect();
        let always: Vec<bool> = masker
            .writes()
            .iter()
            .map(|name| cut.contains(name))
            .collect();
        let read = |name: &String| masker.reads().iter().position(|own| own == name);
        let mut cuts = Self {
            now: always.clone(),
            always,
            lost: cut
                .iter()
                .filter(|name| masker.writes().contains(name))
                .filter_map(read)
                .collect(),
            links: Vec::new(),
        };
        for edge in links {
            cuts.add(edge, tables, (table, masker), found)?;
        }
        Ok(cuts)
    }

    fn add(
        &mut self,
        edge: &'a Edge,
        tables: &[Table],
        (table, masker): (&Table, &TableMasker),
        found: &'a Found<'_>,
    ) -> Result<(), SampleError> {
        let read = |name: &String| masker.reads().iter().position(|own| own == name);
        let parent = tables.iter().find(|table| table.name == edge.parent);
        let kinds = parent
            .map(|parent| kinds(parent, &edge.referenced))
            .transpose()?;
        // What is not read does not travel anyway.
        let pointer = Pointer::new(edge, kinds.unwrap_or_default(), read);
        let reads: Option<Vec<usize>> = edge.columns.iter().map(read).collect();
        let Some(reads) = reads else {
            return Ok(());
        };
        let Some(pointer) = pointer else {
            self.cut_blind(edge, masker, reads);
            return Ok(());
        };
        let pointed = (edge.parent.as_str(), edge.referenced.as_slice());
        let way = Link {
            pointer,
            there: match edge.is_followed() {
                true => found.linked.get(&pointed),
                false => None,
            },
        };
        if let Some(links) = self
            .links
            .iter_mut()
            .find(|links| links.columns == edge.columns)
        {
            links.ways.push(way);
            return Ok(());
        }
        let may = |name: &&String| table.column(name).is_some_and(|column| column.nullable);
        let written = |name: &String| masker.writes().iter().position(|own| own == name);
        self.links.push(Links {
            columns: &edge.columns,
            ways: vec![way],
            reads,
            writes: edge
                .columns
                .iter()
                .filter(may)
                .filter_map(written)
                .collect(),
        });
        Ok(())
    }

    /// Cuts a link in every row: its word does not travel, and nobody could say below which rows it was for.
    fn cut_blind(&mut self, edge: &Edge, masker: &TableMasker, reads: Vec<usize>) {
        let written = masker.writes().iter().zip(&mut self.always);
        for (_, always) in written.filter(|(name, _)| edge.columns.contains(name)) {
            *always = true;
        }
        self.lost.extend(reads);
        self.now.clone_from(&self.always);
    }

    /// What is cut in a row, by its columns as they were read.
    pub(super) fn of_row(&mut self, values: &[Value<'_>]) -> Cut<'_> {
        let is_there = |place: &usize| {
            values
                .get(*place)
                .is_some_and(|value| *value != Value::Null)
        };
        let mut is_lost = self.lost.iter().any(is_there);
        if !self.links.is_empty() {
            self.now.clone_from(&self.always);
        }
        for links in &self.links {
            if !links.reads.iter().all(is_there) || links.hold(values) {
                continue;
            }
            is_lost = true;
            for place in &links.writes {
                if let Some(now) = self.now.get_mut(*place) {
                    *now = true;
                }
            }
        }
        Cut {
            columns: &self.now,
            is_lost,
        }
    }
}

impl Links<'_> {
    /// Whether one of the links points to something that is there.
    fn hold(&self, values: &[Value<'_>]) -> bool {
        self.ways.iter().any(|way| {
            let need = way.pointer.need(values);
            need.zip(way.there)
                .is_some_and(|((canonical, _), there)| there.contains(&canonical))
        })
    }
}
