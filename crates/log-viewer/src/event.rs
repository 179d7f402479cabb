//! A log event as it is shown.

use std::sync::Arc;

/// One event of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The log group's name.
    pub group: Arc<str>,
    /// The stream's name; for those that instances write, the instance's id.
    pub stream: Arc<str>,
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
    /// When the service took it, in milliseconds since 1970.
    pub ingestion_time: i64,
    /// The service's id for it; a live session gives none.
    pub id: Option<String>,
    /// What happened.
    pub message: String,
}
