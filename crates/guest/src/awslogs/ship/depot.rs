//! Batches between the reader and the senders: a queue a stream, and never more of them in memory than agreed.

use super::Target;
use crate::awslogs::batch::Batch;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The queue of one section's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(u64);

/// A batch on its way.
pub struct Job {
    /// Its queue.
    pub queue: QueueId,
    /// Where it goes.
    pub target: Arc<Target>,
    /// What is kept of it when it has gone: the section's name in the ledger.
    pub section: Arc<str>,
    /// The batch.
    pub batch: Batch,
    /// How often it has failed.
    pub failures: u32,
}

/// How a sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The service has it.
    Sent,
    /// Once more, later.
    Again(Duration),
    /// Once more, later, and meanwhile out of memory: the queue's batches go back to their files, to be read again.
    Back(Duration),
    /// Nothing can be sent for a while, by anyone.
    AllAgain(Duration),
}

struct Queue {
    target: Arc<Target>,
    section: Arc<str>,
    batches: std::collections::VecDeque<Batch>,
    /// When the batch that is being sent was opened.
    sending: Option<Instant>,
    not_before: Option<Instant>,
    failures: u32,
    /// Its batches went back to their files. Nothing is taken before the reader knows: it would come too early.
    went_back: bool,
}

#[derive(Default)]
struct Inner {
    queues: BTreeMap<QueueId, Queue>,
    next: u64,
    /// Bytes of the batches here, those on their way included.
    memory: usize,
    /// Nothing is sent before.
    paused: Option<Instant>,
    closing: bool,
    /// Counts the batches that have gone.
    gone: u64,
    /// Counts the calls for the reader.
    calls: u64,
}

/// Where batches wait.
pub struct Depot {
    inner: Mutex<Inner>,
    /// There may be something to send.
    work: Condvar,
    /// Somebody wants the reader.
    room: Condvar,
    queue_size: usize,
}

impl Depot {
    /// A depot for at most `queue_size` batches a queue.
    pub fn new(queue_size: usize) -> Self {
        Self {
            inner: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            queue_size: queue_size.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a queue.
    pub fn open(&self, section: &str, target: Target) -> QueueId {
        let mut inner = self.lock();
        inner.next += 1;
        let id = QueueId(inner.next);
        let queue = Queue {
            target: Arc::new(target),
            section: section.into(),
            batches: std::collections::VecDeque::new(),
            sending: None,
            not_before: None,
            failures: 0,
            went_back: false,
        };
        inner.queues.insert(id, queue);
        id
    }

    /// Closes a queue; what is still in it is dropped, to be read again.
    pub fn close(&self, id: QueueId) {
        let mut inner = self.lock();
        if let Some(queue) = inner.queues.remove(&id) {
            inner.memory -= queue.batches.iter().map(Batch::memory).sum::<usize>();
        }
    }

    /// Whether a queue has room for a batch. One that has failed tries with a single batch.
    pub fn has_room(&self, id: QueueId) -> bool {
        self.lock().queues.get(&id).is_some_and(|queue| match queue.failures {
            0 => queue.batches.len() < self.queue_size,
            _ => queue.is_empty(),
        })
    }

    /// Whether a queue has nothing in it and nothing on its way, and all that was given has gone.
    pub fn is_empty(&self, id: QueueId) -> bool {
        self.lock().queues.get(&id).is_none_or(|queue| queue.is_empty() && !queue.went_back)
    }

    /// Whether a queue's batches went back to their files since this was last asked.
    pub fn went_back(&self, id: QueueId) -> bool {
        self.lock().queues.get_mut(&id).is_some_and(|queue| std::mem::take(&mut queue.went_back))
    }

    /// Whether a queue waits for its next try with nothing in it.
    pub fn rests(&self, id: QueueId, now: Instant) -> bool {
        self.lock()
            .queues
            .get(&id)
            .is_some_and(|queue| queue.is_empty() && queue.not_before.is_some_and(|until| until > now))
    }

    /// Hands a batch over.
    pub fn give(&self, id: QueueId, batch: Batch) {
        let mut inner = self.lock();
        let memory = batch.memory();
        if let Some(queue) = inner.queues.get_mut(&id).filter(|queue| !queue.went_back) {
            queue.batches.push_back(batch);
            inner.memory += memory;
            self.work.notify_one();
        }
    }

    /// Bytes of the batches here.
    pub fn memory(&self) -> usize {
        self.lock().memory
    }

    /// When the oldest event here was read.
    pub fn oldest(&self, id: QueueId) -> Option<Instant> {
        let inner = self.lock();
        let queue = inner.queues.get(&id)?;
        queue.sending.or_else(|| queue.batches.front().map(|batch| batch.opened))
    }

    /// How often the first of a queue has failed to go.
    pub fn failures(&self, id: QueueId) -> u32 {
        self.lock().queues.get(&id).map_or(0, |queue| queue.failures)
    }

    /// The next batch to send, as soon as there is one; None when no more are to be sent. Of several, the one that was
    /// opened first.
    pub fn take(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            let now = Instant::now();
            let paused = inner.paused.filter(|until| *until > now);
            let mut next: Option<Instant> = paused;
            let mut best: Option<(Instant, QueueId)> = None;
            if paused.is_none() {
                for (id, queue) in &inner.queues {
                    let Some(front) = queue.batches.front().filter(|_| queue.sending.is_none()) else {
                        continue;
                    };
                    match queue.not_before {
                        Some(at) if at > now => next = Some(next.map_or(at, |next| next.min(at))),
                        _ if best.is_none_or(|(opened, _)| front.opened < opened) => {
                            best = Some((front.opened, *id))
                        }
                        _ => {}
                    }
                }
            }
            if let Some(job) = best.and_then(|(_, id)| inner.begin(id)) {
                return Some(job);
            }
            if inner.closing {
                // What has failed is not waited for: it will be read again.
                return None;
            }
            inner = match next {
                Some(at) => self.work.wait_timeout(inner, at - now).unwrap_or_else(PoisonError::into_inner).0,
                None => self.work.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Tells what became of a job.
    pub fn finish(&self, job: Job, outcome: Outcome) {
        let mut inner = self.lock();
        let now = Instant::now();
        let is_closing = inner.closing;
        let memory = job.batch.memory();
        if let Outcome::AllAgain(pause) = outcome {
            inner.paused = Some(now + pause);
        } else {
            inner.paused = None;
        }
        let mut released = memory;
        // Reading goes on when half the queue has gone: each reading begins anew at the place reached.
        let mut has_room = true;
        if let Some(queue) = inner.queues.get_mut(&job.queue) {
            queue.sending = None;
            match outcome {
                Outcome::Sent => {
                    queue.failures = 0;
                    queue.not_before = None;
                }
                Outcome::Again(pause) | Outcome::AllAgain(pause) => {
                    queue.failures = job.failures + 1;
                    queue.not_before = Some(now + pause);
                    if is_closing {
                        // What comes after it must not go without it. All of it will be read again.
                        released += queue.batches.drain(..).map(|batch| batch.memory()).sum::<usize>();
                    } else {
                        queue.batches.push_front(job.batch);
                        released = 0;
                    }
                }
                Outcome::Back(pause) => {
                    queue.failures = job.failures + 1;
                    queue.not_before = Some(now + pause);
                    queue.went_back = true;
                    released += queue.batches.drain(..).map(|batch| batch.memory()).sum::<usize>();
                }
            }
            has_room = queue.batches.len() <= self.queue_size / 2;
        }
        inner.memory -= released;
        self.work.notify_all();
        if has_room {
            inner.gone += 1;
            self.room.notify_all();
        }
    }

    /// Lets the senders end when they have tried everything once.
    pub fn close_all(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }

    /// Wakes the reader.
    pub fn call_reader(&self) {
        self.lock().calls += 1;
        self.room.notify_all();
    }

    /// What has happened so far; for [`Depot::wait`].
    pub fn seen(&self) -> Seen {
        let inner = self.lock();
        Seen { gone: inner.gone, calls: inner.calls }
    }

    /// Waits until somebody wants the reader or, with `for_room`, a batch has gone since `seen`.
    pub fn wait(&self, seen: Seen, for_room: bool, timeout: Duration) {
        let inner = self.lock();
        let is_waiting =
            |inner: &mut Inner| inner.calls == seen.calls && !(for_room && inner.gone != seen.gone);
        // Whoever waits looks at the world again in any case.
        drop(self.room.wait_timeout_while(inner, timeout, is_waiting));
    }
}

/// What the reader knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    gone: u64,
    calls: u64,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.sending.is_none()
    }
}

impl Inner {
    fn begin(&mut self, id: QueueId) -> Option<Job> {
        let queue = self.queues.get_mut(&id)?;
        let batch = queue.batches.pop_front()?;
        queue.sending = Some(batch.opened);
        let (target, section) = (Arc::clone(&queue.target), Arc::clone(&queue.section));
        Some(Job { queue: id, target, section, batch, failures: queue.failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslogs::batch::{Builder, Limits, Stamp};
    use crate::awslogs::state::Checkpoint;

    fn batch(text: &str) -> Batch {
        let limits = Limits { count: 10, size: 1000, age: Duration::ZERO };
        let mut builder = Builder::new(limits);
        builder.push(Stamp::Said(1), text);
        builder.seal(Checkpoint::default())
    }

    fn target() -> Target {
        Target { group: "g".into(), stream: "s".into(), retention: None }
    }

    #[test]
    fn a_queue_sends_one_batch_at_a_time_in_order_and_a_failed_one_again() {
        let depot = Depot::new(2);
        let (one, other) = (depot.open("one", target()), depot.open("other", target()));
        depot.give(one, batch("1"));
        depot.give(one, batch("22"));
        assert!(!depot.has_room(one));
        depot.give(other, batch("3"));
        let first = depot.take().unwrap();
        let second = depot.take().unwrap();
        assert_eq!((first.queue, second.queue), (one, other));
        depot.finish(first, Outcome::Again(Duration::ZERO));
        depot.finish(second, Outcome::Sent);
        let again = depot.take().unwrap();
        assert_eq!((again.batch.size(), again.failures), (27, 1));
        depot.finish(again, Outcome::Sent);
        let next = depot.take().unwrap();
        assert_eq!((next.batch.size(), next.failures), (28, 0));
        depot.finish(next, Outcome::Sent);
        assert!(depot.is_empty(one) && depot.is_empty(other) && depot.memory() == 0);
    }

    #[test]
    fn a_queue_that_goes_back_takes_nothing_until_the_reader_knows_and_then_one_batch_at_a_time() {
        let depot = Depot::new(9);
        let queue = depot.open("one", target());
        depot.give(queue, batch("1"));
        depot.give(queue, batch("2"));
        let job = depot.take().unwrap();
        depot.finish(job, Outcome::Back(Duration::from_secs(60)));
        assert!(depot.memory() == 0 && depot.rests(queue, Instant::now()) && !depot.is_empty(queue));
        // What was read before the reader knew would overtake what went back.
        depot.give(queue, batch("3"));
        assert_eq!(depot.memory(), 0);
        assert!(depot.went_back(queue) && !depot.went_back(queue) && depot.is_empty(queue));
        assert!(!depot.rests(queue, Instant::now() + Duration::from_secs(61)) && depot.has_room(queue));
        depot.give(queue, batch("1"));
        assert!(!depot.has_room(queue));
        assert_eq!(depot.failures(queue), 1);
    }

    #[test]
    fn at_the_end_nothing_is_sent_after_a_batch_that_failed() {
        let depot = Depot::new(2);
        let queue = depot.open("one", target());
        depot.give(queue, batch("1"));
        depot.give(queue, batch("2"));
        depot.close_all();
        let job = depot.take().unwrap();
        depot.finish(job, Outcome::Again(Duration::ZERO));
        assert!(depot.take().is_none() && depot.memory() == 0);
    }
}
