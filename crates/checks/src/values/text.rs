//! What a text is to be like.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::entry::Entry;

/// A regular expression in which `^` and `$` stand at the ends of lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let complaint = |error: regex::Error| match error {
            // The last line says what is wrong; those before draw it.
            regex::Error::Syntax(drawing) => {
                let reason = drawing.lines().last().unwrap_or_default();
                format!("/{text}/ is no regular expression: {}", reason.trim_start_matches("error: "))
            }
            other => format!("/{text}/ cannot be used: {other}"),
        };
        RegexBuilder::new(&text).multi_line(true).build().map(Self).map_err(complaint)
    }
}

/// What a text is to be like: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Text {
    equals: Option<String>,
    contains: Option<String>,
    matches: Option<Pattern>,
}

impl Text {
    /// Reads the keys for the text itself, a part of it, and a pattern.
    pub(crate) fn take(
        entry: &mut Entry<'_>,
        equals: &'static str,
        contains: Option<&'static str>,
        matches: &'static str,
    ) -> Self {
        Self {
            equals: entry.optional(equals),
            contains: contains.and_then(|key| entry.optional(key)),
            matches: entry.optional(matches),
        }
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.equals.is_none() && self.contains.is_none() && self.matches.is_none()
    }

    /// Whether a text is like this.
    pub fn holds(&self, text: &str) -> bool {
        self.equals.as_ref().is_none_or(|whole| whole == text)
            && self.contains.as_ref().is_none_or(|part| text.contains(part))
            && self.matches.as_ref().is_none_or(|pattern| pattern.0.is_match(text))
    }

    /// What is expected, after a noun: `containing "x"`; for a whole text the text alone.
    pub fn describe(&self) -> String {
        let parts = [
            self.equals.as_ref().map(|whole| excerpt(whole)),
            self.contains.as_ref().map(|part| format!("containing {}", excerpt(part))),
            self.matches.as_ref().map(|pattern| format!("matching /{}/", pattern.0)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

impl Text {
    /// The same without a noun: `something containing "x"`.
    pub fn describe_alone(&self) -> String {
        if self.equals.is_some() { self.describe() } else { format!("something {}", self.describe()) }
    }
}

/// The longest piece of a machine's text in a message, in characters.
const EXCERPT: usize = 160;

/// A text for a message: in quotes, on one line, not too long.
pub(crate) fn excerpt(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    let mut shown: String = text.chars().take(EXCERPT).flat_map(char::escape_debug).collect();
    // Quotes inside are harmless and easier to read as they are.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(EXCERPT).is_some() { format!("\"{shown}\"…") } else { format!("\"{shown}\"") }
}
