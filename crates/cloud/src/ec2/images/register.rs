//! `RegisterImage`: an image of snapshots.

use aws_wire::Error;
use aws_wire::ec2::{RegisterImageRequest, RegisterImageResult};
use jiff::Timestamp;
use machine::images::{Drivers, Image, ImageState};

use super::create::{check_name, check_name_is_free};
use super::{internal, mappings};
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::instances::devices::check_device_name;
use crate::ec2::request::{change, only_supported, required, stop_dry_run, tags_for};
use crate::ec2::snapshots::{self, description};
use crate::ids;

/// The root device's name where none is given.
const DEFAULT_ROOT: &str = "/dev/sda1";

/// `RegisterImage`. Its root has to be a snapshot of a root volume: other volumes' bytes are no system here.
pub fn register_image(ctx: &Ctx, input: RegisterImageRequest) -> Result<RegisterImageResult, Error> {
    const SUPPORTED: &[&str] = &[
        "Architecture",
        "BlockDeviceMappings",
        "Description",
        "DryRun",
        "EnaSupport",
        "ImdsSupport",
        "Name",
        "RootDeviceName",
        "SriovNetSupport",
        "TagSpecifications",
        "VirtualizationType",
    ];
    only_supported(&input, "RegisterImage", SUPPORTED)?;
    let name = required(&input.name, "name")?;
    check_name(name)?;
    let image_id = change(ctx, input.dry_run, |_| {
        check_name_is_free(ctx, name)?;
        let image = image(ctx, name, &input)?;
        stop_dry_run(input.dry_run)?;
        ctx.cloud.images.put(&image).map_err(internal)?;
        Ok(image.id)
    })?;
    Ok(RegisterImageResult { image_id: Some(image_id) })
}

fn image(ctx: &Ctx, name: &str, input: &RegisterImageRequest) -> Result<Image, Error> {
    if input.virtualization_type.as_deref().is_some_and(|kind| kind != "hvm") {
        return Err(errors::unsupported("RegisterImage with VirtualizationType other than hvm"));
    }
    let root_device = input.root_device_name.as_deref().unwrap_or(DEFAULT_ROOT);
    check_device_name(root_device)?;
    let find = |id: &str| snapshots::usable(ctx, id);
    let devices = mappings::merge(Vec::new(), root_device, &input.block_device_mappings, &find)?;
    let root = devices.first().filter(|device| device.device == root_device);
    let Some(root) = root.and_then(|root| root.snapshot.as_deref()) else {
        let message = format!("The mapping of the root device {root_device} to a snapshot is missing");
        return Err(Error::client("InvalidBlockDeviceMapping", message));
    };
    let layers = find(root)?.layers.ok_or_else(|| {
        errors::unsupported(&format!(
            "RegisterImage with {root}, which is not of a root volume, as root device"
        ))
    })?;
    let architecture = input.architecture.as_deref().unwrap_or("i386");
    if !["x86_64", "arm64"].contains(&architecture) {
        return Err(errors::unsupported(&format!("RegisterImage with the architecture {architecture}")));
    }
    let tags = tags_for(ctx, &input.tag_specifications, "image", &["image"])?;
    Ok(Image {
        id: ids::ec2("ami"),
        name: name.to_owned(),
        description: description(input.description.as_deref())?,
        created: Timestamp::now(),
        owner: ctx.account.to_string(),
        region: Some(ctx.region.to_string()),
        layers,
        architecture: architecture.to_owned(),
        state: ImageState::Available,
        root_device: root_device.to_owned(),
        block_devices: devices,
        tags: tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        imds_v2: imds_v2(input.imds_support.as_deref())?,
        drivers: Drivers { ena: input.ena_support == Some(true), sriov: sriov(&input.sriov_net_support)? },
        ..Image::default()
    })
}

/// Whether metadata need session tokens, by EC2's name.
pub(super) fn imds_v2(name: Option<&str>) -> Result<bool, Error> {
    match name {
        None => Ok(false),
        Some("v2.0") => Ok(true),
        Some(other) => Err(errors::invalid_parameter(other, "imdsSupport", "Expected v2.0.")),
    }
}

/// The 82599 interface's state, by EC2's name.
pub fn sriov(name: &Option<String>) -> Result<Option<String>, Error> {
    match name.as_deref() {
        None => Ok(None),
        Some("simple") => Ok(Some("simple".to_owned())),
        Some(other) => Err(errors::invalid_parameter(other, "sriovNetSupport", "Expected simple.")),
    }
}
