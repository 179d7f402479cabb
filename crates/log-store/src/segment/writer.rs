//! Writing a segment: groups in order, of each its events in order.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use zstd::bulk::Compressor;

use super::index::{self, Block, Bounds, Chunk, Extent, GroupEntry};
use super::reader::{Segment, SegmentFile};
use super::{Row, block, filter};
use crate::facts::{self, StreamTable};
use crate::{GroupId, StoreError};

/// How hard to compress: the next levels cost much and gain nothing on logs (docs/log-store.md).
const LEVEL: i32 = 1;
/// Text of a chunk, which is what a reader that wants everything has in memory of a segment.
pub(crate) const CHUNK_TEXT: usize = 1 << 20;
/// Events of a chunk.
const CHUNK_ROWS: usize = 1 << 14;
/// Text of a block, which is the least that is read. From half of it on a new stream begins a new block.
const BLOCK_TEXT: usize = 64 << 10;
/// Events of a block.
const BLOCK_ROWS: usize = 1 << 12;

pub(super) const MARK: &[u8; 8] = b"DRYSEG\x00\x01";
pub(super) const TRAILER: usize = 32;

/// A segment that is being written.
pub(crate) struct Writer {
    path: PathBuf,
    number: u64,
    partition: i64,
    file: BufWriter<File>,
    offset: u64,
    compressor: Compressor<'static>,
    groups: Vec<GroupEntry>,
    group: Option<Group>,
    rows: Vec<Row>,
    text: String,
}

/// The group that is being written.
struct Group {
    id: GroupId,
    start: u64,
    chunks: Vec<Chunk>,
    streams: Vec<StreamTable>,
}

impl Writer {
    /// Begins the segment file of a partition.
    pub(crate) fn create(path: &Path, number: u64, partition: i64) -> Result<Writer, StoreError> {
        let file = File::create(path).map_err(StoreError::io("make", path))?;
        let compressor = Compressor::new(LEVEL).map_err(StoreError::io("compress for", path))?;
        let mut writer = Writer {
            path: path.to_owned(),
            number,
            partition,
            file: BufWriter::with_capacity(256 << 10, file),
            offset: 0,
            compressor,
            groups: Vec::new(),
            group: None,
            rows: Vec::new(),
            text: String::new(),
        };
        writer.put(MARK)?;
        Ok(writer)
    }

    /// Begins a group, which must come behind those before it.
    pub(crate) fn begin(&mut self, id: GroupId) -> Result<(), StoreError> {
        self.end_group()?;
        self.group = Some(Group { id, start: self.offset, chunks: Vec::new(), streams: Vec::new() });
        Ok(())
    }

    /// Adds an event of the group that was begun last, behind those before it in the order of [`Row::key`].
    pub(crate) fn add(&mut self, row: &Row, message: &str) -> Result<(), StoreError> {
        if self.text.len() + message.len() > CHUNK_TEXT || self.rows.len() == CHUNK_ROWS {
            self.end_chunk()?;
        }
        let start = self.text.len() as u32;
        self.text.push_str(message);
        self.rows.push(Row { text: 0, start, end: self.text.len() as u32, ..*row });
        Ok(())
    }

    /// Takes a chunk as it is. What is added next must come behind it.
    pub(crate) fn copy(
        &mut self,
        from: &SegmentFile,
        chunk: &Chunk,
        streams: &StreamTable,
    ) -> Result<(), StoreError> {
        self.end_chunk()?;
        let bytes = from.chunk_bytes(chunk)?;
        let offset = self.offset;
        self.put(&bytes)?;
        let filters = Extent { offset: offset + (chunk.filters.offset - chunk.offset), ..chunk.filters };
        self.push(Chunk { offset, filters, ..chunk.clone() }, streams.clone());
        Ok(())
    }

    /// Ends the file and makes it durable; `None`, and no file, when nothing was added.
    pub(crate) fn finish(mut self) -> Result<Option<Segment>, StoreError> {
        self.end_group()?;
        if self.groups.is_empty() {
            crate::files::remove(&self.path)?;
            return Ok(None);
        }
        let directory = index::write_directory(&self.groups);
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend_from_slice(&self.offset.to_le_bytes());
        trailer.extend_from_slice(&(directory.len() as u64).to_le_bytes());
        trailer.extend_from_slice(&crc32fast::hash(&directory).to_le_bytes());
        let sum = crc32fast::hash(&trailer);
        trailer.extend_from_slice(&sum.to_le_bytes());
        trailer.extend_from_slice(MARK);
        self.put(&directory)?;
        self.put(&trailer)?;
        let sync = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        sync.map_err(StoreError::io("sync", &self.path))?;
        Ok(Some(Segment::new(self.path, self.number, self.partition, self.offset, self.groups)))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(StoreError::io("write to", &self.path))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn put_compressed(&mut self, raw: &[u8]) -> Result<Extent, StoreError> {
        let bytes = self.compressor.compress(raw).map_err(StoreError::io("compress for", &self.path))?;
        let offset = self.offset;
        self.put(&bytes)?;
        let checksum = crc32fast::hash(&bytes);
        Ok(Extent { offset, length: bytes.len() as u32, raw: raw.len() as u32, checksum })
    }

    fn push(&mut self, chunk: Chunk, streams: StreamTable) {
        if let Some(group) = &mut self.group {
            group.chunks.push(chunk);
            group.streams.push(streams);
        }
    }

    fn end_group(&mut self) -> Result<(), StoreError> {
        self.end_chunk()?;
        let Some(group) = self.group.take().filter(|group| !group.chunks.is_empty()) else { return Ok(()) };
        let index = self.put_compressed(&index::write_chunks(&group.chunks))?;
        let streams = self.put_compressed(&index::write_streams(&group.streams))?;
        let mut bounds = Bounds::NONE;
        group.chunks.iter().for_each(|chunk| bounds.add(&chunk.bounds));
        self.groups.push(GroupEntry {
            group: group.id,
            bounds,
            bytes: self.offset - group.start,
            index,
            streams,
        });
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        let text = std::mem::take(&mut self.text);
        let mut streams = StreamTable::new();
        let mut bounds = Bounds::NONE;
        for row in &rows {
            facts::add_row(&mut streams, row);
            bounds.add_event(row.timestamp, row.sequence);
        }
        // Stable: what is of one stream stays in its order.
        rows.sort_by_key(|row| row.stream);
        let offset = self.offset;
        let (mut blocks, mut filters) = (Vec::new(), Vec::new());
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(block_end(rest));
            blocks.push(self.put_block(now, &text, offset, &mut filters)?);
            rest = later;
        }
        let checksum = crc32fast::hash(&filters);
        let length = filters.len() as u32;
        let filters_at = self.offset;
        self.put(&filters)?;
        let filters = Extent { offset: filters_at, length, raw: length, checksum };
        let chunk =
            Chunk { bounds, offset, length: self.offset - offset, text: text.len() as u64, blocks, filters };
        self.push(chunk, streams);
        // Their memory is used again.
        rows.clear();
        self.rows = rows;
        self.text = text;
        self.text.clear();
        Ok(())
    }

    fn put_block(
        &mut self,
        rows: &[Row],
        text: &str,
        offset: u64,
        filters: &mut Vec<u8>,
    ) -> Result<Block, StoreError> {
        let mut block_text = String::with_capacity(rows.iter().map(Row::length).sum());
        let mut filter = filter::Builder::new(block_text.capacity());
        for row in rows {
            let message = &text[row.start as usize..row.end as usize];
            block_text.push_str(message);
            filter.add(message);
        }
        let filter = filter.finish();
        filters.extend_from_slice(&filter);
        let mut columns = self.put_compressed(&block::encode(rows))?;
        let mut text = self.put_compressed(block_text.as_bytes())?;
        columns.offset -= offset;
        text.offset -= offset;
        let timestamps = || rows.iter().map(|row| row.timestamp);
        Ok(Block {
            rows: rows.len() as u32,
            min_timestamp: timestamps().min().unwrap_or_default(),
            max_timestamp: timestamps().max().unwrap_or_default(),
            first_stream: rows[0].stream,
            last_stream: rows[rows.len() - 1].stream,
            columns,
            text,
            filter: filter.len() as u32,
        })
    }
}

/// How many of these rows make the next block.
fn block_end(rows: &[Row]) -> usize {
    let mut text = 0;
    for (index, row) in rows.iter().enumerate() {
        let full = text + row.length() > BLOCK_TEXT || index == BLOCK_ROWS;
        let half = text > BLOCK_TEXT / 2 || index > BLOCK_ROWS / 2;
        if index > 0 && (full || half && rows[index - 1].stream != row.stream) {
            return index;
        }
        text += row.length();
    }
    rows.len()
}
