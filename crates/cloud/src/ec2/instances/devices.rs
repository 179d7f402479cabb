//! The volumes that an instance starts with: the image's, changed by what the launch asks for. Pure.

use aws_wire::Error;
use aws_wire::ec2::{BlockDeviceMapping, EbsBlockDevice};
use machine::images::Image;

use crate::ec2::errors;
use crate::ec2::request::only_supported;
use crate::ec2::state::VolumeSource;
use crate::ec2::volumes::{self, Performance};

/// A volume to be made with an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The name that the instance sees it under.
    pub name: String,
    /// Its size in GiB.
    pub size_gib: u32,
    /// Its type and figures.
    pub performance: Performance,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// What it holds at first.
    pub source: VolumeSource,
}

/// The image's volumes with a launch's mappings laid over them, the root volume first.
///
/// # Errors
/// When a mapping is not valid or not supported.
pub fn merge(image: &Image, mappings: &[BlockDeviceMapping]) -> Result<Vec<Device>, Error> {
    let mut devices: Vec<Device> = Vec::new();
    for device in &image.block_devices {
        let is_root = device.device == image.root_device;
        devices.push(Device {
            name: device.device.clone(),
            size_gib: device.size_gib,
            performance: Performance::of_type(&device.volume_type)?,
            delete_on_termination: device.delete_on_termination,
            source: match &device.snapshot {
                Some(file) => VolumeSource::CopyOf(file.clone()),
                None if is_root => VolumeSource::Root,
                None => VolumeSource::Empty,
            },
        });
    }
    for mapping in mappings {
        apply(&mut devices, image, mapping)?;
    }
    devices.sort_by_key(|device| device.name != image.root_device);
    Ok(devices)
}

fn apply(devices: &mut Vec<Device>, image: &Image, mapping: &BlockDeviceMapping) -> Result<(), Error> {
    let name =
        mapping.device_name.as_deref().ok_or_else(|| errors::missing("blockDeviceMapping.deviceName"))?;
    let invalid = |what: String| Error::client("InvalidBlockDeviceMapping", what);
    if mapping.virtual_name.is_some() {
        return Err(errors::unsupported("BlockDeviceMapping with VirtualName (an instance store)"));
    }
    if mapping.no_device.is_some() {
        if name == image.root_device {
            return Err(invalid(format!("The root device {name} cannot be suppressed")));
        }
        devices.retain(|device| device.name != name);
        return Ok(());
    }
    check_device_name(name)?;
    let Some(ebs) = &mapping.ebs else {
        return Err(invalid(format!("The device {name} is neither an EBS volume nor suppressed")));
    };
    const SUPPORTED: &[&str] =
        &["DeleteOnTermination", "Iops", "SnapshotId", "Throughput", "VolumeSize", "VolumeType"];
    only_supported(ebs, "BlockDeviceMapping.Ebs", SUPPORTED)?;
    if let Some(id) = &ebs.snapshot_id {
        return Err(Error::client(
            "InvalidSnapshot.NotFound",
            format!("The snapshot '{id}' does not exist."),
        ));
    }
    match devices.iter_mut().find(|device| device.name == name) {
        Some(device) => change(device, ebs),
        None => {
            devices.push(Device {
                name: name.to_owned(),
                size_gib: volumes::size(ebs.volume_size.ok_or_else(|| {
                    Error::client(
                        "MissingParameter",
                        "The request must contain the parameter size or snapshotId",
                    )
                })?)?,
                performance: performance(ebs, "gp2")?,
                delete_on_termination: ebs.delete_on_termination.unwrap_or(true),
                source: VolumeSource::Empty,
            });
            Ok(())
        }
    }
}

fn change(device: &mut Device, ebs: &EbsBlockDevice) -> Result<(), Error> {
    if let Some(size) = ebs.volume_size {
        let size = volumes::size(size)?;
        if size < device.size_gib {
            let message = format!(
                "Volume of size {size}GB is smaller than that of the image's device '{}', expect size >= {}GB",
                device.name, device.size_gib
            );
            return Err(Error::client("InvalidBlockDeviceMapping", message));
        }
        device.size_gib = size;
    }
    device.performance = performance(ebs, &device.performance.volume_type)?;
    device.delete_on_termination = ebs.delete_on_termination.unwrap_or(device.delete_on_termination);
    Ok(())
}

fn performance(ebs: &EbsBlockDevice, default_type: &str) -> Result<Performance, Error> {
    Performance::new(ebs.volume_type.as_deref().unwrap_or(default_type), ebs.iops, ebs.throughput)
}

/// Device names are what EC2's Linux images use: `/dev/sd…` or `/dev/xvd…`.
///
/// # Errors
/// When it is something else.
pub fn check_device_name(name: &str) -> Result<(), Error> {
    let letters = name.strip_prefix("/dev/sd").or_else(|| name.strip_prefix("/dev/xvd"));
    let good = letters.is_some_and(|rest| {
        (1..=3).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    if good {
        return Ok(());
    }
    Err(errors::invalid_parameter(name, "unixDevice", &format!("{name} is not a valid EBS device name.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn mapping(name: &str, ebs: EbsBlockDevice) -> BlockDeviceMapping {
        BlockDeviceMapping { device_name: Some(name.into()), ebs: Some(ebs), ..Default::default() }
    }

    #[test]
    fn mappings_change_add_and_suppress() {
        let image = testing::image("ami-00000001", "base");
        let merged = merge(
            &image,
            &[
                mapping("/dev/xvda", EbsBlockDevice { volume_size: Some(20), ..Default::default() }),
                mapping("/dev/sdf", EbsBlockDevice { volume_size: Some(1), ..Default::default() }),
                BlockDeviceMapping {
                    device_name: Some("/dev/xvdcz".into()),
                    no_device: Some(String::new()),
                    ..Default::default()
                },
            ],
        )
        .unwrap();
        let seen: Vec<_> = merged.iter().map(|d| (d.name.as_str(), d.size_gib, d.source.clone())).collect();
        assert_eq!(seen, [("/dev/xvda", 20, VolumeSource::Root), ("/dev/sdf", 1, VolumeSource::Empty)]);
    }

    #[test]
    fn bad_mappings() {
        let image = testing::image("ami-00000001", "base");
        for (mapping, code) in [
            (
                mapping("/dev/xvda", EbsBlockDevice { volume_size: Some(4), ..Default::default() }),
                "InvalidBlockDeviceMapping",
            ),
            (mapping("/dev/sdf", EbsBlockDevice::default()), "MissingParameter"),
            (
                mapping("/dev/vdf", EbsBlockDevice { volume_size: Some(1), ..Default::default() }),
                "InvalidParameterValue",
            ),
            (
                mapping("/dev/sdf", EbsBlockDevice { encrypted: Some(true), ..Default::default() }),
                "UnsupportedOperation",
            ),
            (
                mapping(
                    "/dev/sdf",
                    EbsBlockDevice { snapshot_id: Some("snap-1".into()), ..Default::default() },
                ),
                "InvalidSnapshot.NotFound",
            ),
            (
                BlockDeviceMapping {
                    device_name: Some("/dev/xvda".into()),
                    no_device: Some(String::new()),
                    ..Default::default()
                },
                "InvalidBlockDeviceMapping",
            ),
        ] {
            assert_eq!(merge(&image, std::slice::from_ref(&mapping)).unwrap_err().code, code, "{mapping:?}");
        }
    }
}
