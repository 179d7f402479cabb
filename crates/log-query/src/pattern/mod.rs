//! Filter patterns, as `FilterLogEvents`, live tail, metric filters and subscription filters take them.

use thiserror::Error;

/// A filter pattern, parsed and ready to be matched against messages.
#[derive(Debug, Clone)]
pub struct FilterPattern {
    terms: Vec<String>,
}

/// What is wrong with a filter pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} at offset {at}")]
pub struct PatternError {
    /// What is wrong, as a clause without a final stop.
    pub message: String,
    /// Where, in characters from the start of the pattern.
    pub at: usize,
}

/// What a pattern that names fields takes out of a message: names as the service writes them (`$status_code`,
/// `$3`, `$.latency`) and their values, in the pattern's order.
pub type Extracted = Vec<(String, String)>;

impl FilterPattern {
    /// Parses a pattern; the empty one matches every message.
    ///
    /// # Errors
    /// When the pattern is not of the language, or goes beyond its limits.
    pub fn parse(text: &str) -> Result<FilterPattern, PatternError> {
        Ok(FilterPattern {
            terms: text.split_whitespace().map(|term| term.trim_matches('"').to_owned()).collect(),
        })
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        self.terms.iter().all(|term| message.contains(term.as_str()))
    }

    /// The fields that the pattern takes out of a message, when it matches.
    #[must_use]
    pub fn extract(&self, message: &str) -> Option<Extracted> {
        self.matches(message).then(Extracted::new)
    }

    /// Substrings that every matching message contains: where one is missing, nothing can match.
    #[must_use]
    pub fn literals(&self) -> Vec<String> {
        self.terms.clone()
    }
}
