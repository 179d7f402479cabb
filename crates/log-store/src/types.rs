//! What goes into a store and what comes out.

use serde::{Deserialize, Serialize};

use crate::Position;

/// A log group, by the number that its owner gave it. Numbers of deleted groups should not be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub u64);

/// A log stream of a group, by the number that its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u64);

/// An event to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEvent<'a> {
    /// When it happened, milliseconds since 1970.
    pub timestamp: i64,
    /// What was said.
    pub message: &'a str,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of a scan, and its identity.
    pub position: Position,
    /// The group that it belongs to.
    pub group: GroupId,
    /// The stream of the group that it came in.
    pub stream: StreamId,
    /// When it happened, milliseconds since 1970.
    pub timestamp: i64,
    /// When it was stored, milliseconds since 1970, as the caller of `append` said.
    pub ingestion_time: i64,
    /// What was said.
    pub message: String,
}

/// What an append did: the events have the numbers `first_sequence..first_sequence + events`, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The sequence number of the first event.
    pub first_sequence: u64,
    /// How many events were stored.
    pub events: usize,
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By timestamp, then arrival.
    #[default]
    OldestFirst,
    /// The reverse of `OldestFirst`.
    NewestFirst,
}

/// Which events of a group to read, and in which order. The default is all of them, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Only these streams; all when `None`.
    pub streams: Option<Vec<StreamId>>,
    /// Only events with this timestamp or a later one.
    pub from: i64,
    /// Only events with a timestamp before this one.
    pub until: i64,
    /// Direction.
    pub order: Order,
    /// Begin behind this position, in the direction of the scan.
    pub after: Option<Position>,
    /// Only events whose message contains all of these, byte for byte.
    pub literals: Vec<String>,
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            streams: None,
            from: i64::MIN,
            until: i64::MAX,
            order: Order::OldestFirst,
            after: None,
            literals: Vec::new(),
        }
    }
}

/// What a scan has looked at so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStatistics {
    /// Events whose message or stream was looked at.
    pub events: u64,
    /// Bytes of the messages that were looked at.
    pub bytes: u64,
    /// Blocks that were read.
    pub blocks: u64,
    /// Blocks in the time asked for that did not have to be read.
    pub blocks_skipped: u64,
}

/// What is known of a stream's events without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// The earliest timestamp.
    pub first_timestamp: i64,
    /// The latest timestamp.
    pub last_timestamp: i64,
    /// The latest ingestion time.
    pub last_ingestion_time: i64,
    /// How many events there are.
    pub events: u64,
    /// The bytes of their messages, and [`EVENT_OVERHEAD`] for each.
    pub stored_bytes: u64,
}

/// What CloudWatch Logs adds to the length of each message when it counts bytes.
pub const EVENT_OVERHEAD: u64 = 26;
/// The latest timestamp that can be stored: the end of the year 9999.
pub const MAX_TIMESTAMP: i64 = 253_402_300_799_999;
