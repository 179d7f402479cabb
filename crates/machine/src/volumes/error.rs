//! What can go wrong with a volume.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::OsError;

/// Why an operation on a volume failed.
#[derive(Debug, Error)]
pub enum VolumeError {
    /// Not usable as a file's name.
    #[error("`{id}` is not a volume id: letters, digits and hyphens")]
    BadId {
        /// The id.
        id: String,
    },
    /// Outside of what EBS offers.
    #[error("a volume of {size_gib} GiB cannot be: 1 to {} GiB", super::MAX_GIB)]
    BadSize {
        /// The size asked for.
        size_gib: u32,
    },
    /// ext4 would not take it.
    #[error("`{label}` is not a file system's label: at most 16 bytes, no leading hyphen")]
    BadLabel {
        /// The label asked for.
        label: String,
    },
    /// The volume is there already.
    #[error("volume {id} exists already")]
    Exists {
        /// Its id.
        id: String,
    },
    /// The snapshot does not fit.
    #[error("{} has {length} bytes, the volume only {size}", source_file.display())]
    TooSmall {
        /// The snapshot's file.
        source_file: PathBuf,
        /// Its length in bytes.
        length: u64,
        /// The volume's in bytes.
        size: u64,
    },
    /// The file system could not be made.
    #[error("mkfs.ext4 on {} failed ({status}): {output}", file.display())]
    Format {
        /// The volume's file.
        file: PathBuf,
        /// How mkfs ended.
        status: String,
        /// What it said.
        output: String,
    },
    /// The file system could not be made larger.
    #[error("{program} on {} failed ({status}): {output}", file.display())]
    Grow {
        /// What was run.
        program: String,
        /// The volume's file.
        file: PathBuf,
        /// How it ended.
        status: String,
        /// What it said.
        output: String,
    },
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}
