//! What the parts of an open store share: its state, and how that changes.
//!
//! Locks are taken in this order: log, facts, catalog, state, queue. Nobody waits for the disk while holding
//! `state` or `queue`.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::compact::Examined;
use crate::facts::StreamTable;
use crate::files::{self, Layout};
use crate::graves::{Graves, GroupGraves};
use crate::manifest::{Listed, Manifest};
use crate::memtable::Memtable;
use crate::merge::Merge;
use crate::queue::Queue;
use crate::segment::{Desk, Segment, SegmentFile};
use crate::select::Selection;
use crate::tail::Subscribers;
use crate::{Damage, GroupId, Options, StoreError, facts, memory, wal};

/// An open store.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) layout: Layout,
    /// Locked as long as the store is open.
    pub(crate) _lock: File,
    pub(crate) closed: AtomicBool,
    /// Whether memory was used and freed since the last [`Engine::tidy`].
    pub(crate) untidy: AtomicBool,
    pub(crate) log: Mutex<wal::Writer>,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) facts: Mutex<HashMap<GroupId, StreamTable>>,
    pub(crate) catalog: Mutex<Catalog>,
    pub(crate) state: RwLock<State>,
    pub(crate) subscribers: Subscribers,
    pub(crate) sealing: Mutex<()>,
    pub(crate) compacting: Mutex<Examined>,
    pub(crate) seal_status: Mutex<SealStatus>,
    pub(crate) sealed: Condvar,
    pub(crate) wake: crate::background::Wake,
    pub(crate) damage: Mutex<Vec<Damage>>,
}

/// Where events are.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) active: Arc<Memtable>,
    /// Full ones that are not in segments yet, the oldest first.
    pub(crate) frozen: Vec<Arc<Memtable>>,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) graves: Graves,
}

/// What the list of segments says beside the segments that are open.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) next_segment: u64,
    pub(crate) first_log: u64,
    /// Segments whose directory cannot be read. They stay in the list for somebody to look at.
    pub(crate) unreadable: Vec<Listed>,
    /// Segments with damage, which are left as they are.
    pub(crate) kept_as_is: BTreeSet<u64>,
}

/// How sealing goes.
#[derive(Debug, Default)]
pub(crate) struct SealStatus {
    /// Why it failed the last time, unless it worked since.
    pub(crate) failure: Option<StoreError>,
}

/// A change to the list of segments.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) added: Vec<Arc<Segment>>,
    /// Numbers of segments that go.
    pub(crate) removed: BTreeSet<u64>,
    /// The log file whose events are in segments now; the oldest frozen one.
    pub(crate) sealed_log: Option<u64>,
    /// Deletions of which nothing is left to delete.
    pub(crate) done: Vec<(GroupId, Arc<GroupGraves>)>,
}

impl Engine {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// To be called when work has freed memory.
    pub(crate) fn freed(&self) {
        self.untidy.store(true, Ordering::Release);
    }

    /// Gives freed memory back when nothing is in memory: otherwise it will be used again soon.
    pub(crate) fn tidy(&self) {
        let idle = {
            let state = self.state.read();
            state.frozen.is_empty() && state.active.bytes() == 0
        };
        if idle && self.untidy.swap(false, Ordering::AcqRel) {
            memory::give_back();
        }
    }

    /// A number for a new segment file.
    pub(crate) fn segment_number(&self) -> u64 {
        let mut catalog = self.catalog.lock();
        catalog.next_segment += 1;
        catalog.next_segment - 1
    }

    /// Makes a change durable, then visible, then removes what it leaves without use.
    pub(crate) fn change(&self, change: Change) -> Result<(), StoreError> {
        files::sync_dir(&self.layout.segment_dir())?;
        let mut catalog = self.catalog.lock();
        let (segments, mut graves) = {
            let state = self.state.read();
            let kept = state.segments.iter().filter(|segment| !change.removed.contains(&segment.number));
            (kept.chain(&change.added).cloned().collect::<Vec<_>>(), state.graves.clone())
        };
        change.done.iter().for_each(|(group, done)| graves.forget(*group, done));
        let first_log = change.sealed_log.map_or(catalog.first_log, |number| number + 1);
        let listed = segments.iter().map(|segment| Listed {
            number: segment.number,
            partition: segment.partition,
            size: segment.size,
        });
        let manifest = Manifest {
            next_sequence: self.queue.lock().next_sequence(),
            next_segment: catalog.next_segment,
            first_log,
            segments: listed.chain(catalog.unreadable.iter().copied()).collect(),
            graves: graves.list(),
            ..Manifest::default()
        };
        manifest.write(&self.layout)?;
        catalog.first_log = first_log;
        let retired = {
            let mut state = self.state.write();
            let retired = std::mem::replace(&mut state.segments, segments);
            change.done.iter().for_each(|(group, done)| state.graves.forget(*group, done));
            state.frozen.retain(|memtable| change.sealed_log != Some(memtable.number));
            retired
        };
        retired
            .iter()
            .filter(|segment| change.removed.contains(&segment.number))
            .for_each(|segment| segment.retire());
        match change.sealed_log {
            Some(number) => files::remove(&self.layout.wal(number)),
            None => Ok(()),
        }
    }

    /// A merge of what is wanted of all that the group has at this moment.
    pub(crate) fn select(&self, make: impl FnOnce(Arc<GroupGraves>) -> Selection, group: GroupId) -> Merge {
        let (selection, batches, segments) = {
            let state = self.state.read();
            let selection = make(state.graves.of(group).clone());
            let mut batches = Vec::new();
            for memtable in state.frozen.iter().chain([&state.active]) {
                batches.extend(memtable.batches(group));
            }
            let wanted = |segment: &&Arc<Segment>| {
                segment.group(group).is_some_and(|entry| selection.wants_bounds(&entry.bounds))
            };
            let segments: Vec<_> = state.segments.iter().filter(wanted).cloned().collect();
            (selection, batches, segments)
        };
        let mut merge = Merge::new(selection);
        segments.iter().for_each(|segment| merge.add_segment(segment));
        merge.add_batches(batches);
        merge
    }

    /// Whether a group may have events with an earlier timestamp that are not deleted yet.
    pub(crate) fn has_before(&self, group: GroupId, before: i64) -> bool {
        let state = self.state.read();
        let graves = state.graves.of(group);
        let lives = |min: i64, max: i64, last: u64| {
            let latest = max.min(before.saturating_sub(1));
            min < before && !graves.hold_all(latest, last)
        };
        let in_memory = state.frozen.iter().chain([&state.active]).flat_map(|table| table.batches(group));
        let in_segments = state.segments.iter().filter_map(|segment| segment.group(group));
        in_memory
            .map(|batch| (batch.min_timestamp, batch.max_timestamp, batch.sequence(batch.len())))
            .chain(
                in_segments
                    .map(|entry| entry.bounds)
                    .map(|b| (b.min_timestamp, b.max_timestamp, b.max_sequence)),
            )
            .any(|(min, max, last)| lives(min, max, last))
    }

    /// Does something with the facts of a group's streams.
    pub(crate) fn with_facts<T>(
        &self,
        group: GroupId,
        use_them: impl FnOnce(&StreamTable) -> T,
    ) -> Result<T, StoreError> {
        // Held while they are gathered: what is appended in the meantime must be added behind, once.
        let mut all = self.facts.lock();
        if let Some(table) = all.get(&group) {
            return Ok(use_them(table));
        }
        let table = self.gather_facts(group)?;
        let result = use_them(&table);
        all.insert(group, table);
        Ok(result)
    }

    fn gather_facts(&self, group: GroupId) -> Result<StreamTable, StoreError> {
        let (graves, segments, batches) = {
            let state = self.state.read();
            let memtables = state.frozen.iter().chain([&state.active]);
            let batches: Vec<_> = memtables.flat_map(|memtable| memtable.batches(group)).collect();
            (state.graves.of(group).clone(), state.segments.clone(), batches)
        };
        let mut table = StreamTable::new();
        for batch in batches {
            facts::add_batch(&mut table, &batch, &graves);
        }
        for segment in &segments {
            if let Err(error) = add_segment_facts(&mut table, segment, group, &graves) {
                self.report(error)?;
            }
        }
        Ok(table)
    }

    /// Remembers damage, of which work goes on; any other error comes back.
    pub(crate) fn report(&self, error: StoreError) -> Result<(), StoreError> {
        let StoreError::Damaged(damage) = error else { return Err(error) };
        let mut known = self.damage.lock();
        if !known.contains(&damage) {
            tracing::error!(%damage, "stored log events are lost");
            known.push(damage);
        }
        Ok(())
    }
}

/// Adds what a segment knows of a group's streams, less what is deleted.
fn add_segment_facts(
    table: &mut StreamTable,
    segment: &Segment,
    group: GroupId,
    graves: &Arc<GroupGraves>,
) -> Result<(), StoreError> {
    let Some(entry) = segment.group(group) else { return Ok(()) };
    let (file, mut desk) = (SegmentFile::open(&segment.path)?, Desk::default());
    let streams = file.streams(entry, &mut desk)?;
    if !graves.concern(entry.bounds.min_timestamp, entry.bounds.min_sequence) {
        streams.iter().for_each(|streams| facts::add_table(table, streams));
        return Ok(());
    }
    let selection = Selection::all(group, graves.clone());
    for (chunk, streams) in file.chunks(entry, &mut desk)?.iter().zip(&streams) {
        if chunk.is_dead(graves) {
            continue;
        }
        if chunk.is_touched(graves, streams) {
            facts::add_table(table, &file.count(chunk, &selection, &mut desk)?);
        } else {
            facts::add_table(table, streams);
        }
    }
    Ok(())
}
