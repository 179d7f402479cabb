//! Older images of the same name.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use packer_template::config::AmiConfig;

use super::api::{self, filters};
use super::error::Error;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};
use crate::ui::Ui;

/// Deregisters the account's images of this name, in every region that the new one goes to, and deletes their
/// snapshots if `force_delete_snapshot` says so.
pub(super) struct DeregisterOlder<'a> {
    pub ami: &'a AmiConfig,
    /// `force_deregister` or `-force`.
    pub replace: bool,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for DeregisterOlder<'a> {
    fn name(&self) -> &'static str {
        "StepDeregisterAMI"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        if !self.replace {
            return Ok(());
        }
        let own = &state.session.region;
        let others = self.ami.ami_regions.iter().filter(|region| *region != own);
        for region in others.chain([own]) {
            self.deregister(&state.session.ec2_in(region), scope.ui).await?;
        }
        Ok(())
    }
}

impl DeregisterOlder<'_> {
    async fn deregister(&self, ec2: &Client, ui: &dyn Ui) -> Result<(), Error> {
        let name = self.ami.ami_name.as_str();
        let request = ec2.describe_images().owners("self").set_filters(Some(filters([("name", name)])));
        let answer = request.send().await;
        let images = answer
            .map_err(|error| ApiError::of("DescribeImages", error))
            .map_err(Error::api("Error describing AMI"))?
            .images
            .unwrap_or_default();
        // A filter's value may hold wildcards and commas: only images of this very name are replaced.
        for image in images.iter().filter(|image| image.name.as_deref() == Some(name)) {
            let id = image.image_id.as_deref().unwrap_or_default();
            let answer = ec2.deregister_image().image_id(id).send().await;
            answer
                .map_err(|error| ApiError::of("DeregisterImage", error))
                .map_err(Error::api(format!("Error deregistering existing AMI {id}")))?;
            ui.say(&format!("Deregistered AMI {name}, id: {id}"));
            if !self.ami.force_delete_snapshot {
                continue;
            }
            for snapshot in api::snapshots(image) {
                let answer = ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
                answer
                    .map_err(|error| ApiError::of("DeleteSnapshot", error))
                    .map_err(Error::api(format!("Error deleting existing snapshot {snapshot}")))?;
                ui.say(&format!("Deleted snapshot: {snapshot}"));
            }
        }
        Ok(())
    }
}
