//! Time as this service has it: milliseconds since 1970. Pure but for [`now`].

use jiff::Timestamp;
use log_store::MAX_TIMESTAMP;

/// A day.
pub const DAY: i64 = 24 * 60 * 60 * 1000;

/// The time.
pub fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The time before which a group's events are gone.
pub fn expiry(retention_days: Option<i32>, now: i64) -> Option<i64> {
    retention_days.map(|days| now - i64::from(days) * DAY)
}

/// Times that a request asks for, and that are still there: from the first on, up to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first millisecond.
    pub from: i64,
    /// The millisecond after the last.
    pub until: i64,
}

impl Span {
    /// `until` is not in it.
    pub fn new(from: Option<i64>, until: Option<i64>, retention_days: Option<i32>, now: i64) -> Self {
        let oldest = expiry(retention_days, now).unwrap_or(0);
        let end = MAX_TIMESTAMP + 1;
        Self { from: from.unwrap_or(0).max(oldest), until: until.unwrap_or(end).min(end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_is_not_asked_for() {
        let now = 100 * DAY;
        for (from, until, retention, expected) in [
            (None, None, None, (0, MAX_TIMESTAMP + 1)),
            (Some(5), Some(i64::MAX), None, (5, MAX_TIMESTAMP + 1)),
            (Some(5), Some(7), Some(1), (99 * DAY, 7)),
            (Some(100 * DAY), None, Some(1), (100 * DAY, MAX_TIMESTAMP + 1)),
        ] {
            let span = Span::new(from, until, retention, now);
            assert_eq!((span.from, span.until), expected);
        }
    }
}
