//! Segments: immutable files of events, compressed, ordered by group and time.
//!
//! ```text
//! mark │ chunk chunk … index streams │ … next group … │ directory │ trailer
//!        └────────── group ────────┘
//! chunk = block block … filters        block = columns, text (each compressed by itself)
//! ```
//!
//! The chunks of a group follow each other in time. Within a chunk events are ordered by stream, so that what is
//! asked of one stream lies in few blocks, and text of one kind stands together. Readers keep the directory in
//! memory, and read a group's index, and then the blocks that it points to, when they are asked.

pub(crate) mod block;
pub(crate) mod filter;
pub(crate) mod index;
mod reader;
mod writer;

pub(crate) use reader::{Desk, Segment, SegmentFile};
pub(crate) use writer::{CHUNK_TEXT, Writer};

use crate::StreamId;

/// An event without its group and text. The text stands at `start..end` of text number `text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) timestamp: i64,
    pub(crate) sequence: u64,
    pub(crate) ingestion_time: i64,
    pub(crate) stream: StreamId,
    pub(crate) text: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Row {
    /// What events are ordered by: timestamp, then arrival. Timestamps are never negative.
    pub(crate) fn key(&self) -> u128 {
        key(self.timestamp, self.sequence)
    }

    pub(crate) fn length(&self) -> usize {
        (self.end - self.start) as usize
    }
}

/// See [`Row::key`].
pub(crate) fn key(timestamp: i64, sequence: u64) -> u128 {
    (u128::from(timestamp as u64) << 64) | u128::from(sequence)
}
