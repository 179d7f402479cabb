//! What the agent tells of itself: counts, and how far each stream is behind.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the agent began.
#[derive(Debug, Default)]
pub struct Totals {
    /// Requests made.
    pub requests: AtomicU64,
    /// Events that the service took.
    pub events: AtomicU64,
    /// Bytes of their text.
    pub bytes: AtomicU64,
    /// Events that the service did not take.
    pub rejected: AtomicU64,
    /// Batches that did not go at the first try.
    pub failures: AtomicU64,
    /// Events whose time was not found in them.
    pub untimed: AtomicU64,
}

/// What `awslogs-agent status` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The agent's process.
    pub pid: u32,
    /// Requests made.
    pub requests: u64,
    /// Events that the service took.
    pub events: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Events that the service did not take: too old, too new or not valid.
    pub rejected: u64,
    /// Batches that did not go at the first try.
    pub failures: u64,
    /// Events whose time was not found in them.
    pub untimed: u64,
    /// Bytes in memory that wait to be sent.
    pub waiting: u64,
    /// The streams, in the order of the configuration.
    pub streams: Vec<StreamStatus>,
}

/// How far a stream is behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// The section.
    pub section: String,
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// How many files it has: the log and its generations.
    pub files: usize,
    /// Bytes of files that the service does not have yet.
    pub lag_bytes: u64,
    /// For how many seconds the oldest of them has been there.
    pub lag_seconds: u64,
    /// How often the batch that goes next has failed.
    pub failures: u32,
}

impl Status {
    /// The counts, without the streams.
    pub fn of(totals: &Totals) -> Self {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self {
            pid: std::process::id(),
            requests: get(&totals.requests),
            events: get(&totals.events),
            bytes: get(&totals.bytes),
            rejected: get(&totals.rejected),
            failures: get(&totals.failures),
            untimed: get(&totals.untimed),
            waiting: 0,
            streams: Vec::new(),
        }
    }

    /// One line for the agent's log.
    pub fn summary(&self) -> String {
        let lag = self.streams.iter().map(|stream| stream.lag_bytes).sum::<u64>();
        let seconds = self.streams.iter().map(|stream| stream.lag_seconds).max().unwrap_or(0);
        format!(
            "shipped {} events ({} bytes) in {} requests, {} refused, {} failures, {} without a time; \
             {} streams, behind by {lag} bytes and {seconds} s, {} bytes in memory",
            self.events,
            self.bytes,
            self.requests,
            self.rejected,
            self.failures,
            self.untimed,
            self.streams.len(),
            self.waiting,
        )
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!("pid {}: {}\n", self.pid, self.summary());
        for stream in &self.streams {
            text += &format!(
                "{:>12} bytes {:>7} s behind  {}  {} {} ({} files{})\n",
                stream.lag_bytes,
                stream.lag_seconds,
                stream.section,
                stream.group,
                stream.stream,
                stream.files,
                if stream.failures > 0 { format!(", {} failures", stream.failures) } else { String::new() },
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stream_makes_the_summary() {
        let stream =
            |lag_bytes, lag_seconds| StreamStatus { lag_bytes, lag_seconds, ..StreamStatus::default() };
        let status = Status { streams: vec![stream(5, 1), stream(7, 9)], ..Status::default() };
        assert!(status.summary().contains("2 streams, behind by 12 bytes and 9 s"), "{}", status.summary());
        assert_eq!(status.table().lines().count(), 3);
    }
}
