//! Timestamps as AWS writes them.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

/// ISO 8601 in UTC with milliseconds, e.g. `2026-02-03T04:05:06.789Z`.
///
/// An answer about many resources holds several for each, and a printer for every format takes several times as long.
pub(super) fn iso8601(time: Timestamp, out: &mut String) {
    let civil = Offset::UTC.to_datetime(time);
    let Ok(year) = u16::try_from(civil.year()) else { return before_christ(time, out) };
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[..4], year);
    let pairs = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()];
    for (place, number) in text[5..].chunks_mut(3).zip(pairs) {
        digits(&mut place[..2], number.unsigned_abs().into());
    }
    digits(&mut text[20..23], civil.millisecond().unsigned_abs());
    out.extend(text.map(char::from));
}

/// Writes `number` in decimal, with leading zeros.
fn digits(place: &mut [u8], mut number: u16) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn before_christ(time: Timestamp, out: &mut String) {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    // Writing to a string cannot fail.
    let _ = PRINTER.print_timestamp(&time, out);
}

/// Seconds since 1970 with milliseconds, e.g. `1770091506.789`; without a fraction if it is zero.
pub(super) fn epoch(time: Timestamp, out: &mut String) {
    use std::fmt::Write;
    let milliseconds = time.as_millisecond();
    let (seconds, rest) = (milliseconds / 1000, milliseconds.unsigned_abs() % 1000);
    let sign = if milliseconds < 0 && seconds == 0 { "-" } else { "" };
    let _ = match rest {
        0 => write!(out, "{seconds}"),
        _ => write!(out, "{sign}{seconds}.{rest:03}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso8601_has_milliseconds_and_utc() {
        let cases = [
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789Z"),
            ("2026-12-31T23:59:59.999999999Z", "2026-12-31T23:59:59.999Z"),
            ("2026-02-03T04:05:06+01:00", "2026-02-03T03:05:06.000Z"),
            ("1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
            ("2024-02-29T10:20:30Z", "2024-02-29T10:20:30.000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("-000001-01-01T00:00:00Z", "-000001-01-01T00:00:00.000Z"),
        ];
        for (time, expected) in cases {
            let mut out = String::new();
            iso8601(time.parse().unwrap(), &mut out);
            assert_eq!(out, expected, "{time}");
        }
    }
}
