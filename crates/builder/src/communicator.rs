//! How a provisioner talks to the machine that is being built.

use std::path::Path;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// Takes a remote command's output as it comes. Lines may arrive in pieces.
pub trait Output: Send + Sync {
    /// Bytes of standard output.
    fn stdout(&self, bytes: &[u8]);
    /// Bytes of standard error.
    fn stderr(&self, bytes: &[u8]);
}

/// How a remote command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// The connection went away before its exit code came (a reboot, a dead instance); Packer's code for it is 2300218.
    Disconnected,
}

/// Why the machine could not be reached or would not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommunicatorError {
    /// The connection is gone, or could not be made.
    #[error("no connection to {address}: {reason}")]
    Connection {
        /// Host and port.
        address: String,
        /// What the last attempt met.
        reason: String,
    },
    /// The other end refused a transfer.
    #[error("cannot {action} {path}: {reason}")]
    Transfer {
        /// `upload`, `download`.
        action: &'static str,
        /// The remote path.
        path: String,
        /// What the other end says.
        reason: String,
    },
    /// A file of ours could not be read or written.
    #[error("{path}: {source}")]
    Local {
        /// The file here.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The build was cancelled while it was under way.
    #[error("cancelled")]
    Cancelled,
    /// There is no way to the machine: the template says `"communicator": "none"`.
    #[error("the template has \"communicator\": \"none\", so nothing can be run or copied there")]
    None,
}

/// A connection to the machine that is being built. A call ends early when the build is cancelled while it is under way;
/// calls that begin after that are those of the clean-up, and are carried out.
#[async_trait]
pub trait Communicator: Send + Sync {
    /// Runs a command line by the remote user's shell, streams its output, and waits for its end.
    async fn run(&self, command: &str, output: &dyn Output) -> Result<Exit, CommunicatorError>;

    /// Writes a remote file from `content`, of `length` bytes, with permission bits `mode`.
    async fn upload(
        &self,
        path: &str,
        content: &mut (dyn AsyncRead + Send + Unpin),
        length: u64,
        mode: u32,
    ) -> Result<(), CommunicatorError>;

    /// Copies a directory there. Packer's rule: with a trailing slash on `source` its content goes into `destination`,
    /// without one the directory itself does.
    async fn upload_dir(&self, destination: &str, source: &str) -> Result<(), CommunicatorError>;

    /// Reads a remote file into `sink`.
    async fn download(
        &self,
        path: &str,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), CommunicatorError>;

    /// Copies remote directories and files into a directory here, under their own names; `*`, `?` and `[…]` in `source`
    /// choose them. As in Packer, a trailing slash on `source` makes no difference.
    async fn download_dir(&self, source: &str, destination: &Path) -> Result<(), CommunicatorError>;

    /// Closes the connection and connects again: after a reboot, or for a step that needs a new login.
    async fn reconnect(&self) -> Result<(), CommunicatorError>;
}

/// The connection of a template that wants none (`"communicator": "none"`): everything asked of it is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoCommunicator;

#[async_trait]
impl Communicator for NoCommunicator {
    async fn run(&self, _command: &str, _output: &dyn Output) -> Result<Exit, CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn upload(
        &self,
        _path: &str,
        _content: &mut (dyn AsyncRead + Send + Unpin),
        _length: u64,
        _mode: u32,
    ) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn upload_dir(&self, _destination: &str, _source: &str) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn download(
        &self,
        _path: &str,
        _sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn download_dir(&self, _source: &str, _destination: &Path) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn reconnect(&self) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }
}
