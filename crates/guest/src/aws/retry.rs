//! Retrying with exponential backoff, by the rules of Amazon's cfn-bootstrap.

use std::time::Duration;

/// Whether another try can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The answer will not change.
    Never,
    /// Try again, within the number of tries.
    Limited,
    /// Try again and do not count this one (throttling, credentials that are still spreading).
    Forever,
}

/// Tells how an error should be retried.
pub trait Retriable {
    /// How to retry after this error.
    fn retry(&self) -> Retry;
}

/// Waits; a trait so that tests do not.
pub trait Sleeper {
    /// Waits for `duration`.
    fn sleep(&self, duration: Duration);
}

/// Waits by the system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSleeper;

impl Sleeper for SystemSleeper {
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The longest pause between two tries.
const MAX_PAUSE: f64 = 20.0;

/// Runs `operation` up to `tries` times, pausing a random part of 2^n − 1 seconds before try n (at most 20 s).
/// `before_retry` is told of each failure that will be retried and of the pause that follows.
pub fn with_backoff<T, E: Retriable>(
    tries: u32,
    sleeper: &dyn Sleeper,
    mut before_retry: impl FnMut(&E, Duration),
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut counted = 0;
    let mut attempt: u32 = 0;
    loop {
        let err = match operation() {
            Ok(value) => return Ok(value),
            Err(err) => err,
        };
        counted += match err.retry() {
            Retry::Never => return Err(err),
            Retry::Limited => 1,
            Retry::Forever => 0,
        };
        if counted >= tries {
            return Err(err);
        }
        attempt += 1;
        let pause = pause_before(attempt, rand::random::<f64>());
        before_retry(&err, pause);
        sleeper.sleep(pause);
    }
}

fn pause_before(attempt: u32, fraction: f64) -> Duration {
    let longest = (2f64.powi(attempt.min(16) as i32) - 1.0).min(MAX_PAUSE);
    Duration::from_secs_f64(longest * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NoSleep;

    #[derive(Debug, PartialEq)]
    struct Failure(Retry);
    impl Retriable for Failure {
        fn retry(&self) -> Retry {
            self.0
        }
    }

    fn tries_until(outcomes: &[Option<Retry>]) -> (usize, bool) {
        let mut calls = 0;
        let result = with_backoff(
            3,
            &NoSleep,
            |_: &Failure, _| (),
            || {
                calls += 1;
                match outcomes.get(calls - 1).copied().unwrap_or(Some(Retry::Limited)) {
                    Some(retry) => Err(Failure(retry)),
                    None => Ok(()),
                }
            },
        );
        (calls, result.is_ok())
    }

    #[test]
    fn failures_are_retried_by_their_kind() {
        use Retry::*;
        assert_eq!(tries_until(&[None]), (1, true));
        assert_eq!(tries_until(&[Some(Limited), None]), (2, true));
        assert_eq!(tries_until(&[Some(Never), None]), (1, false));
        assert_eq!(tries_until(&[]), (3, false));
        assert_eq!(
            tries_until(&[Some(Forever); 5].iter().copied().chain([None]).collect::<Vec<_>>()),
            (6, true)
        );
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!(pause_before(1, 1.0), Duration::from_secs(1));
        assert_eq!(pause_before(3, 0.5), Duration::from_millis(3500));
        assert_eq!(pause_before(40, 1.0), Duration::from_secs(20));
    }
}
