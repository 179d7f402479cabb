//! The work on the instance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use packer_template::config::{Communicator as Options, SshConfig};

use super::api;
use super::error::Error;
use super::state::State;
use crate::communicator::{Communicator, Exit, NoCommunicator, Output};
use crate::provision::{Provision, ProvisionError};
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// How long provisioners may take to notice a cancellation before they are dropped.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the provisioners.
pub(super) struct Provisioning<'a> {
    pub communicator: &'a Options,
    pub provision: &'a dyn Provision,
    failed: bool,
}

impl<'a> Provisioning<'a> {
    pub fn new(communicator: &'a Options, provision: &'a dyn Provision) -> Self {
        Self { communicator, provision, failed: false }
    }

    fn connection(&self, state: &State<'a>) -> Arc<dyn Communicator> {
        state.communicator.clone().unwrap_or_else(|| Arc::new(NoCommunicator))
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for Provisioning<'a> {
    fn name(&self) -> &'static str {
        "StepProvision"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        if matches!(self.communicator, Options::None) {
            state.data.values.insert("ConnType".to_owned(), "none".to_owned());
        }
        let work = self.provision.provision(self.connection(state), &state.data);
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            () = scope.cancel.cancelled() => {
                // They stop by themselves: only one that does not is dropped.
                tokio::time::timeout(GRACE, work).await.unwrap_or(Err(ProvisionError::Cancelled))
            }
        };
        self.failed = done.is_err();
        match done {
            Ok(()) => Ok(()),
            Err(ProvisionError::Cancelled) => Err(Error::Cancelled),
            Err(error) => Err(explained(state, error).await),
        }
    }

    /// A failed build's own last words, while its machine is still there.
    async fn cleanup(&mut self, state: &mut State<'a>, _ui: &dyn Ui, outcome: Outcome) -> Vec<Leftover> {
        if outcome == Outcome::Failed && std::mem::take(&mut self.failed) {
            self.provision.clean_up(self.connection(state), &state.data).await;
        }
        Vec::new()
    }
}

/// A provisioner's error; that of the instance if it is the instance that ended.
async fn explained(state: &State<'_>, error: ProvisionError) -> Error {
    let ec2 = &state.session.ec2;
    if let Ok(id) = state.instance_id()
        && let Ok(Some(instance)) = api::instance(ec2, &id).await
        && !matches!(api::state_of(&instance), "pending" | "running")
    {
        return Error::DiedMeanwhile {
            provision: Box::new(error),
            instance: Box::new(api::died(ec2, &instance).await),
        };
    }
    Error::Provision(error)
}

/// Takes the temporary key out of the image, if the template wants it (`ssh_clear_authorized_keys`).
pub(super) struct CleanupTempKeys<'a> {
    pub communicator: &'a Options,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for CleanupTempKeys<'a> {
    fn name(&self) -> &'static str {
        "StepCleanupTempKeys"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let Options::Ssh(ssh) = self.communicator else { return Ok(()) };
        let (Some(key), Some(communicator)) = (temporary_key(ssh, state), &state.communicator) else {
            return Ok(());
        };
        scope.ui.say("Trying to remove ephemeral keys from authorized_keys files");
        // The key's comment is its name. Packer does not fail a build for this either.
        for (file, sudo) in [("~/.ssh/authorized_keys", ""), ("/root/.ssh/authorized_keys", "sudo ")] {
            let command = format!("{sudo}sed -i '/ {key}$/d' {file}");
            match communicator.run(&command, &Silent).await {
                Ok(Exit::Code(0)) => {}
                Ok(exit) => {
                    scope.ui.message(&format!("{file} is as it was: {exit:?}; remove the key {key} by hand"));
                }
                Err(error) => {
                    scope.ui.message(&format!("{file} is as it was: {error}; remove the key {key} by hand"));
                }
            }
        }
        Ok(())
    }
}

fn temporary_key<'s>(ssh: &SshConfig, state: &'s State<'_>) -> Option<&'s str> {
    (ssh.ssh_clear_authorized_keys && state.key.temporary).then_some(state.key.name.as_deref()?)
}

/// Output that nobody needs.
struct Silent;

impl Output for Silent {
    fn stdout(&self, _bytes: &[u8]) {}
    fn stderr(&self, _bytes: &[u8]) {}
}
