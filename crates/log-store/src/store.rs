//! The store as its callers see it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::batch::Batch;
use crate::engine::Engine;
use crate::graves::Dead;
use crate::merge::Merge;
use crate::select::Selection;
use crate::{
    Appended, Damage, Event, GroupId, MAX_TIMESTAMP, NewEvent, Options, Position, Scan, ScanStatistics,
    StoreError, StreamFacts, StreamId, Subscription, background, open,
};

/// The most bytes of messages in one append.
const LARGEST_APPEND: usize = 64 << 20;

/// A store of log events in a directory of its own.
#[derive(Debug)]
pub struct LogStore {
    engine: Arc<Engine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl LogStore {
    /// Opens the store in `dir`, which is made when it does not exist, and brings back what was acknowledged.
    ///
    /// Damage does not keep a store from being opened: see [`LogStore::damage`].
    ///
    /// # Errors
    /// When another process, or this one, has it open; when its list of segments cannot be used; when files cannot
    /// be read or made.
    pub fn open(dir: &Path, options: Options) -> Result<LogStore, StoreError> {
        let engine = Arc::new(open::open(dir, options)?);
        let threads = background::start(&engine)?;
        Ok(LogStore { engine, threads: Mutex::new(threads) })
    }

    /// Stores events of one stream, in the order given; their times need not be in order. They are on the disk when
    /// this returns. Calls at the same time share one sync.
    ///
    /// `ingestion_time` is in milliseconds since 1970.
    ///
    /// # Errors
    /// After an error none of the events is stored.
    pub fn append(
        &self,
        group: GroupId,
        stream: StreamId,
        ingestion_time: i64,
        events: &[NewEvent<'_>],
    ) -> Result<Appended, StoreError> {
        if let Some(bad) = events.iter().find(|event| !(0..=MAX_TIMESTAMP).contains(&event.timestamp)) {
            return Err(StoreError::Timestamp { timestamp: bad.timestamp });
        }
        let bytes = events.iter().map(|event| event.message.len()).sum();
        if bytes > LARGEST_APPEND {
            return Err(StoreError::TooLarge { bytes, limit: LARGEST_APPEND });
        }
        let batch = Batch::new(group, stream, ingestion_time, events);
        let first_sequence = self.engine.append(batch)?;
        Ok(Appended { first_sequence, events: events.len() })
    }

    /// Reads events of a group as they are now; what comes or goes during the scan does not change it.
    pub fn scan(&self, group: GroupId, scan: &Scan) -> Result<Scanner, StoreError> {
        if self.engine.is_closed() {
            return Err(StoreError::Closed);
        }
        let merge = self.engine.select(|graves| Selection::new(group, scan, graves), group);
        Ok(Scanner { group, merge })
    }

    /// The event at a position of a group, when there is one.
    pub fn event(&self, group: GroupId, position: Position) -> Result<Option<Event>, StoreError> {
        let until = position.timestamp.saturating_add(1);
        let after = position.sequence.checked_sub(1);
        let after = after.map(|sequence| Position { sequence, ..position });
        let scan = Scan { from: position.timestamp, until, after, ..Scan::default() };
        let first = self.scan(group, &scan)?.next().transpose()?;
        Ok(first.filter(|event| event.position == position))
    }

    /// What is known of a stream's events; `None` when it has none.
    pub fn stream_facts(&self, group: GroupId, stream: StreamId) -> Result<Option<StreamFacts>, StoreError> {
        self.engine.with_facts(group, |table| table.get(&stream).map(|known| known.facts))
    }

    /// What is known of all streams of a group that have events, in the order of their numbers.
    pub fn streams(&self, group: GroupId) -> Result<Vec<(StreamId, StreamFacts)>, StoreError> {
        self.engine
            .with_facts(group, |table| table.iter().map(|(stream, known)| (*stream, known.facts)).collect())
    }

    /// The `stored_bytes` of all streams of a group.
    pub fn group_bytes(&self, group: GroupId) -> Result<u64, StoreError> {
        self.engine.with_facts(group, |table| table.values().map(|known| known.facts.stored_bytes).sum())
    }

    /// Removes the events that a stream has now. They are not seen again; their disk space is freed soon after.
    pub fn delete_stream(&self, group: GroupId, stream: StreamId) -> Result<(), StoreError> {
        self.engine.bury(group, Dead::Stream(stream))
    }

    /// Removes the events that a group has now. They are not seen again; their disk space is freed soon after.
    pub fn delete_group(&self, group: GroupId) -> Result<(), StoreError> {
        self.engine.bury(group, Dead::Group)
    }

    /// Removes the events that a group has now with a timestamp before `before` (milliseconds since 1970). They are
    /// not seen again; their disk space is freed when enough of a segment has expired. Costs nothing when there
    /// are no such events.
    pub fn expire(&self, group: GroupId, before: i64) -> Result<(), StoreError> {
        if self.engine.has_before(group, before) {
            self.engine.bury(group, Dead::Before(before))?;
        }
        Ok(())
    }

    /// Follows the events that are appended to these groups from now on.
    pub fn subscribe(&self, groups: &[GroupId]) -> Subscription {
        self.engine.subscribers.subscribe(groups, self.engine.options.subscriber_events)
    }

    /// What was found damaged since the store was opened.
    pub fn damage(&self) -> Vec<Damage> {
        self.engine.damage.lock().clone()
    }

    /// Writes all events in memory into segments now, as happens by itself in time.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.engine.rotate(&mut self.engine.log.lock())?;
        while self.engine.seal_oldest()? {}
        Ok(())
    }

    /// Joins small segments and removes dead events from the disk now, as happens by itself in time.
    pub fn compact(&self) -> Result<(), StoreError> {
        while self.engine.compact_once()? {}
        self.engine.tidy();
        Ok(())
    }

    /// Takes no more events, ends subscriptions, and waits for the store's threads. What was appended is on the
    /// disk in any case.
    pub fn close(&self) {
        {
            // No append may slip in between.
            let _queue = self.engine.queue.lock();
            self.engine.closed.store(true, Ordering::Release);
        }
        self.engine.subscribers.close();
        self.engine.wake.all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log store panicked");
            }
        }
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// The events of a scan. An error names what could not be read; the events outside of it still follow.
pub struct Scanner {
    group: GroupId,
    merge: Merge,
}

impl Scanner {
    /// What has been looked at so far.
    pub fn statistics(&self) -> ScanStatistics {
        self.merge.statistics()
    }
}

impl Iterator for Scanner {
    type Item = Result<Event, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = match self.merge.next()? {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        let (row, message) = self.merge.get(found);
        Some(Ok(Event {
            position: Position { timestamp: row.timestamp, sequence: row.sequence },
            group: self.group,
            stream: row.stream,
            timestamp: row.timestamp,
            ingestion_time: row.ingestion_time,
            message: message.to_owned(),
        }))
    }
}
