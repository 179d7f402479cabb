//! Growing pauses, as Amazon's agent takes them.

use std::time::Duration;

const MULTIPLIER: f64 = 1.5;
const JITTER: f64 = 0.2;

/// Pauses that grow by half each time.
#[derive(Debug)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    current: Duration,
}

impl Backoff {
    /// Begins with `shortest` and never exceeds `longest` by more than the jitter, a fifth.
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, current: shortest }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.current.mul_f64(1.0 + JITTER * rand::random::<f64>());
        self.current = self.current.mul_f64(MULTIPLIER).min(self.longest);
        pause
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.current = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(shortest, longest);
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] >= shortest && pauses[0] <= shortest.mul_f64(1.2));
        assert!(pauses[11] >= longest && pauses[11] <= longest.mul_f64(1.2));
        backoff.reset();
        assert!(backoff.pause() <= shortest.mul_f64(1.2));
    }
}
