//! The image.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::create_image::CreateImageOutput;
use packer_template::config::AmiConfig;
use tokio_util::sync::CancellationToken;

use super::api;
use super::devices::mappings;
use super::error::Error;
use super::polling::settled;
use super::state::{Made, State};
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Stands in for all steps of the image when the template wants none.
pub(super) struct Skip;

#[async_trait]
impl<'a> Step<State<'a>, Error> for Skip {
    fn name(&self) -> &'static str {
        "StepCreateAMI"
    }

    async fn run(&mut self, _state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        scope.ui.say("Skipping AMI creation...");
        Ok(())
    }
}

/// Makes the image of the stopped instance. In a build that does not end well, every image is taken back.
pub(super) struct CreateImage<'a> {
    pub ami: &'a AmiConfig,
}

impl CreateImage<'_> {
    /// Encryption is a matter of copying: the instance's own image is then only a means.
    fn is_intermediary(&self) -> bool {
        self.ami.encrypt_boot == Some(true) || self.ami.skip_save_build_region
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for CreateImage<'a> {
    fn name(&self) -> &'static str {
        "stepCreateAMI"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let session = state.session;
        let instance = state.instance_id()?;
        let name = if self.is_intermediary() { intermediary_name() } else { self.ami.ami_name.clone() };
        scope.ui.say(&format!("Creating AMI {name} from instance {instance}"));
        let devices = mappings(&self.ami.ami_block_device_mappings);
        let request = || async {
            // The instance has stopped, so it is not rebooted.
            let request = session.ec2.create_image().instance_id(&instance).name(&name);
            let devices = (!devices.is_empty()).then(|| devices.clone());
            let answer = request.set_block_device_mappings(devices).send().await;
            answer.map_err(|error| ApiError::of("CreateImage", error))
        };
        let ami = created(scope.cancel, request).await?;
        scope.ui.message(&format!("AMI: {ami}"));
        let made = Made { ami: ami.clone(), snapshots: Vec::new() };
        if self.is_intermediary() {
            state.intermediary = Some(made);
        } else {
            state.images.insert(session.region.clone(), made);
        }
        scope.ui.say("Waiting for AMI to become ready...");
        let image = api::available(&session.ec2, &session.region, &ami, state.polling, scope.cancel).await?;
        let made = state.intermediary.as_mut().or_else(|| state.images.get_mut(&session.region));
        if let Some(made) = made {
            made.snapshots = api::snapshots(&image);
        }
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, outcome: Outcome) -> Vec<Leftover> {
        let session = state.session;
        let images = std::mem::take(&mut state.images);
        let intermediary = state.intermediary.take().map(|made| (session.region.clone(), made));
        if outcome.is_done() {
            state.images = images;
            return Vec::new();
        }
        let all: Vec<_> = images.into_iter().chain(intermediary).collect();
        if !all.is_empty() {
            ui.say(
                "Deregistering the AMI and deleting associated snapshots because of cancellation, or error...",
            );
        }
        let mut leftovers = Vec::new();
        for (region, made) in all {
            leftovers.extend(api::destroy(&session.ec2_in(&region), &region, &made.ami, ui).await);
        }
        leftovers
    }
}

/// Sends a request for an image, again while the instance is not yet in a state to be imaged; answers with its id.
pub(super) async fn created<F>(
    cancel: &CancellationToken,
    request: impl FnMut() -> F,
) -> Result<String, Error>
where
    F: Future<Output = Result<CreateImageOutput, ApiError>>,
{
    let too_early = |error: &ApiError| {
        matches!(error, ApiError::Refused { code, message, .. }
            if code == "InvalidParameterValue" && message.contains("Instance is not in state"))
    };
    let answer = settled(cancel, too_early, request).await?.map_err(Error::api("Error creating AMI"))?;
    answer.image_id.ok_or(Error::OutOfOrder("the new image's id"))
}

/// A name that no one else has, as short as Packer's.
fn intermediary_name() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(7).collect()
}

/// Deregisters an artifact's images and deletes their snapshots: a post-processor did not want to keep them.
/// Answers with what could not be removed.
pub(super) async fn destroy_all<'i>(
    ec2_in: impl Fn(&str) -> Client,
    images: impl IntoIterator<Item = (&'i String, &'i String)>,
    ui: &dyn Ui,
) -> Vec<Leftover> {
    let mut leftovers = Vec::new();
    for (region, ami) in images {
        leftovers.extend(api::destroy(&ec2_in(region), region, ami, ui).await);
    }
    leftovers
}
