//! How a store behaves; the defaults suit a local cloud.

use std::time::Duration;

/// How a store behaves; the defaults suit a local cloud.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of events that are kept in memory before they become a segment.
    pub memory: usize,
    /// Events that wait longer than this become a segment although they are few.
    pub seal_after: Duration,
    /// How many events a subscriber may lag behind before it misses some.
    pub subscriber_events: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { memory: 16 << 20, seal_after: Duration::from_secs(60), subscriber_events: 50_000 }
    }
}
