//! The write-ahead log: what is in it is stored, whatever happens next.
//!
//! A log file is a header and frames. A frame is what one write and one sync took to the disk: the records of all
//! who appended at the same time. A frame is written after the one before it has been synced, so a bad frame
//! with a good one behind it is damage to stored events, while a bad end is a write that never was acknowledged.

pub(crate) mod frame;
pub(crate) mod record;
mod writer;

pub(crate) use writer::{Recovered, Writer, recover};
