//! Reading segments. Everything read is checked first; what is damaged is left out and told.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use zstd::bulk::Decompressor;

use super::index::{self, Block, Chunk, Extent, GroupEntry};
use super::writer::{MARK, TRAILER};
use super::{Row, block};
use crate::codec::Reader;
use crate::facts::{self, StreamTable};
use crate::select::Selection;
use crate::{Damage, GroupId, ScanStatistics, StoreError};

/// A segment: its directory in memory, its file closed.
///
/// The file of an obsolete segment goes when the last reader has let go of it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    pub(crate) partition: i64,
    pub(crate) size: u64,
    pub(crate) groups: Vec<GroupEntry>,
    obsolete: AtomicBool,
}

/// A segment with its file open.
pub(crate) struct SegmentFile {
    path: PathBuf,
    file: File,
}

/// What reading many blocks needs, made once: it takes longer to make than a block takes to read.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) statistics: ScanStatistics,
    decompressor: Decompressor<'static>,
}

/// Wanted events of a chunk, ordered as events are, and their texts.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) rows: Vec<Row>,
    pub(crate) texts: Vec<String>,
    pub(crate) damage: Vec<StoreError>,
}

impl Segment {
    pub(crate) fn new(
        path: PathBuf,
        number: u64,
        partition: i64,
        size: u64,
        groups: Vec<GroupEntry>,
    ) -> Segment {
        Segment { path, number, partition, size, groups, obsolete: AtomicBool::new(false) }
    }

    /// Reads the directory of a segment file that should have this size.
    pub(crate) fn open(path: &Path, number: u64, partition: i64, size: u64) -> Result<Segment, StoreError> {
        let file = SegmentFile::open(path)?;
        let real = file.file.metadata().map_err(StoreError::io("look at", path))?.len();
        if real != size {
            return Err(file.damage(real, format!("it has {real} bytes instead of {size}")));
        }
        let groups = file.directory(size)?;
        Ok(Segment::new(path.to_owned(), number, partition, size, groups))
    }

    pub(crate) fn group(&self, group: GroupId) -> Option<&GroupEntry> {
        let at = self.groups.binary_search_by_key(&group, |entry| entry.group).ok()?;
        self.groups.get(at)
    }

    /// Removes the file when nobody reads it any more.
    pub(crate) fn retire(&self) {
        self.obsolete.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.obsolete.load(Ordering::Acquire)
            && let Err(error) = crate::files::remove(&self.path)
        {
            // The next opening of the store removes what no list names.
            tracing::warn!(%error, "a segment's file stays");
        }
    }
}

impl SegmentFile {
    pub(crate) fn open(path: &Path) -> Result<SegmentFile, StoreError> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        Ok(SegmentFile { path: path.to_owned(), file })
    }

    fn damage(&self, offset: u64, what: impl Into<String>) -> StoreError {
        StoreError::Damaged(Damage { path: self.path.clone(), offset, what: what.into() })
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damage(offset, "the file ends too early"),
            _ => StoreError::io("read", &self.path)(error),
        })?;
        Ok(bytes)
    }

    fn checked(&self, extent: &Extent) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read(extent.offset, extent.length as usize)?;
        self.check(&bytes, extent)?;
        Ok(bytes)
    }

    fn check(&self, bytes: &[u8], extent: &Extent) -> Result<(), StoreError> {
        if crc32fast::hash(bytes) == extent.checksum {
            return Ok(());
        }
        Err(self.damage(extent.offset, "a wrong checksum"))
    }

    fn decompressed(&self, bytes: &[u8], extent: &Extent, desk: &mut Desk) -> Result<Vec<u8>, StoreError> {
        desk.decompressor
            .decompress(bytes, extent.raw as usize)
            .ok()
            .filter(|raw| raw.len() == extent.raw as usize)
            .ok_or_else(|| self.damage(extent.offset, "it cannot be decompressed"))
    }

    fn directory(&self, size: u64) -> Result<Vec<GroupEntry>, StoreError> {
        let end = size.checked_sub(TRAILER as u64).ok_or_else(|| self.damage(0, "it is too short"))?;
        let trailer = self.read(end, TRAILER)?;
        let bad = || self.damage(end, "it does not end as a segment");
        let mut reader = Reader::new(&trailer);
        let fields = (|| Some((reader.u64()?, reader.u64()?, reader.u32()?, reader.u32()?)))();
        let (offset, length, sum, own_sum) = fields.ok_or_else(bad)?;
        let whole = crc32fast::hash(&trailer[..20]) == own_sum && trailer[24..] == *MARK;
        if !whole || offset.checked_add(length) != Some(end) {
            return Err(bad());
        }
        let directory = self.read(offset, length as usize)?;
        let good = crc32fast::hash(&directory) == sum;
        let groups = good.then(|| index::read_directory(&directory)).flatten();
        groups.ok_or_else(|| self.damage(offset, "its directory has a wrong checksum"))
    }

    pub(crate) fn chunks(&self, entry: &GroupEntry, desk: &mut Desk) -> Result<Vec<Chunk>, StoreError> {
        let raw = self.decompressed(&self.checked(&entry.index)?, &entry.index, desk)?;
        index::read_chunks(&raw)
            .ok_or_else(|| self.damage(entry.index.offset, "an index of a group cannot be read"))
    }

    /// For each chunk of a group, the facts of the streams in it.
    pub(crate) fn streams(
        &self,
        entry: &GroupEntry,
        desk: &mut Desk,
    ) -> Result<Vec<StreamTable>, StoreError> {
        let raw = self.decompressed(&self.checked(&entry.streams)?, &entry.streams, desk)?;
        index::read_streams(&raw)
            .ok_or_else(|| self.damage(entry.streams.offset, "a table of streams cannot be read"))
    }

    /// A chunk as it stands in the file, found whole.
    pub(crate) fn chunk_bytes(&self, chunk: &Chunk) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read(chunk.offset, chunk.length as usize)?;
        for extent in chunk.blocks.iter().flat_map(|block| [&block.columns, &block.text]) {
            let from = extent.offset as usize;
            let part = bytes.get(from..from + extent.length as usize);
            let part = part.ok_or_else(|| self.damage(chunk.offset, "a block lies outside of its chunk"))?;
            self.check(part, &Extent { offset: chunk.offset + extent.offset, ..*extent })?;
        }
        Ok(bytes)
    }

    /// Reads the wanted events of a chunk. Damaged blocks are left out and reported.
    pub(crate) fn load(&self, chunk: &Chunk, wanted: &Selection, desk: &mut Desk) -> Loaded {
        let mut loaded = Loaded::default();
        let filters = match self.filters(chunk, wanted) {
            Ok(filters) => filters,
            Err(error) => {
                // Without filters everything can still be read.
                loaded.damage.push(error);
                Vec::new()
            }
        };
        let mut filter_at = 0;
        for block in &chunk.blocks {
            let filter = filters.get(filter_at..filter_at + block.filter as usize).unwrap_or_default();
            filter_at += block.filter as usize;
            if !wanted.wants_block(block) || !wanted.wants_filter(filter) {
                desk.statistics.blocks_skipped += 1;
                continue;
            }
            desk.statistics.blocks += 1;
            if let Err(error) = self.load_block(chunk, block, wanted, desk, &mut loaded) {
                loaded.damage.push(error);
            }
        }
        // Stable, because that sort makes use of what is in order: the rows of a stream.
        loaded.rows.sort_by_key(Row::key);
        loaded
    }

    fn filters(&self, chunk: &Chunk, wanted: &Selection) -> Result<Vec<u8>, StoreError> {
        if wanted.has_literals() { self.checked(&chunk.filters) } else { Ok(Vec::new()) }
    }

    fn load_block(
        &self,
        chunk: &Chunk,
        block: &Block,
        wanted: &Selection,
        desk: &mut Desk,
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        let number = loaded.texts.len() as u32;
        let (columns, text) = (at(chunk, &block.columns), at(chunk, &block.text));
        let bytes = self.read(columns.offset, (columns.length + text.length) as usize)?;
        let (column_bytes, text_bytes) = bytes.split_at(columns.length as usize);
        let mut rows = self.rows(column_bytes, &columns, number, u64::from(text.raw), desk)?;
        rows.retain(|row| wanted.wants_row(row));
        if rows.is_empty() {
            return Ok(());
        }
        self.check(text_bytes, &text)?;
        let content = String::from_utf8(self.decompressed(text_bytes, &text, desk)?)
            .map_err(|_| self.damage(text.offset, "its text is not UTF-8"))?;
        desk.statistics.events += rows.len() as u64;
        desk.statistics.bytes += rows.iter().map(|row| row.length() as u64).sum::<u64>();
        wanted.retain_messages(&mut rows, &content);
        if !rows.is_empty() {
            loaded.rows.append(&mut rows);
            loaded.texts.push(content);
        }
        Ok(())
    }

    fn rows(
        &self,
        bytes: &[u8],
        columns: &Extent,
        number: u32,
        text_length: u64,
        desk: &mut Desk,
    ) -> Result<Vec<Row>, StoreError> {
        self.check(bytes, columns)?;
        let raw = self.decompressed(bytes, columns, desk)?;
        block::decode(&raw, number)
            .filter(|rows| rows.last().is_none_or(|row| u64::from(row.end) == text_length))
            .ok_or_else(|| self.damage(columns.offset, "its columns cannot be read"))
    }

    /// The facts of a chunk's events that are not deleted, counted.
    pub(crate) fn count(
        &self,
        chunk: &Chunk,
        wanted: &Selection,
        desk: &mut Desk,
    ) -> Result<StreamTable, StoreError> {
        let mut table = StreamTable::new();
        for block in &chunk.blocks {
            let columns = at(chunk, &block.columns);
            let bytes = self.read(columns.offset, columns.length as usize)?;
            let rows = self.rows(&bytes, &columns, 0, u64::from(block.text.raw), desk)?;
            rows.iter().filter(|row| wanted.wants_row(row)).for_each(|row| facts::add_row(&mut table, row));
        }
        Ok(table)
    }
}

/// An extent of a block, counted from the start of the file.
fn at(chunk: &Chunk, extent: &Extent) -> Extent {
    Extent { offset: chunk.offset + extent.offset, ..*extent }
}
