//! Why a store could not do what was asked.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a store could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory open.
    #[error("the log store {} is in use by another process", dir.display())]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// A file does not hold what was written to it. Everything outside of it can still be read.
    #[error("{0}")]
    Damaged(Damage),
    /// A write failed in a way that leaves unknown what is on the disk.
    #[error("the log store takes no more events since a write failed ({cause}); it must be opened again")]
    WriteFailed {
        /// What went wrong then.
        cause: String,
    },
    /// What is in memory cannot be written into segments, and there is no room for more.
    #[error("the log store takes no more events until those before them can be stored: {cause}")]
    Behind {
        /// Why they cannot.
        cause: String,
    },
    /// The list of segments cannot be used, and without it nothing is known to be whole.
    #[error("the list of segments {} cannot be used: {what}", path.display())]
    Manifest {
        /// The list's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The store was closed.
    #[error("the log store is closed")]
    Closed,
    /// A timestamp lies outside of what can be stored.
    #[error("the timestamp {timestamp} lies outside of 0 to {}", crate::MAX_TIMESTAMP)]
    Timestamp {
        /// The timestamp in milliseconds.
        timestamp: i64,
    },
    /// One append is larger than the store takes.
    #[error("an append of {bytes} bytes is larger than the {limit} bytes that one may have")]
    TooLarge {
        /// Bytes of all messages.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
}

/// A place in a file that does not hold what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The damaged file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { path, offset, what } = self;
        write!(
            out,
            "{} is damaged at byte {offset}: {what}; the events stored there are lost",
            path.display()
        )
    }
}

impl StoreError {
    /// For `map_err` on an operation of the file system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source: Arc::new(source) }
    }
}
