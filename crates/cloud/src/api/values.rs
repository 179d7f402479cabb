//! Checks on single values that several services make.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes standard base64, with or without line breaks, as users paste it.
///
/// Returns `None` when it is not base64.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok()
}

/// Encodes as standard base64.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Whether a text's length in characters lies within the bounds.
pub fn length(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.chars().count())
}

/// Whether every character is a letter or digit of ASCII or one of `others`.
pub fn only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_may_have_line_breaks() {
        assert_eq!(base64("aGVs\nbG8=\n").unwrap(), b"hello");
        assert_eq!(base64("aGVsbG8"), None);
        assert_eq!(to_base64(b"hello"), "aGVsbG8=");
    }

    #[test]
    fn lengths_and_alphabets() {
        assert!(length("käse", 4, 4) && !length("", 1, 9));
        assert!(only("a-b_1", "-_") && !only("a b", "-_"));
    }
}
