//! Durable, compressed storage of log events that can be queried while it is written.
//!
//! A [`LogStore`] holds the events of many groups and streams, which are numbers given by the caller; names and
//! settings of groups are the caller's own. All calls block and may be made from many threads at once.
//!
//! Events go into a write-ahead log (`wal`, `commit`, `queue`) and into memory (`memtable`), from there into immutable
//! segments of a day (`seal`, `segment`), which are joined and rid of deleted events (`compact`, `graves`). The list
//! of segments (`manifest`) says what is in the store. A scan (`select`, `merge`) reads all of these as they are at one
//! moment. docs/log-store.md tells of the format and its promises.
//!
//! ```
//! use log_store::{GroupId, LogStore, NewEvent, Options, Scan, StreamId};
//!
//! # let dir = tempfile::tempdir()?;
//! let store = LogStore::open(dir.path(), Options::default())?;
//! let events = [NewEvent { timestamp: 1_767_225_600_000, message: "listening on port 8000" }];
//! store.append(GroupId(1), StreamId(1), 1_767_225_600_250, &events)?;
//!
//! let wanted = Scan { literals: vec!["listening".to_owned()], ..Scan::default() };
//! let found = store.scan(GroupId(1), &wanted)?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(found[0].message, "listening on port 8000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
