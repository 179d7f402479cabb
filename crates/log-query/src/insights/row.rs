//! Rows: what a query is given, and what its stages pass on.

use super::scope::{Source, System};
use super::value::Value;

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
    /// Makes `@ptr`, by which `GetLogRecord` finds the event again. Called for few rows only: those that come into
    /// the result, or are kept because they may.
    pub ptr: &'a dyn Fn() -> String,
}

impl Default for Row<'_> {
    fn default() -> Self {
        Row { timestamp: 0, ingestion_time: 0, message: "", log_stream: "", log: "", ptr: &String::new }
    }
}

impl<'a> Row<'a> {
    /// The values that a query names from the start; those that it works out are not there yet.
    pub(super) fn values(&self, sources: &[Source]) -> Vec<Value<'a>> {
        sources.iter().map(|source| self.value(source)).collect()
    }

    fn value(&self, source: &Source) -> Value<'a> {
        match source {
            Source::System(System::Timestamp) => Value::Time(self.timestamp),
            Source::System(System::IngestionTime) => Value::Time(self.ingestion_time),
            Source::System(System::Message) => Value::Text(self.message.into()),
            Source::System(System::LogStream) => Value::Text(self.log_stream.into()),
            Source::System(System::Log) => Value::Text(self.log.into()),
            Source::System(System::Ptr) => Value::owned_text((self.ptr)()),
            Source::Discovered(_) | Source::Computed | Source::Absent => Value::Null,
        }
    }
}

/// A row between two stages.
#[derive(Clone)]
pub(super) struct Record<'r> {
    pub(super) values: Vec<Value<'r>>,
    pub(super) ptr: Ptr<'r>,
}

/// Where the event of a record is found again.
#[derive(Clone)]
pub(super) enum Ptr<'r> {
    /// The record is none of a single event.
    None,
    Unmade(&'r dyn Fn() -> String),
    Made(String),
}

impl Record<'_> {
    /// The same record, to keep.
    pub(super) fn into_owned(self) -> Record<'static> {
        Record { values: self.values.into_iter().map(Value::into_owned).collect(), ptr: self.ptr.into_made() }
    }
}

impl Ptr<'_> {
    /// The pointer itself, made now if need be.
    pub(super) fn into_made(self) -> Ptr<'static> {
        match self {
            Ptr::None => Ptr::None,
            Ptr::Unmade(make) => Ptr::Made(make()),
            Ptr::Made(text) => Ptr::Made(text),
        }
    }
}
