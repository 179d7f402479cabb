//! Scalars written as text.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `true` or `false` in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// ISO 8601, in UTC where no offset is given; or seconds since 1970.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    text.parse().ok().and_then(epoch_seconds)
}

/// A JSON timestamp; its fraction counts to the millisecond, which is all that AWS keeps.
pub(crate) fn epoch_seconds(seconds: f64) -> Option<Timestamp> {
    let milliseconds = (seconds * 1000.0).round();
    // Beyond this range `as` would not convert faithfully, and no timestamp is there anyway.
    let in_range = milliseconds.is_finite() && milliseconds.abs() < 1e15;
    #[allow(clippy::cast_possible_truncation)]
    in_range.then_some(milliseconds as i64).and_then(|value| Timestamp::from_millisecond(value).ok())
}

/// Standard Base64; line breaks, which some tools add, are passed over.
pub(crate) fn blob(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(joined).ok()
}

#[cfg(test)]
mod tests {
    use super::{boolean, epoch_seconds, timestamp};

    #[test]
    fn reads_timestamps_as_clients_write_them() {
        for (text, expected) in [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06Z"),
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789Z"),
            ("2026-02-03T06:05:06+02:00", "2026-02-03T04:05:06Z"),
            ("2026-02-03T04:05:06", "2026-02-03T04:05:06Z"),
            ("2026-02-03", "2026-02-03T00:00:00Z"),
            ("0", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "NaN", "inf", "1e300"] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(epoch_seconds(1.5).map(|time| time.as_millisecond()), Some(1500));
    }

    #[test]
    fn reads_booleans_in_any_case() {
        assert_eq!(
            ["true", "True", "FALSE", "1", ""].map(boolean),
            [Some(true), Some(true), Some(false), None, None]
        );
    }
}
