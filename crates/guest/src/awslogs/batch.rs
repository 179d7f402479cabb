//! Batches of events within the limits of PutLogEvents.

use super::state::Checkpoint;
use std::time::{Duration, Instant};

/// Bytes that the service counts for an event besides its text.
pub const EVENT_OVERHEAD: usize = 26;
/// Most bytes of one event, the overhead counted, as Amazon's agents take them.
pub const MAX_EVENT_SIZE: usize = 256 << 10;
/// Most bytes of an event's text.
pub const MAX_MESSAGE: usize = MAX_EVENT_SIZE - EVENT_OVERHEAD;
/// The events of one request lie within a day.
const MAX_SPAN_MS: i64 = 24 * 60 * 60 * 1000;

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// At a time found in it, in milliseconds since 1970.
    Said(i64),
    /// When it was read, in milliseconds of [`Clock`]. The time of day is put in when it is sent, so that a clock which
    /// was wrong until then does no harm.
    Read(u64),
}

/// Time that does not step, and what the time of day makes of it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock {
    /// Milliseconds since this clock began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What is to be added to this clock's milliseconds for the time of day, as far as that is known now.
    pub fn offset(&self) -> i64 {
        let now = i64::try_from(self.now()).unwrap_or(i64::MAX);
        jiff::Timestamp::now().as_millisecond().saturating_sub(now)
    }
}

/// An event of a batch.
#[derive(Debug, Clone, Copy)]
struct Entry {
    stamp: Stamp,
    start: u32,
    end: u32,
}

/// An event as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The text.
    pub message: &'a str,
}

/// Events of one stream in the order of reading.
#[derive(Debug)]
pub struct Batch {
    text: String,
    entries: Vec<Entry>,
    /// What is shipped when the batch is.
    pub checkpoint: Checkpoint,
    /// When its first event was read.
    pub opened: Instant,
}

impl Batch {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The size as the service counts it, in bytes.
    pub fn size(&self) -> usize {
        self.text.len() + self.entries.len() * EVENT_OVERHEAD
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The events in requests: each within a day, in the order of time, and those of one time in the order of reading.
    pub fn requests(&self, clock: &Clock) -> Vec<Vec<Event<'_>>> {
        // One for all: the events must stay in their order.
        let offset = clock.offset();
        let mut requests = Vec::new();
        let mut events: Vec<Event<'_>> = Vec::with_capacity(self.entries.len());
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for entry in &self.entries {
            let event = self.event(entry, offset);
            let (low, high) = (least.min(event.timestamp), most.max(event.timestamp));
            if !events.is_empty() && high.saturating_sub(low) > MAX_SPAN_MS {
                requests.push(std::mem::take(&mut events));
                (least, most) = (event.timestamp, event.timestamp);
            } else {
                (least, most) = (low, high);
            }
            events.push(event);
        }
        requests.push(events);
        for request in &mut requests {
            request.sort_by_key(|event| event.timestamp);
        }
        requests
    }

    fn event(&self, entry: &Entry, offset: i64) -> Event<'_> {
        let timestamp = match entry.stamp {
            Stamp::Said(time) => time,
            Stamp::Read(moment) => offset.saturating_add_unsigned(moment),
        };
        Event { timestamp: timestamp.max(0), message: &self.text[entry.start as usize..entry.end as usize] }
    }
}

/// How large a batch may become, and how long it may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most events.
    pub count: usize,
    /// Most bytes, as the service counts.
    pub size: usize,
    /// Longest wait for more events.
    pub age: Duration,
}

/// A batch that is being gathered.
#[derive(Debug)]
pub struct Builder {
    limits: Limits,
    text: String,
    entries: Vec<Entry>,
    opened: Option<Instant>,
}

impl Builder {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, text: String::new(), entries: Vec::new(), opened: None }
    }

    /// Whether an event of `length` bytes still fits. An empty batch takes any.
    pub fn fits(&self, length: usize) -> bool {
        self.entries.is_empty()
            || (self.entries.len() < self.limits.count
                && self.text.len() + length + (self.entries.len() + 1) * EVENT_OVERHEAD <= self.limits.size)
    }

    /// Adds an event.
    pub fn push(&mut self, stamp: Stamp, message: &str) {
        // Offsets fit: a batch is a mebibyte, and a single event no longer.
        let start = self.text.len() as u32;
        self.text.push_str(message);
        self.entries.push(Entry { stamp, start, end: self.text.len() as u32 });
        self.opened.get_or_insert_with(Instant::now);
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When its first event was read.
    pub fn opened(&self) -> Option<Instant> {
        self.opened
    }

    /// Whether it has waited long enough.
    pub fn is_due(&self, now: Instant) -> bool {
        self.opened.is_some_and(|opened| now.saturating_duration_since(opened) >= self.limits.age)
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Drops what has been gathered.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// The batch; gathering begins anew.
    pub fn seal(&mut self, checkpoint: Checkpoint) -> Batch {
        let opened = self.opened.take().unwrap_or_else(Instant::now);
        let mut batch = Batch {
            text: std::mem::take(&mut self.text),
            entries: std::mem::take(&mut self.entries),
            checkpoint,
            opened,
        };
        // A batch that waits for an hour should not hold twice what it needs.
        if batch.memory() > 2 * (batch.text.len() + batch.entries.len() * size_of::<Entry>()) {
            batch.text.shrink_to_fit();
            batch.entries.shrink_to_fit();
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = MAX_SPAN_MS;

    fn limits(count: usize, size: usize) -> Limits {
        Limits { count, size, age: Duration::from_secs(5) }
    }

    fn batch(times: &[i64]) -> Batch {
        let mut builder = Builder::new(limits(10_000, 1 << 20));
        for (index, time) in times.iter().enumerate() {
            builder.push(Stamp::Said(*time), &index.to_string());
        }
        builder.seal(Checkpoint::default())
    }

    fn requests(times: &[i64]) -> Vec<Vec<(i64, String)>> {
        let batch = batch(times);
        let requests = batch.requests(&Clock::default());
        let own = |event: &Event<'_>| (event.timestamp, event.message.to_owned());
        requests.iter().map(|request| request.iter().map(own).collect()).collect()
    }

    #[test]
    fn a_request_is_in_the_order_of_time_and_within_a_day() {
        let found = requests(&[5, 3, 5, 4]);
        assert_eq!(found, [[(3, "1".into()), (4, "3".into()), (5, "0".into()), (5, "2".into())]]);
        let lengths: Vec<usize> = requests(&[0, DAY, DAY + 1, 0, 1]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1, 2]);
    }

    #[test]
    fn an_event_without_a_time_has_that_of_its_reading_by_the_clock_of_its_sending() {
        let clock = Clock::default();
        let mut builder = Builder::new(limits(1000, 100_000));
        for index in 0..1000 {
            builder.push(Stamp::Read(clock.now()), &format!("{index:04}"));
        }
        let batch = builder.seal(Checkpoint::default());
        let sent = &batch.requests(&clock)[0];
        assert!((jiff::Timestamp::now().as_millisecond() - sent[0].timestamp).abs() < 5000);
        assert!(sent.iter().map(|event| event.message).is_sorted());
    }

    #[test]
    fn limits_count_the_overhead_and_an_empty_batch_takes_any_event() {
        let mut builder = Builder::new(limits(3, 100));
        assert!(builder.fits(1000));
        builder.push(Stamp::Said(1), "0123456789");
        assert!(builder.fits(38) && !builder.fits(39));
        builder.push(Stamp::Said(1), "");
        builder.push(Stamp::Said(1), "");
        assert!(!builder.fits(0));
        let batch = builder.seal(Checkpoint::default());
        assert_eq!((batch.len(), batch.size()), (3, 88));
        assert!(builder.is_empty() && !builder.is_due(Instant::now()));
    }

    proptest! {
        #[test]
        fn every_event_is_sent_once_and_no_request_spans_more_than_a_day(
            times in prop::collection::vec(0i64..5 * DAY, 1..80),
        ) {
            let requests = requests(&times);
            let mut seen: Vec<usize> = Vec::new();
            for request in &requests {
                prop_assert!(request.windows(2).all(|pair| pair[0].0 <= pair[1].0));
                prop_assert!(request.last().unwrap().0 - request[0].0 <= DAY);
                let mut part: Vec<usize> = request.iter().map(|(_, name)| name.parse().unwrap()).collect();
                part.sort_unstable();
                seen.extend(part);
            }
            // Requests take the events in the order of reading.
            prop_assert_eq!(seen, (0..times.len()).collect::<Vec<_>>());
        }
    }
}
