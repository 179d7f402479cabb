//! When a part of a file is read, and what that says of the times in it.

use super::batch::Clock;

/// How far ahead of the time of day the service takes events, in milliseconds (PutLogEvents).
const AHEAD: i64 = 2 * 60 * 60 * 1000;

/// A moment by the clock that does not step, and by the one that may, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By [`Clock`].
    pub read: u64,
    /// Since 1970.
    pub wall: i64,
}

impl Moment {
    /// This one.
    pub fn now(clock: &Clock) -> Self {
        Self { read: clock.now(), wall: jiff::Timestamp::now().as_millisecond() }
    }

    /// Whether a time found in a line can be when it was written. One further ahead than the service takes was written
    /// under another time zone, or by a clock that has been set back since: the line is none the less worth keeping.
    /// (Amazon's agent drops it.)
    pub fn believes(&self, said: i64) -> bool {
        said <= self.wall.saturating_add(AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_up_to_two_hours_ahead_are_believed() {
        let moment = Moment { read: 0, wall: 1_000_000_000_000 };
        for (said, expected) in [
            (0, true),
            (moment.wall, true),
            (moment.wall + 7_200_000, true),
            (moment.wall + 7_200_001, false),
            (i64::MAX, false),
        ] {
            assert_eq!(moment.believes(said), expected, "{said}");
        }
    }
}
