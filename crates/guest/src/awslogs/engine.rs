//! The engine: one thread reads, a few send, and one may tell them what to do.

use super::batch::Clock;
use super::config::LogStreamSettings;
use super::log::AgentLog;
use super::reader::Reader;
use super::ship::Sink;
use super::ship::depot::Depot;
use super::ship::sender::Sender;
use super::source::Context;
use super::state::Ledger;
use super::status::{Status, Totals};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many batches are on their way at the same time, at most.
const SENDERS: usize = 4;

/// What somebody wants of the engine.
pub enum Wish {
    /// Follow these sections, and no others.
    Follow(Vec<LogStreamSettings>),
    /// Send what has been read, and end.
    Stop,
}

/// Tells the engine what to do, from any thread.
#[derive(Clone, Default)]
pub struct Control(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    answered: Condvar,
    depot: Mutex<Option<Arc<Depot>>>,
}

#[derive(Default)]
struct Inner {
    stops: bool,
    streams: Option<Vec<LogStreamSettings>>,
    status_wanted: bool,
    status: Option<Status>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_reader(&self) {
        if let Some(depot) = &*self.0.depot.lock().unwrap_or_else(PoisonError::into_inner) {
            depot.call_reader();
        }
    }

    /// Has these sections followed, and no others.
    pub fn follow(&self, streams: Vec<LogStreamSettings>) {
        self.lock().streams = Some(streams);
        self.call_reader();
    }

    /// Has everything sent that has been read; the engine ends then.
    pub fn stop(&self) {
        self.lock().stops = true;
        self.call_reader();
    }

    /// How things are; None when the reader does not answer in time.
    pub fn status(&self, patience: Duration) -> Option<Status> {
        let mut inner = self.lock();
        inner.status_wanted = true;
        inner.status = None;
        self.call_reader();
        let answered = self.0.answered.wait_timeout_while(inner, patience, |inner| inner.status.is_none());
        answered.unwrap_or_else(PoisonError::into_inner).0.status.take()
    }

    pub(super) fn wish(&self) -> Option<Wish> {
        let mut inner = self.lock();
        if inner.stops {
            return Some(Wish::Stop);
        }
        inner.streams.take().map(Wish::Follow)
    }

    pub(super) fn wants_status(&self) -> bool {
        self.lock().status_wanted
    }

    pub(super) fn answer(&self, status: Status) {
        let mut inner = self.lock();
        inner.status_wanted = false;
        inner.status = Some(status);
        self.0.answered.notify_all();
    }
}

/// What the engine works with.
pub struct Engine<'a> {
    /// Where events go.
    pub sink: &'a dyn Sink,
    /// What is known of files.
    pub ledger: &'a Ledger,
    /// The agent's log.
    pub log: &'a AgentLog,
    /// Counts.
    pub totals: &'a Totals,
    /// How many full batches may wait for each stream.
    pub queue_size: usize,
}

impl Engine<'_> {
    /// Reads and sends until `control` stops it and everything has been sent or failed once more.
    pub fn run(&self, control: &Control) {
        let depot = Arc::new(Depot::new(self.queue_size));
        *control.0.depot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&depot));
        let clock = Clock::default();
        std::thread::scope(|scope| {
            for number in 0..SENDERS {
                let sender = Sender {
                    depot: &depot,
                    sink: self.sink,
                    ledger: self.ledger,
                    clock,
                    totals: self.totals,
                    log: self.log,
                };
                let name = format!("sender-{number}");
                let spawned =
                    std::thread::Builder::new().name(name).spawn_scoped(scope, move || sender.run());
                if let Err(err) = spawned {
                    self.log.error(format_args!("cannot begin another sender: {err}"));
                }
            }
            let cx =
                Context { depot: &depot, ledger: self.ledger, totals: self.totals, log: self.log, clock };
            Reader::new(cx, control).run();
        });
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
