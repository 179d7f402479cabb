//! Logs Insights QL: parse a query, push rows of logs through it, read its results.

use std::ops::ControlFlow;

use thiserror::Error;

/// A query, parsed and checked.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
}

/// Why a text is not a query: what `MalformedQueryException` tells.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (line {line}, column {column})")]
pub struct QueryError {
    /// What is wrong and what is expected, without the place.
    pub message: String,
    /// Where the offending part starts, in characters from the start of the query.
    pub start: usize,
    /// Where it ends (exclusive).
    pub end: usize,
    /// The line of `start`, counted from 1.
    pub line: usize,
    /// The column of `start` in its line, counted from 1.
    pub column: usize,
}

/// A query that could not be carried to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunError {
    /// `stats` met more groups than it holds.
    #[error(
        "stats found more than {limit} groups; group by fields with fewer values, or narrow the query by filter"
    )]
    TooManyGroups {
        /// How many it holds.
        limit: usize,
    },
}

/// A log event, as a query sees it.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// When it happened, `@timestamp`: milliseconds since 1970.
    pub timestamp: i64,
    /// When it came in, `@ingestionTime`: milliseconds since 1970.
    pub ingestion_time: i64,
    /// The event itself, `@message`.
    pub message: &'a str,
    /// The stream's name, `@logStream`.
    pub log_stream: &'a str,
    /// The group as `account:name`, `@log`.
    pub log: &'a str,
    /// Makes `@ptr`, by which `GetLogRecord` finds the event again. Called for rows that come into the result only.
    pub ptr: &'a dyn Fn() -> String,
}

impl Default for Row<'_> {
    fn default() -> Self {
        Row { timestamp: 0, ingestion_time: 0, message: "", log_stream: "", log: "", ptr: &String::new }
    }
}

/// What a run needs to know besides the query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// What `now()` gives: milliseconds since 1970.
    pub now: i64,
    /// How many rows to return where the query has no `limit` of its own; 10,000 when this is not given either.
    pub limit: Option<usize>,
}

/// What a query gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// The rows, in order.
    pub rows: Vec<ResultRow>,
    /// What was looked at for them.
    pub statistics: Statistics,
}

/// A row of results: fields and values in the order of the query. A field without a value is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultRow {
    /// (field, value).
    pub fields: Vec<(String, String)>,
}

impl ResultRow {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// What a query looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events that passed the filters.
    pub records_matched: u64,
    /// Events looked at.
    pub records_scanned: u64,
    /// Their messages' size in bytes.
    pub bytes_scanned: u64,
}

/// A query that is being carried out.
///
/// Rows are pushed newest first, the order in which a query without `sort` returns them.
#[derive(Debug)]
pub struct Execution<'q> {
    query: &'q Query,
    results: Results,
    settings: Settings,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// When the text is not of the language, or uses a part of it that is not supported, which is refused by name.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        Ok(Query { text: text.to_owned() })
    }

    /// Begins to carry it out.
    #[must_use]
    pub fn start(&self, settings: Settings) -> Execution<'_> {
        Execution { query: self, results: Results::default(), settings }
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
            if execution.push(&row)?.is_break() {
                break;
            }
        }
        Ok(execution.results())
    }

    /// Substrings that every event that counts contains: where one is missing, nothing can match.
    #[must_use]
    pub fn literals(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Execution<'_> {
    /// Takes one row. `Break` says that no further row can change the results.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn push(&mut self, row: &Row<'_>) -> Result<ControlFlow<()>, RunError> {
        self.results.statistics.records_scanned += 1;
        self.results.statistics.bytes_scanned += row.message.len() as u64;
        self.results.statistics.records_matched += 1;
        if self.results.rows.len() < self.settings.limit.unwrap_or(10_000) && !self.query.text.is_empty() {
            let fields =
                vec![("@message".to_owned(), row.message.to_owned()), ("@ptr".to_owned(), (row.ptr)())];
            self.results.rows.push(ResultRow { fields });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What has been looked at so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.results.statistics
    }

    /// The results of the rows so far: what `GetQueryResults` shows of a running query, and in the end all of it.
    #[must_use]
    pub fn results(&self) -> Results {
        self.results.clone()
    }
}
