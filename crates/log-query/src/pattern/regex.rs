//! The service's own, small language of regular expressions: what stands between two `%`.
//!
//! Letters, digits, a few symbols, `^ $ ? [ ] { } | \ * + .`, the classes `\d \D \s \S \w \W` and `\xhh`. No groups,
//! nothing beyond ASCII. Matching takes time in proportion to the message, whatever the expression.

use regex::{Regex, RegexBuilder};

use super::PatternError;
use super::cursor::Cursor;
use crate::regexes::{complaint, required_literals};

/// How many expressions a pattern on JSON or columns may have (the service's own limit).
pub(super) const MAX_REGEXES: usize = 2;

/// What a compiled expression may take, in bytes: enough for any honest one of [`super::MAX_CHARS`].
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A regular expression, compiled.
#[derive(Debug, Clone)]
pub(super) struct PatternRegex(Regex);

impl PatternRegex {
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Substrings that every text that matches contains.
    pub(super) fn literals(&self) -> Vec<String> {
        required_literals(self.0.as_str())
    }
}

/// A whole pattern that is one expression.
pub(super) fn standalone(pattern: &str) -> Result<PatternRegex, PatternError> {
    let mut cursor = Cursor::new(pattern);
    cursor.skip_spaces();
    let regex = delimited(&mut cursor)?;
    cursor.skip_spaces();
    match cursor.peek() {
        None => Ok(regex),
        Some(_) => Err(cursor.error("a regular expression stands alone: nothing may follow its second '%'")),
    }
}

/// Reads `%expression%`.
pub(super) fn delimited(cursor: &mut Cursor<'_>) -> Result<PatternRegex, PatternError> {
    let start = cursor.at();
    cursor.next();
    let inside = cursor.clone();
    let Some(expression) = cursor.take_until('%') else {
        return Err(cursor.error_at(start, "the '%' that begins a regular expression here is not closed"));
    };
    if expression.is_empty() {
        return Err(cursor.error_at(start, "a regular expression is expected between the two '%'"));
    }
    let translated = translate(expression, inside)?;
    RegexBuilder::new(&translated).size_limit(MAX_COMPILED_BYTES).build().map(PatternRegex).map_err(|error| {
        let reason = complaint(&error);
        cursor.error_at(start, format!("the regular expression '{expression}' is not valid: {reason}"))
    })
}

/// Writes the service's expression as one of the `regex` crate; what the service does not know is refused.
fn translate(expression: &str, mut cursor: Cursor<'_>) -> Result<String, PatternError> {
    let mut translated = String::with_capacity(expression.len() * 2);
    let end = cursor.at() + expression.len();
    while cursor.at() < end {
        let here = cursor.clone();
        match cursor.next() {
            Some('\\') => translated.push_str(&escape(&mut cursor, &here)?),
            Some('(' | ')') => return Err(here.error("a regular expression here has no groups: '(' and ')'")),
            // `#` and the space would be special in a verbose expression only, and this is none.
            Some(c) if c.is_ascii_alphanumeric() || "_#=@/;,:- ^$?[]{}|*+.".contains(c) => translated.push(c),
            Some(c) if c.is_ascii() => {
                let message = format!("'{c}' is not supported in a regular expression; escape it as '\\{c}'");
                return Err(here.error(message));
            }
            other => {
                let c = other.unwrap_or_default();
                return Err(
                    here.error(format!("'{c}' is not supported in a regular expression: it is not ASCII"))
                );
            }
        }
    }
    Ok(translated)
}

/// What stands after a backslash. The classes are those of ASCII.
fn escape(cursor: &mut Cursor<'_>, start: &Cursor<'_>) -> Result<String, PatternError> {
    let escaped = match cursor.next() {
        Some('d') => "[0-9]".to_owned(),
        Some('D') => "[^0-9]".to_owned(),
        Some('s') => r"[ \t\n\x0b\f\r]".to_owned(),
        Some('S') => r"[^ \t\n\x0b\f\r]".to_owned(),
        Some('w') => "[0-9A-Za-z_]".to_owned(),
        Some('W') => "[^0-9A-Za-z_]".to_owned(),
        Some('x') => {
            let digits: String = cursor.rest().chars().take(2).collect();
            if digits.len() != 2 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(start.error("two hexadecimal digits are expected after '\\x'"));
            }
            cursor.next();
            cursor.next();
            format!(r"\x{digits}")
        }
        Some(c) if c.is_ascii_punctuation() => format!(r"\{c}"),
        Some(c) => return Err(start.error(format!("'\\{c}' is not supported in a regular expression"))),
        None => return Err(start.error("a character is expected after '\\'")),
    };
    Ok(escaped)
}
