//! Reading metadata values the way Python does, since templates are written to be read by Python.

use super::error::BuildError;
use serde_json::{Map, Value};

/// Members of an object, in the template's order.
pub type Members = Map<String, Value>;

/// Whether Python would take the value for false.
pub fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// Whether the template's author meant true: CloudFormation turns booleans into strings on the way.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => {
            matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "yes" | "y" | "1")
        }
        _ => false,
    }
}

/// A scalar as text.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A list of scalars, or a single one, as texts.
pub fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => text(other).map(|one| vec![one]),
    }
}

/// An object, or an error that names `what`.
pub fn object<'v>(value: &'v Value, what: &str) -> Result<&'v Members, BuildError> {
    value
        .as_object()
        .ok_or_else(|| BuildError::Metadata(format!("{what} must be a mapping, not {}", kind(value))))
}

/// The text at `key`; an error when there is something else.
pub fn optional_text(members: &Members, key: &str, what: &str) -> Result<Option<String>, BuildError> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text(value).map(Some).ok_or_else(|| {
            BuildError::Metadata(format!("{key} of {what} must be a string, not {}", kind(value)))
        }),
    }
}

/// What kind of value it is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn booleans_come_in_many_shapes() {
        for value in [json!(true), json!("true"), json!(" Yes "), json!("y"), json!("1"), json!(1)] {
            assert!(is_true(&value), "{value}");
        }
        for value in
            [json!(false), json!("false"), json!("on"), json!(0), json!(2), json!(null), json!([true])]
        {
            assert!(!is_true(&value), "{value}");
        }
    }

    #[test]
    fn scalars_become_text() {
        assert_eq!(texts(&json!(["a", 1, true])), Some(vec!["a".into(), "1".into(), "true".into()]));
        assert_eq!(texts(&json!("a")), Some(vec!["a".into()]));
        assert_eq!(texts(&json!([[]])), None);
    }
}
