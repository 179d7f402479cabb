//! Functions that ask whether there is a value, and those of JSON.

use std::sync::Arc;

use super::super::value::Value;
use super::Arguments;

pub(super) fn is_present<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(arguments.next().is_present())
}

/// The first argument that has a value.
pub(super) fn coalesce<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    while arguments.left() > 0 {
        let value = arguments.next();
        if value.is_present() {
            return value;
        }
    }
    Value::Null
}

pub(super) fn is_empty<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(arguments.next().text().is_none_or(|text| text.is_empty()))
}

pub(super) fn is_blank<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    Value::Bool(arguments.next().text().is_none_or(|text| text.trim().is_empty()))
}

/// The map, list or single value that a text of JSON stands for.
pub(super) fn json_parse<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    let parsed = arguments.next().text().and_then(|text| serde_json::from_str(&text).ok());
    match parsed {
        None => Value::Null,
        Some(composite @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
            Value::Json(Arc::new(composite))
        }
        Some(single) => Value::from_json(&single),
    }
}

pub(super) fn json_stringify<'f>(arguments: &mut Arguments<'f, '_>) -> Value<'f> {
    arguments.next().text().map_or(Value::Null, |text| Value::owned_text(text.into_owned()))
}
