//! What a segment says of itself: its directory of groups, and each group's index of chunks and blocks. Pure.

use crate::codec::{Put, Reader};
use crate::facts::{Known, StreamTable};
use crate::graves::GroupGraves;
use crate::{GroupId, StreamFacts, StreamId};

/// Smallest and largest timestamp and sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) min_sequence: u64,
    pub(crate) max_sequence: u64,
}

impl Bounds {
    /// Bounds of nothing.
    pub(crate) const NONE: Bounds =
        Bounds { min_timestamp: i64::MAX, max_timestamp: i64::MIN, min_sequence: u64::MAX, max_sequence: 0 };

    pub(crate) fn add(&mut self, other: &Bounds) {
        self.min_timestamp = self.min_timestamp.min(other.min_timestamp);
        self.max_timestamp = self.max_timestamp.max(other.max_timestamp);
        self.min_sequence = self.min_sequence.min(other.min_sequence);
        self.max_sequence = self.max_sequence.max(other.max_sequence);
    }

    pub(crate) fn add_event(&mut self, timestamp: i64, sequence: u64) {
        self.add(&Bounds {
            min_timestamp: timestamp,
            max_timestamp: timestamp,
            min_sequence: sequence,
            max_sequence: sequence,
        });
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put(self.min_timestamp);
        out.put(self.max_timestamp.wrapping_sub(self.min_timestamp));
        out.put(self.min_sequence);
        out.put(self.max_sequence.wrapping_sub(self.min_sequence));
    }

    fn read(from: &mut Reader<'_>) -> Option<Bounds> {
        let min_timestamp: i64 = from.get()?;
        let max_timestamp = min_timestamp.wrapping_add(from.get()?);
        let min_sequence: u64 = from.get()?;
        let max_sequence = min_sequence.wrapping_add(from.get()?);
        Some(Bounds { min_timestamp, max_timestamp, min_sequence, max_sequence })
    }
}

/// Where bytes of the file stand, and what they add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    /// Their length when they are not compressed.
    pub(crate) raw: u32,
    pub(crate) checksum: u32,
}

impl Extent {
    fn write(&self, out: &mut Vec<u8>) {
        out.put(self.offset);
        out.put(self.length);
        out.put(self.raw);
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Extent> {
        Some(Extent { offset: from.get()?, length: from.get()?, raw: from.get()?, checksum: from.u32()? })
    }
}

/// A group in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupEntry {
    pub(crate) group: GroupId,
    pub(crate) bounds: Bounds,
    /// Bytes of all that the group has in the file.
    pub(crate) bytes: u64,
    pub(crate) index: Extent,
    pub(crate) streams: Extent,
}

pub(crate) fn write_directory(groups: &[GroupEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put(groups.len() as u64);
    for entry in groups {
        out.put(entry.group.0);
        entry.bounds.write(&mut out);
        out.put(entry.bytes);
        entry.index.write(&mut out);
        entry.streams.write(&mut out);
    }
    out
}

pub(crate) fn read_directory(bytes: &[u8]) -> Option<Vec<GroupEntry>> {
    let mut from = Reader::new(bytes);
    let count = from.count()?;
    let entry = |from: &mut Reader<'_>| {
        Some(GroupEntry {
            group: GroupId(from.get()?),
            bounds: Bounds::read(from)?,
            bytes: from.get()?,
            index: Extent::read(from)?,
            streams: Extent::read(from)?,
        })
    };
    let groups: Vec<GroupEntry> = (0..count).map(|_| entry(&mut from)).collect::<Option<_>>()?;
    (from.is_empty() && groups.is_sorted_by_key(|entry| entry.group)).then_some(groups)
}

/// A chunk of a group: its blocks follow each other from `offset` on, behind them the blocks' filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) bounds: Bounds,
    pub(crate) offset: u64,
    /// Bytes in the file.
    pub(crate) length: u64,
    /// Bytes of text.
    pub(crate) text: u64,
    pub(crate) blocks: Vec<Block>,
    pub(crate) filters: Extent,
}

/// A block of a chunk. The columns' offset counts from the chunk's; the text follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) rows: u32,
    pub(crate) min_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) first_stream: StreamId,
    pub(crate) last_stream: StreamId,
    pub(crate) columns: Extent,
    pub(crate) text: Extent,
    /// Bytes of its filter.
    pub(crate) filter: u32,
}

impl Chunk {
    /// Whether any of its events is deleted, as far as its bounds and streams tell.
    pub(crate) fn is_touched(&self, graves: &GroupGraves, streams: &StreamTable) -> bool {
        let Bounds { min_timestamp, min_sequence, .. } = self.bounds;
        graves.may_hold(min_timestamp, min_sequence) || self.has_deleted_stream(graves, streams)
    }

    /// Whether all of its events are deleted, as far as its bounds tell.
    pub(crate) fn is_dead(&self, graves: &GroupGraves) -> bool {
        graves.hold_all(self.bounds.max_timestamp, self.bounds.max_sequence)
    }

    pub(crate) fn has_deleted_stream(&self, graves: &GroupGraves, streams: &StreamTable) -> bool {
        graves.hold_any_stream(self.bounds.min_sequence)
            && streams.iter().any(|(stream, known)| graves.hold_stream(*stream, known.first_sequence))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.bounds.write(out);
        out.put(self.offset);
        out.put(self.length);
        out.put(self.text);
        self.filters.write(out);
        out.put(self.blocks.len() as u64);
        for block in &self.blocks {
            out.put(block.rows);
            out.put(block.min_timestamp.wrapping_sub(self.bounds.min_timestamp));
            out.put(block.max_timestamp.wrapping_sub(block.min_timestamp));
            out.put(block.first_stream.0);
            out.put(block.last_stream.0.wrapping_sub(block.first_stream.0));
            block.columns.write(out);
            block.text.write(out);
            out.put(block.filter);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Chunk> {
        let bounds = Bounds::read(from)?;
        let (offset, length, text) = (from.get()?, from.get()?, from.get()?);
        let filters = Extent::read(from)?;
        let count = from.count()?;
        let block = |from: &mut Reader<'_>| {
            let rows = from.get()?;
            let min_timestamp = bounds.min_timestamp.wrapping_add(from.get()?);
            let max_timestamp = min_timestamp.wrapping_add(from.get()?);
            let first_stream: u64 = from.get()?;
            let last_stream = first_stream.wrapping_add(from.get()?);
            Some(Block {
                rows,
                min_timestamp,
                max_timestamp,
                first_stream: StreamId(first_stream),
                last_stream: StreamId(last_stream),
                columns: Extent::read(from)?,
                text: Extent::read(from)?,
                filter: from.get()?,
            })
        };
        let blocks = (0..count).map(|_| block(from)).collect::<Option<_>>()?;
        Some(Chunk { bounds, offset, length, text, blocks, filters })
    }
}

pub(crate) fn write_chunks(chunks: &[Chunk]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put(chunks.len() as u64);
    chunks.iter().for_each(|chunk| chunk.write(&mut out));
    out
}

pub(crate) fn read_chunks(bytes: &[u8]) -> Option<Vec<Chunk>> {
    let mut from = Reader::new(bytes);
    let chunks = (0..from.count()?).map(|_| Chunk::read(&mut from)).collect::<Option<_>>()?;
    from.is_empty().then_some(chunks)
}

/// Writes what each chunk of a group has of each stream.
pub(crate) fn write_streams(tables: &[StreamTable]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put(tables.len() as u64);
    for table in tables {
        out.put(table.len() as u64);
        for (stream, Known { facts, first_sequence }) in table {
            out.put(stream.0);
            out.put(facts.first_timestamp);
            out.put(facts.last_timestamp.wrapping_sub(facts.first_timestamp));
            out.put(facts.last_ingestion_time.wrapping_sub(facts.last_timestamp));
            out.put(facts.events);
            out.put(facts.stored_bytes);
            out.put(*first_sequence);
        }
    }
    out
}

pub(crate) fn read_streams(bytes: &[u8]) -> Option<Vec<StreamTable>> {
    let mut from = Reader::new(bytes);
    let entry = |from: &mut Reader<'_>| {
        let stream = StreamId(from.get()?);
        let first_timestamp: i64 = from.get()?;
        let last_timestamp = first_timestamp.wrapping_add(from.get()?);
        let last_ingestion_time = last_timestamp.wrapping_add(from.get()?);
        let (events, stored_bytes, first_sequence) = (from.get()?, from.get()?, from.get()?);
        let facts =
            StreamFacts { first_timestamp, last_timestamp, last_ingestion_time, events, stored_bytes };
        Some((stream, Known { facts, first_sequence }))
    };
    let mut tables = Vec::with_capacity(from.count()?);
    for _ in 0..tables.capacity() {
        let count = from.count()?;
        tables.push((0..count).map(|_| entry(&mut from)).collect::<Option<_>>()?);
    }
    from.is_empty().then_some(tables)
}
