//! What is asked of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_clients::ApiError;

use crate::event::Event;

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// Its ARN, without the `:*` at the end.
    pub arn: String,
    /// The size of its events.
    pub stored_bytes: i64,
    /// After how many days events go; none when they stay.
    pub retention_days: Option<i32>,
}

/// Which events of a group are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// A filter pattern.
    pub filter: Option<String>,
    /// How the names of the streams begin.
    pub stream_prefix: Option<String>,
}

impl Question {
    /// Whether events of a stream are wanted.
    pub fn wants(&self, stream: &str) -> bool {
        self.stream_prefix.as_deref().is_none_or(|prefix| stream.starts_with(prefix))
    }
}

/// A span of event times in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: i64,
    /// The last; none is everything there is.
    pub until: Option<i64>,
}

/// A part of a group's events, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The events; there may be none although more pages follow.
    pub events: Vec<Event>,
    /// What asks for the next page.
    pub next: Option<String>,
}

/// What a live session tells at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// New events.
    pub events: Vec<Event>,
    /// Whether there were more than the session could tell.
    pub sampled: bool,
}

/// New events as they are taken in.
#[async_trait]
pub trait LiveSession: Send {
    /// Waits for the next update; none when the service has ended the session. May be dropped while it waits.
    async fn next(&mut self) -> Result<Option<Update>, ApiError>;
}

/// How many groups a live session may have.
pub const GROUPS_OF_A_SESSION: usize = 10;

/// How a query stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryState {
    /// It has not ended.
    Runs,
    /// It has its results.
    Complete(QueryResults),
    /// It ended without: `Failed`, `Cancelled`, `Timeout`.
    Ended(String),
}

/// The results of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryResults {
    /// Rows of fields with their values.
    pub rows: Vec<Vec<(String, String)>>,
    /// How much was looked at, e.g. `recordsScanned`.
    pub statistics: BTreeMap<&'static str, i64>,
}

/// Where a query is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartQueryError {
    /// The query's text is not understood.
    #[error("{message}")]
    Malformed {
        /// The service's own words.
        message: String,
        /// The first character that is wrong and the one after the last, counted from 0.
        place: Option<(usize, usize)>,
    },
    /// Anything else.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// CloudWatch Logs.
#[async_trait]
pub trait Logs: Send + Sync {
    /// All groups whose name begins with `prefix`, in order of name.
    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<Group>, ApiError>;

    /// When a group's newest event happened; none when it has no events.
    async fn newest_event(&self, group: &str) -> Result<Option<i64>, ApiError>;

    /// A page of a group's events.
    async fn events(
        &self,
        group: &Arc<str>,
        question: &Question,
        span: Span,
        token: Option<String>,
    ) -> Result<Page, ApiError>;

    /// Opens a live session of at most [`GROUPS_OF_A_SESSION`] groups; when this returns, no new event escapes it. It
    /// may tell of streams that were not asked for.
    async fn live(&self, groups: &[Group], question: &Question) -> Result<Box<dyn LiveSession>, ApiError>;

    /// Starts a query over the groups; its id.
    async fn start_query(
        &self,
        groups: &[Group],
        query: &str,
        span: Span,
        limit: Option<i32>,
    ) -> Result<String, StartQueryError>;

    /// Looks how a query stands.
    async fn query(&self, id: &str) -> Result<QueryState, ApiError>;

    /// Ends a query before it has results.
    async fn stop_query(&self, id: &str) -> Result<(), ApiError>;
}

/// The part of CloudFormation that tells which log groups are a stack's.
#[async_trait]
pub trait Stacks: Send + Sync {
    /// The log groups among a stack's resources; none when there is no such stack.
    async fn log_groups(&self, stack: &str) -> Result<Vec<String>, ApiError>;

    /// The names of all stacks, newest first.
    async fn names(&self) -> Result<Vec<String>, ApiError>;
}
