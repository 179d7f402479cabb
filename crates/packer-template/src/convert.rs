//! Packer's lax conversions (mapstructure's weakly typed input): `"true"` for a truth value, `"20"` for a number, a
//! number for a string.

use crate::node::Value;

/// A string from a string, number or truth value.
pub(crate) fn string(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(true) => Ok("1".to_owned()),
        Value::Bool(false) => Ok("0".to_owned()),
        Value::Number(number) => Ok(decimal(number)),
        other => Err(format!("a string is wanted here, not {}", other.kind())),
    }
}

/// A number without an exponent.
fn decimal(written: &str) -> String {
    match written.parse::<f64>() {
        Ok(number) if written.contains(['e', 'E', '.']) && number.is_finite() => number.to_string(),
        _ => written.to_owned(),
    }
}

/// A truth value from one, from a number that is not zero, or from Go's words for it.
pub(crate) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => Ok(number.parse::<f64>().is_ok_and(|number| number != 0.0)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            other => Err(format!("true or false is wanted here, not '{other}'")),
        },
        other => Err(format!("true or false is wanted here, not {}", other.kind())),
    }
}

/// A whole number from a number, a truth value, or a string in Go's notation.
pub(crate) fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Number(written) => {
            let whole = written.parse::<i64>().ok();
            // A fraction is cut off, as Packer does.
            let number = whole.or_else(|| written.parse::<f64>().ok().map(|number| number as i64));
            number.ok_or_else(|| format!("'{written}' is not a whole number"))
        }
        Value::Bool(truth) => Ok(i64::from(*truth)),
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => {
            number(text).ok_or_else(|| format!("a whole number is wanted here, not '{text}'"))
        }
        other => Err(format!("a whole number is wanted here, not {}", other.kind())),
    }
}

/// `strconv.ParseInt` with base 0.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// Nanoseconds from a string in Go's notation (`1h30m`, `-1s`), or from a number of them.
pub(crate) fn duration(value: &Value) -> Result<i64, String> {
    match value {
        Value::String(text) => go_duration(text),
        Value::Number(_) | Value::Bool(_) => integer(value),
        other => Err(format!("a duration such as \"10s\" is wanted here, not {}", other.kind())),
    }
}

/// Units of `time.ParseDuration`, in nanoseconds. Longer names stand before those that begin alike.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

fn go_duration(text: &str) -> Result<i64, String> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    let invalid = || format!("'{text}' is no duration, such as \"10s\" or \"1h30m\"");
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let unit = UNITS.iter().find(|(name, _)| rest.starts_with(name));
        let Some((name, factor)) = unit else {
            return Err(if rest.is_empty() {
                format!("the duration '{text}' has no unit, such as \"{text}s\"")
            } else {
                invalid()
            });
        };
        total += number * factor;
        rest = &rest[name.len()..];
    }
    if total > i64::MAX as f64 {
        return Err(format!("the duration '{text}' is too long"));
    }
    Ok((total * sign) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("10s", Some(10_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("100ms", Some(100_000_000)),
            ("3µs", Some(3_000)),
            ("-1s", Some(-1_000_000_000)),
            ("0", Some(0)),
            ("10", None),
            ("", None),
            ("ten", None),
            ("10s foo", None),
            ("1..s", None),
            ("-", None),
            ("999999999999h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(&Value::String(text.to_owned())).ok(), expected, "{text}");
        }
        assert_eq!(duration(&Value::Number("10".to_owned())), Ok(10));
    }

    #[test]
    fn numbers_and_truth_values() {
        let text = |text: &str| Value::String(text.to_owned());
        for (written, expected) in [
            ("20", Some(20)),
            ("-3", Some(-3)),
            ("0x10", Some(16)),
            ("", Some(0)),
            ("2.5", None),
            ("x", None),
            ("-", None),
            ("+-3", None),
            ("0", Some(0)),
            ("010", Some(8)),
        ] {
            assert_eq!(integer(&text(written)).ok(), expected, "{written}");
        }
        assert_eq!(integer(&Value::Number("2.9".to_owned())), Ok(2));
        for (written, expected) in
            [("true", Some(true)), ("0", Some(false)), ("", Some(false)), ("yes", None)]
        {
            assert_eq!(boolean(&text(written)).ok(), expected, "{written}");
        }
        assert_eq!(string(&Value::Number("1e3".to_owned())), Ok("1000".to_owned()));
        assert_eq!(string(&Value::Bool(true)), Ok("1".to_owned()));
    }
}
