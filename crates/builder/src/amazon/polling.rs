//! How long and how often to wait for EC2.
//!
//! Packer asks every 15 seconds, which wastes most of the time of a build that takes ten. Here the first questions
//! come quickly and the pauses grow by a quarter each time up to Packer's 15 seconds: a thing that takes a second is
//! noticed a quarter of a second late, one that takes ten minutes is asked for no more often than Packer asks.

use std::time::Duration;

use packer_template::config::Polling as Options;
use tokio_util::sync::CancellationToken;

use super::error::Error;

/// The pause after the first look.
const FIRST: Duration = Duration::from_millis(50);
/// How much longer each pause is than the one before.
const GROWTH: f64 = 1.25;
/// The longest pause, and the length of one of Packer's attempts.
const LONGEST: Duration = Duration::from_secs(15);

/// How long Packer waits for an instance: 40 attempts.
pub(super) const FOR_AN_INSTANCE: Duration = LONGEST.saturating_mul(40);
/// How long Packer waits for an image: 120 attempts.
pub(super) const FOR_AN_IMAGE: Duration = LONGEST.saturating_mul(120);

/// How waiting is done: `aws_polling`, or else `AWS_POLL_DELAY_SECONDS`, `AWS_MAX_ATTEMPTS` and the older
/// `AWS_TIMEOUT_SECONDS`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polling {
    /// A fixed pause instead of a growing one.
    delay: Option<Duration>,
    /// How often to look.
    attempts: Option<u32>,
    /// How long to look for, when `attempts` is not given.
    timeout: Option<Duration>,
}

impl Polling {
    /// The template's options, and for what they leave open the environment's.
    pub fn new(options: &Options, env: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name| env(name).and_then(|value| value.trim().parse::<u32>().ok());
        let seconds = |count: u32| Duration::from_secs(count.into());
        Self {
            delay: options.delay_seconds.or_else(|| number("AWS_POLL_DELAY_SECONDS")).map(seconds),
            attempts: options.max_attempts.or_else(|| number("AWS_MAX_ATTEMPTS")),
            timeout: number("AWS_TIMEOUT_SECONDS").map(seconds),
        }
    }

    /// The pauses between looks, for a wait that Packer gives up after `usual`.
    fn pauses(self, usual: Duration) -> Pauses {
        // With growing pauses attempts are worth Packer's 15 seconds each: `max_attempts` means as long as it does there.
        let limit = match (self.attempts, self.timeout) {
            (Some(attempts), _) => self.delay.unwrap_or(LONGEST).saturating_mul(attempts),
            (None, Some(timeout)) => timeout,
            (None, None) => usual,
        };
        Pauses { next: self.delay.unwrap_or(FIRST), fixed: self.delay.is_some(), left: limit }
    }

    /// Looks until there is something to see.
    ///
    /// `look` answers with what was waited for, or with what it sees meanwhile.
    ///
    /// # Errors
    /// `look`'s own, [`Error::TimedOut`] about `what`, [`Error::Cancelled`].
    pub(super) async fn until<T, F>(
        self,
        usual: Duration,
        what: &str,
        cancel: &CancellationToken,
        mut look: impl FnMut() -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Seen<T>, Error>> + Send,
    {
        let start = tokio::time::Instant::now();
        let mut pauses = self.pauses(usual);
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let last = match look().await? {
                Seen::There(thing) => return Ok(thing),
                Seen::NotYet(state) => state,
            };
            let Some(pause) = pauses.next() else {
                return Err(Error::TimedOut { what: what.to_owned(), waited: start.elapsed(), last });
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => return Err(Error::Cancelled),
            }
        }
    }
}

/// What a look met.
pub(super) enum Seen<T> {
    /// What was waited for.
    There(T),
    /// Something else, for the error if it stays so.
    NotYet(String),
}

/// The pauses of one wait.
struct Pauses {
    next: Duration,
    fixed: bool,
    left: Duration,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.left.is_zero() {
            return None;
        }
        let pause = self.next.min(self.left);
        self.left -= pause;
        if !self.fixed {
            self.next = self.next.mul_f64(GROWTH).min(LONGEST);
        }
        Some(pause)
    }
}

/// Repeats a request that fails because AWS has not yet heard of something that was made a moment ago.
///
/// # Errors
/// The last error, when it is none that `again` knows or after about two minutes; [`Error::Cancelled`].
pub(super) async fn settled<T, E, F>(
    cancel: &CancellationToken,
    again: impl Fn(&E) -> bool,
    mut request: impl FnMut() -> F,
) -> Result<Result<T, E>, Error>
where
    F: Future<Output = Result<T, E>>,
{
    const PATIENCE: Duration = Duration::from_secs(120);
    let mut pauses = Pauses { next: Duration::from_millis(200), fixed: false, left: PATIENCE };
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(error) => error,
        };
        let Some(pause) = again(&error).then(|| pauses.next()).flatten() else { return Ok(Err(error)) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return Err(Error::Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NONE: Options = Options { max_attempts: None, delay_seconds: None };

    fn quiet(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn pauses_grow_from_milliseconds_to_packers_and_add_up_to_the_usual_time() {
        let pauses: Vec<Duration> = Polling::new(&NONE, quiet).pauses(FOR_AN_INSTANCE).collect();
        assert_eq!(pauses[0], Duration::from_millis(50));
        assert!(pauses.windows(2).all(|pair| pair[1] >= pair[0] || pair[1] == *pauses.last().unwrap()));
        assert_eq!(pauses.iter().max(), Some(&Duration::from_secs(15)));
        assert_eq!(pauses.iter().sum::<Duration>(), Duration::from_secs(600));
    }

    #[test]
    fn the_options_are_followed_to_the_letter() {
        let options = Options { max_attempts: Some(3), delay_seconds: Some(4) };
        let pauses: Vec<u64> =
            Polling::new(&options, quiet).pauses(FOR_AN_IMAGE).map(|p| p.as_secs()).collect();
        assert_eq!(pauses, [4, 4, 4]);
    }

    #[test]
    fn attempts_alone_last_as_long_as_packers() {
        let options = Options { max_attempts: Some(4), delay_seconds: None };
        let total: Duration = Polling::new(&options, quiet).pauses(FOR_AN_IMAGE).sum();
        assert_eq!(total, Duration::from_secs(60));
    }

    #[test]
    fn the_environment_fills_what_the_template_leaves_open() {
        let env = |name: &str| match name {
            "AWS_POLL_DELAY_SECONDS" => Some("7".to_owned()),
            "AWS_MAX_ATTEMPTS" => Some("2".to_owned()),
            _ => None,
        };
        let total = |options: &Options| {
            Polling::new(options, env).pauses(FOR_AN_IMAGE).map(|p| p.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(total(&NONE), [7, 7]);
        assert_eq!(total(&Options { max_attempts: None, delay_seconds: Some(1) }), [1, 1]);
        let timeout = |name: &str| (name == "AWS_TIMEOUT_SECONDS").then(|| "30".to_owned());
        let total: Duration = Polling::new(&NONE, timeout).pauses(FOR_AN_IMAGE).sum();
        assert_eq!(total, Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_wait_ends_when_it_is_seen() {
        let looks = AtomicUsize::new(0);
        let look = || async {
            let count = looks.fetch_add(1, Ordering::Relaxed);
            Ok(if count < 3 { Seen::NotYet("pending".to_owned()) } else { Seen::There(count) })
        };
        let polling = Polling::new(&NONE, quiet);
        let seen = polling.until(FOR_AN_INSTANCE, "it", &CancellationToken::new(), look).await;
        assert!(matches!(seen, Ok(3)));
    }

    async fn pending() -> Result<Seen<()>, Error> {
        Ok(Seen::NotYet("pending".to_owned()))
    }

    #[tokio::test]
    async fn a_wait_that_takes_too_long_tells_what_it_saw() {
        let cancel = CancellationToken::new();
        let polling = Polling::new(&NONE, quiet);
        let error = polling.until(Duration::from_millis(200), "instance i-1 to run", &cancel, pending).await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("instance i-1 to run: not after 0 s (last seen: pending)"), "{text}");
    }

    #[tokio::test]
    async fn a_wait_ends_when_it_is_cancelled() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.cancel();
        });
        let error = Polling::new(&NONE, quiet).until(FOR_AN_INSTANCE, "it", &cancel, pending).await;
        assert!(matches!(error, Err(Error::Cancelled)));
    }

    #[tokio::test]
    async fn only_errors_that_pass_are_tried_again() {
        let cancel = CancellationToken::new();
        let tries = AtomicUsize::new(0);
        let answer = settled(
            &cancel,
            |error: &&str| *error == "not yet",
            || async {
                let count = tries.fetch_add(1, Ordering::Relaxed);
                if count < 2 { Err("not yet") } else { Ok(count) }
            },
        );
        assert!(matches!(answer.await, Ok(Ok(2))));
        let never = || async { Err::<(), _>("never") };
        assert!(matches!(
            settled(&cancel, |error: &&str| *error == "not yet", never).await,
            Ok(Err("never"))
        ));
    }
}
