//! Logs Insights QL: parse a query, push rows of logs through it, read its results.
//!
//! ```
//! use log_query::insights::{Query, Row, Settings};
//!
//! let query = Query::parse("filter level = 'ERROR' | stats count(*) as errors by host").unwrap();
//! let mut execution = query.start(Settings::default());
//! for message in [r#"{"level": "ERROR", "host": "a"}"#, r#"{"level": "INFO", "host": "a"}"#] {
//!     execution.push(&Row { message, ..Row::default() }).unwrap();
//! }
//! let results = execution.finish().unwrap();
//! assert_eq!(results.rows[0].get("errors"), Some("1"));
//! assert_eq!(results.statistics.records_scanned, 2);
//! ```

mod aggregate;
mod discover;
mod error;
mod execution;
mod expression;
mod extract;
mod functions;
mod groups;
mod lexer;
mod literals;
mod order;
mod parser;
mod period;
mod plan;
mod results;
mod row;
mod scope;
mod sorting;
mod value;

pub use error::{QueryError, RunError};
pub use execution::{Execution, Settings};
pub use results::{ResultRow, Results, Statistics};
pub use row::Row;

/// A query, parsed and checked.
#[derive(Debug, Clone)]
pub struct Query(plan::Plan);

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// When the text is not of the language, or uses a part of it that is not supported, which is refused by name.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        parser::parse(text).map(Query)
    }

    /// Begins to carry it out.
    #[must_use]
    pub fn start(&self, settings: Settings) -> Execution<'_> {
        Execution::new(&self.0, settings)
    }

    /// Carries it out over rows that are all at hand, newest first.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run<'a>(
        &self,
        rows: impl IntoIterator<Item = Row<'a>>,
        settings: Settings,
    ) -> Result<Results, RunError> {
        let mut execution = self.start(settings);
        for row in rows {
            execution.push(&row)?;
        }
        execution.finish()
    }

    /// Substrings that every event that counts contains: where one is missing, nothing can match.
    #[must_use]
    pub fn literals(&self) -> Vec<String> {
        literals::literals(&self.0)
    }
}

#[cfg(test)]
mod tests;
