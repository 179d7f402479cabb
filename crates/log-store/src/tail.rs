//! Following new events: each subscriber has a bounded queue, and writers never wait for it.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::batch::Batch;
use crate::{Event, GroupId};

/// Bytes of events that may wait for a subscriber, whatever their number; the last batch may reach beyond.
const MOST_BYTES: usize = 16 << 20;

/// What a subscriber is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// New events, in order of arrival.
    Events(Vec<Event>),
    /// This many events came while the queue was full and are not told of. They can be scanned.
    Missed(u64),
}

/// A receiver of the new events of some groups. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    groups: HashSet<GroupId>,
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Batches, and how many of each one's events there was room for.
    batches: Vec<(Arc<Batch>, usize)>,
    events: usize,
    bytes: usize,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl State {
    /// What there is to tell: first what there was, then what was missed behind it.
    fn take(&mut self) -> Option<Tail> {
        if !self.batches.is_empty() {
            (self.events, self.bytes) = (0, 0);
            let batches = self.batches.drain(..);
            let events = batches.flat_map(|(batch, taken)| (0..taken).map(move |index| batch.event(index)));
            return Some(Tail::Events(events.collect()));
        }
        (self.missed > 0).then(|| Tail::Missed(std::mem::take(&mut self.missed)))
    }
}

impl Subscription {
    /// Waits for new events for at most `timeout`; `None` when none came, or when the store was closed.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Tail> {
        let deadline = Instant::now() + timeout;
        let mut state = self.queue.state.lock();
        loop {
            if let Some(tail) = state.take() {
                return Some(tail);
            }
            if state.closed || self.queue.arrived.wait_until(&mut state, deadline).timed_out() {
                return state.take();
            }
        }
    }

    /// What has come since the last call, without waiting.
    pub fn try_recv(&self) -> Option<Tail> {
        self.queue.state.lock().take()
    }

    /// For asynchronous callers (`std::future::poll_fn`): ready with `None` when the store was closed.
    pub fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Option<Tail>> {
        let mut state = self.queue.state.lock();
        if let Some(tail) = state.take() {
            return Poll::Ready(Some(tail));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether the store was closed; what it told before can still be received.
    pub fn is_closed(&self) -> bool {
        self.queue.state.lock().closed
    }
}

/// All subscribers of a store.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    queues: Mutex<Vec<Weak<Queue>>>,
}

impl Subscribers {
    pub(crate) fn subscribe(&self, groups: &[GroupId], capacity: usize) -> Subscription {
        let queue = Arc::new(Queue {
            groups: groups.iter().copied().collect(),
            capacity,
            state: Mutex::default(),
            arrived: Condvar::new(),
        });
        self.queues.lock().push(Arc::downgrade(&queue));
        Subscription { queue }
    }

    /// Tells whoever asked for its group of new events.
    pub(crate) fn publish(&self, batch: &Arc<Batch>) {
        self.queues.lock().retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            if queue.groups.contains(&batch.group) {
                queue.push(batch);
            }
            true
        });
    }

    /// Wakes everybody for the last time.
    pub(crate) fn close(&self) {
        for queue in self.queues.lock().drain(..).filter_map(|queue| queue.upgrade()) {
            let mut state = queue.state.lock();
            state.closed = true;
            queue.wake(&mut state);
        }
    }
}

impl Queue {
    fn push(&self, batch: &Arc<Batch>) {
        let mut state = self.state.lock();
        // Once something was missed nothing follows until the reader knows: it would be told out of order.
        let room = self.capacity.saturating_sub(state.events);
        let taken = if state.missed > 0 || state.bytes > MOST_BYTES { 0 } else { room.min(batch.len()) };
        if taken > 0 {
            state.batches.push((batch.clone(), taken));
            state.events += taken;
            state.bytes += batch.memory();
        }
        state.missed += (batch.len() - taken) as u64;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut State) {
        self.arrived.notify_all();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}
