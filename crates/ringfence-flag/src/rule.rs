//! Targeting rules: JsonLogic with flagd's operators, compiled once and applied often.
//!
//! The operators are those of <https://jsonlogic.com/operations.html> without `log`, as its reference implementation in
//! JavaScript evaluates them, coercions included, and flagd's `fractional` (version 3), `sem_ver`, `starts_with` and
//! `ends_with` (<https://flagd.dev/reference/custom-operations/>). An own evaluator, because none that is published
//! bounds its work: `map` inside `map`, or a `reduce` that doubles its accumulator, takes all of a machine from one line
//! of a flag file. Here nesting is bounded when a rule is compiled, and steps when it is applied.

mod apply;
mod bucket;
mod function;
mod text;
mod value;
mod version;

use std::collections::BTreeMap;

use ringfence_diagnostic::spelling::closest;
use serde_json::Value as Json;

pub use apply::{ApplyError, Question};
pub use value::Value;

/// How many levels of operators may be inside each other, evaluators that are referred to included.
pub const MAX_DEPTH: usize = 100;
/// How many operators and values one rule may hold, evaluators that are referred to included.
pub const MAX_NODES: usize = 20_000;
/// How many steps one application may take: an operator, an item of a list, or some bytes of a text each.
pub const MAX_STEPS: usize = 200_000;

/// A rule that can be applied: its operators are known and its nesting is bounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    root: Expression,
    nodes: usize,
}

/// Why a rule cannot be applied. The pointer (RFC 6901) leads from the rule's top to the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither JsonLogic nor flagd has this operator.
    #[error("unknown operator `{name}`{}", suggestion(near.as_deref()))]
    Operator {
        /// The operator as written.
        name: String,
        /// What was probably meant.
        near: Option<String>,
        /// Where it stands.
        pointer: String,
    },
    /// `$ref` names an evaluator that the file does not have.
    #[error("`$ref` names the evaluator `{name}`, which `$evaluators` does not have{}", suggestion(near.as_deref()))]
    Evaluator {
        /// The evaluator as written.
        name: String,
        /// What was probably meant.
        near: Option<String>,
        /// Where it stands.
        pointer: String,
    },
    /// The rule is nested deeper than [`MAX_DEPTH`], or an evaluator refers to itself.
    #[error("the rule is nested deeper than {MAX_DEPTH} levels, or an evaluator refers to itself")]
    Deep {
        /// Where the first level too many stands.
        pointer: String,
    },
    /// The rule holds more than [`MAX_NODES`] parts.
    #[error("the rule holds more than {MAX_NODES} operators and values")]
    Large {
        /// Where the first part too many stands.
        pointer: String,
    },
}

fn suggestion(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"))
}

impl RuleError {
    /// Where it is wrong, as a JSON pointer from the rule's top.
    #[must_use]
    pub fn pointer(&self) -> &str {
        match self {
            Self::Operator { pointer, .. }
            | Self::Evaluator { pointer, .. }
            | Self::Deep { pointer }
            | Self::Large { pointer } => pointer,
        }
    }

    /// What mends it.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Operator { .. } => {
                "use an operator of JsonLogic, or `fractional`, `sem_ver`, `starts_with`, `ends_with`"
            }
            Self::Evaluator { .. } => {
                "write the evaluator into `$evaluators`, or its rule in place of the `$ref`"
            }
            Self::Deep { .. } | Self::Large { .. } => "split the rule, or make it flatter",
        }
    }
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Literal(Json),
    List(Vec<Self>),
    /// `var` with a path that is known: by far the most frequent operator.
    Path {
        segments: Vec<String>,
        otherwise: Option<Box<Self>>,
    },
    Call(Operator, Vec<Self>),
}

/// What a rule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Var,
    Missing,
    MissingSome,
    If,
    And,
    Or,
    Not,
    Truthy,
    Equal,
    NotEqual,
    Same,
    NotSame,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Minimum,
    Maximum,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Map,
    Filter,
    Reduce,
    All,
    None,
    Some,
    Merge,
    In,
    Cat,
    Substr,
    Fractional,
    SemVer,
    StartsWith,
    EndsWith,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("var", Operator::Var),
    ("missing", Operator::Missing),
    ("missing_some", Operator::MissingSome),
    ("if", Operator::If),
    ("?:", Operator::If),
    ("and", Operator::And),
    ("or", Operator::Or),
    ("!", Operator::Not),
    ("!!", Operator::Truthy),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("===", Operator::Same),
    ("!==", Operator::NotSame),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
    ("min", Operator::Minimum),
    ("max", Operator::Maximum),
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("%", Operator::Remainder),
    ("map", Operator::Map),
    ("filter", Operator::Filter),
    ("reduce", Operator::Reduce),
    ("all", Operator::All),
    ("none", Operator::None),
    ("some", Operator::Some),
    ("merge", Operator::Merge),
    ("in", Operator::In),
    ("cat", Operator::Cat),
    ("substr", Operator::Substr),
    ("fractional", Operator::Fractional),
    ("sem_ver", Operator::SemVer),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
];

impl Rule {
    /// Compiles a rule; `{"$ref": "name"}` becomes the evaluator's rule.
    ///
    /// # Errors
    /// If an operator or an evaluator is unknown, or the rule is too deep or too large.
    pub fn compile(rule: &Json, evaluators: &BTreeMap<String, Json>) -> Result<Self, RuleError> {
        let mut compiler = Compiler {
            evaluators,
            pointer: Vec::new(),
            depth: 0,
            nodes: 0,
        };
        let root = compiler.expression(rule)?;
        Ok(Self {
            root,
            nodes: compiler.nodes,
        })
    }

    /// How many operators and values it holds, evaluators that are referred to included.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// What the rule says of a caller.
    ///
    /// # Errors
    /// If it takes more than [`MAX_STEPS`], or builds a value that is too deep.
    pub fn apply<'a>(&'a self, question: &Question<'a>) -> Result<Value<'a>, ApplyError> {
        apply::apply(&self.root, question)
    }
}

struct Compiler<'a> {
    evaluators: &'a BTreeMap<String, Json>,
    pointer: Vec<String>,
    depth: usize,
    nodes: usize,
}

impl Compiler<'_> {
    fn expression(&mut self, json: &Json) -> Result<Expression, RuleError> {
        self.nodes = self.nodes.saturating_add(size(json));
        if self.nodes > MAX_NODES {
            let pointer = self.place();
            return Err(RuleError::Large { pointer });
        }
        if self.depth > MAX_DEPTH {
            let pointer = self.place();
            return Err(RuleError::Deep { pointer });
        }
        self.depth += 1;
        let expression = self.inside(json);
        self.depth -= 1;
        expression
    }

    fn inside(&mut self, json: &Json) -> Result<Expression, RuleError> {
        match json {
            Json::Array(items) => Ok(folded(self.expressions(items)?)),
            Json::Object(map) if map.len() == 1 => match map.iter().next() {
                Some((name, argument)) => self.at(name, |own| own.call(name, argument)),
                None => Ok(Expression::Literal(json.clone())),
            },
            _ => Ok(Expression::Literal(json.clone())),
        }
    }

    fn expressions(&mut self, items: &[Json]) -> Result<Vec<Expression>, RuleError> {
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, item)| self.at(&index.to_string(), |own| own.expression(item)))
            .collect()
    }

    fn call(&mut self, name: &str, argument: &Json) -> Result<Expression, RuleError> {
        if name == "$ref" {
            return self.evaluator(argument);
        }
        let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == name) else {
            return Err(RuleError::Operator {
                name: name.to_owned(),
                near: near(name, OPERATORS.iter().map(|(known, _)| *known)),
                pointer: self.place(),
            });
        };
        let arguments = match argument {
            Json::Array(items) => self.expressions(items)?,
            one => vec![self.expression(one)?],
        };
        Ok(path(*operator, &arguments).unwrap_or(Expression::Call(*operator, arguments)))
    }

    fn evaluator(&mut self, argument: &Json) -> Result<Expression, RuleError> {
        let name = argument.as_str().unwrap_or_default();
        match self.evaluators.get(name) {
            Some(rule) => self.expression(rule),
            None => Err(RuleError::Evaluator {
                name: name.to_owned(),
                near: near(name, self.evaluators.keys().map(String::as_str)),
                pointer: self.place(),
            }),
        }
    }

    fn at<T>(&mut self, step: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.pointer
            .push(step.replace('~', "~0").replace('/', "~1"));
        let result = inside(self);
        self.pointer.pop();
        result
    }

    fn place(&self) -> String {
        self.pointer.iter().map(|step| format!("/{step}")).collect()
    }
}

/// A list of literals is a literal: `["free", "pro"]` is not built anew for each caller.
fn folded(items: Vec<Expression>) -> Expression {
    let is_literal = |item: &Expression| matches!(item, Expression::Literal(_));
    if !items.iter().all(is_literal) {
        return Expression::List(items);
    }
    let literal = |item| match item {
        Expression::Literal(json) => Some(json),
        _ => None,
    };
    Expression::Literal(Json::Array(items.into_iter().filter_map(literal).collect()))
}

/// How much a part counts, without those of its parts that are counted by themselves.
fn size(json: &Json) -> usize {
    match json {
        Json::String(text) => 1 + text.len() / 64,
        Json::Object(map) if map.len() != 1 => {
            let parts = map
                .iter()
                .map(|(name, value)| name.len() / 64 + whole(value));
            1 + parts.sum::<usize>()
        }
        _ => 1,
    }
}

/// How much a literal counts with all of its parts.
fn whole(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(whole).sum::<usize>(),
        Json::Object(map) => {
            let parts = map
                .iter()
                .map(|(name, value)| name.len() / 64 + whole(value));
            1 + parts.sum::<usize>()
        }
        _ => size(json),
    }
}

/// What was probably meant by a name. Long names are not compared: it takes the product of their lengths.
pub(crate) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let is_short = |name: &str| name.len() <= 64;
    let found = is_short(name).then(|| closest(name, known.filter(|known| is_short(known))));
    found.flatten().map(str::to_owned)
}

/// `var` with a literal, non-empty path.
fn path(operator: Operator, arguments: &[Expression]) -> Option<Expression> {
    let (Operator::Var, [Expression::Literal(Json::String(path)), rest @ ..]) =
        (operator, arguments)
    else {
        return None;
    };
    (!path.is_empty()).then(|| Expression::Path {
        segments: path.split('.').map(str::to_owned).collect(),
        otherwise: rest.first().cloned().map(Box::new),
    })
}

#[cfg(test)]
mod tests;
