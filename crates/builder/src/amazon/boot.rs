//! A machine of an image to look at, which is gone afterwards: the steps of a build without an image at the end.

use std::collections::HashMap;

use packer_template::config::{Communicator, RunConfig};
use tokio_util::sync::CancellationToken;

use super::source::{Enhanced, SourceAmi};
use super::state::State;
use super::{BuildError, Error, Polling, machine_steps, work_steps};
use crate::aws::Session;
use crate::provision::Provision;
use crate::steps::{OnError, Runner, Steps};
use crate::ui::Ui;

/// What to boot, and how to get in.
pub struct Boot<'a> {
    /// What it is called in the names of files and in the data that [`Provision`] is given.
    pub name: &'a str,
    /// The image ([`RunConfig::source_ami`]) and the instance's options.
    pub run: &'a RunConfig,
    /// How it is reached.
    pub communicator: &'a Communicator,
    /// The API.
    pub session: &'a Session,
    /// How waiting is done.
    pub polling: Polling,
    /// The environment: `SSH_AUTH_SOCK`.
    pub env: &'a HashMap<String, String>,
    /// Pauses after every step.
    pub debug: bool,
    /// What happens to the machine when something fails.
    pub on_error: OnError,
    /// Leaves the machine running when nothing fails.
    pub keep: bool,
}

/// Boots a machine with a temporary key pair and security group, hands `visit` the connection, and removes everything
/// again, whatever happens, unless it is to be kept.
///
/// # Errors
/// As [`super::build`]'s: the step and its error, which has been shown; cancellation.
pub async fn boot(
    boot: &Boot<'_>,
    visit: &dyn Provision,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<(), BuildError> {
    let source = SourceAmi { run: boot.run, start_from: None, enhanced: Enhanced::default() };
    let mut steps: Steps<'_, State<'_>, Error> = vec![Box::new(source)];
    let key_file = boot.debug.then(|| format!("ec2_{}.pem", boot.name));
    steps.extend(machine_steps(boot.run, boot.communicator, key_file));
    steps.extend(work_steps(boot.communicator, boot.env, visit));
    let mut state = State::new(boot.session, boot.polling, boot.name, "");
    let runner = Runner { on_error: boot.on_error, debug: boot.debug, keep: boot.keep, ui, cancel };
    runner.run(steps, &mut state).await
}
