//! How many events a live tail tells: 500 a second ("StartLiveTail" in the API reference). Pure.

use std::time::{Duration, Instant};

/// The most events that are told in a second.
const MAX_EVENTS: usize = 500;
/// The second.
const WINDOW: Duration = Duration::from_secs(1);

/// What is left of the current second.
#[derive(Debug)]
pub struct Budget {
    since: Instant,
    left: usize,
}

impl Budget {
    /// A whole second's.
    pub fn new(now: Instant) -> Self {
        Self { since: now, left: MAX_EVENTS }
    }

    /// Leaves of `events` what may be told now, evenly spread over them; whether some were taken out.
    pub fn sample<T>(&mut self, now: Instant, events: &mut Vec<T>) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        let (count, kept) = (events.len(), events.len().min(self.left));
        self.left -= kept;
        if kept == count {
            return false;
        }
        let mut index = 0;
        events.retain(|_| {
            // Of every count/kept events the first: where the whole part of index·kept/count steps on.
            let wanted = (index * kept) / count != ((index + 1) * kept) / count;
            index += 1;
            wanted
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_a_second_is_limited_and_spread() {
        let begun = Instant::now();
        let mut budget = Budget::new(begun);
        let mut sample = |after_ms: u64, count: usize| {
            let mut events: Vec<usize> = (0..count).collect();
            let sampled = budget.sample(begun + Duration::from_millis(after_ms), &mut events);
            (events, sampled)
        };
        assert_eq!(sample(0, 0), (vec![], false));
        assert_eq!(sample(100, 3), (vec![0, 1, 2], false));
        let (events, sampled) = sample(200, 4970);
        assert_eq!((events.len(), sampled), (497, true));
        assert!(events.is_sorted() && *events.last().unwrap() == 4969);
        assert!(events.windows(2).all(|pair| pair[1] - pair[0] == 10));
        assert_eq!(sample(900, 10), (vec![], true));
        assert_eq!(sample(1000, 500).0.len(), 500);
        assert_eq!(sample(1500, 1), (vec![], true));
    }
}
