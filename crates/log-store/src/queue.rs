//! Appends that wait for the next write to the log. One of them writes for all.

use std::sync::{Arc, OnceLock};

use crate::batch::Batch;
use crate::graves::{Dead, Grave};
use crate::wal::frame;
use crate::wal::record::Draft;
use crate::{GroupId, StoreError};

/// A frame that may be added to beyond this size is written first.
const FULL: usize = 64 << 20;

/// Appends that wait for the next write to the log.
#[derive(Debug)]
pub(crate) struct Queue {
    next_sequence: u64,
    waiting: Waiting,
}

/// What is written together.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) frame: Vec<u8>,
    pub(crate) batches: Vec<Arc<Batch>>,
    pub(crate) graves: Vec<Grave>,
    pub(crate) outcome: Outcome,
}

/// What became of a write, for everybody who was part of it.
pub(crate) type Outcome = Arc<OnceLock<Result<(), StoreError>>>;

impl Waiting {
    fn new() -> Waiting {
        Waiting {
            frame: frame::begin(),
            batches: Vec::new(),
            graves: Vec::new(),
            outcome: Outcome::default(),
        }
    }
}

impl Queue {
    pub(crate) fn new(next_sequence: u64) -> Queue {
        Queue { next_sequence, waiting: Waiting::new() }
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.frame.len() >= FULL
    }

    /// Gives a batch its numbers and its place.
    pub(crate) fn add_batch(&mut self, mut batch: Batch, draft: Draft) -> (u64, Outcome) {
        batch.first_sequence = self.next_sequence;
        self.next_sequence += batch.len() as u64;
        draft.write(batch.first_sequence, &mut self.waiting.frame);
        let first = batch.first_sequence;
        self.waiting.batches.push(Arc::new(batch));
        (first, self.waiting.outcome.clone())
    }

    /// Gives a deletion its place: it is about all that has one already.
    pub(crate) fn add_grave(&mut self, group: GroupId, what: Dead, draft: Draft) -> Outcome {
        let sequence = self.next_sequence;
        draft.write(sequence, &mut self.waiting.frame);
        self.waiting.graves.push(Grave { group, sequence, what });
        self.waiting.outcome.clone()
    }

    /// All that waits.
    pub(crate) fn take(&mut self) -> Waiting {
        std::mem::replace(&mut self.waiting, Waiting::new())
    }
}
