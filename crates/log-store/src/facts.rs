//! What is known of streams without reading their events.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::graves::GroupGraves;
use crate::segment::Row;
use crate::{EVENT_OVERHEAD, StreamFacts, StreamId};

/// What is known of streams, by stream.
pub(crate) type StreamTable = BTreeMap<StreamId, Known>;

/// What is known of a stream's events in some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) facts: StreamFacts,
    /// The smallest of their sequence numbers: whether a deletion of the stream concerns them.
    pub(crate) first_sequence: u64,
}

impl StreamFacts {
    /// Of one event whose message has this many bytes.
    pub(crate) fn of(timestamp: i64, ingestion_time: i64, length: usize) -> StreamFacts {
        StreamFacts {
            first_timestamp: timestamp,
            last_timestamp: timestamp,
            last_ingestion_time: ingestion_time,
            events: 1,
            stored_bytes: length as u64 + EVENT_OVERHEAD,
        }
    }

    fn add(&mut self, other: &StreamFacts) {
        self.first_timestamp = self.first_timestamp.min(other.first_timestamp);
        self.last_timestamp = self.last_timestamp.max(other.last_timestamp);
        self.last_ingestion_time = self.last_ingestion_time.max(other.last_ingestion_time);
        self.events += other.events;
        self.stored_bytes += other.stored_bytes;
    }
}

pub(crate) fn add(table: &mut StreamTable, stream: StreamId, other: &Known) {
    table
        .entry(stream)
        .and_modify(|known| {
            known.facts.add(&other.facts);
            known.first_sequence = known.first_sequence.min(other.first_sequence);
        })
        .or_insert(*other);
}

pub(crate) fn add_table(table: &mut StreamTable, other: &StreamTable) {
    other.iter().for_each(|(stream, known)| add(table, *stream, known));
}

pub(crate) fn add_row(table: &mut StreamTable, row: &Row) {
    let facts = StreamFacts::of(row.timestamp, row.ingestion_time, row.length());
    add(table, row.stream, &Known { facts, first_sequence: row.sequence });
}

/// Adds what of a batch is not deleted.
pub(crate) fn add_batch(table: &mut StreamTable, batch: &Batch, graves: &GroupGraves) {
    for index in 0..batch.len() {
        let (start, end) = batch.range(index);
        let (timestamp, first_sequence) = (batch.timestamp(index), batch.sequence(index));
        if !graves.holds(batch.stream, timestamp, first_sequence) {
            let facts = StreamFacts::of(timestamp, batch.ingestion_time, (end - start) as usize);
            add(table, batch.stream, &Known { facts, first_sequence });
        }
    }
}
