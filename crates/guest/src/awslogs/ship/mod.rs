//! Sending batches: in order within a stream, one at a time, again and again until the service has them.

pub mod cloudwatch;
pub mod depot;
pub mod sender;

use super::batch::Event;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// The group's retention in days, to be set when the group is created.
    pub retention: Option<u32>,
}

/// What became of the events of a request that the service took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Events that were too old, or older than the group's retention.
    pub too_old: usize,
    /// Events too far in the future.
    pub too_new: usize,
}

/// Why the service did not take a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It was asked too often, or is not well.
    #[error("{0}")]
    Busy(String),
    /// It cannot be reached, or there are no credentials yet: nothing can be sent at all.
    #[error("{0}")]
    Unreachable(String),
    /// It will not have it from this caller, or under this name: somebody has to change something.
    #[error("{0}")]
    Denied(String),
    /// Something about the events is not valid.
    #[error("{0}")]
    Invalid(String),
}

/// Takes events: CloudWatch Logs, or a test.
pub trait Sink: Send + Sync {
    /// Sends events, in the order of time and within the limits of one request, to their stream. Returns when the
    /// service has them.
    ///
    /// # Errors
    /// When it does not have them, or may not have them.
    fn put(&self, target: &Target, events: &[Event<'_>]) -> Result<Accepted, SendError>;

    /// Makes sure that a stream is there, before anything is to be sent to it. Nothing, where streams need not be made.
    ///
    /// # Errors
    /// When it cannot be created.
    fn prepare(&self, target: &Target) -> Result<(), SendError> {
        let _ = target;
        Ok(())
    }
}
