//! Functions of texts. Lengths and places are counted in code points.

use std::borrow::Cow;

use super::super::value::Value;
use super::Arguments;

/// How long a text may become, in bytes. The longest message has 1 MiB; without a limit, a query could double a text
/// hundreds of times.
const MAX_BYTES: usize = 4 << 20;

/// All arguments one after another; those without a value add nothing.
pub(super) fn concat<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    let mut text = String::new();
    while arguments.left() > 0 {
        text.push_str(&arguments.next().text().unwrap_or_default());
        if text.len() > MAX_BYTES {
            return Value::Null;
        }
    }
    Value::owned_text(text)
}

pub(super) fn strlen<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    #[expect(clippy::cast_precision_loss, reason = "no message is as long as 2^53 characters")]
    let count = |text: Cow<'_, str>| Value::Number(text.chars().count() as f64);
    arguments.next().text().map_or(Value::Null, count)
}

pub(super) fn toupper<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, str::to_uppercase)
}

pub(super) fn tolower<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, str::to_lowercase)
}

pub(super) fn trim<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    trimmed(arguments, true, true)
}

pub(super) fn ltrim<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    trimmed(arguments, true, false)
}

pub(super) fn rtrim<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    trimmed(arguments, false, true)
}

/// Takes white space, or the text of the second argument as often as it is there, from the ends.
fn trimmed<'f>(arguments: &mut Arguments<'f, '_>, left: bool, right: bool) -> Value<'f> {
    let (value, part) = (arguments.next(), arguments.next());
    let (Some(text), part) = (value.text(), part.text()) else { return Value::Null };
    let mut text = &*text;
    match part {
        Some(part) if !part.is_empty() => {
            if left {
                text = text.trim_start_matches(&*part);
            }
            if right {
                text = text.trim_end_matches(&*part);
            }
        }
        _ => {
            if left {
                text = text.trim_start();
            }
            if right {
                text = text.trim_end();
            }
        }
    }
    Value::owned_text(text)
}

/// A part: from a place counted from 0, to the end or as long as told.
pub(super) fn substr<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    let (value, start, length) = (arguments.next(), arguments.next(), arguments.next());
    let (Some(text), Some(start)) = (value.text(), start.number()) else { return Value::Null };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to usize saturates")]
    let count = |number: f64| number.max(0.0) as usize;
    let part = text.chars().skip(count(start));
    Value::owned_text(match length.number() {
        Some(length) => part.take(count(length)).collect::<String>(),
        None => part.collect(),
    })
}

pub(super) fn replace<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    let (value, from, to) = (arguments.next(), arguments.next(), arguments.next());
    match (value.text(), from.text(), to.text()) {
        (Some(text), Some(from), Some(_)) if from.is_empty() => Value::owned_text(text),
        (Some(text), Some(from), Some(to)) => {
            let added = text.matches(&*from).count().saturating_mul(to.len());
            match text.len() + added > MAX_BYTES {
                true => Value::Null,
                false => Value::owned_text(text.replace(&*from, &to)),
            }
        }
        _ => Value::Null,
    }
}

/// 1 if the first argument contains the second, 0 otherwise.
pub(super) fn strcontains<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    let (value, part) = (arguments.next(), arguments.next());
    let contains = value.text().zip(part.text()).is_some_and(|(text, part)| text.contains(&*part));
    Value::Number(f64::from(u8::from(contains)))
}

fn map<'f>(arguments: &mut Arguments<'f, '_>, function: fn(&str) -> String) -> Value<'f> {
    arguments.next().text().map_or(Value::Null, |text| Value::owned_text(function(&text)))
}
