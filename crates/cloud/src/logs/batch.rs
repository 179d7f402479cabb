//! What `PutLogEvents` takes of a batch ("PutLogEvents" in the API reference). Pure.

use std::ops::Range;

use aws_wire::Error;
use aws_wire::logs::{InputLogEvent, RejectedLogEventsInfo};
use log_store::{EVENT_OVERHEAD, MAX_TIMESTAMP};

use super::errors::{constraint, invalid};
use super::time::{DAY, expiry};

/// The most events of a batch.
pub const MAX_EVENTS: usize = 10_000;
/// The most bytes of a batch: of the messages, and [`EVENT_OVERHEAD`] for each.
pub const MAX_BYTES: u64 = 1_048_576;
/// How old an event may be.
const MAX_AGE: i64 = 14 * DAY;
/// How far in the future an event may be.
const MAX_AHEAD: i64 = 2 * 60 * 60 * 1000;

/// Which events of a batch are stored, and what is said of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted {
    /// The places of those that are.
    pub accepted: Range<usize>,
    /// What is said of the others, if there are any.
    pub rejected: Option<RejectedLogEventsInfo>,
}

/// Checks a batch, and sorts out what comes too late or too early.
///
/// # Errors
/// `InvalidParameterException` when the batch as a whole is refused.
pub fn sort(events: &[InputLogEvent], retention_days: Option<i32>, now: i64) -> Result<Sorted, Error> {
    check_size(events)?;
    let time = |event: &InputLogEvent| event.timestamp.unwrap_or_default();
    if !events.is_sorted_by_key(time) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let first_since = |limit: i64| events.partition_point(|event| time(event) < limit);
    let too_old = first_since(now - MAX_AGE);
    let expired = expiry(retention_days, now).map_or(0, first_since);
    // What cannot be stored at all is further in the future than any limit.
    let too_new = first_since((now + MAX_AHEAD + 1).min(MAX_TIMESTAMP + 1));
    let accepted = too_old.max(expired).min(too_new)..too_new;
    if let Some([first, .., last]) = events.get(accepted.clone())
        && time(last) - time(first) > DAY
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let index = |place: usize, none: usize| (place != none).then(|| i32::try_from(place).unwrap_or(i32::MAX));
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: index(too_new, events.len()),
        too_old_log_event_end_index: index(too_old, 0),
        expired_log_event_end_index: index(expired, 0).filter(|_| expired > too_old),
    };
    Ok(Sorted { accepted, rejected: (rejected != RejectedLogEventsInfo::default()).then_some(rejected) })
}

fn check_size(events: &[InputLogEvent]) -> Result<(), Error> {
    let length = |bound: &str| Err(constraint("[...]", "logEvents", &format!("have length {bound}")));
    if events.is_empty() {
        return length("greater than or equal to 1");
    }
    if events.len() > MAX_EVENTS {
        return length(&format!("less than or equal to {MAX_EVENTS}"));
    }
    let bytes = |event: &InputLogEvent| event.message.as_ref().map_or(0, String::len) as u64 + EVENT_OVERHEAD;
    let size: u64 = events.iter().map(bytes).sum();
    if size > MAX_BYTES {
        return Err(invalid(format!("Upload too large: {size} bytes exceeds limit of {MAX_BYTES}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = DAY / 24;
    const NOW: i64 = 1_800_000_000_000;

    fn events(offsets: &[i64]) -> Vec<InputLogEvent> {
        let event =
            |offset: &i64| InputLogEvent { timestamp: Some(NOW + offset), message: Some("x".to_owned()) };
        offsets.iter().map(event).collect()
    }

    fn refusal(events: &[InputLogEvent]) -> String {
        sort(events, None, NOW).unwrap_err().message
    }

    #[test]
    fn batches_beyond_the_limits_are_refused() {
        assert!(refusal(&[]).ends_with("Member must have length greater than or equal to 1"));
        let many = events(&[0; MAX_EVENTS + 1]);
        assert!(refusal(&many).ends_with("Member must have length less than or equal to 10000"));
        assert!(sort(&many[1..], None, NOW).is_ok());

        let sized = |bytes: usize| [InputLogEvent { timestamp: Some(NOW), message: Some("x".repeat(bytes)) }];
        assert!(sort(&sized(1_048_550), None, NOW).is_ok());
        assert_eq!(refusal(&sized(1_048_551)), "Upload too large: 1048577 bytes exceeds limit of 1048576");
        let wide = [InputLogEvent { timestamp: Some(NOW), message: Some("ä".repeat(524_276)) }];
        assert!(refusal(&wide).starts_with("Upload too large: 1048578 bytes"), "bytes of UTF-8 count");

        assert!(refusal(&events(&[0, -1])).contains("chronological order"));
        assert!(sort(&events(&[-DAY, 0]), None, NOW).is_ok());
        assert!(refusal(&events(&[-DAY - 1, 0])).contains("more than 24 hours"));
    }

    #[test]
    fn late_and_early_events_are_rejected_one_by_one() {
        type Told = (Option<i32>, Option<i32>, Option<i32>);
        type Case<'a> = (&'a [i64], Option<i32>, Range<usize>, Told);
        let cases: [Case<'_>; 8] = [
            (&[-HOUR, 0, 2 * HOUR], None, 0..3, (None, None, None)),
            (&[0, 2 * HOUR + 1], None, 0..1, (Some(1), None, None)),
            (&[-14 * DAY - 1, -14 * DAY], None, 1..2, (None, Some(1), None)),
            (&[-15 * DAY, -2 * DAY, 0, 3 * HOUR], Some(1), 2..3, (Some(3), Some(1), Some(2))),
            (&[-15 * DAY], Some(30), 1..1, (None, Some(1), None)),
            (&[-2 * DAY], Some(1), 1..1, (None, None, Some(1))),
            (&[3 * HOUR], None, 0..0, (Some(0), None, None)),
            // The span counts for what is stored only.
            (&[-20 * DAY, 0, 90 * DAY], None, 1..2, (Some(2), Some(1), None)),
        ];
        for (offsets, retention, accepted, (new, old, expired)) in cases {
            let sorted = sort(&events(offsets), retention, NOW).unwrap();
            assert_eq!(sorted.accepted, accepted, "{offsets:?}");
            let told = sorted.rejected.unwrap_or_default();
            assert_eq!(told.too_new_log_event_start_index, new, "{offsets:?}");
            assert_eq!(told.too_old_log_event_end_index, old, "{offsets:?}");
            assert_eq!(told.expired_log_event_end_index, expired, "{offsets:?}");
        }
    }
}
