//! The instance that is built.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesInputBuilder;
use aws_sdk_ec2::types::Instance;
use packer_template::config::RunConfig;
use tokio_util::sync::CancellationToken;

use super::api;
use super::devices::{mappings, resumed};
use super::error::Error;
use super::polling::{FOR_AN_INSTANCE, Polling, Seen, settled};
use super::request::{Launch, run_instances};
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Launches the instance, waits until it runs, and terminates it in the end.
pub(super) struct RunInstance<'a> {
    run: &'a RunConfig,
    debug: bool,
    /// The instances to terminate: several when the step was tried again.
    made: Vec<String>,
}

impl<'a> RunInstance<'a> {
    pub fn new(run: &'a RunConfig, debug: bool) -> Self {
        Self { run, debug, made: Vec::new() }
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for RunInstance<'a> {
    fn name(&self) -> &'static str {
        "StepRunSourceInstance"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let (ec2, ui) = (&state.session.ec2, scope.ui);
        let user_data = user_data(self.run)?;
        ui.say("Launching a source AWS instance...");
        let image = state.launched.as_ref().ok_or(Error::OutOfOrder("a source image"))?;
        ui.say("Adding tags to source instance");
        let tags = self.tags(state)?;
        let volume_tags = self.run.run_volume_tags.render(&state.data).map_err(Error::template)?;
        api::report_tags(ui, &tags);
        api::report_tags(ui, &volume_tags);
        let devices = &self.run.launch_block_device_mappings;
        let devices = if state.resumed { resumed(devices, image) } else { devices.clone() };
        let request = run_instances(
            self.run,
            Launch {
                image_id: image.image_id.as_deref().unwrap_or_default(),
                mappings: mappings(&devices),
                network: &state.network,
                security_groups: &state.security_groups,
                key_name: state.key.name.as_deref(),
                instance_profile: state.instance_profile.as_deref(),
                user_data: user_data.as_deref(),
                tags: &tags,
                volume_tags: &volume_tags,
                token: &uuid::Uuid::new_v4().to_string(),
            },
        );
        let id = launch(ec2, request, scope.cancel).await?;
        self.made.push(id.clone());
        ui.message(&format!("Instance ID: {id}"));
        ui.say(&format!("Waiting for instance ({id}) to become ready..."));
        let instance = running(ec2, &id, state.polling, scope.cancel).await?;
        if self.debug {
            report_addresses(ui, &instance);
        }
        state.data.values.insert("ID".to_owned(), id);
        state.instance = Some(instance);
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        let made = std::mem::take(&mut self.made);
        if made.is_empty() {
            return Vec::new();
        }
        ui.say("Terminating the source AWS instance...");
        let mut leftovers = Vec::new();
        for id in made {
            if let Err(why) = terminate(&state.session.ec2, &id, state.polling).await {
                leftovers.push(Leftover {
                    what: format!("instance {id}"),
                    why: why.to_string(),
                    remove: format!(
                        "aws ec2 terminate-instances --region {} --instance-ids {id}",
                        state.session.region
                    ),
                });
            }
        }
        leftovers
    }
}

impl<'a> RunInstance<'a> {
    /// `run_tags`, with Packer's name for an instance that has none.
    fn tags(&self, state: &State<'a>) -> Result<BTreeMap<String, String>, Error> {
        let mut tags = self.run.run_tags.render(&state.data).map_err(Error::template)?;
        tags.entry("Name".to_owned()).or_insert_with(|| "Packer Builder".to_owned());
        Ok(tags)
    }
}

fn user_data(run: &RunConfig) -> Result<Option<Vec<u8>>, Error> {
    if let Some(path) = &run.user_data_file {
        let attempt = || format!("Problem reading user data file {path}");
        return std::fs::read(path).map(Some).map_err(|source| Error::File { attempt: attempt(), source });
    }
    Ok(run.user_data.as_ref().map(|data| data.as_bytes().to_vec()))
}

async fn launch(
    ec2: &Client,
    request: RunInstancesInputBuilder,
    cancel: &CancellationToken,
) -> Result<String, Error> {
    // A profile that IAM has just made is unknown to EC2 for some seconds.
    let too_early = |error: &ApiError| {
        matches!(error, ApiError::Refused { code, message, .. }
            if code == "InvalidParameterValue" && message.to_lowercase().contains("iaminstanceprofile"))
    };
    let answer = settled(cancel, too_early, || async {
        let answer = request.clone().send_with(ec2).await;
        answer.map_err(|error| ApiError::of("RunInstances", error))
    });
    let answer = answer.await?.map_err(Error::api("Error launching source instance"))?;
    let id = answer.instances().first().and_then(|instance| instance.instance_id.clone());
    id.ok_or(Error::OutOfOrder("the launched instance's id"))
}

/// Waits until an instance runs; fails at once when it has ended instead.
async fn running(
    ec2: &Client,
    id: &str,
    polling: Polling,
    cancel: &CancellationToken,
) -> Result<Instance, Error> {
    let attempt = || format!("Error waiting for instance ({id}) to become ready");
    let look = || async {
        let Some(instance) = api::instance(ec2, id).await.map_err(Error::api(attempt()))? else {
            return Ok(Seen::NotYet("not there yet".to_owned()));
        };
        match api::state_of(&instance) {
            "running" => Ok(Seen::There(instance)),
            "pending" => Ok(Seen::NotYet("pending".to_owned())),
            _ => Err(api::died(ec2, &instance).await),
        }
    };
    polling.until(FOR_AN_INSTANCE, &format!("instance {id} to run"), cancel, look).await
}

/// Terminates an instance and waits until it is gone, because its volumes and security group cannot go before.
async fn terminate(ec2: &Client, id: &str, polling: Polling) -> Result<(), Error> {
    let attempt = || "Error terminating instance, may still be around".to_owned();
    let answer = ec2.terminate_instances().instance_ids(id).send().await;
    match answer.map_err(|error| ApiError::of("TerminateInstances", error)) {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other.map_err(Error::api(attempt()))?,
    };
    let look = || async {
        let instance = api::instance(ec2, id).await.map_err(Error::api(attempt()))?;
        Ok(match instance.as_ref().map(api::state_of) {
            None | Some("terminated") => Seen::There(()),
            Some(state) => Seen::NotYet(state.to_owned()),
        })
    };
    let never = CancellationToken::new();
    polling.until(FOR_AN_INSTANCE, &format!("instance {id} to be terminated"), &never, look).await
}

fn report_addresses(ui: &dyn Ui, instance: &Instance) {
    let addresses = [
        ("Public DNS", &instance.public_dns_name),
        ("Public IP", &instance.public_ip_address),
        ("Private IP", &instance.private_ip_address),
    ];
    for (name, address) in addresses {
        if let Some(address) = address.as_ref().filter(|address| !address.is_empty()) {
            ui.message(&format!("{name}: {address}"));
        }
    }
}
