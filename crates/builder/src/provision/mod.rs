//! Provisioners: what is run on the machine and copied to it before it becomes an image.
//!
//! One module for each type, with the same `run`: its options, what it works on, and a [`CancellationToken`] on which it
//! stops early. Pauses, retries, timeouts and records of steps are the caller's.
//!
//! [`CancellationToken`]: tokio_util::sync::CancellationToken

pub mod breakpoint;
mod environment;
pub mod file;
mod lines;
mod retry;
pub mod shell;
pub mod shell_local;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use packer_template::BuildData;

use crate::communicator::{Communicator, CommunicatorError};

/// Why provisioning stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A script ended with a code that the template does not allow.
    #[error("Script exited with non-zero exit status: {code}. Allowed exit codes are: {}", list(allowed))]
    Exit {
        /// The code.
        code: i32,
        /// Those allowed.
        allowed: Vec<i32>,
    },
    /// The connection went away while a script ran.
    #[error(
        "Script disconnected unexpectedly. If you expected your script to disconnect, i.e. from a restart, you can try \
         adding `\"expect_disconnect\": true` or `\"valid_exit_codes\": [0, 2300218]` to the shell provisioner parameters."
    )]
    Disconnected,
    /// The machine could not be reached or would not do what was asked.
    #[error(transparent)]
    Communicator(CommunicatorError),
    /// A file here cannot be read or written, or a program here cannot be run.
    #[error("{path}: {source}")]
    Local {
        /// The file or program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The script that was run is still on the machine.
    #[error("Error removing temporary script at {path}! (rm ended with exit status {code})")]
    Remove {
        /// The remote path.
        path: String,
        /// What `rm` ended with.
        code: i32,
    },
    /// `env_var_format` has a directive that takes no text.
    #[error(
        "env_var_format {format:?}: {directive} is not supported; there are %s, %v, %q, %[1]s, %[2]s and %%"
    )]
    EnvVarFormat {
        /// The option.
        format: String,
        /// The directive.
        directive: String,
    },
    /// `execute_command` is empty, so there is nothing to run.
    #[error("execute_command is empty: there is no program to run")]
    NoCommand,
    /// A breakpoint, and nobody who could press enter.
    #[error("Error asking for input: there is no terminal; set \"disable\": true to pass the breakpoint")]
    NoTerminal,
    /// The options do not hold for this build.
    #[error("{}", .0.summary())]
    Options(#[from] packer_template::Errors),
    /// It took longer than its `timeout`.
    #[error("it took longer than its timeout of {0}")]
    Timeout(String),
    /// The user stopped it.
    #[error("Build was cancelled.")]
    Cancelled,
    /// One provisioner of several, by name.
    #[error("provisioner {number} ({name}, {place}): {error}")]
    Step {
        /// Its place, from 1.
        number: usize,
        /// Its type and what it runs.
        name: String,
        /// Where the template has it: `packer.json:41`.
        place: String,
        /// Why it failed.
        error: Box<ProvisionError>,
    },
    /// A caller's part between the steps failed.
    #[error("{0}")]
    Hook(String),
}

/// Numbers as Go prints them: `[0 7]`.
fn list(numbers: &[i32]) -> String {
    format!("[{}]", numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(" "))
}

/// A call that was cancelled is the build's cancellation, not a failure of the machine.
impl From<CommunicatorError> for ProvisionError {
    fn from(error: CommunicatorError) -> Self {
        match error {
            CommunicatorError::Cancelled => Self::Cancelled,
            CommunicatorError::Local { path, source } => Self::Local { path: path.into(), source },
            other => Self::Communicator(other),
        }
    }
}

impl From<packer_template::Error> for ProvisionError {
    fn from(error: packer_template::Error) -> Self {
        Self::Options(error.into())
    }
}

/// All provisioners of a build, as the builder's step calls them.
#[async_trait]
pub trait Provision: Send + Sync {
    /// Runs them in order. `communicator` is none when the template has `"communicator": "none"`; cancellation is the
    /// implementor's to know.
    ///
    /// # Errors
    /// When one fails, or the build was cancelled.
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError>;

    /// Runs the template's `error-cleanup-provisioner`, if it has one, after [`Provision::provision`] failed.
    async fn clean_up(&self, communicator: Arc<dyn Communicator>, data: &BuildData);
}
