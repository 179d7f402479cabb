//! What two sources of the same events both told. Pure.
//!
//! A live session gives no ids, so an event is known by what it says, where and when. Equal events are counted: two
//! that happened are two that are shown.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::event::Event;

/// Knows an event again. Of a million events in a window, two different ones are the same key with a probability of
/// one to thirty millions.
type Key = u64;

fn key(event: &Event) -> Key {
    let mut hasher = DefaultHasher::new();
    (&event.group, &event.stream, event.timestamp, event.message.trim_end_matches('\n')).hash(&mut hasher);
    hasher.finish()
}

/// Events that one source has told and another one may tell again.
#[derive(Debug, Default)]
pub(crate) struct Overlap(HashMap<Key, u32>);

impl Overlap {
    /// Adds an event that was told.
    pub fn add(&mut self, event: &Event) {
        *self.0.entry(key(event)).or_default() += 1;
    }

    /// Whether this event has been told already; each telling counts once.
    pub fn take(&mut self, event: &Event) -> bool {
        let key = key(event);
        let Some(count) = self.0.get_mut(&key) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&key);
        }
        true
    }
}

/// For how long events that were shown are expected from a live session.
const EXPECTED: Duration = Duration::from_secs(60);

/// What was shown and a live session may still tell: in two parts, of which the older is forgotten in time.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    now: Overlap,
    before: Overlap,
    since: Option<Instant>,
}

impl Debts {
    /// Adds an event that is shown at `now`.
    pub fn add(&mut self, event: &Event, now: Instant) {
        if now.duration_since(*self.since.get_or_insert(now)) >= EXPECTED {
            self.before = std::mem::take(&mut self.now);
            self.since = Some(now);
        }
        self.now.add(event);
    }

    /// Whether this event was shown before the session told it; each telling counts once.
    pub fn take(&mut self, event: &Event) -> bool {
        self.before.take(event) || self.now.take(event)
    }
}

/// For how long, by the service's clock, shown events are remembered.
const KEPT: i64 = 120_000;

/// The events shown last, by the time at which the service took them in.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    shown: VecDeque<(i64, Key)>,
    newest: Option<i64>,
}

impl Recent {
    /// Remembers an event that is shown.
    pub fn add(&mut self, event: &Event) {
        self.newest = self.newest.max(Some(event.ingestion_time));
        self.shown.push_back((event.ingestion_time, key(event)));
        let forgotten = self.newest.unwrap_or_default() - KEPT;
        while self.shown.front().is_some_and(|(taken_in, _)| *taken_in < forgotten) {
            self.shown.pop_front();
        }
    }

    /// When the service took in the newest event shown.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The remembered events that were taken in at `since` or later.
    pub fn since(&self, since: i64) -> Overlap {
        let mut overlap = Overlap::default();
        for (_, key) in self.shown.iter().filter(|(taken_in, _)| *taken_in >= since) {
            *overlap.0.entry(*key).or_default() += 1;
        }
        overlap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::event;

    #[test]
    fn equal_events_are_counted() {
        let mut overlap = Overlap::default();
        let twice = event("/g", "i-1", 5, "same");
        overlap.add(&twice);
        overlap.add(&twice);
        let other_time = event("/g", "i-1", 6, "same");
        assert_eq!(
            [&twice, &other_time, &twice, &twice].map(|event| overlap.take(event)),
            [true, false, true, false]
        );
    }

    #[test]
    fn sources_differ_in_ids_and_line_ends_only() {
        let told = event("/g", "i-1", 5, "same");
        let mut overlap = Overlap::default();
        overlap.add(&told);
        assert!(overlap.take(&Event { id: Some("1".to_owned()), message: "same\n".to_owned(), ..told }));
    }

    #[test]
    fn what_a_session_owes_is_forgotten_in_time() {
        let (mut debts, mut now) = (Debts::default(), Instant::now());
        let events: Vec<Event> = (0..3).map(|at| event("/g", "i-1", at, "line")).collect();
        for event in &events {
            debts.add(event, now);
            now += EXPECTED;
        }
        assert_eq!([0, 1, 2, 2].map(|index: usize| debts.take(&events[index])), [false, true, true, false]);
    }

    #[test]
    fn what_was_shown_long_ago_is_forgotten() {
        let mut recent = Recent::default();
        let (old, new) = (event("/g", "i-1", 1_000, "old"), event("/g", "i-1", 1_000 + KEPT + 1, "new"));
        recent.add(&old);
        recent.add(&new);
        assert_eq!(recent.newest(), Some(new.ingestion_time));
        let mut overlap = recent.since(0);
        assert!(!overlap.take(&old) && overlap.take(&new));
        assert!(!recent.since(new.ingestion_time + 1).take(&new));
    }
}
