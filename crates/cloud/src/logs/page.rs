//! How much of the events one answer holds ("up to 1 MB (up to 10,000 log events)"). Pure.

use log_store::{EVENT_OVERHEAD, Event};

/// The most bytes of an answer, counted as `PutLogEvents` counts them.
const MAX_BYTES: u64 = 1_048_576;
/// The most events of an answer.
const MAX_EVENTS: usize = 10_000;

/// What one answer has room for.
#[derive(Debug)]
pub struct Page {
    events: usize,
    bytes: u64,
    limit: usize,
}

impl Page {
    /// An empty page with the limit of a request.
    pub fn new(limit: Option<i32>) -> Self {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX_EVENTS);
        Self { events: 0, bytes: 0, limit: limit.min(MAX_EVENTS) }
    }

    /// Makes room for an event, if there is some. An empty page has room for any event, or nobody could ever read one
    /// that is larger than a page.
    pub fn has_room(&mut self, event: &Event) -> bool {
        let bytes = event.message.len() as u64 + EVENT_OVERHEAD;
        let fits = !self.is_full() && (self.events == 0 || self.bytes + bytes <= MAX_BYTES);
        if fits {
            self.events += 1;
            self.bytes += bytes;
        }
        fits
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.events >= self.limit
    }
}
