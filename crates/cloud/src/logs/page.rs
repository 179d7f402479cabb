//! How much of the events one answer holds ("up to 1 MB (up to 10,000 log events)"). Pure.

use log_store::{EVENT_OVERHEAD, Event};

/// The most bytes of an answer, counted as `PutLogEvents` counts them.
const MAX_BYTES: u64 = 1_048_576;
/// The most events of an answer.
const MAX_EVENTS: usize = 10_000;

/// The events of one answer.
#[derive(Debug)]
pub struct Page {
    /// The events.
    pub events: Vec<Event>,
    limit: usize,
    bytes: u64,
}

impl Page {
    /// An empty page with the limit of a request.
    pub fn new(limit: Option<i32>) -> Self {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX_EVENTS);
        Self { events: Vec::new(), limit: limit.min(MAX_EVENTS), bytes: 0 }
    }

    /// Takes an event if it has room; gives it back otherwise. An empty page takes any event, or nobody could ever
    /// read one that is larger than a page.
    pub fn add(&mut self, event: Event) -> Result<(), Event> {
        let bytes = event.message.len() as u64 + EVENT_OVERHEAD;
        let fits = self.events.is_empty() || self.bytes + bytes <= MAX_BYTES;
        if self.is_full() || !fits {
            return Err(event);
        }
        self.bytes += bytes;
        self.events.push(event);
        Ok(())
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.events.len() >= self.limit
    }
}
