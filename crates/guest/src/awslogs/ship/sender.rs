//! A sender: takes batches, sends them, and has the ledger note what has gone.

use super::depot::{Depot, Job, Outcome};
use super::{Accepted, SendError, Sink, Target};
use crate::awslogs::batch::{Clock, Event};
use crate::awslogs::log::AgentLog;
use crate::awslogs::state::Ledger;
use crate::awslogs::status::Totals;
use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The first pause after a failure, and the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// The pause after a refusal that somebody has to do something about.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many requests may go into finding the events of one batch that are not valid.
const DIVISIONS: u32 = 64;
/// How often a batch fails before it leaves the memory, which others need, and is read again for each further try.
const TRIES_IN_MEMORY: u32 = 4;

/// What a sender works with.
pub struct Sender<'a> {
    /// Where batches come from.
    pub depot: &'a Depot,
    /// Where they go.
    pub sink: &'a dyn Sink,
    /// Remembers what has gone.
    pub ledger: &'a Ledger,
    /// Makes times of moments.
    pub clock: Clock,
    /// Counts.
    pub totals: &'a Totals,
    /// The agent's log.
    pub log: &'a AgentLog,
}

impl Sender<'_> {
    /// Sends until the depot closes.
    pub fn run(&self) {
        while let Some(job) = self.depot.take() {
            let outcome = match self.send(&job) {
                Ok(()) => {
                    self.note(&job);
                    Outcome::Sent
                }
                Err(err) => self.failed(&job, &err),
            };
            self.depot.finish(job, outcome);
        }
    }

    fn send(&self, job: &Job) -> Result<(), SendError> {
        if job.batch.is_empty() {
            return self.sink.prepare(&job.target);
        }
        let divisions = Cell::new(DIVISIONS);
        for request in job.batch.requests(&self.clock) {
            if !request.is_empty() {
                self.put(&job.target, &request, &divisions)?;
            }
        }
        Ok(())
    }

    /// Sends the events; those that the service does not take are found by halves, told and left out.
    fn put(&self, target: &Target, events: &[Event<'_>], divisions: &Cell<u32>) -> Result<(), SendError> {
        self.totals.requests.fetch_add(1, Ordering::Relaxed);
        let reason = match self.sink.put(target, events) {
            Ok(accepted) => {
                self.count(target, events, accepted);
                return Ok(());
            }
            Err(SendError::Invalid(reason)) => reason,
            Err(err) => return Err(err),
        };
        if events.len() == 1 || divisions.get() == 0 {
            self.totals.rejected.fetch_add(events.len() as u64, Ordering::Relaxed);
            self.log.error(format_args!(
                "{}/{}: dropped {} that the service refuses, the first of time {} and {} bytes: {reason}",
                target.group,
                target.stream,
                counted(events.len()),
                events.first().map_or(0, |event| event.timestamp),
                events.first().map_or(0, |event| event.message.len()),
            ));
            return Ok(());
        }
        divisions.set(divisions.get() - 1);
        let (one, other) = events.split_at(events.len() / 2);
        self.put(target, one, divisions)?;
        self.put(target, other, divisions)
    }

    fn count(&self, target: &Target, events: &[Event<'_>], accepted: Accepted) {
        let rejected = accepted.too_old + accepted.too_new;
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        self.totals.events.fetch_add((events.len() - rejected) as u64, Ordering::Relaxed);
        self.totals.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.totals.rejected.fetch_add(rejected as u64, Ordering::Relaxed);
        let tell = |count: usize, why: &str, example: Option<&Event<'_>>| {
            if count > 0 {
                self.log.warning(format_args!(
                    "{}/{}: the service did not take {}, being {why}; one is of time {}",
                    target.group,
                    target.stream,
                    counted(count),
                    example.map_or(0, |event| event.timestamp),
                ));
            }
        };
        tell(accepted.too_old, "older than it or the log group keeps", events.first());
        tell(accepted.too_new, "more than two hours ahead", events.last());
    }

    fn note(&self, job: &Job) {
        self.ledger.note(&job.section, &job.batch.checkpoint);
        if let Err(err) = self.ledger.sync() {
            // Shipping goes on: better twice after a restart than not at all.
            self.log.error(format_args!("{err}; what is shipped now will be shipped again after a restart"));
        }
    }

    fn failed(&self, job: &Job, err: &SendError) -> Outcome {
        self.totals.failures.fetch_add(1, Ordering::Relaxed);
        let pause = match err {
            SendError::Denied(_) => jittered(PATIENCE),
            _ => jittered(growing(job.failures)),
        };
        self.log.warning(format_args!(
            "{}/{}: cannot send {}, trying again in {:.1} s: {err}",
            job.target.group,
            job.target.stream,
            counted(job.batch.len()),
            pause.as_secs_f64(),
        ));
        match err {
            SendError::Unreachable(_) => Outcome::AllAgain(pause),
            SendError::Denied(_) => Outcome::Back(pause),
            _ if job.failures >= TRIES_IN_MEMORY => Outcome::Back(pause),
            SendError::Busy(_) | SendError::Invalid(_) => Outcome::Again(pause),
        }
    }
}

fn counted(events: usize) -> String {
    if events == 1 { "1 event".to_owned() } else { format!("{events} events") }
}

/// Twice as long after each failure.
fn growing(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(16)).min(LONGEST)
}

/// Between half of it and all: many agents should not come back at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_vary() {
        assert_eq!(growing(0), SHORTEST);
        assert_eq!(growing(2), SHORTEST * 4);
        assert_eq!(growing(40), LONGEST);
        let pause = jittered(LONGEST);
        assert!(pause >= LONGEST / 2 && pause <= LONGEST);
    }
}
