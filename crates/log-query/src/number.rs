//! Numbers in texts.

/// The number that a text is: sign, decimals and exponent as they like, but no `inf`, `nan` or `0x`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let first = text.bytes().find(|byte| !matches!(byte, b'+' | b'-' | b'.'))?;
    match first.is_ascii_digit() {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn what_is_a_number() {
        for (text, expected) in [
            ("12", Some(12.0)),
            ("-1.5", Some(-1.5)),
            ("+.5", Some(0.5)),
            ("1e3", Some(1000.0)),
            ("10E-1", Some(1.0)),
            ("inf", None),
            ("-nan", None),
            ("0x10", None),
            ("12a", None),
            ("--1", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
