//! Expressions and their values.

use std::cmp::Ordering;

use memchr::memmem::Finder;
use regex::Regex;

use super::functions::Function;
use super::value::Value;

/// Something that has a value for each row.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    /// The value in a place.
    Slot(usize),
    /// Inside the map or list in a place.
    Path(usize, Vec<String>),
    Constant(Value<'static>),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Compare(Box<Expression>, Comparison, Box<Expression>),
    Arithmetic(Box<Expression>, Arithmetic, Box<Expression>),
    Like(Box<Expression>, Matcher),
    In(Box<Expression>, Vec<Expression>),
    Call(Function, Vec<Expression>),
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How to reckon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// What `like` looks for.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Substring(Box<Finder<'static>>),
    Regex(Regex),
}

/// What an expression is worked out with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'f, 'r> {
    pub(super) values: &'f [Value<'r>],
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

impl Expression {
    /// The value for a row. What does not go (a sum of texts, a part of nothing) is no value.
    pub(super) fn value<'f>(&'f self, frame: Frame<'f, '_>) -> Value<'f> {
        match self {
            Expression::Slot(slot) => frame.values.get(*slot).map_or(Value::Null, Value::as_ref),
            Expression::Path(slot, path) => inside(frame.values.get(*slot), path),
            Expression::Constant(value) => value.as_ref(),
            Expression::Not(inner) => Value::Bool(!inner.value(frame).truth()),
            Expression::All(parts) => Value::Bool(parts.iter().all(|part| part.value(frame).truth())),
            Expression::Any(parts) => Value::Bool(parts.iter().any(|part| part.value(frame).truth())),
            Expression::Compare(left, comparison, right) => {
                Value::Bool(comparison.holds(&left.value(frame), &right.value(frame)))
            }
            Expression::Arithmetic(left, operation, right) => {
                let numbers = left.value(frame).number().zip(right.value(frame).number());
                numbers.map_or(Value::Null, |(left, right)| finite(operation.of(left, right)))
            }
            Expression::Like(inner, matcher) => {
                Value::Bool(inner.value(frame).text().is_some_and(|text| matcher.matches(&text)))
            }
            Expression::In(inner, list) => {
                let value = inner.value(frame);
                Value::Bool(list.iter().any(|element| value.equals(&element.value(frame))))
            }
            Expression::Call(function, arguments) => function.call(arguments, frame),
        }
    }

    /// The places that the expression looks at.
    pub(super) fn slots(&self, slots: &mut Vec<usize>) {
        match self {
            Expression::Slot(slot) | Expression::Path(slot, _) => slots.push(*slot),
            Expression::Constant(_) => {}
            Expression::Not(inner) | Expression::Like(inner, _) => inner.slots(slots),
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().for_each(|part| part.slots(slots))
            }
            Expression::Compare(left, _, right) | Expression::Arithmetic(left, _, right) => {
                left.slots(slots);
                right.slots(slots);
            }
            Expression::In(inner, list) => {
                inner.slots(slots);
                list.iter().for_each(|element| element.slots(slots));
            }
            Expression::Call(function, arguments) => {
                slots.extend(function.slot());
                arguments.iter().for_each(|argument| argument.slots(slots));
            }
        }
    }
}

impl Expression {
    /// The parts of an `and`, or whatever else it is.
    pub(super) fn into_all(self) -> Result<Vec<Expression>, Expression> {
        match self {
            Expression::All(parts) => Ok(parts),
            other => Err(other),
        }
    }

    /// The parts of an `or`, or whatever else it is.
    pub(super) fn into_any(self) -> Result<Vec<Expression>, Expression> {
        match self {
            Expression::Any(parts) => Ok(parts),
            other => Err(other),
        }
    }
}

impl Comparison {
    /// Whether the comparison holds: what is not there is equal to nothing, and neither more nor less.
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> bool {
        let order = || left.compare(right);
        match self {
            Comparison::Equal => left.equals(right),
            Comparison::NotEqual => !left.equals(right),
            Comparison::Less => order() == Some(Ordering::Less),
            Comparison::LessOrEqual => order().is_some_and(Ordering::is_le),
            Comparison::Greater => order() == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
        }
    }
}

impl Arithmetic {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
            Arithmetic::Power => left.powf(right),
        }
    }
}

impl Matcher {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Matcher::Substring(part) => part.find(text.as_bytes()).is_some(),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A number; a division by nothing and the like have no value.
pub(super) fn finite(number: f64) -> Value<'static> {
    match number.is_finite() {
        true => Value::Number(number),
        false => Value::Null,
    }
}

fn inside<'f>(value: Option<&Value<'_>>, path: &[String]) -> Value<'f> {
    let Some(Value::Json(json)) = value else { return Value::Null };
    let mut found = &**json;
    for name in path {
        let next = match found {
            serde_json::Value::Object(map) => map.get(name),
            serde_json::Value::Array(list) => name.parse::<usize>().ok().and_then(|index| list.get(index)),
            _ => None,
        };
        match next {
            Some(next) => found = next,
            None => return Value::Null,
        }
    }
    Value::from_json(found)
}
