//! Events from memory and from segments, merged into one order.
//!
//! A segment is opened when the merge reaches it, and in memory a chunk at a time until the merge has passed it: the
//! memory and the open files of a scan are those of what overlaps at one time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::batch::Batch;
use crate::segment::index::{Bounds, Chunk};
use crate::segment::{Desk, Row, Segment, SegmentFile, key};
use crate::select::Selection;
use crate::{Order, ScanStatistics, StoreError};

/// A merge of sources in the order that its selection asks for.
pub(crate) struct Merge {
    selection: Selection,
    sources: Vec<Source>,
    /// Of each source that is not at its end: what its next event is not before, and its number.
    heads: BinaryHeap<Reverse<(u128, usize)>>,
    damage: VecDeque<StoreError>,
    desk: Desk,
}

/// The place of an event in a [`Merge`], good until the next one is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    source: usize,
    row: usize,
}

struct Source {
    rows: Vec<Row>,
    at: usize,
    texts: Texts,
    rest: Rest,
}

enum Texts {
    Batches(Vec<Arc<Batch>>),
    Blocks(Vec<String>),
}

/// What of a source is not loaded yet.
enum Rest {
    Nothing,
    /// A segment, and the bounds of the group in it. Its file stays as long as it is held here.
    Segment(Arc<Segment>, Bounds),
    /// Chunks in the order of the merge.
    Chunks(Arc<SegmentFile>, VecDeque<Chunk>),
}

impl Merge {
    pub(crate) fn new(selection: Selection) -> Merge {
        Merge {
            selection,
            sources: Vec::new(),
            heads: BinaryHeap::new(),
            damage: VecDeque::new(),
            desk: Desk::default(),
        }
    }

    pub(crate) fn statistics(&self) -> ScanStatistics {
        self.desk.statistics
    }

    /// Adds what is wanted of batches of the group.
    pub(crate) fn add_batches(&mut self, batches: Vec<Arc<Batch>>) {
        let mut rows = Vec::new();
        for (text, batch) in batches.iter().enumerate() {
            if !self.selection.wants_times(batch.min_timestamp, batch.max_timestamp)
                || !self.selection.wants_stream(batch.stream)
            {
                continue;
            }
            let mut wanted = rows_of(batch, text as u32);
            wanted.retain(|row| self.selection.wants_row(row));
            self.desk.statistics.events += wanted.len() as u64;
            self.desk.statistics.bytes += wanted.iter().map(|row| row.length() as u64).sum::<u64>();
            self.selection.retain_messages(&mut wanted, batch.text());
            rows.append(&mut wanted);
        }
        rows.sort_unstable_by_key(|row| self.directed(row.key()));
        self.push(Source { rows, at: 0, texts: Texts::Batches(batches), rest: Rest::Nothing });
    }

    /// Adds what is wanted of a segment. What cannot be read of it is reported in its place.
    pub(crate) fn add_segment(&mut self, segment: &Arc<Segment>) {
        let entry = segment.group(self.selection.group);
        if let Some(entry) = entry.filter(|entry| self.selection.wants_bounds(&entry.bounds)) {
            self.push(Source::of(Rest::Segment(segment.clone(), entry.bounds)));
        }
    }

    /// Adds chunks of a segment that follow each other in time.
    pub(crate) fn add_chunks(&mut self, file: &Arc<SegmentFile>, chunks: Vec<Chunk>) {
        self.push(Source::of(Rest::chunks(file.clone(), chunks, &self.selection)));
    }

    fn push(&mut self, source: Source) {
        if let Some(head) = self.head(&source) {
            self.heads.push(Reverse((head, self.sources.len())));
        }
        self.sources.push(source);
    }

    /// A key for a heap that has the smallest first.
    fn directed(&self, key: u128) -> u128 {
        directed(self.selection.order, key)
    }

    fn head(&self, source: &Source) -> Option<u128> {
        source.head(self.selection.order)
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Option<Result<Found, StoreError>> {
        loop {
            if let Some(error) = self.damage.pop_front() {
                return Some(Err(error));
            }
            let Reverse((_, number)) = *self.heads.peek()?;
            let source = self.sources.get_mut(number)?;
            let row = source.at;
            let found = row < source.rows.len();
            if found {
                source.at += 1;
            } else {
                self.damage.extend(source.load(&self.selection, &mut self.desk));
            }
            match source.head(self.selection.order) {
                Some(head) => {
                    if let Some(mut top) = self.heads.peek_mut() {
                        *top = Reverse((head, number));
                    }
                }
                None => {
                    self.heads.pop();
                }
            }
            if found {
                return Some(Ok(Found { source: number, row }));
            }
        }
    }

    /// An event that was found, and its message.
    pub(crate) fn get(&self, found: Found) -> (&Row, &str) {
        let source = &self.sources[found.source];
        let row = &source.rows[found.row];
        let text = match &source.texts {
            Texts::Batches(batches) => batches[row.text as usize].text(),
            Texts::Blocks(texts) => &texts[row.text as usize],
        };
        (row, &text[row.start as usize..row.end as usize])
    }
}

impl Source {
    fn of(rest: Rest) -> Source {
        Source { rows: Vec::new(), at: 0, texts: Texts::Blocks(Vec::new()), rest }
    }

    /// What its next event is not before; `None` at its end.
    fn head(&self, order: Order) -> Option<u128> {
        if let Some(row) = self.rows.get(self.at) {
            return Some(directed(order, row.key()));
        }
        let bounds = match &self.rest {
            Rest::Nothing => return None,
            Rest::Segment(_, bounds) => bounds,
            Rest::Chunks(_, chunks) => &chunks.front()?.bounds,
        };
        Some(match order {
            Order::OldestFirst => key(bounds.min_timestamp, bounds.min_sequence),
            Order::NewestFirst => directed(order, key(bounds.max_timestamp, bounds.max_sequence)),
        })
    }

    /// Opens the segment, or puts the next chunk in the place of the one that was passed.
    fn load(&mut self, selection: &Selection, desk: &mut Desk) -> Vec<StoreError> {
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Nothing => Vec::new(),
            Rest::Segment(segment, _) => match Rest::open(&segment, selection, desk) {
                Ok(rest) => {
                    self.rest = rest;
                    Vec::new()
                }
                Err(error) => vec![error],
            },
            Rest::Chunks(file, mut chunks) => {
                let Some(chunk) = chunks.pop_front() else { return Vec::new() };
                let mut loaded = file.load(&chunk, selection, desk);
                if selection.order == Order::NewestFirst {
                    loaded.rows.reverse();
                }
                self.rows = loaded.rows;
                self.at = 0;
                self.texts = Texts::Blocks(loaded.texts);
                if !chunks.is_empty() {
                    self.rest = Rest::Chunks(file, chunks);
                }
                loaded.damage
            }
        }
    }
}

impl Rest {
    fn open(segment: &Segment, selection: &Selection, desk: &mut Desk) -> Result<Rest, StoreError> {
        let Some(entry) = segment.group(selection.group) else { return Ok(Rest::Nothing) };
        let file = SegmentFile::open(&segment.path)?;
        let chunks = file.chunks(entry, desk)?;
        Ok(Rest::chunks(Arc::new(file), chunks, selection))
    }

    fn chunks(file: Arc<SegmentFile>, chunks: Vec<Chunk>, selection: &Selection) -> Rest {
        let mut chunks: VecDeque<Chunk> =
            chunks.into_iter().filter(|chunk| selection.wants_bounds(&chunk.bounds)).collect();
        if selection.order == Order::NewestFirst {
            chunks.make_contiguous().reverse();
        }
        Rest::Chunks(file, chunks)
    }
}

fn directed(order: Order, key: u128) -> u128 {
    match order {
        Order::OldestFirst => key,
        Order::NewestFirst => !key,
    }
}

/// All events of a batch.
pub(crate) fn rows_of(batch: &Batch, text: u32) -> Vec<Row> {
    (0..batch.len())
        .map(|index| {
            let (start, end) = batch.range(index);
            Row {
                timestamp: batch.timestamp(index),
                sequence: batch.sequence(index),
                ingestion_time: batch.ingestion_time,
                stream: batch.stream,
                text,
                start,
                end,
            }
        })
        .collect()
}
