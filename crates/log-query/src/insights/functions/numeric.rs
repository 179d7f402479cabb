//! Functions of numbers.

use super::super::expression::finite;
use super::super::value::Value;
use super::Arguments;

pub(super) fn abs<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, f64::abs)
}

pub(super) fn ceil<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, f64::ceil)
}

pub(super) fn floor<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, f64::floor)
}

/// The natural logarithm.
pub(super) fn log<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, f64::ln)
}

pub(super) fn sqrt<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    map(arguments, f64::sqrt)
}

pub(super) fn greatest<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    fold(arguments, f64::max)
}

pub(super) fn least<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    fold(arguments, f64::min)
}

fn map<'f>(arguments: &mut Arguments<'f, '_>, function: fn(f64) -> f64) -> Value<'f> {
    arguments.next().number().map_or(Value::Null, |number| finite(function(number)))
}

/// One of all numbers among the arguments.
fn fold<'f>(arguments: &mut Arguments<'f, '_>, function: fn(f64, f64) -> f64) -> Value<'f> {
    let mut result: Option<f64> = None;
    while arguments.left() > 0 {
        let number = arguments.next().number();
        result = match (result, number) {
            (Some(result), Some(number)) => Some(function(result, number)),
            (result, number) => result.or(number),
        };
    }
    result.map_or(Value::Null, Value::Number)
}
