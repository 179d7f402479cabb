//! The volumes that an instance starts with: the image's, changed by what the launch asks for. Pure.

use aws_wire::Error;
use aws_wire::ec2::BlockDeviceMapping;
use machine::images::{BlockDevice, Image};

use crate::ec2::errors;
use crate::ec2::images::mappings::{self, Find};
use crate::ec2::state::VolumeSource;
use crate::ec2::volumes::Performance;

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
/// When a mapping is not valid or not supported, or a snapshot cannot be used.
pub fn merge(image: &Image, mappings: &[BlockDeviceMapping], find: Find<'_>) -> Result<Vec<Device>, Error> {
    let devices = mappings::merge(image.block_devices.clone(), &image.root_device, mappings, find)?;
    devices.into_iter().map(|device| to_be_made(device, image)).collect()
}

fn to_be_made(device: BlockDevice, image: &Image) -> Result<Device, Error> {
    let performance = match (device.iops, device.throughput) {
        (None, None) => Performance::of_type(&device.volume_type)?,
        (iops, throughput) => Performance::new(&device.volume_type, iops, throughput)?,
    };
    let source = match device.snapshot {
        Some(id) => VolumeSource::Snapshot(id),
        None if device.device == image.root_device => VolumeSource::Root,
        None => VolumeSource::Empty,
    };
    Ok(Device {
        name: device.device,
        size_gib: device.size_gib,
        performance,
        delete_on_termination: device.delete_on_termination,
        source,
    })
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
    use aws_wire::ec2::EbsBlockDevice;

    use super::*;
    use crate::testing;

    #[test]
    fn what_volumes_hold_at_first() {
        let mut image = testing::image("ami-00000001", "base");
        image
            .block_devices
            .push(BlockDevice { snapshot: Some("snap-a".into()), ..BlockDevice::empty("/dev/sdf", 1) });
        let empty = BlockDeviceMapping {
            device_name: Some("/dev/sdg".into()),
            ebs: Some(EbsBlockDevice { volume_size: Some(1), ..Default::default() }),
            ..Default::default()
        };
        let find = |_: &str| Ok(testing::snapshot("snap-a", 1));
        let merged = merge(&image, &[empty], &find).unwrap();
        let seen: Vec<_> = merged.iter().map(|d| (d.name.as_str(), d.source.clone())).collect();
        let expected = [
            ("/dev/xvda", VolumeSource::Root),
            ("/dev/xvdcz", VolumeSource::Empty),
            ("/dev/sdf", VolumeSource::Snapshot("snap-a".into())),
            ("/dev/sdg", VolumeSource::Empty),
        ];
        assert_eq!(seen, expected);
    }
}
