//! What can go wrong with an image.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::OsError;

/// Why an operation on an image failed.
#[derive(Debug, Error)]
pub enum ImageError {
    /// No image has this id.
    #[error("there is no image {0}")]
    NotFound(String),
    /// No image has this name.
    #[error("there is no image named `{0}`; `image ls` shows those there are")]
    NoSuchName(String),
    /// The name is taken.
    #[error("an image named `{name}` exists already ({id})")]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        id: String,
    },
    /// The id is taken.
    #[error("{id} is the image `{name}` already")]
    IdTaken {
        /// The id.
        id: String,
        /// The image's name.
        name: String,
    },
    /// Not the form of an image id.
    #[error("`{0}` is not an image id: `ami-` and 8 or 17 hexadecimal digits")]
    BadId(String),
    /// Not a name EC2 would take.
    #[error("`{0}` is not an image name: 3 to 128 letters, digits, or ()[] ./-'@_")]
    BadName(String),
    /// Something stands on the image.
    #[error("image {id} is in use by {}", users.join(", "))]
    InUse {
        /// The image.
        id: String,
        /// Instances or other images.
        users: Vec<String>,
    },
    /// The file is not one that can be unpacked.
    #[error("cannot unpack {}: {reason}", archive.display())]
    Unpack {
        /// The tar file.
        archive: PathBuf,
        /// What `tar` said.
        reason: String,
    },
    /// The tree has no init.
    #[error("{} has no /sbin/init: it holds no system that can boot", origin.display())]
    NoInit {
        /// The tar file or image.
        origin: PathBuf,
    },
    /// A file to add has no usable place.
    #[error("cannot add a file as {}: {reason}", path.display())]
    BadPath {
        /// The path inside.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A record cannot be read.
    #[error("the image record {} is damaged: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A program ended with an error.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// What was run.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}
