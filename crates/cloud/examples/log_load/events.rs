//! The events: lines of a web server's log, spread over a day.

use std::fmt::Write;

use bytes::Bytes;

/// Events of a batch, the most that `PutLogEvents` takes.
pub const BATCH: usize = 10_000;
/// One in so many lines is an error.
const ERRORS: u64 = 1000;

/// The name of a stream.
pub fn stream(number: usize) -> String {
    format!("i-{number:017x}")
}

/// A request to put the events `first..first + BATCH` out of `count`, which lie `step` milliseconds apart from `start`.
/// With 26 bytes for each, ten thousand lines of less than 78 bytes are just within a batch's megabyte.
pub fn batch(group: &str, stream_number: usize, first: usize, start: i64, step: f64) -> Bytes {
    let mut body =
        format!(r#"{{"logGroupName":"{group}","logStreamName":"{}","logEvents":["#, stream(stream_number));
    for number in first..first + BATCH {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "milliseconds of a day"
        )]
        let timestamp = start + (number as f64 * step) as i64;
        let mixed = mix(number as u64);
        let (status, path) = if number as u64 % ERRORS == 7 { (503, "checkout") } else { (200, "todos") };
        let separator = if number == first { "" } else { "," };
        let _ = write!(
            body,
            r#"{separator}{{"timestamp":{timestamp},"message":"10.0.{}.{} GET /{path}/{} {status} {} {:016x}"}}"#,
            mixed & 0xff,
            mixed >> 8 & 0xff,
            mixed >> 16 & 0xffff,
            mixed >> 32 & 0xfff,
            mixed
        );
    }
    body.push_str("]}");
    body.into()
}

/// Numbers that look like chance (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
