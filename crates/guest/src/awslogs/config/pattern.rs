//! Regular expressions of the configuration: which lines begin an event, which events and files are left out.

use crate::awslogs::datetime::DateTimeFormat;
use std::fmt;
use std::sync::Arc;

/// Most memory for the states of one compiled pattern. A thousand sections must fit into an instance's memory.
const STATES: usize = 1 << 20;

/// A pattern that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl PatternError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A regular expression over the bytes of a line, cheap to copy. Without look-around and back-references, which Python's
/// expressions may have, it takes time linear in the line.
#[derive(Clone)]
pub struct LinePattern(Arc<fancy_regex::Regex>);

impl LinePattern {
    /// Compiles a pattern. As in Python's patterns over bytes, `\w`, `\d`, `\s` and `(?i)` go by ASCII alone.
    ///
    /// # Errors
    /// When it is not a regular expression.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        fancy_regex::RegexBuilder::new(text)
            .bytes_mode(fancy_regex::BytesMode::Ascii)
            .delegate_dfa_size_limit(STATES)
            .build()
            .map(|regex| Self(Arc::new(regex)))
            .map_err(|error| PatternError::new(error.to_string()))
    }

    /// Whether the pattern is found anywhere in `line`. One that runs out of its steps is not.
    pub fn is_in(&self, line: &[u8]) -> bool {
        self.0.is_match(line).unwrap_or_default()
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinePattern({:?})", self.as_str())
    }
}

/// Which lines begin an event; the others belong to the event before them.
#[derive(Debug, Clone)]
pub enum LineStart {
    /// Lines that do not begin with white space: both of Amazon's agents' default.
    NotBlank,
    /// Lines with a time in them.
    Time(DateTimeFormat),
    /// Lines in which a pattern is found.
    Pattern(LinePattern),
}

impl LineStart {
    /// Whether `line`, without its line feed, begins an event.
    pub fn is_start(&self, line: &[u8]) -> bool {
        match self {
            Self::NotBlank => line.first().is_some_and(|byte| !is_space(*byte)),
            Self::Time(format) => format.is_in(line),
            Self::Pattern(pattern) => pattern.is_in(line),
        }
    }
}

/// What `\s` is in Python's patterns over bytes: the vertical tab, too.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_an_indented_or_empty_line_belongs_to_the_one_before() {
        let cases: [(&[u8], bool); 6] = [
            (b"text", true),
            (b" text", false),
            (b"\ttext", false),
            (b"\x0btext", false),
            (b"", false),
            (b"\xff", true),
        ];
        for (line, expected) in cases {
            assert_eq!(LineStart::NotBlank.is_start(line), expected, "{line:?}");
        }
    }

    #[test]
    fn patterns_are_searched_for_in_bytes() {
        let cases: [(&str, &[u8], bool); 8] = [
            (r"^\d{4}-", b"2024-01-01", true),
            (r"^\d{4}-", b" 2024-01-01", false),
            (r"ERROR|WARN", b"a WARN b", true),
            (r"x\xffy", b"x\xffy", true),
            (r"^(?!\s)x", b"x", true),
            (r"^(?!\s)x", b" x", false),
            (r"^(a)\1$", b"aa", true),
            (r"^(a)\1$", b"ab", false),
        ];
        for (pattern, line, expected) in cases {
            assert_eq!(LinePattern::new(pattern).unwrap().is_in(line), expected, "{pattern} in {line:?}");
        }
    }

    #[test]
    fn what_is_not_a_pattern_is_told_with_the_reason() {
        let error = LinePattern::new("a(b").unwrap_err().to_string();
        assert!(error.contains("paren"), "{error}");
    }
}
