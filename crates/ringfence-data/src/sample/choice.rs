//! Which rows travel: those that are chosen of themselves, those that come along with them, and whatever either of them needs.

mod layout;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ringfence_mask::choose::{Chooser, Fraction, Lowest};
use ringfence_mask::closure::{Edge, Plan};
use ringfence_mask::key::Key as Secret;
use ringfence_mask::rule::{Rows, Rules};
use ringfence_mask::schema::{Table, Value};

use super::source::{Key, Scan, Source};
use super::{Progress, SampleError, Step, Work};
pub use layout::identity;
pub(crate) use layout::text;
pub(super) use layout::{Canonical, Pointer, canonical, kinds};
use layout::{Layout, Seen};

/// The rows of one table that travel.
#[derive(Default)]
pub struct Chosen {
    /// Whether all of them do; then no key is kept.
    pub is_whole: bool,
    /// The keys of those that do, by their canonical bytes, as the store wrote them.
    pub keys: BTreeMap<Box<[u8]>, Key>,
}

/// What was found.
pub struct Found<'a> {
    /// The rows of every table.
    pub rows: HashMap<&'a str, Chosen>,
    /// Of what links point to, by table and columns: what is there.
    pub(super) linked: BTreeMap<Pointed<'a>, BTreeSet<Canonical>>,
}

/// Finds the rows of every table, by a key that ranks them; every row that is looked at is told.
///
/// # Errors
///
/// Where the store cannot be asked.
pub fn choose<'a>(
    source: &mut dyn Source,
    tables: &'a [Table],
    (plan, rules): (&'a Plan, &'a Rules),
    (secret, progress): (&'a Secret, &mut Progress<'_>),
) -> Result<Found<'a>, SampleError> {
    let mut edges: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in plan.edges.iter().filter(|edge| edge.is_followed()) {
        edges.entry(&edge.child).or_default().push(edge);
    }
    let tables = tables.iter().map(|table| (table.name.as_str(), table));
    let state = State {
        rules,
        tables: tables.collect(),
        edges,
        chosen: HashMap::new(),
        wanted: BTreeMap::new(),
        asked: BTreeMap::new(),
        linked: BTreeMap::new(),
    };
    let choice = Choice {
        source,
        plan,
        rules,
        secret,
        state,
        seen: 0,
        progress,
    };
    choice.run()
}

struct Choice<'a, 's, 'p> {
    source: &'s mut dyn Source,
    plan: &'a Plan,
    rules: &'a Rules,
    secret: &'a Secret,
    state: State<'a>,
    /// How many rows were looked at.
    seen: u64,
    progress: &'s mut Progress<'p>,
}

/// What is pointed to: a table, and the columns that are.
pub(super) type Pointed<'a> = (&'a str, &'a [String]);

struct State<'a> {
    rules: &'a Rules,
    tables: HashMap<&'a str, &'a Table>,
    /// The references of each table that are followed.
    edges: HashMap<&'a str, Vec<&'a Edge>>,
    chosen: HashMap<&'a str, Chosen>,
    /// Rows that are pointed to and were not looked for yet.
    wanted: BTreeMap<Pointed<'a>, BTreeMap<Canonical, Key>>,
    /// Rows that were looked for by other columns than their identity.
    asked: BTreeMap<Pointed<'a>, BTreeSet<Canonical>>,
    /// What links point to, whether it is there or not: the schema does not say so.
    linked: BTreeMap<Pointed<'a>, BTreeMap<Canonical, Key>>,
}

impl<'a> Choice<'a, '_, '_> {
    fn run(mut self) -> Result<Found<'a>, SampleError> {
        for table in &self.plan.tables {
            self.state.chosen.entry(&table.name).or_default();
        }
        for table in &self.plan.tables {
            self.of_themselves(&table.name, table.rows)?;
            self.has_keys(&table.name)?;
        }
        for place in &self.plan.along {
            if let Some(edge) = self.plan.edges.get(*place) {
                self.along(edge)?;
                self.has_keys(&edge.child)?;
            }
        }
        while let Some((pointed, keys)) = self.next_wanted() {
            self.fetch(pointed, keys)?;
        }
        let mut linked = BTreeMap::new();
        for (pointed, keys) in std::mem::take(&mut self.state.linked) {
            linked.insert(pointed, self.there(pointed, &keys)?);
        }
        Ok(Found {
            rows: self.state.chosen,
            linked,
        })
    }

    /// Those of the keys that rows have.
    fn there(
        &mut self,
        (name, columns): Pointed<'a>,
        keys: &BTreeMap<Canonical, Key>,
    ) -> Result<BTreeSet<Canonical>, SampleError> {
        let table = self.state.table(name)?;
        let kinds = kinds(table, columns)?;
        let keys: Vec<&Key> = keys.values().collect();
        let mut there = BTreeSet::new();
        let by = (columns, keys.as_slice());
        self.source.fetch(table, by, columns, &mut |values| {
            there.insert(canonical(values.iter().copied().zip(&kinds)));
            Ok(())
        })?;
        Ok(there)
    }

    /// Refuses where a row was chosen that has no key: its canonical bytes are none.
    fn has_keys(&self, name: &str) -> Result<(), SampleError> {
        let none: &[u8] = &[];
        let chosen = self.state.chosen.get(name);
        match chosen.is_some_and(|chosen| chosen.keys.contains_key(none)) {
            true => Err(SampleError::NoKey(name.to_owned())),
            false => Ok(()),
        }
    }

    /// The rows that a table's own rule chooses.
    fn of_themselves(&mut self, name: &'a str, rows: Rows) -> Result<(), SampleError> {
        if matches!(rows, Rows::Needed | Rows::None) {
            return Ok(());
        }
        let rule = self.rules.table(name);
        let is_all = matches!(rows, Rows::All | Rows::Fraction(Fraction::ALL));
        if is_all && rule.filter.is_none() {
            self.state.chosen.entry(name).or_default().is_whole = true;
            if !self.state.edges.contains_key(name) {
                return Ok(());
            }
        }
        let document = rule.document.as_ref();
        let ranked = document.and_then(|document| document.table.as_deref());
        let chooser = Chooser::new(self.secret, ranked.unwrap_or(name));
        if let (Some(_), Rows::Count(most)) = (document, rows) {
            return self.documents(name, most, &chooser);
        }
        let mut lowest = match rows {
            Rows::Count(most) => Some(lowest(most)),
            _ => None,
        };
        self.scan(name, rule.filter.as_deref(), |state, layout, values| {
            let rank = || chooser.rank(&layout.document(values));
            match (&mut lowest, rows) {
                (Some(lowest), _) => lowest.offer(rank(), layout.seen(values)),
                (None, Rows::Fraction(fraction)) if !fraction.holds(rank()) => {}
                _ => state.take(name, layout, layout.seen(values)),
            }
        })?;
        self.take_all(name, lowest.into_iter())
    }

    /// The rows of so many documents, those of the lowest ranks.
    fn documents(
        &mut self,
        name: &'a str,
        most: u64,
        chooser: &Chooser,
    ) -> Result<(), SampleError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let rule = self.rules.table(name);
        let mut kept: BTreeMap<u64, Vec<Seen>> = BTreeMap::new();
        self.scan(name, rule.filter.as_deref(), |_, layout, values| {
            let rank = chooser.rank(&layout.document(values));
            kept.entry(rank).or_default().push(layout.seen(values));
            if kept.len() > most {
                kept.pop_last();
            }
        })?;
        let layout = self.state.layout(name)?;
        for seen in kept.into_values().flatten() {
            self.state.take(name, &layout, seen);
        }
        Ok(())
    }

    /// The rows that come along with the parents they point to.
    fn along(&mut self, edge: &'a Edge) -> Result<(), SampleError> {
        let name = edge.child.as_str();
        let chosen = self.state.chosen.get(name);
        if chosen.is_some_and(|chosen| chosen.is_whole) {
            return Ok(());
        }
        let rule = self.rules.table(name);
        let parents = match self.parents(edge)? {
            // Of a table whose rows all travel no key is kept, and a link may point to none of them.
            None if edge.is_link() => Some(self.pointed(edge, rule.filter.as_deref())?),
            parents => parents,
        };
        let chooser = Chooser::new(self.secret, name);
        let cap = edge.along.flatten();
        let mut families: BTreeMap<Canonical, Lowest<Seen>> = BTreeMap::new();
        self.scan(name, rule.filter.as_deref(), |state, layout, values| {
            let Some((parent, _)) = layout.need(edge, values) else {
                return;
            };
            let known = parents.as_ref();
            if known.is_some_and(|parents| !parents.contains(&parent)) {
                return;
            }
            let Some(most) = cap else {
                return state.take(name, layout, layout.seen(values));
            };
            let family = families.entry(parent).or_insert_with(|| lowest(most));
            family.offer(chooser.rank(&layout.key(values)), layout.seen(values));
        })?;
        self.take_all(name, families.into_values())
    }

    /// What a table's rows point to by a link and is there.
    fn pointed(
        &mut self,
        edge: &'a Edge,
        filter: Option<&str>,
    ) -> Result<BTreeSet<Canonical>, SampleError> {
        let mut keys: BTreeMap<Canonical, Key> = BTreeMap::new();
        self.scan(&edge.child, filter, |_, layout, values| {
            keys.extend(layout.need(edge, values));
        })?;
        self.there((&edge.parent, &edge.referenced), &keys)
    }

    /// What children of chosen parents point to; nothing where every parent is chosen.
    fn parents(&mut self, edge: &'a Edge) -> Result<Option<BTreeSet<Canonical>>, SampleError> {
        let name = edge.parent.as_str();
        let (table, chosen) = (self.state.tables.get(name), self.state.chosen.get(name));
        let (Some(table), Some(chosen)) = (table, chosen) else {
            return Ok(Some(BTreeSet::new()));
        };
        if chosen.is_whole {
            return Ok(None);
        }
        let identity = identity(table);
        if edge.referenced == identity {
            return Ok(Some(chosen.keys.keys().cloned().collect()));
        }
        let kinds = kinds(table, &edge.referenced)?;
        let keys: Vec<&Key> = chosen.keys.values().collect();
        let mut found = BTreeSet::new();
        let by = (identity, keys.as_slice());
        self.source
            .fetch(table, by, &edge.referenced, &mut |values| {
                found.insert(canonical(values.iter().copied().zip(&kinds)));
                Ok(())
            })?;
        Ok(Some(found))
    }

    /// What is wanted and not there yet; first of the table that is loaded last, so that most tables are asked once.
    fn next_wanted(&mut self) -> Option<(Pointed<'a>, BTreeMap<Canonical, Key>)> {
        let wanted = &self.state.wanted;
        let next = self
            .plan
            .tables
            .iter()
            .rev()
            .find_map(|table| wanted.keys().find(|(name, _)| *name == table.name).copied())?;
        Some((next, self.state.wanted.remove(&next)?))
    }

    fn fetch(
        &mut self,
        (name, columns): Pointed<'a>,
        mut keys: BTreeMap<Canonical, Key>,
    ) -> Result<(), SampleError> {
        let table = self.state.table(name)?;
        let chosen = self.state.chosen.entry(name).or_default();
        if chosen.is_whole {
            return Ok(());
        }
        if columns == identity(table) {
            keys.retain(|canonical, _| !chosen.keys.contains_key(canonical));
        } else {
            let asked = self.state.asked.entry((name, columns)).or_default();
            keys.retain(|canonical, _| asked.insert(canonical.clone()));
        }
        if keys.is_empty() {
            return Ok(());
        }
        let layout = self.state.layout(name)?;
        let keys: Vec<&Key> = keys.values().collect();
        let state = &mut self.state;
        let by = (columns, keys.as_slice());
        self.source
            .fetch(table, by, &layout.columns, &mut |values| {
                state.take(name, &layout, layout.seen(values));
                Ok(())
            })
    }

    fn take_all(
        &mut self,
        name: &'a str,
        kept: impl Iterator<Item = Lowest<Seen>>,
    ) -> Result<(), SampleError> {
        let layout = self.state.layout(name)?;
        for (_, seen) in kept.flat_map(Lowest::into_rows) {
            self.state.take(name, &layout, seen);
        }
        Ok(())
    }

    fn scan(
        &mut self,
        name: &'a str,
        filter: Option<&str>,
        mut each: impl FnMut(&mut State<'a>, &Layout<'a>, &[Value<'_>]),
    ) -> Result<(), SampleError> {
        let layout = self.state.layout(name)?;
        let scan = Scan {
            table: self.state.table(name)?,
            columns: &layout.columns,
            filter,
            is_ordered: false,
        };
        let (state, seen) = (&mut self.state, &mut self.seen);
        let progress = &mut *self.progress;
        self.source.scan(&scan, &mut |values| {
            each(state, &layout, values);
            *seen += 1;
            progress(Step {
                work: Work::Choosing,
                table: name,
                rows: *seen,
                of: None,
            });
            Ok(())
        })
    }
}

impl<'a> State<'a> {
    /// A row travels; so will what it points to.
    fn take(&mut self, name: &'a str, layout: &Layout<'a>, seen: Seen) {
        let chosen = self.chosen.entry(name).or_default();
        if !chosen.is_whole {
            let (canonical, key) = seen.identity;
            if chosen.keys.insert(canonical, key).is_some() {
                return;
            }
        }
        for (edge, need) in layout.edges().zip(seen.needs) {
            let pointed = (edge.parent.as_str(), edge.referenced.as_slice());
            if let (Some((canonical, key)), true) = (&need, edge.is_link()) {
                let linked = self.linked.entry(pointed).or_default();
                linked.insert(canonical.clone(), key.clone());
            }
            let parent = self.chosen.get(edge.parent.as_str());
            let is_there = parent.is_some_and(|chosen| chosen.is_whole);
            if let (Some((canonical, key)), false) = (need, is_there) {
                self.wanted
                    .entry(pointed)
                    .or_default()
                    .insert(canonical, key);
            }
        }
    }

    fn table(&self, name: &str) -> Result<&'a Table, SampleError> {
        let table = self.tables.get(name).copied();
        table.ok_or_else(|| SampleError::Target(format!("there is no table `{name}`")))
    }

    fn layout(&self, name: &str) -> Result<Layout<'a>, SampleError> {
        let edges = self.edges.get(name).into_iter().flatten().copied();
        let kinds_of = |edge: &'a Edge| {
            let parent = self.table(&edge.parent)?;
            Ok((edge, kinds(parent, &edge.referenced)?))
        };
        let rule = self.rules.tables.get(name);
        let document = rule.and_then(|rule| rule.document.as_ref());
        Layout::new(
            self.table(name)?,
            edges.map(kinds_of),
            document.map(|document| document.column.as_str()),
        )
    }
}

fn lowest(most: u64) -> Lowest<Seen> {
    Lowest::new(usize::try_from(most).unwrap_or(usize::MAX))
}
