//! What can be wrong with a query, and with carrying it out.

use std::ops::Range;

use thiserror::Error;

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

impl QueryError {
    /// An error about the bytes `span` of `query`.
    pub(super) fn new(query: &str, span: Range<usize>, message: impl Into<String>) -> QueryError {
        let before = &query[..span.start];
        let start = before.chars().count();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        QueryError {
            message: message.into(),
            start,
            end: start + query[span].chars().count(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A query that could not be carried to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunError {
    /// `stats` met more groups than it holds.
    #[error("stats found more than {limit} groups: group by fields with fewer values, or filter before")]
    TooManyGroups {
        /// How many it holds.
        limit: usize,
    },
    /// `sort` or `dedup` met more rows than it holds.
    #[error("{command} met more than {limit} rows: filter before it, or put `limit` right after `sort`")]
    TooManyRows {
        /// Which command.
        command: &'static str,
        /// How many it holds.
        limit: usize,
    },
}
