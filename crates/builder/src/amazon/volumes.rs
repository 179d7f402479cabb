//! Volumes that outlive the instance although nobody asked for them.

use async_trait::async_trait;
use aws_sdk_ec2::types::Instance;
use packer_template::config::BlockDevice;

use super::api::filters;
use super::error::Error;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Deletes, after the instance is gone, the volumes that its source image had marked to be kept. Those of the
/// template's own mappings follow `delete_on_termination`.
pub(super) struct CleanupVolumes<'a> {
    /// `launch_block_device_mappings`.
    pub launched: &'a [BlockDevice],
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for CleanupVolumes<'a> {
    fn name(&self) -> &'static str {
        "StepCleanupVolumes"
    }

    async fn run(&mut self, _state: &mut State<'a>, _scope: Scope<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        let candidates = state.instance.as_ref().map(|instance| candidates(instance, self.launched));
        let Some(candidates) = candidates.filter(|ids| !ids.is_empty()) else {
            ui.say("No volumes to clean up, skipping");
            return Vec::new();
        };
        ui.say("Cleaning up any extra volumes...");
        let (ec2, region) = (&state.session.ec2, &state.session.region);
        let remove = |id: &str| format!("aws ec2 delete-volume --region {region} --volume-id {id}");
        // A filter, because asking by id fails as a whole when one of them is gone already.
        let wanted = filters([("volume-id", candidates.join(",").as_str()), ("status", "available")]);
        let answer = ec2.describe_volumes().set_filters(Some(wanted)).send().await;
        let left = match answer.map_err(|error| ApiError::of("DescribeVolumes", error)) {
            Ok(answer) => answer.volumes.unwrap_or_default(),
            Err(error) => {
                let all = candidates.join(", ");
                return vec![Leftover {
                    what: format!("perhaps a volume of {all}"),
                    why: error.to_string(),
                    remove: remove("…"),
                }];
            }
        };
        if left.is_empty() {
            ui.say("No volumes to clean up, skipping");
        }
        let mut leftovers = Vec::new();
        for id in left.into_iter().filter_map(|volume| volume.volume_id) {
            ui.say(&format!("Destroying volume ({id})..."));
            let answer = ec2.delete_volume().volume_id(&id).send().await;
            match answer.map_err(|error| ApiError::of("DeleteVolume", error)) {
                Err(error) if !error.is_not_found() => leftovers.push(Leftover {
                    what: format!("volume {id}"),
                    why: error.to_string(),
                    remove: remove(&id),
                }),
                _ => {}
            }
        }
        leftovers
    }
}

/// The volumes of an instance that the template does not speak of.
fn candidates(instance: &Instance, launched: &[BlockDevice]) -> Vec<String> {
    let known = |name: Option<&str>| launched.iter().any(|device| Some(device.device_name.as_str()) == name);
    let mappings = instance.block_device_mappings().iter();
    let others = mappings.filter(|mapping| !known(mapping.device_name.as_deref()));
    others.filter_map(|mapping| mapping.ebs.as_ref()?.volume_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{EbsInstanceBlockDevice, InstanceBlockDeviceMapping};

    use super::*;

    #[test]
    fn volumes_of_the_template_are_left_to_ec2() {
        let mapping = |name: &str, id: &str| {
            let ebs = EbsInstanceBlockDevice::builder().volume_id(id).build();
            InstanceBlockDeviceMapping::builder().device_name(name).ebs(ebs).build()
        };
        let instance = Instance::builder()
            .block_device_mappings(mapping("/dev/xvda", "vol-root"))
            .block_device_mappings(mapping("/dev/xvdcy", "vol-data"))
            .build();
        let launched = BlockDevice { device_name: "/dev/xvdcy".to_owned(), ..BlockDevice::default() };
        assert_eq!(candidates(&instance, &[launched]), ["vol-root"]);
    }
}
