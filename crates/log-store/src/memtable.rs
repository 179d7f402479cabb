//! Events in memory, which the log holds as well, until they are in a segment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;

use crate::GroupId;
use crate::batch::Batch;

/// The events of one log file.
#[derive(Debug)]
pub(crate) struct Memtable {
    /// The number of the log file.
    pub(crate) number: u64,
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    groups: BTreeMap<GroupId, Vec<Arc<Batch>>>,
    bytes: usize,
    since: Option<Instant>,
}

impl Memtable {
    pub(crate) fn new(number: u64) -> Memtable {
        Memtable { number, content: RwLock::default() }
    }

    pub(crate) fn insert(&self, batch: Arc<Batch>) {
        let mut content = self.content.write();
        content.bytes += batch.memory();
        content.since.get_or_insert_with(Instant::now);
        content.groups.entry(batch.group).or_default().push(batch);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.content.read().bytes
    }

    /// Since when it is not empty.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.content.read().since
    }

    /// The batches of a group in order of arrival.
    pub(crate) fn batches(&self, group: GroupId) -> Vec<Arc<Batch>> {
        self.content.read().groups.get(&group).cloned().unwrap_or_default()
    }

    /// All batches by group, those of a group in order of arrival.
    pub(crate) fn all(&self) -> BTreeMap<GroupId, Vec<Arc<Batch>>> {
        self.content.read().groups.clone()
    }

    /// Whether a group has an event that arrived before `sequence`.
    pub(crate) fn has_before(&self, group: GroupId, sequence: u64) -> bool {
        let content = self.content.read();
        content.groups.get(&group).and_then(|batches| batches.first()).is_some_and(|batch| {
            // The first that arrived has the smallest number.
            batch.first_sequence < sequence
        })
    }
}
