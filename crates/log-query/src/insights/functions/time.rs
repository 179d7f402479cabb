//! Functions of times.

use super::super::value::Value;
use super::Arguments;

/// The time that a number of milliseconds since 1970 stands for.
pub(super) fn from_millis<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    arguments.next().time().map_or(Value::Null, Value::Time)
}

/// A time as milliseconds since 1970.
pub(super) fn to_millis<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    arguments.next().number().map_or(Value::Null, Value::Number)
}

/// When the query was started, in seconds since 1970.
pub(super) fn now<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Time(arguments.now().div_euclid(1000)).number().map_or(Value::Null, Value::Number)
}
