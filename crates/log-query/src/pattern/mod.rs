//! Filter patterns, as `FilterLogEvents`, live tail, metric filters and subscription filters take them.
//!
//! The first character tells the form: `{` a condition on JSON, `[` columns divided by spaces, `%` a regular
//! expression, anything else terms. The empty pattern matches everything.

mod columns;
mod condition;
mod cursor;
mod json;
mod regex;
mod selector;
mod terms;
mod text;

use thiserror::Error;

use self::columns::Columns;
use self::json::JsonPattern;
use self::regex::PatternRegex;
use self::terms::Terms;

/// How long a pattern may be, in characters (the service's own limit).
pub const MAX_CHARS: usize = 1024;

/// A filter pattern, parsed and ready to be matched against messages.
///
/// ```
/// use log_query::FilterPattern;
///
/// let pattern = FilterPattern::parse("[host, ..., status = 5*, bytes > 1000]").unwrap();
/// assert!(pattern.matches(r#"10.0.0.7 - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 503 2048"#));
/// assert!(!pattern.matches(r#"10.0.0.7 - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 2048"#));
/// ```
#[derive(Debug, Clone)]
pub struct FilterPattern(Form);

#[derive(Debug, Clone)]
enum Form {
    Everything,
    Terms(Terms),
    Regex(PatternRegex),
    Json(Box<JsonPattern>),
    Columns(Box<Columns>),
}

/// What is wrong with a filter pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}, at offset {at}")]
pub struct PatternError {
    /// What is wrong, as a clause without a final stop.
    pub message: String,
    /// Where, in characters from the start of the pattern.
    pub at: usize,
}

/// What a pattern that names fields takes out of a message: names as the service writes them (`$status_code`,
/// `$3`, `$.latency`) and their values, in the message's order for columns and in the pattern's for JSON.
pub type Extracted = Vec<(String, String)>;

impl FilterPattern {
    /// Parses a pattern; the empty one matches every message.
    ///
    /// # Errors
    /// When the pattern is not of the language, or goes beyond its limits.
    pub fn parse(pattern: &str) -> Result<FilterPattern, PatternError> {
        let chars = pattern.chars().count();
        if chars > MAX_CHARS {
            let message = format!("the pattern has {chars} characters; at most {MAX_CHARS} are allowed");
            return Err(PatternError { message, at: MAX_CHARS });
        }
        let form = match pattern.trim_start().chars().next() {
            None => Form::Everything,
            Some('{') => Form::Json(Box::new(JsonPattern::parse(pattern)?)),
            Some('[') => Form::Columns(Box::new(Columns::parse(pattern)?)),
            Some('%') => Form::Regex(regex::standalone(pattern)?),
            Some(_) => Form::Terms(Terms::parse(pattern)?),
        };
        Ok(FilterPattern(form))
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Form::Everything => true,
            Form::Terms(terms) => terms.matches(message),
            Form::Regex(regex) => regex.matches(message),
            Form::Json(json) => json.matches(message),
            Form::Columns(columns) => columns.matches(message),
        }
    }

    /// The fields that the pattern takes out of a message, when it matches: none for terms and regular expressions,
    /// the selected properties for JSON, every field of the message for columns.
    #[must_use]
    pub fn extract(&self, message: &str) -> Option<Extracted> {
        match &self.0 {
            Form::Json(json) => json.extract(message),
            Form::Columns(columns) => columns.extract(message),
            Form::Everything | Form::Terms(_) | Form::Regex(_) => self.matches(message).then(Extracted::new),
        }
    }

    /// Substrings that every matching message contains: where one is missing, nothing can match.
    ///
    /// A condition on JSON has none: JSON may write any character of a key or a string as an escape, so that no
    /// substring of the text is certain.
    #[must_use]
    pub fn literals(&self) -> Vec<String> {
        match &self.0 {
            Form::Everything | Form::Json(_) => Vec::new(),
            Form::Terms(terms) => terms.literals(),
            Form::Regex(regex) => regex.literals(),
            Form::Columns(columns) => columns.literals(),
        }
    }
}

#[cfg(test)]
mod tests;
