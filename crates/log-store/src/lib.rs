//! Durable, compressed storage of log events that can be queried while it is written.
//!
//! A [`LogStore`] holds the events of many groups and streams, which are numbers given by the caller; names and
//! settings of groups are the caller's own. All calls block and may be made from many threads at once.

mod error;
mod options;
mod position;
mod store;
mod tail;
mod types;

pub use error::StoreError;
pub use options::Options;
pub use position::{NotAPosition, Position};
pub use store::{LogStore, Scanner};
pub use tail::{Subscription, Tail};
pub use types::{
    Appended, EVENT_OVERHEAD, Event, GroupId, MAX_TIMESTAMP, NewEvent, Order, Scan, ScanStatistics,
    StreamFacts, StreamId,
};
