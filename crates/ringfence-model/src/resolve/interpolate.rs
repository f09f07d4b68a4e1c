//! References between the settings of one environment: order, cycles, and the values that come of them.

use std::collections::{BTreeMap, HashMap};

use ringfence_diagnostic::Span;
use ringfence_syntax::dotenv::template::{Otherwise, Piece, Reference};

/// What a setting's winning layer says, before references are followed.
pub(super) enum Input<'a> {
    /// Text that is taken as it is.
    Literal(&'a str),
    /// Text with references in it.
    Pieces(Vec<Piece<'a>>),
    /// A value that is not known.
    Closed,
}

/// The values that came out, and why the others did not.
#[derive(Default)]
pub(super) struct Expansion<'a> {
    /// By name; a setting that has a problem, or refers to one that has, is not there.
    pub(super) values: BTreeMap<&'a str, String>,
    /// Which settings a value refers to, each value after those it refers to.
    pub(super) uses: Vec<(&'a str, Vec<&'a str>)>,
    /// What is wrong, by the setting in which it is written.
    pub(super) problems: Vec<(&'a str, Problem)>,
}

/// Why a reference cannot be followed.
pub(super) enum Problem {
    /// The settings lead back to the first of them.
    Cycle(Vec<String>),
    /// There is no setting of that name.
    Unknown(String, Span),
    /// `${NAME:?message}`, and the setting is absent or empty.
    Demanded(String, String, Span),
    /// The values together grow over [`MAX_EXPANDED`].
    TooLarge,
}

/// All values that references are followed in may have this many bytes together: more than any kernel takes.
pub(super) const MAX_EXPANDED: usize = 16 << 20;

/// Follows all references.
pub(super) fn expand<'a>(inputs: &BTreeMap<&'a str, Input<'a>>) -> Expansion<'a> {
    let literals = inputs.iter().filter_map(|(name, input)| match input {
        Input::Literal(text) => Some((*name, (*text).to_owned())),
        Input::Pieces(_) | Input::Closed => None,
    });
    let mut expansion = Expansion {
        values: literals.collect(),
        ..Expansion::default()
    };
    let (order, cycles) = order(inputs);
    for cycle in cycles {
        if let Some(first) = cycle.first() {
            expansion.problems.push((
                first,
                Problem::Cycle(cycle.iter().map(|name| (*name).to_owned()).collect()),
            ));
        }
    }
    let mut budget = MAX_EXPANDED;
    for name in order {
        let Some(Input::Pieces(pieces)) = inputs.get(name) else {
            continue;
        };
        expansion.uses.push((name, references(pieces)));
        let mut writer = Writer {
            inputs,
            values: &expansion.values,
            text: String::new(),
            budget,
        };
        match writer.pieces(pieces) {
            Ok(()) => {
                budget = writer.budget;
                let text = writer.text;
                expansion.values.insert(name, text);
            }
            Err(Stop::Problem(problem)) => expansion.problems.push((name, problem)),
            Err(Stop::Earlier) => {}
        }
    }
    expansion
}

/// The names that a value refers to, those inside defaults too.
fn references<'a>(pieces: &[Piece<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for piece in pieces {
        if let Piece::Reference(reference) = piece {
            names.push(reference.name);
            if let Otherwise::Default(pieces) = &reference.otherwise {
                names.extend(references(pieces));
            }
        }
    }
    names
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Open,
    Done,
}

/// The settings that have references, each after those it refers to, and the cycles among them.
///
/// Depth-first with a stack of its own: a chain of references may be as long as the file.
fn order<'a>(inputs: &BTreeMap<&'a str, Input<'a>>) -> (Vec<&'a str>, Vec<Vec<&'a str>>) {
    let mut marks: HashMap<&str, Mark> = HashMap::new();
    let mut order = Vec::new();
    let mut cycles = Vec::new();
    for (name, input) in inputs {
        let mut stack: Vec<(&str, Vec<&str>)> = Vec::new();
        if let (Input::Pieces(pieces), false) = (input, marks.contains_key(name)) {
            marks.insert(name, Mark::Open);
            stack.push((name, references(pieces)));
        }
        while let Some((name, open)) = stack.last_mut() {
            let Some(next) = open.pop() else {
                marks.insert(name, Mark::Done);
                order.push(*name);
                stack.pop();
                continue;
            };
            match (marks.get(next), inputs.get(next)) {
                (Some(Mark::Open), _) => {
                    let path = stack
                        .iter()
                        .map(|(name, _)| *name)
                        .skip_while(|name| *name != next);
                    cycles.push(path.collect());
                }
                (None, Some(Input::Pieces(pieces))) => {
                    marks.insert(next, Mark::Open);
                    stack.push((next, references(pieces)));
                }
                _ => {}
            }
        }
    }
    (order, cycles)
}

struct Writer<'w, 'a> {
    inputs: &'w BTreeMap<&'a str, Input<'a>>,
    values: &'w BTreeMap<&'a str, String>,
    text: String,
    budget: usize,
}

/// Why a value is not there.
enum Stop {
    /// Because of this.
    Problem(Problem),
    /// Because a setting it refers to has none, which has been said already.
    Earlier,
}

impl Writer<'_, '_> {
    fn pieces(&mut self, pieces: &[Piece<'_>]) -> Result<(), Stop> {
        pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => self.push(text),
            Piece::Reference(reference) => self.reference(reference),
        })
    }

    fn reference(&mut self, reference: &Reference<'_>) -> Result<(), Stop> {
        let known = self.inputs.contains_key(reference.name);
        let value = self.values.get(reference.name);
        let name = || reference.name.to_owned();
        match (&reference.otherwise, value) {
            _ if known && value.is_none() => Err(Stop::Earlier),
            (Otherwise::Default(pieces), None) => self.pieces(pieces),
            (Otherwise::Default(pieces), Some(value)) if value.is_empty() => self.pieces(pieces),
            (Otherwise::Message(message), value) if value.is_none_or(String::is_empty) => {
                Err(Stop::Problem(Problem::Demanded(
                    name(),
                    message.clone().into_owned(),
                    reference.span,
                )))
            }
            (_, Some(value)) => self.push(value),
            (_, None) => Err(Stop::Problem(Problem::Unknown(name(), reference.span))),
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Stop> {
        self.budget = self
            .budget
            .checked_sub(text.len())
            .ok_or(Stop::Problem(Problem::TooLarge))?;
        self.text.push_str(text);
        Ok(())
    }
}
