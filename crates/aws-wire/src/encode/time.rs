//! Timestamps as AWS writes them.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// ISO 8601 in UTC with milliseconds, e.g. `2026-02-03T04:05:06.789Z`.
pub(super) fn iso8601(time: Timestamp, out: &mut String) {
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
