//! Taking events and deletions: into the log, then into memory, then to subscribers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use crate::batch::Batch;
use crate::engine::Engine;
use crate::graves::Dead;
use crate::memtable::Memtable;
use crate::queue::{Outcome, Queue, Waiting};
use crate::wal::record::Draft;
use crate::{GroupId, StoreError, facts, wal};

/// Full memtables that may wait for being sealed; then appends wait.
const MOST_FROZEN: usize = 3;

impl Engine {
    /// Stores a batch; gives its first sequence number.
    pub(crate) fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        let draft = Draft::batch(&batch);
        self.submit(|queue| queue.add_batch(batch, draft))
    }

    /// Stores a deletion.
    pub(crate) fn bury(&self, group: GroupId, what: Dead) -> Result<(), StoreError> {
        let draft = Draft::grave(group, what);
        self.submit(|queue| ((), queue.add_grave(group, what, draft)))?;
        self.wake.compact();
        Ok(())
    }

    /// Adds to the queue and sees to it that it is written. Whoever gets the log first writes for all who have
    /// queued by then; the others find it done.
    fn submit<T>(&self, add: impl FnOnce(&mut Queue) -> (T, Outcome)) -> Result<T, StoreError> {
        let (result, outcome) = loop {
            let mut queue = self.queue.lock();
            if self.is_closed() {
                return Err(StoreError::Closed);
            }
            if !queue.is_full() {
                break add(&mut queue);
            }
            drop(queue);
            self.write_waiting(&mut self.log.lock());
        };
        let mut log = self.log.lock();
        if outcome.get().is_none() {
            self.write_waiting(&mut log);
        }
        outcome.get().cloned().unwrap_or(Err(StoreError::Closed))?;
        Ok(result)
    }

    fn write_waiting(&self, log: &mut MutexGuard<'_, wal::Writer>) {
        let mut waiting = self.queue.lock().take();
        // Deletions take no memory, and may be what makes room.
        let room = if waiting.batches.is_empty() { Ok(()) } else { self.make_room(log) };
        let outcome = room.and_then(|()| log.write(&mut waiting.frame)).map(|()| self.apply(&mut waiting));
        // Nobody else has this one: it left the queue, and the log is ours.
        waiting.outcome.get_or_init(|| outcome);
    }

    /// Makes visible what is in the log.
    ///
    /// Deletions come last: once their events are in memory nobody takes them for done. They do not concern the
    /// batches behind them, whose numbers are later.
    fn apply(&self, waiting: &mut Waiting) {
        let mut all_facts = self.facts.lock();
        {
            let state = self.state.read();
            for batch in &waiting.batches {
                if let Some(table) = all_facts.get_mut(&batch.group) {
                    facts::add_batch(table, batch, state.graves.of(batch.group));
                }
                state.active.insert(batch.clone());
            }
        }
        if !waiting.graves.is_empty() {
            let mut state = self.state.write();
            for grave in waiting.graves.drain(..) {
                state.graves.add(grave);
                all_facts.remove(&grave.group);
            }
        }
        drop(all_facts);
        waiting.batches.drain(..).for_each(|batch| self.subscribers.publish(&batch));
    }

    /// Begins a new log file when the memory of the one there is is used up.
    fn make_room(&self, log: &mut wal::Writer) -> Result<(), StoreError> {
        if self.state.read().active.bytes() < self.options.memory {
            return Ok(());
        }
        self.wake.seal();
        let mut status = self.seal_status.lock();
        while self.state.read().frozen.len() >= MOST_FROZEN {
            if let Some(failure) = &status.failure {
                return Err(StoreError::Behind { cause: failure.to_string() });
            }
            if self.is_closed() {
                return Err(StoreError::Closed);
            }
            self.sealed.wait_for(&mut status, Duration::from_secs(1));
        }
        drop(status);
        self.rotate(log)
    }

    /// Freezes what is in memory, and goes on in a new log file.
    pub(crate) fn rotate(&self, log: &mut wal::Writer) -> Result<(), StoreError> {
        log.rotate()?;
        let mut state = self.state.write();
        let active = std::mem::replace(&mut state.active, Arc::new(Memtable::new(log.number())));
        state.frozen.push(active);
        drop(state);
        self.wake.seal();
        Ok(())
    }
}
