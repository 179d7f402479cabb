//! Values, which have the type that they are used as.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::number::number;

/// What a field or an expression is for one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'r> {
    /// There is none.
    Null,
    Bool(bool),
    Number(f64),
    /// Milliseconds since 1970.
    Time(i64),
    /// Whatever comes out of messages, numbers too: they keep their spelling.
    Text(Cow<'r, str>),
    /// A map or a list, made by `jsonParse`.
    Json(Arc<serde_json::Value>),
}

impl<'r> Value<'r> {
    pub(super) fn owned_text(text: impl Into<String>) -> Value<'r> {
        Value::Text(Cow::Owned(text.into()))
    }

    /// Whether there is a value.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Value::Null)
    }

    /// The value as a number: 1 or 0 for a truth, milliseconds for a time.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Value::Number(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "times of the next 280,000 years are exact")]
            Value::Time(time) => Some(*time as f64),
            Value::Text(text) => number(text),
            Value::Null | Value::Json(_) => None,
        }
    }

    /// The value as a time in milliseconds since 1970.
    pub(super) fn time(&self) -> Option<i64> {
        match self {
            Value::Time(time) => Some(*time),
            #[expect(clippy::cast_possible_truncation, reason = "beyond all times, the last one will do")]
            other => other.number().map(|number| number as i64),
        }
    }

    /// The value as it is shown.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(truth) => Cow::Borrowed(if *truth { "1" } else { "0" }),
            Value::Number(number) => Cow::Owned(format_number(*number)),
            Value::Time(time) => Cow::Owned(format_time(*time)),
            Value::Text(text) => Cow::Borrowed(&**text),
            Value::Json(json) => Cow::Owned(json.to_string()),
        })
    }

    /// Whether a condition that comes to this value holds.
    pub(super) fn truth(&self) -> bool {
        match self {
            Value::Bool(truth) => *truth,
            Value::Text(text) if text.eq_ignore_ascii_case("true") => true,
            other => other.number().is_some_and(|number| number != 0.0),
        }
    }

    /// Whether two values are equal. No value is equal to nothing.
    pub(super) fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Null, _) | (_, Value::Null) => false,
            (Value::Text(left), Value::Text(right)) => left == right,
            (Value::Bool(truth), Value::Text(text)) | (Value::Text(text), Value::Bool(truth))
                if number(text).is_none() =>
            {
                text.eq_ignore_ascii_case(if *truth { "true" } else { "false" })
            }
            (left, right) => match (left.number(), right.number()) {
                (Some(left), Some(right)) => left == right,
                _ => left.text() == right.text(),
            },
        }
    }

    /// How two values compare: as numbers if both are, as texts otherwise. Nothing does not compare.
    pub(super) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self.number(), other.number()) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(self.text()?.cmp(&other.text()?)),
        }
    }

    /// The same value, looked at.
    pub(super) fn as_ref(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(*truth),
            Value::Number(number) => Value::Number(*number),
            Value::Time(time) => Value::Time(*time),
            Value::Json(json) => Value::Json(Arc::clone(json)),
        }
    }

    /// The same value, to keep.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(truth),
            Value::Number(number) => Value::Number(number),
            Value::Time(time) => Value::Time(time),
            Value::Json(json) => Value::Json(json),
        }
    }

    /// The value that JSON stands for.
    pub(super) fn from_json(json: &serde_json::Value) -> Value<'static> {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(truth) => Value::Bool(*truth),
            serde_json::Value::Number(number) => Value::owned_text(number.to_string()),
            serde_json::Value::String(text) => Value::owned_text(text.clone()),
            composite => Value::Json(Arc::new(composite.clone())),
        }
    }
}

/// A number as results show it: four decimals at most, no zeros at their end. Where that would leave nothing of it,
/// the exponent stays.
fn format_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.abs() < 0.000_05 {
        return format!("{number:.4E}");
    }
    let decimals = format!("{number:.4}");
    match decimals.contains('.') {
        true => decimals.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimals,
    }
}

/// A time as results show it, in UTC.
fn format_time(time: i64) -> String {
    match Timestamp::from_millisecond(time) {
        Ok(timestamp) => timestamp.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, format_number, format_time};

    fn text(text: &str) -> Value<'static> {
        Value::owned_text(text)
    }

    #[test]
    fn formats() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (8.0, "8"),
            (100.0, "100"),
            (10.0 / 3.0, "3.3333"),
            (0.5, "0.5"),
            (-2.25, "-2.25"),
            (1e15, "1000000000000000"),
            (0.00001, "1.0000E-5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_number(number), expected);
        }
        assert_eq!(format_time(0), "1970-01-01 00:00:00.000");
        assert_eq!(format_time(1_774_003_200_042), "2026-03-20 10:40:00.042");
        assert_eq!(format_time(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn equality_and_order() {
        assert!(text("404").equals(&Value::Number(404.0)));
        assert!(text("404.0").equals(&Value::Number(404.0)));
        assert!(!text("404.0").equals(&text("404")));
        assert!(!Value::Null.equals(&Value::Null));
        assert!(Value::Bool(true).equals(&text("true")));
        assert!(Value::Bool(true).equals(&text("1")));
        assert!(!Value::Bool(true).equals(&text("0")));
        assert!(Value::Time(1000).equals(&Value::Number(1000.0)));
        assert!(text("9").compare(&text("10")).unwrap().is_lt());
        assert!(text("9").compare(&text("10a")).unwrap().is_gt());
        assert!(Value::Null.compare(&text("1")).is_none());
    }
}
