//! The functions of Go's `text/template`.

use super::{ExpressionError, compare, evaluate::Argument, printf};
use crate::field::Field;

/// Their names. `call` is not among them: no value of a template is a function.
pub(super) const NAMES: [&str; 18] = [
    "and", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

/// Calls one of them.
pub(super) fn call(name: &str, offset: usize, arguments: Vec<Argument>) -> Result<Field, ExpressionError> {
    let fail = |message: String| Err(ExpressionError::new(offset, message));
    let mut values: Vec<Field> = arguments.into_iter().map(|argument| argument.value).collect();
    let (least, most) = match name {
        "print" | "println" | "html" | "js" | "urlquery" => (0, usize::MAX),
        "not" | "len" => (1, 1),
        "ne" | "lt" | "le" | "gt" | "ge" => (2, 2),
        "eq" => (2, usize::MAX),
        "slice" => (1, 4),
        _ => (1, usize::MAX),
    };
    if values.len() < least || values.len() > most {
        return fail(format!("wrong number of arguments for the template function '{name}'"));
    }
    let result = match name {
        // Decided in the evaluation, but for the last argument, which is the value.
        "and" | "or" => Ok(values.pop().unwrap_or(Field::Nil)),
        "not" => Ok(Field::Bool(!truth(&values[0]))),
        "eq" => values[1..]
            .iter()
            .try_fold(false, |equal, other| Ok(equal || compare::equal(&values[0], other)?))
            .map(Field::Bool),
        "ne" => compare::equal(&values[0], &values[1]).map(|equal| Field::Bool(!equal)),
        "lt" => compare::order(&values[0], &values[1]).map(|order| Field::Bool(order.is_lt())),
        "le" => compare::order(&values[0], &values[1]).map(|order| Field::Bool(order.is_le())),
        "gt" => compare::order(&values[0], &values[1]).map(|order| Field::Bool(order.is_gt())),
        "ge" => compare::order(&values[0], &values[1]).map(|order| Field::Bool(order.is_ge())),
        "len" => length(&values[0]),
        "index" => index(&values),
        "slice" => slice(&values),
        "print" => Ok(Field::String(printf::print(&values))),
        "println" => Ok(Field::String(printf::println(&values))),
        "printf" => match values.split_first() {
            Some((Field::String(format), rest)) => Ok(Field::String(printf::printf(format, rest))),
            _ => Err("printf wants a string first".to_owned()),
        },
        "html" => Ok(Field::String(escape_html(&printf::print(&values)))),
        "js" => Ok(Field::String(escape_js(&printf::print(&values)))),
        "urlquery" => Ok(Field::String(escape_query(&printf::print(&values)))),
        _ => Err(format!("there is no template function '{name}'")),
    };
    result.or_else(fail)
}

/// Whether Go takes a value for true: not empty, not zero.
pub(super) fn truth(value: &Field) -> bool {
    match value {
        Field::Nil => false,
        Field::String(text) => !text.is_empty(),
        Field::Int(number) => *number != 0,
        Field::Float(number) => *number != 0.0,
        Field::Bool(truth) => *truth,
        Field::List(items) => !items.is_empty(),
        Field::Map(entries) => !entries.is_empty(),
    }
}

/// What a value is, for errors.
pub(super) fn kind(value: &Field) -> &'static str {
    match value {
        Field::Nil => "nothing",
        Field::String(_) => "a string",
        Field::Int(_) => "a whole number",
        Field::Float(_) => "a number",
        Field::Bool(_) => "a truth value",
        Field::List(_) => "a list",
        Field::Map(_) => "a map",
    }
}

fn length(value: &Field) -> Result<Field, String> {
    let length = match value {
        Field::String(text) => text.len(),
        Field::List(items) => items.len(),
        Field::Map(entries) => entries.len(),
        other => return Err(format!("{} has no length", kind(other))),
    };
    Ok(Field::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(values: &[Field]) -> Result<Field, String> {
    let Some((first, keys)) = values.split_first() else { return Ok(Field::Nil) };
    keys.iter().try_fold(first.clone(), |value, key| {
        let out_of_range = || format!("index out of range: {key}");
        match (&value, key) {
            (Field::Map(entries), Field::String(key)) => Ok(entries.get(key).cloned().unwrap_or(Field::Nil)),
            (Field::List(items), Field::Int(at)) => {
                usize::try_from(*at).ok().and_then(|at| items.get(at)).cloned().ok_or_else(out_of_range)
            }
            (Field::String(text), Field::Int(at)) => {
                let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at));
                byte.map(|byte| Field::Int(i64::from(*byte))).ok_or_else(out_of_range)
            }
            (value, key) => Err(format!("{} cannot be indexed by {}", kind(value), kind(key))),
        }
    })
}

fn slice(values: &[Field]) -> Result<Field, String> {
    let mut bounds = Vec::new();
    for bound in &values[1..] {
        match bound {
            Field::Int(number) => {
                bounds.push(usize::try_from(*number).map_err(|_| format!("index out of range: {number}"))?);
            }
            other => return Err(format!("a slice is cut by whole numbers, not by {}", kind(other))),
        }
    }
    let length = match &values[0] {
        Field::String(text) if bounds.len() < 3 => text.len(),
        Field::List(items) => items.len(),
        other => return Err(format!("{} cannot be sliced so", kind(other))),
    };
    let (from, to) = (bounds.first().copied().unwrap_or(0), bounds.get(1).copied().unwrap_or(length));
    if from > to || to > length {
        return Err(format!("index out of range: {from} to {to} of {length}"));
    }
    match &values[0] {
        Field::String(text) => text
            .get(from..to)
            .map(Field::from)
            .ok_or_else(|| "the string would be cut inside of a character".to_owned()),
        Field::List(items) => Ok(Field::List(items[from..to].to_vec())),
        _ => Ok(Field::Nil),
    }
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\0' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn escape_js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => escaped.extend(['\\', c]),
            '<' | '>' | '&' | '=' => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

fn escape_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte))
            }
            b' ' => escaped.push('+'),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
