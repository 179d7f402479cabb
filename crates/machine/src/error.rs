//! What can go wrong with a machine.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// An operating system call that failed, with what was attempted and on what.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct OsError {
    /// What was attempted ("mount", "remove").
    pub action: &'static str,
    /// What it was attempted on.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl OsError {
    /// Names a failure; made for `map_err(OsError::of("mount", path))`.
    pub fn of<E: Into<io::Error>>(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(E) -> Self {
        move |source| Self { action, path: path.as_ref().to_owned(), source: source.into() }
    }
}

/// Why an instance did not boot.
#[derive(Debug, Error)]
pub enum BootError {
    /// The specification asks for something that cannot be.
    #[error("instance {id} cannot boot: {reason}")]
    Spec {
        /// The instance.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The instance runs already.
    #[error("instance {id} is already running")]
    AlreadyRunning {
        /// The instance.
        id: String,
    },
    /// Preparing the root, a volume, a cgroup or the process failed.
    #[error("instance {id} cannot boot: {source}")]
    Os {
        /// The instance.
        id: String,
        /// The failed step.
        source: OsError,
    },
    /// The machine ended before its init ran.
    #[error("instance {id} ended before its init ran; its console ends with: {console}")]
    Died {
        /// The instance.
        id: String,
        /// The last lines of its console.
        console: String,
    },
    /// The machine's init did not start in time.
    #[error("instance {id}: its init did not start within {} s; its console ends with: {console}", limit.as_secs())]
    Timeout {
        /// The instance.
        id: String,
        /// How long was waited.
        limit: Duration,
        /// The last lines of its console.
        console: String,
    },
}

/// Why an operation on an instance failed.
#[derive(Debug, Error)]
pub enum DriverError {
    /// There is no such instance.
    #[error("there is no instance {id}")]
    Absent {
        /// The id asked for.
        id: String,
    },
    /// The instance does not run.
    #[error("instance {id} is not running")]
    NotRunning {
        /// The instance.
        id: String,
    },
    /// The instance's processes did not end although they were killed.
    #[error("instance {id} still runs {} s after it was killed", waited.as_secs())]
    WontDie {
        /// The instance.
        id: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The command inside did not end in time and was killed.
    #[error("`{command}` in instance {id} did not end within {} s", limit.as_secs())]
    ExecTimeout {
        /// The instance.
        id: String,
        /// The command.
        command: String,
        /// Its limit.
        limit: Duration,
    },
    /// The volume cannot be attached or detached.
    #[error("volume {volume} and instance {id}: {reason}")]
    Volume {
        /// The instance.
        id: String,
        /// The volume.
        volume: String,
        /// Why not.
        reason: String,
    },
    /// The instance's own record is unreadable.
    #[error("the record {} is damaged: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Booting again failed.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A system call failed.
    #[error("instance {id}: {source}")]
    Os {
        /// The instance, or `*` for the driver itself.
        id: String,
        /// The failed step.
        source: OsError,
    },
}
