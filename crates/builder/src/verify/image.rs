//! The machine that an image is verified on: an instance of it, or one that is there already.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use checks::{Checks, Verdict};
use packer_template::BuildData;
use packer_template::config::{Communicator as Options, Polling as PollingOptions, RunConfig, SshConfig};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::keep::Kept;
use super::machine::{AskError, Examination};
use crate::amazon::{self, Boot, Polling};
use crate::aws::{ApiError, Session};
use crate::communicator::Communicator;
use crate::provision::{Provision, ProvisionError};
use crate::ssh::{self, ConnectError, Credentials};
use crate::steps::{OnError, Stopped};
use crate::ui::Ui;

/// An image to boot an instance of.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// The image's id.
    pub ami: String,
    /// The instance's type.
    pub instance_type: String,
    /// Where it is put; none for the default VPC.
    pub subnet_id: Option<String>,
    /// The name of its instance profile.
    pub iam_instance_profile: Option<String>,
    /// A file with its user data.
    pub user_data_file: Option<PathBuf>,
    /// Leave the instance running, with its private key in a file of this directory.
    pub keep_in: Option<PathBuf>,
}

/// An instance that is there already.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// The private key that opens it; none for the keys of the user's SSH agent.
    pub key_file: Option<PathBuf>,
}

/// What to look at.
#[derive(Debug, Clone)]
pub enum Machine {
    /// A new instance, which is terminated afterwards.
    Of(Image),
    /// One that is there, which is left as it is.
    Existing(Instance),
}

/// Everything that a verification needs.
pub struct Verification<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The user to log in as.
    pub username: &'a str,
    /// What is wanted of it.
    pub checks: &'a Checks,
    /// How long it may take to let us in, and how long its boot may take to settle.
    pub patience: Duration,
    /// The API.
    pub session: &'a Session,
    /// The environment: `SSH_AUTH_SOCK`, `AWS_MAX_ATTEMPTS`.
    pub env: &'a HashMap<String, String>,
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The instance that was asked.
    pub instance: String,
    /// What became of each check.
    pub verdicts: Vec<Verdict>,
    /// What is left, if the instance was to be kept.
    pub kept: Option<Kept>,
}

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The machine could not be made, reached or asked. It has been shown.
    #[error("{0}")]
    Boot(amazon::Error),
    /// The API refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// There is no such instance, or no way to it.
    #[error("{instance} cannot be reached: {reason}")]
    Instance {
        /// The instance.
        instance: String,
        /// Why not.
        reason: String,
    },
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No answers.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The user stopped it.
    #[error("the verification was cancelled")]
    Cancelled,
}

/// Verifies a machine. An instance that was made for it is gone afterwards, whatever happens, with its key pair and its
/// security group.
///
/// # Errors
/// When the machine cannot be made, reached or asked; cancellation. A check that does not hold is no error.
pub async fn verify(
    verification: &Verification<'_>,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<Seen, VerifyError> {
    match verification.machine {
        Machine::Of(image) => verification.boot(image, ui, cancel).await,
        Machine::Existing(instance) => verification.visit(instance, ui, cancel).await,
    }
}

impl Verification<'_> {
    async fn boot(
        &self,
        image: &Image,
        ui: &dyn Ui,
        cancel: &CancellationToken,
    ) -> Result<Seen, VerifyError> {
        let run = RunConfig {
            source_ami: Some(image.ami.clone()),
            instance_type: image.instance_type.clone(),
            subnet_id: image.subnet_id.clone(),
            iam_instance_profile: image.iam_instance_profile.clone(),
            user_data_file: image.user_data_file.as_deref().map(shown),
            associate_public_ip_address: Some(true),
            ..RunConfig::default()
        };
        let communicator = Options::Ssh(Box::new(self.ssh()));
        let polling = PollingOptions { max_attempts: None, delay_seconds: None };
        let boot = Boot {
            name: &format!("verify-{}", image.ami),
            run: &run,
            communicator: &communicator,
            session: self.session,
            polling: Polling::new(&polling, |name| self.env.get(name).cloned()),
            env: self.env,
            debug: false,
            on_error: OnError::Cleanup,
            keep: image.keep_in.is_some(),
        };
        let visit =
            Visit { verification: self, keep_in: image.keep_in.as_deref(), cancel, seen: Mutex::default() };
        let ended = amazon::boot(&boot, &visit, ui, cancel).await;
        match ended {
            Err(Stopped::Cancelled) => Err(VerifyError::Cancelled),
            Err(Stopped::Failed { error, .. }) => Err(VerifyError::Boot(error)),
            Ok(()) => {
                let seen = visit.seen.into_inner();
                seen.ok_or(VerifyError::Boot(amazon::Error::OutOfOrder("a visit of the machine")))
            }
        }
    }

    async fn visit(
        &self,
        instance: &Instance,
        ui: &dyn Ui,
        cancel: &CancellationToken,
    ) -> Result<Seen, VerifyError> {
        let address = self.address(&instance.id).await?;
        let agent = self.env.get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut config = ssh::SshConfig::new(self.username);
        config.timeout = self.patience;
        config.credentials = Credentials {
            agent: instance.key_file.is_none(),
            private_key_file: instance.key_file.clone(),
            ..Credentials::default()
        };
        config.agent_socket = agent;
        ui.say(&format!("Using ssh communicator to connect: {address}"));
        let communicator = ssh::connect(&config, &address, None, cancel.clone()).await?;
        let verdicts = self.examine(&instance.id, communicator.as_ref(), cancel).await?;
        Ok(Seen { instance: instance.id.clone(), verdicts, kept: None })
    }

    /// Where a running instance is reached.
    async fn address(&self, id: &str) -> Result<String, VerifyError> {
        let answer = self.session.ec2.describe_instances().instance_ids(id).send().await;
        let answer = answer.map_err(|error| ApiError::of("DescribeInstances", error))?;
        let reservations = answer.reservations.unwrap_or_default();
        let instance = reservations.iter().flat_map(|reservation| reservation.instances()).next();
        let unreachable = |reason: String| VerifyError::Instance { instance: id.to_owned(), reason };
        let instance = instance.ok_or_else(|| unreachable("there is no such instance".to_owned()))?;
        let state = instance.state().and_then(|state| state.name()).map_or("unknown", |name| name.as_str());
        if state != "running" && state != "pending" {
            return Err(unreachable(format!("it is {state}")));
        }
        let address = instance.public_ip_address().or(instance.private_ip_address());
        address.map(str::to_owned).ok_or_else(|| unreachable(format!("it is {state} and has no address yet")))
    }

    fn ssh(&self) -> SshConfig {
        SshConfig {
            ssh_timeout: self.patience,
            ssh_disable_agent_forwarding: true,
            ..SshConfig::new(self.username)
        }
    }

    async fn examine(
        &self,
        instance: &str,
        communicator: &dyn Communicator,
        cancel: &CancellationToken,
    ) -> Result<Vec<Verdict>, AskError> {
        Examination { instance, communicator, checks: self.checks, patience: self.patience, cancel }
            .run()
            .await
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What happens on the machine between boot and termination.
struct Visit<'a> {
    verification: &'a Verification<'a>,
    keep_in: Option<&'a Path>,
    cancel: &'a CancellationToken,
    seen: Mutex<Option<Seen>>,
}

#[async_trait]
impl Provision for Visit<'_> {
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError> {
        let instance = data.values.get("ID").cloned().unwrap_or_default();
        let verdicts = self.verification.examine(&instance, communicator.as_ref(), self.cancel).await;
        let verdicts = verdicts.map_err(|error| match error {
            AskError::Cancelled => ProvisionError::Cancelled,
            other => ProvisionError::Hook(other.to_string()),
        })?;
        let kept = match self.keep_in {
            Some(directory) => {
                let kept = Kept::new(self.verification.session, &instance, data, directory).await;
                Some(kept.map_err(|error| ProvisionError::Hook(error.to_string()))?)
            }
            None => None,
        };
        *self.seen.lock() = Some(Seen { instance, verdicts, kept });
        Ok(())
    }

    async fn clean_up(&self, _communicator: Arc<dyn Communicator>, _data: &BuildData) {}
}
