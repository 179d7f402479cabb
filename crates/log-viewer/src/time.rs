//! Moments as people write them: `10m`, `1h30m`, `09:30`, `2026-11-20`, `2026-11-20T09:30:00Z`. Pure.

use jiff::civil::{DateTime, Time};
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A number alone.
    #[error("{0} of what? Say {0}s, {0}m, {0}h or {0}d")]
    NoUnit(String),
    /// Anything else.
    #[error(
        "not a time: say how long ago (90s, 10m, 2h, 1d, 1h30m) or when (09:30, 2026-11-20, 2026-11-20T09:30:00Z)"
    )]
    Unknown,
    /// A moment that no calendar reaches.
    #[error("{0} lies outside of all time")]
    OutOfRange(String),
}

/// Reads a moment. A duration counts back from `now`, a time of day is the last one that was, and times without a
/// zone are of `now`'s.
///
/// # Errors
/// When the text is none of these.
pub fn moment(text: &str, now: &Zoned) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    if text == "now" {
        return Ok(now.timestamp());
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return epoch(text);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let out_of_range = |_| TimeError::OutOfRange(text.to_owned());
    if let Ok(civil) = text.parse::<DateTime>() {
        return Ok(civil.to_zoned(now.time_zone().clone()).map_err(out_of_range)?.timestamp());
    }
    // Before durations, which may be written with colons as well.
    if let Ok(time) = text.parse::<Time>() {
        return last(time, now).map_err(out_of_range);
    }
    let ago: Span = text.parse().map_err(|_| TimeError::Unknown)?;
    Ok(now.checked_sub(ago.abs()).map_err(out_of_range)?.timestamp())
}

/// Seconds or milliseconds since 1970, as other tools print them.
fn epoch(digits: &str) -> Result<Timestamp, TimeError> {
    let out_of_range = || TimeError::OutOfRange(digits.to_owned());
    let number: i64 = digits.parse().map_err(|_| out_of_range())?;
    match digits.len() {
        ..=8 => Err(TimeError::NoUnit(digits.to_owned())),
        9..=11 => Timestamp::from_second(number).map_err(|_| out_of_range()),
        _ => Timestamp::from_millisecond(number).map_err(|_| out_of_range()),
    }
}

fn last(time: Time, now: &Zoned) -> Result<Timestamp, jiff::Error> {
    let mut day = now.date();
    if time > now.time() {
        day = day.checked_sub(1.day())?;
    }
    Ok(day.to_datetime(time).to_zoned(now.time_zone().clone())?.timestamp())
}

/// How long ago something was, in the largest unit that says enough: `12 s`, `5 min`, `3 h`, `2 d`.
pub fn ago(then: i64, now: i64) -> String {
    let seconds = (now - then).max(0) / 1000;
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The `--since` that reaches back to a moment, rounded up: `5m`, `3h`, `2d`.
pub fn reaching(then: i64, now: i64) -> String {
    let seconds = (now - then).max(0) / 1000 + 1;
    match seconds {
        ..=7_199 => format!("{}m", (seconds + 59) / 60),
        7_200..=172_799 => format!("{}h", (seconds + 3599) / 3600),
        _ => format!("{}d", (seconds + 86_399) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-21T09:30:00+01:00[Europe/Paris]".parse().unwrap()
    }

    #[test]
    fn moments() {
        for (text, expected) in [
            ("now", "2026-11-21T08:30:00Z"),
            ("10m", "2026-11-21T08:20:00Z"),
            ("90s", "2026-11-21T08:28:30Z"),
            ("1h30m", "2026-11-21T07:00:00Z"),
            ("1h 30m", "2026-11-21T07:00:00Z"),
            ("2h ago", "2026-11-21T06:30:00Z"),
            ("2 hours ago", "2026-11-21T06:30:00Z"),
            ("1d", "2026-11-20T08:30:00Z"),
            ("2w", "2026-11-07T08:30:00Z"),
            ("PT5M", "2026-11-21T08:25:00Z"),
            ("09:15", "2026-11-21T08:15:00Z"),
            ("09:15:30", "2026-11-21T08:15:30Z"),
            ("23:00", "2026-11-20T22:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20T09:30", "2026-11-20T08:30:00Z"),
            ("2026-11-20 09:30:15", "2026-11-20T08:30:15Z"),
            ("2026-11-20T09:30:00Z", "2026-11-20T09:30:00Z"),
            ("2026-11-20T09:30:00.250-05:00", "2026-11-20T14:30:00.25Z"),
            ("1763715600", "2025-11-21T09:00:00Z"),
            ("1763715600123", "2025-11-21T09:00:00.123Z"),
        ] {
            let found = moment(text, &now()).map(|moment| moment.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_told() {
        for (text, expected) in [
            ("10", "10 of what? Say 10s, 10m, 10h or 10d"),
            ("", "not a time"),
            ("yesterday-ish", "not a time"),
            ("10 parsecs", "not a time"),
            ("2026-13-01", "not a time"),
            ("99999y", "not a time"),
            ("15000y", "15000y lies outside of all time"),
            ("999999999999999999999", "outside of all time"),
        ] {
            let error = moment(text, &now()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn distances_are_told_so_that_they_can_be_asked_for() {
        for (milliseconds, told, asked) in [
            (0, "0 s", "1m"),
            (59_999, "59 s", "1m"),
            (60_000, "60 s", "2m"),
            (300_000, "5 min", "6m"),
            (7_200_000, "2 h", "3h"),
            (400_000_000, "4 d", "5d"),
            (-5_000, "0 s", "1m"),
        ] {
            assert_eq!(ago(1_000_000 - milliseconds, 1_000_000), told);
            assert_eq!(reaching(1_000_000 - milliseconds, 1_000_000), asked);
        }
    }
}
