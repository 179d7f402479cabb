//! Durable, compressed storage of log events that can be queried while it is written.
//!
//! A [`LogStore`] holds the events of many groups and streams, which are numbers given by the caller; names and
//! settings of groups are the caller's own. All calls block and may be made from many threads at once.

mod background;
mod batch;
mod codec;
mod commit;
mod compact;
mod engine;
mod error;
mod facts;
mod files;
mod graves;
mod manifest;
mod memory;
mod memtable;
mod merge;
mod open;
mod options;
mod position;
mod queue;
mod seal;
mod segment;
mod select;
mod store;
mod tail;
mod types;
mod wal;

pub use error::{Damage, StoreError};
pub use options::Options;
pub use position::{NotAPosition, Position};
pub use store::{LogStore, Scanner};
pub use tail::{Subscription, Tail};
pub use types::{
    Appended, EVENT_OVERHEAD, Event, GroupId, MAX_TIMESTAMP, NewEvent, Order, Scan, ScanStatistics,
    StreamFacts, StreamId,
};
