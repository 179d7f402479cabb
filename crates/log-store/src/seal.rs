//! From memory into segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::Batch;
use crate::engine::{Change, Engine};
use crate::graves::Graves;
use crate::memtable::Memtable;
use crate::merge::rows_of;
use crate::segment::{Row, Segment, Writer};
use crate::{GroupId, StoreError, files};

/// Milliseconds of a partition: a segment holds events of one day.
const DAY: i64 = 86_400_000;
/// The most segments that one memtable makes. Should its events be of more days, the oldest share one.
const MOST_PARTITIONS: usize = 32;

/// The events of a group and day, in order. Their `text` is the number of their batch.
struct Part {
    group: GroupId,
    batches: Arc<Vec<Arc<Batch>>>,
    rows: Vec<Row>,
}

impl Engine {
    /// Writes the oldest frozen memtable into segments; false when there is none.
    pub(crate) fn seal_oldest(&self) -> Result<bool, StoreError> {
        let _one_at_a_time = self.sealing.lock();
        let (memtable, graves) = {
            let state = self.state.read();
            let Some(memtable) = state.frozen.first() else { return Ok(false) };
            (memtable.clone(), state.graves.clone())
        };
        let result = self.seal(&memtable, &graves);
        drop(memtable);
        self.freed();
        self.seal_status.lock().failure = result.as_ref().err().cloned();
        self.sealed.notify_all();
        result?;
        self.wake.compact();
        Ok(true)
    }

    fn seal(&self, memtable: &Memtable, graves: &Graves) -> Result<(), StoreError> {
        let mut added: Vec<Arc<Segment>> = Vec::new();
        for (partition, parts) in partitions(memtable, graves) {
            match self.write_segment(partition, parts) {
                Ok(segment) => added.extend(segment.map(Arc::new)),
                Err(error) => {
                    added.iter().for_each(|segment| segment.retire());
                    return Err(error);
                }
            }
        }
        // Should this fail, the list may or may not name the new files: they stay until the next opening knows.
        self.change(Change { added, sealed_log: Some(memtable.number), ..Change::default() })
    }

    fn write_segment(&self, partition: i64, parts: Vec<Part>) -> Result<Option<Segment>, StoreError> {
        self.new_segment(partition, |writer| {
            for part in parts {
                writer.begin(part.group)?;
                for row in &part.rows {
                    let text = part.batches[row.text as usize].text();
                    writer.add(row, &text[row.start as usize..row.end as usize])?;
                }
            }
            Ok(())
        })
    }

    /// Makes a segment of what `fill` writes; `None` when that is nothing. A failure leaves no file.
    pub(crate) fn new_segment(
        &self,
        partition: i64,
        fill: impl FnOnce(&mut Writer) -> Result<(), StoreError>,
    ) -> Result<Option<Segment>, StoreError> {
        let number = self.segment_number();
        let path = self.layout.segment(number);
        let write = || {
            let mut writer = Writer::create(&path, number, partition)?;
            fill(&mut writer)?;
            writer.finish()
        };
        write().inspect_err(|_| {
            if let Err(error) = files::remove(&path) {
                tracing::warn!(%error, "an unfinished segment stays until the store is opened again");
            }
        })
    }
}

/// The events of a memtable that are not deleted, by day, then by group.
fn partitions(memtable: &Memtable, graves: &Graves) -> BTreeMap<i64, Vec<Part>> {
    let mut partitions: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
    for (group, batches) in memtable.all() {
        let of_group = graves.of(group);
        let mut rows: Vec<Row> =
            batches.iter().enumerate().flat_map(|(text, batch)| rows_of(batch, text as u32)).collect();
        rows.retain(|row| !of_group.holds(row.stream, row.timestamp, row.sequence));
        rows.sort_unstable_by_key(Row::key);
        let batches = Arc::new(batches);
        for day in rows.chunk_by(|a, b| a.timestamp / DAY == b.timestamp / DAY) {
            let part = Part { group, batches: batches.clone(), rows: day.to_vec() };
            partitions.entry(day[0].timestamp / DAY).or_default().push(part);
        }
    }
    while partitions.len() > MOST_PARTITIONS {
        let (Some((_, older)), Some(mut next)) = (partitions.pop_first(), partitions.first_entry()) else {
            break;
        };
        join(next.get_mut(), older);
    }
    partitions
}

/// Puts the parts of an earlier day before those of a later one, group by group.
fn join(parts: &mut Vec<Part>, older: Vec<Part>) {
    for part in older.into_iter().rev() {
        match parts.binary_search_by_key(&part.group, |part| part.group) {
            Ok(at) => drop(parts[at].rows.splice(0..0, part.rows)),
            Err(at) => parts.insert(at, part),
        }
    }
}
