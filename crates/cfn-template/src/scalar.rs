//! What a plain YAML scalar means.
//!
//! CloudFormation reads YAML 1.1, so `yes` and `off` are booleans. Numbers are taken as numbers only in their
//! plain decimal form: `000400` (a file mode), `012345678901` (an account) and `2012-10-17` (a policy version)
//! stay the text that was written.

use crate::node::Value;

/// The value of an unquoted scalar.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if !is_number(text) {
        return Value::String(text.to_owned());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Float(number),
        _ => Value::String(text.to_owned()),
    }
}

/// JSON's grammar of numbers, which is the part that YAML 1.1 and everybody's expectation share.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    if whole == 0 || whole > 1 && digits.starts_with('0') {
        return false;
    }
    let rest = &digits[whole..];
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                return false;
            }
            &fraction[length..]
        }
        None => rest,
    };
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars() {
        let text = |text: &str| format!("{:?}", Value::String(text.into()));
        let cases = [
            ("80", "Integer(80)".to_owned()),
            ("-1", "Integer(-1)".to_owned()),
            ("0", "Integer(0)".to_owned()),
            ("1.5", "Float(1.5)".to_owned()),
            ("1e3", "Float(1000.0)".to_owned()),
            ("yes", "Bool(true)".to_owned()),
            ("Off", "Bool(false)".to_owned()),
            ("~", "Null".to_owned()),
            ("000400", text("000400")),
            ("012345678901", text("012345678901")),
            ("2012-10-17", text("2012-10-17")),
            ("1.", text("1.")),
            ("1e", text("1e")),
            ("-", text("-")),
            ("+1", text("+1")),
            ("y", text("y")),
            ("22:22", text("22:22")),
            ("1e999", text("1e999")),
        ];
        for (written, expected) in cases {
            assert_eq!(format!("{:?}", resolve(written)), expected, "{written}");
        }
    }
}
