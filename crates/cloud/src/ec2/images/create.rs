//! `CreateImage`: an image of an instance, and snapshots of its volumes.

use aws_wire::Error;
use aws_wire::ec2::{CreateImageRequest, CreateImageResult};
use jiff::Timestamp;
use machine::images::{BlockDevice, Image, ImageState, Snapshot, is_image_name};

use super::{internal, mappings};
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ec2::request::{Read, change, only_supported, required, stop_dry_run, tags_for};
use crate::ec2::snapshots::{self, description, volumes_of};
use crate::ec2::state::{InstanceRecord, InstanceState, VolumeRecord};
use crate::ec2::{errors, images};
use crate::ids;

/// `CreateImage`. An instance that runs is powered off for it and booted again, unless asked not to: then it waits
/// with its writes while its volumes are copied.
pub fn create_image(ctx: &Ctx, input: CreateImageRequest) -> Result<CreateImageResult, Error> {
    const SUPPORTED: &[&str] = &[
        "BlockDeviceMappings",
        "Description",
        "DryRun",
        "InstanceId",
        "Name",
        "NoReboot",
        "TagSpecifications",
    ];
    only_supported(&input, "CreateImage", SUPPORTED)?;
    let id = required(&input.instance_id, "instanceId")?;
    let name = required(&input.name, "name")?;
    check_name(name)?;
    let plan = Plan {
        name,
        description: description(input.description.as_deref())?,
        image_tags: tags_for(ctx, &input.tag_specifications, "image", &TAGGED)?,
        snapshot_tags: tags_for(ctx, &input.tag_specifications, "snapshot", &TAGGED)?,
        input: &input,
    };
    let image_id = change(ctx, input.dry_run, |tx| {
        check_name_is_free(ctx, name)?;
        let instance = tx.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
        if !matches!(
            instance.state,
            InstanceState::Running | InstanceState::Stopped | InstanceState::Stopping
        ) {
            let message = format!("Instance '{id}' is not 'running', 'stopping' or 'stopped'.");
            return Err(Error::client("IncorrectState", message));
        }
        let (image, snapshots) = plan.resolve(ctx, tx, &instance)?;
        stop_dry_run(input.dry_run)?;
        // On disk before the instance is touched: its reconciler then waits for these snapshots.
        ctx.cloud.images.put_with_snapshots(&image, &snapshots).map_err(internal)?;
        if input.no_reboot != Some(true) && instance.state == InstanceState::Running {
            tx.update::<InstanceRecord>(&ctx.region, id, |instance| instance.imaging = true)?;
        }
        Ok(image.id)
    })?;
    ctx.cloud.store.touch();
    Ok(CreateImageResult { image_id: Some(image_id) })
}

const TAGGED: [&str; 2] = ["image", "snapshot"];

struct Plan<'a> {
    name: &'a str,
    description: String,
    image_tags: Tags,
    snapshot_tags: Tags,
    input: &'a CreateImageRequest,
}

impl Plan<'_> {
    fn resolve(
        &self,
        ctx: &Ctx,
        read: &impl Read,
        instance: &InstanceRecord,
    ) -> Result<(Image, Vec<Snapshot>), Error> {
        let id = ids::ec2("ami");
        let volumes = volumes_of(read, instance)?;
        let root = volumes.first().ok_or_else(|| Error::internal("an instance without a root volume"))?;
        let text = format!("Created by CreateImage({}) for {id}", instance.id);
        let mut snapshots = Vec::new();
        let mut devices = Vec::new();
        for volume in &volumes {
            let Some(attachment) = &volume.attachment else { continue };
            if self.is_suppressed(&attachment.device) && attachment.device != instance.root_device {
                continue;
            }
            let snapshot = snapshots::of_volume(ctx, volume, &id, text.clone(), &self.snapshot_tags);
            devices.push(device(volume, &attachment.device, attachment.delete_on_termination, &snapshot.id));
            snapshots.push(snapshot);
        }
        let find = |asked: &str| match snapshots.iter().find(|own| own.id == asked) {
            Some(own) => Ok(own.clone()),
            None => snapshots::usable(ctx, asked),
        };
        let mappings = &self.input.block_device_mappings;
        let block_devices = mappings::merge(devices, &instance.root_device, mappings, &find)?;
        let made_from = ctx.cloud.images.get(&instance.image_id).map_err(internal)?;
        let image = Image {
            id,
            name: self.name.to_owned(),
            description: self.description.clone(),
            created: Timestamp::now(),
            owner: ctx.account.to_string(),
            region: Some(ctx.region.to_string()),
            layers: root.layers.clone().or(made_from.as_ref().map(|i| i.layers.clone())).unwrap_or_default(),
            architecture: instance.architecture.clone(),
            state: ImageState::Pending,
            root_device: instance.root_device.clone(),
            block_devices,
            tags: self.image_tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            source_instance: Some(instance.id.clone()),
            imds_v2: made_from.as_ref().is_some_and(|image| image.imds_v2),
            drivers: instance.drivers.clone(),
            ..Image::default()
        };
        Ok((image, snapshots))
    }

    fn is_suppressed(&self, device: &str) -> bool {
        let mappings = &self.input.block_device_mappings;
        mappings.iter().any(|m| m.device_name.as_deref() == Some(device) && m.no_device.is_some())
    }
}

fn device(volume: &VolumeRecord, name: &str, delete_on_termination: bool, snapshot: &str) -> BlockDevice {
    BlockDevice {
        device: name.to_owned(),
        size_gib: volume.size_gib,
        volume_type: volume.volume_type.clone(),
        delete_on_termination,
        snapshot: Some(snapshot.to_owned()),
        iops: volume.iops,
        throughput: volume.throughput,
    }
}

/// Whether EC2 would take the name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if is_image_name(name) {
        return Ok(());
    }
    let message = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', \
                   '.', '-', '/', '_', ' ', '[', ']', ''' and '@'";
    Err(Error::client("InvalidAMIName.Malformed", message))
}

/// Whether no other of the account's images in the region has the name.
pub(super) fn check_name_is_free(ctx: &Ctx, name: &str) -> Result<(), Error> {
    let taken = images::visible(ctx)?
        .into_iter()
        .find(|image| image.name == name && image.alias_of.is_none() && image.state != ImageState::Failed);
    match taken {
        None => Ok(()),
        Some(other) => {
            let message = format!("AMI name {name} is already in use by AMI {}", other.id);
            Err(Error::client("InvalidAMIName.Duplicate", message))
        }
    }
}
