//! Why a build stops. The messages that cfn-bootstrap has are worded as it words them.

use std::io;

/// Why a build stops.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The metadata is not in the form it should have.
    #[error("{0}")]
    Metadata(String),
    /// A command exited with an error.
    #[error("Command {name} failed")]
    CommandFailed {
        /// The command's key.
        name: String,
        /// Its exit code; negative for the signal that ended it.
        code: i32,
        /// The last lines it wrote.
        output: Vec<String>,
    },
    /// A program the build needs failed.
    #[error("{message} (return code {code})")]
    ToolFailed {
        /// What could not be done.
        message: String,
        /// The program's exit code.
        code: i32,
    },
    /// Something could not be done.
    #[error("{0}")]
    Tool(String),
    /// Something this implementation does not do.
    #[error("{0} is not supported by this cfn-init")]
    Unsupported(String),
    /// A file or program could not be used.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted, on what.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Adds what was attempted to an [`io::Error`].
pub trait IoContext<T> {
    /// Wraps the error, saying what was attempted.
    fn during(self, action: impl FnOnce() -> String) -> Result<T, BuildError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T, BuildError> {
        self.map_err(|source| BuildError::Io { action: action(), source })
    }
}
