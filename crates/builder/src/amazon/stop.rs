//! The instance at rest, ready for its image.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, AttributeValue};
use packer_template::config::AmiConfig;

use super::api;
use super::error::Error;
use super::polling::{FOR_AN_INSTANCE, Seen, settled};
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// Stops the instance and waits until it has stopped.
pub(super) struct StopInstance {
    /// `disable_stop_instance`: the instance stops itself.
    pub disabled: bool,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for StopInstance {
    fn name(&self) -> &'static str {
        "StepStopEBSBackedInstance"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let (ec2, ui) = (&state.session.ec2, scope.ui);
        let id = state.instance_id()?;
        if self.disabled {
            ui.say("Automatic instance stop disabled. Please stop instance manually.");
        } else {
            ui.say("Stopping the source instance...");
            ui.message("Stopping instance");
            let answer = settled(scope.cancel, ApiError::is_not_found, || async {
                let answer = ec2.stop_instances().instance_ids(&id).send().await;
                answer.map_err(|error| ApiError::of("StopInstances", error))
            });
            answer.await?.map_err(Error::api("Error stopping instance"))?;
        }
        ui.say("Waiting for the instance to stop...");
        let look = || async {
            let instance = api::instance(ec2, &id).await;
            let instance = instance.map_err(Error::api("Error waiting for instance to stop"))?;
            match instance {
                None => Ok(Seen::NotYet("not there".to_owned())),
                Some(instance) => match api::state_of(&instance) {
                    "stopped" => Ok(Seen::There(())),
                    "terminated" => Err(api::died(ec2, &instance).await),
                    state => Ok(Seen::NotYet(state.to_owned())),
                },
            }
        };
        let what = format!("instance {id} to stop");
        state.polling.until(FOR_AN_INSTANCE, &what, scope.cancel, look).await
    }
}

/// Sets the attributes that the image takes over from its instance.
pub(super) struct ModifyInstance<'a> {
    pub ami: &'a AmiConfig,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for ModifyInstance<'a> {
    fn name(&self) -> &'static str {
        "StepModifyEBSBackedInstance"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let ec2 = &state.session.ec2;
        let id = state.instance_id()?;
        let request = || ec2.modify_instance_attribute().instance_id(&id);
        if self.ami.sriov_support {
            scope.ui.say("Enabling Enhanced Networking (SR-IOV)...");
            // "simple" is the only value there is.
            let simple = AttributeValue::builder().value("simple").build();
            let answer = request().sriov_net_support(simple).send().await;
            answer
                .map_err(|error| ApiError::of("ModifyInstanceAttribute", error))
                .map_err(Error::api(format!("Error enabling Enhanced Networking (SR-IOV) on {id}")))?;
        }
        if let Some(wanted) = self.ami.ena_support {
            let verb = if wanted { "Enabling" } else { "Disabling" };
            scope.ui.say(&format!("{verb} Enhanced Networking (ENA)..."));
            let value = AttributeBooleanValue::builder().value(wanted).build();
            let answer = request().ena_support(value).send().await;
            let verb = verb.to_lowercase();
            answer
                .map_err(|error| ApiError::of("ModifyInstanceAttribute", error))
                .map_err(Error::api(format!("Error {verb} Enhanced Networking (ENA) on {id}")))?;
        }
        Ok(())
    }
}
