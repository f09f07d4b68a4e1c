//! A compiled rule and a caller, to a value, in a bounded number of steps.

use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use super::function::{arithmetic, in_order, is_in, joined, listed, listed_all, substr, texts};
use super::value::Value;
use super::{Expression, MAX_STEPS, Operator, bucket, version};

/// Who a rule is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The caller's context.
    pub fields: &'a Map<String, Json>,
    /// The flag's key, which is `$flagd.flagKey`.
    pub flag: &'a str,
    /// Seconds since 1970, which are `$flagd.timestamp`.
    pub at: u64,
    /// How many steps are left for this rule and those after it.
    pub steps: &'a Cell<usize>,
}

/// Why a rule came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It took too many steps.
    #[error(
        "its rule takes more than {MAX_STEPS} steps for this caller, or all rules together too many"
    )]
    Steps,
    /// It built lists of lists of lists.
    #[error("its rule builds a value that is nested too deep")]
    Nesting,
}

/// What `var` looks into: the caller, or an item of a list.
enum Scope<'a> {
    Caller,
    Item(Value<'a>),
}

struct Machine<'q, 'a> {
    question: &'q Question<'a>,
    steps: usize,
}

pub(super) fn apply<'a>(
    root: &'a Expression,
    question: &Question<'a>,
) -> Result<Value<'a>, ApplyError> {
    let all = question.steps.get();
    let most = all.min(MAX_STEPS);
    let mut machine = Machine {
        question,
        steps: most,
    };
    let value = machine.value(root, &Scope::Caller);
    question.steps.set(all - (most - machine.steps));
    value
}

type Outcome<T> = Result<T, ApplyError>;

impl<'a> Machine<'_, 'a> {
    fn spend(&mut self, steps: usize) -> Outcome<()> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(|_| ()).ok_or(ApplyError::Steps)
    }

    /// Pays for what an operator reads of its arguments.
    fn charge(&mut self, operator: Operator, arguments: &[Value<'a>]) -> Outcome<()> {
        if matches!(operator, Operator::Not | Operator::Truthy) {
            return Ok(());
        }
        let with_objects = operator == Operator::Fractional;
        let mut arguments = arguments.iter();
        arguments.try_for_each(|value| value.charge(with_objects, &mut |steps| self.spend(steps)))
    }

    fn value(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Outcome<Value<'a>> {
        self.spend(1)?;
        match expression {
            Expression::Literal(json) => Ok(json.into()),
            Expression::List(items) => Value::items(self.values(items, scope)?),
            Expression::Path {
                segments,
                otherwise,
            } => match (
                self.member(scope, segments.iter().map(String::as_str)),
                otherwise,
            ) {
                (Some(value), _) => Ok(value),
                (None, Some(otherwise)) => self.value(otherwise, scope),
                (None, None) => Ok(Value::Null),
            },
            Expression::Call(operator, arguments) => self.call(*operator, arguments, scope),
        }
    }

    fn values(&mut self, items: &'a [Expression], scope: &Scope<'a>) -> Outcome<Vec<Value<'a>>> {
        items.iter().map(|item| self.value(item, scope)).collect()
    }

    /// The operators that look at some of their arguments only, or at some of them often.
    fn call(
        &mut self,
        operator: Operator,
        arguments: &'a [Expression],
        scope: &Scope<'a>,
    ) -> Outcome<Value<'a>> {
        match operator {
            Operator::If => self.choose(arguments, scope),
            Operator::And => self.until(arguments, scope, false),
            Operator::Or => self.until(arguments, scope, true),
            Operator::Map => self.map(arguments, scope),
            Operator::Filter => self.filter(arguments, scope),
            Operator::Reduce => self.reduce(arguments, scope),
            Operator::All => {
                let (is_empty, found) = self.seek(arguments, scope, false)?;
                Ok(Value::Boolean(!is_empty && !found))
            }
            Operator::Some => Ok(Value::Boolean(self.seek(arguments, scope, true)?.1)),
            Operator::None => Ok(Value::Boolean(!self.seek(arguments, scope, true)?.1)),
            // One and two are most, and need no list.
            _ => match arguments {
                [one] => {
                    let values = [self.value(one, scope)?];
                    self.operate(operator, &values, scope)
                }
                [one, two] => {
                    let values = [self.value(one, scope)?, self.value(two, scope)?];
                    self.operate(operator, &values, scope)
                }
                all => {
                    let values = self.values(all, scope)?;
                    self.operate(operator, &values, scope)
                }
            },
        }
    }

    /// The operators that take all of their arguments as values.
    fn operate(
        &mut self,
        operator: Operator,
        values: &[Value<'a>],
        scope: &Scope<'a>,
    ) -> Outcome<Value<'a>> {
        self.charge(operator, values)?;
        let truth = |truth: bool| Ok(Value::Boolean(truth));
        let known = |truth: Option<bool>| Ok(truth.map_or(Value::Null, Value::Boolean));
        let [one, two] = [0, 1].map(|at| values.get(at).unwrap_or(&Value::Null));
        match operator {
            Operator::Var => Ok(self.variable(values, scope)),
            Operator::Missing => Value::items(self.missing(listed(values), scope)),
            Operator::MissingSome => self.missing_some(one, two, scope),
            Operator::Not => truth(!one.is_true()),
            Operator::Truthy => truth(one.is_true()),
            Operator::Equal => truth(one.is_equal(two)),
            Operator::NotEqual => truth(!one.is_equal(two)),
            Operator::Same => truth(one.is_same(two)),
            Operator::NotSame => truth(!one.is_same(two)),
            Operator::Less => truth(in_order(values, Ordering::is_lt)),
            Operator::LessOrEqual => truth(in_order(values, Ordering::is_le)),
            Operator::Greater => truth(in_order(values, Ordering::is_gt)),
            Operator::GreaterOrEqual => truth(in_order(values, Ordering::is_ge)),
            Operator::Merge => Value::items(listed_all(values)),
            Operator::In => truth(is_in(one, two)),
            Operator::Cat => Ok(Value::text(values.iter().map(joined).collect())),
            Operator::Substr => Ok(substr(values)),
            Operator::Fractional => {
                Ok(bucket::fractional(values, self.question).unwrap_or(Value::Null))
            }
            Operator::SemVer => known(version::compare(values)),
            Operator::StartsWith => known(texts(values).map(|(text, part)| text.starts_with(part))),
            Operator::EndsWith => known(texts(values).map(|(text, part)| text.ends_with(part))),
            _ => Ok(Value::Float(arithmetic(operator, values))),
        }
    }

    /// `if`: conditions and consequences in turn, and what is left over.
    fn choose(&mut self, arguments: &'a [Expression], scope: &Scope<'a>) -> Outcome<Value<'a>> {
        let (pairs, rest) = arguments.as_chunks::<2>();
        for [condition, consequence] in pairs {
            if self.value(condition, scope)?.is_true() {
                return self.value(consequence, scope);
            }
        }
        match rest.first() {
            Some(otherwise) => self.value(otherwise, scope),
            None => Ok(Value::Null),
        }
    }

    /// `and`, `or`: the first value that is as wanted, or the last.
    fn until(
        &mut self,
        arguments: &'a [Expression],
        scope: &Scope<'a>,
        wanted: bool,
    ) -> Outcome<Value<'a>> {
        let mut last = Value::Null;
        for argument in arguments {
            last = self.value(argument, scope)?;
            if last.is_true() == wanted {
                break;
            }
        }
        Ok(last)
    }

    /// The list that an operator walks, and its rule for each item.
    fn walk(
        &mut self,
        arguments: &'a [Expression],
        scope: &Scope<'a>,
    ) -> Outcome<Option<(Value<'a>, &'a Expression)>> {
        let (Some(list), Some(rule)) = (arguments.first(), arguments.get(1)) else {
            return Ok(None);
        };
        let list = self.value(list, scope)?;
        Ok(list.length().map(|_| (list, rule)))
    }

    fn map(&mut self, arguments: &'a [Expression], scope: &Scope<'a>) -> Outcome<Value<'a>> {
        let mut mapped = Vec::new();
        if let Some((list, rule)) = self.walk(arguments, scope)? {
            for item in list.each().into_iter().flatten() {
                mapped.push(self.value(rule, &Scope::Item(item))?);
            }
        }
        Value::items(mapped)
    }

    fn filter(&mut self, arguments: &'a [Expression], scope: &Scope<'a>) -> Outcome<Value<'a>> {
        let mut kept = Vec::new();
        if let Some((list, rule)) = self.walk(arguments, scope)? {
            for item in list.each().into_iter().flatten() {
                if self.value(rule, &Scope::Item(item.clone()))?.is_true() {
                    kept.push(item);
                }
            }
        }
        Value::items(kept)
    }

    /// Whether a list is empty, and whether there is an item for which the rule says what is wanted.
    fn seek(
        &mut self,
        arguments: &'a [Expression],
        scope: &Scope<'a>,
        wanted: bool,
    ) -> Outcome<(bool, bool)> {
        let mut is_empty = true;
        if let Some((list, rule)) = self.walk(arguments, scope)? {
            for item in list.each().into_iter().flatten() {
                is_empty = false;
                if self.value(rule, &Scope::Item(item))?.is_true() == wanted {
                    return Ok((is_empty, true));
                }
            }
        }
        Ok((is_empty, false))
    }

    fn reduce(&mut self, arguments: &'a [Expression], scope: &Scope<'a>) -> Outcome<Value<'a>> {
        let mut accumulator = match arguments.get(2) {
            Some(begin) => self.value(begin, scope)?,
            None => Value::Null,
        };
        if let Some((list, rule)) = self.walk(arguments, scope)? {
            for item in list.each().into_iter().flatten() {
                let shown = Value::reduction(item, accumulator)?;
                accumulator = self.value(rule, &Scope::Item(shown))?;
            }
        }
        Ok(accumulator)
    }

    /// `var` with a path that is worked out, or none.
    fn variable(&self, values: &[Value<'a>], scope: &Scope<'a>) -> Value<'a> {
        let path = values.first().unwrap_or(&Value::Null);
        if path.is_null() || path.as_text() == Some("") {
            return match scope {
                Scope::Caller => Value::Map(self.question.fields),
                Scope::Item(item) => item.clone(),
            };
        }
        let found = self.member(scope, path.spelled().split('.'));
        found.unwrap_or_else(|| values.get(1).cloned().unwrap_or(Value::Null))
    }

    fn member<'p>(
        &self,
        scope: &Scope<'a>,
        mut path: impl Iterator<Item = &'p str>,
    ) -> Option<Value<'a>> {
        let first = path.next()?;
        let begin = match scope {
            Scope::Caller if first == "$flagd" => return self.about(path.next()?),
            Scope::Caller => Value::from(self.question.fields.get(first)?),
            Scope::Item(item) => item.member(first)?,
        };
        path.try_fold(begin, |value, name| value.member(name))
    }

    /// `$flagd.flagKey`, `$flagd.timestamp`.
    fn about(&self, name: &str) -> Option<Value<'a>> {
        match name {
            "flagKey" => Some(Value::Text(self.question.flag)),
            "timestamp" => Some(Value::Whole(self.question.at.into())),
            _ => None,
        }
    }

    /// The names under which there is nothing.
    fn missing(&self, names: Vec<Value<'a>>, scope: &Scope<'a>) -> Vec<Value<'a>> {
        let is_missing = |name: &Value<'a>| {
            let value = self.variable(std::slice::from_ref(name), scope);
            value.is_null() || value.as_text() == Some("")
        };
        names.into_iter().filter(is_missing).collect()
    }

    fn missing_some(
        &self,
        needed: &Value<'a>,
        names: &Value<'a>,
        scope: &Scope<'a>,
    ) -> Outcome<Value<'a>> {
        let names: Vec<Value<'a>> = names.each().into_iter().flatten().collect();
        let count = names.len();
        let missing = self.missing(names, scope);
        #[expect(clippy::cast_precision_loss, reason = "a count of names in a rule")]
        let there = (count - missing.len()) as f64;
        let is_enough = there >= needed.number();
        Value::items(if is_enough { Vec::new() } else { missing })
    }
}
