//! Provisioners: what is run on the machine and copied to it before it becomes an image.

use std::sync::Arc;

use async_trait::async_trait;
use packer_template::BuildData;

use crate::communicator::{Communicator, CommunicatorError};

/// Why provisioning stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A script ended with a code that the template does not allow.
    #[error("Script exited with non-zero exit status: {code}. Allowed exit codes are: {allowed:?}")]
    Exit {
        /// The code.
        code: i32,
        /// Those allowed.
        allowed: Vec<i32>,
    },
    /// The machine could not be reached or would not do what was asked.
    #[error(transparent)]
    Communicator(#[from] CommunicatorError),
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
    #[error("provisioner {number} ({name}): {error}")]
    Step {
        /// Its place, from 1.
        number: usize,
        /// Its type and what it runs.
        name: String,
        /// Why it failed.
        error: Box<ProvisionError>,
    },
    /// A caller's part between the steps failed.
    #[error("{0}")]
    Hook(String),
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
