//! Block device mappings.

use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image, VolumeType};
use packer_template::config::BlockDevice;

/// The template's mappings as EC2 wants them.
pub(super) fn mappings(devices: &[BlockDevice]) -> Vec<BlockDeviceMapping> {
    devices.iter().map(mapping).collect()
}

fn mapping(device: &BlockDevice) -> BlockDeviceMapping {
    let mapping = BlockDeviceMapping::builder().device_name(&device.device_name);
    if device.no_device {
        return mapping.no_device("").build();
    }
    if let Some(name) = &device.virtual_name {
        // Only instance store volumes have virtual names; with any other the mapping is its device name alone.
        let ephemeral = name.starts_with("ephemeral").then(|| name.clone());
        return mapping.set_virtual_name(ephemeral).build();
    }
    mapping.ebs(ebs(device)).build()
}

fn ebs(device: &BlockDevice) -> EbsBlockDevice {
    let kind = device.volume_type.as_deref();
    // EC2 refuses IOPS and throughput for the types that have none to choose.
    let iops = device.iops.filter(|_| matches!(kind, Some("io1" | "io2" | "gp3")));
    let throughput = device.throughput.filter(|_| kind == Some("gp3"));
    EbsBlockDevice::builder()
        .delete_on_termination(device.delete_on_termination)
        .set_volume_type(kind.map(VolumeType::from))
        .set_volume_size(device.volume_size.filter(|size| *size > 0))
        .set_iops(iops)
        .set_throughput(throughput)
        .set_snapshot_id(device.snapshot_id.clone())
        .set_encrypted(device.encrypted)
        .set_kms_key_id(device.kms_key_id.clone())
        .build()
}

/// `launch_block_device_mappings` for a launch from a checkpoint of the same build: its volumes hold what the
/// provisioners before it have done, and are taken from its snapshots instead of being made anew.
pub(super) fn resumed(devices: &[BlockDevice], checkpoint: &Image) -> Vec<BlockDevice> {
    let snapshot_of = |name: &str| {
        let mut all = checkpoint.block_device_mappings().iter();
        all.find(|mapping| mapping.device_name.as_deref() == Some(name))?.ebs.as_ref()?.snapshot_id.clone()
    };
    let resumed = |device: &BlockDevice| BlockDevice {
        snapshot_id: snapshot_of(&device.device_name).or_else(|| device.snapshot_id.clone()),
        ..device.clone()
    };
    devices.iter().map(resumed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> BlockDevice {
        BlockDevice { device_name: "/dev/xvdcy".to_owned(), ..BlockDevice::default() }
    }

    #[test]
    fn the_seeds_volume_is_a_fresh_one() {
        let seed = BlockDevice {
            volume_size: Some(20),
            volume_type: Some("gp2".to_owned()),
            delete_on_termination: true,
            ..device()
        };
        let expected = BlockDeviceMapping::builder()
            .device_name("/dev/xvdcy")
            .ebs(
                EbsBlockDevice::builder()
                    .delete_on_termination(true)
                    .volume_size(20)
                    .volume_type(VolumeType::Gp2)
                    .build(),
            )
            .build();
        assert_eq!(mappings(&[seed]), [expected]);
    }

    #[test]
    fn speed_is_given_to_types_that_take_it() {
        let fast = |kind: &str| {
            let device = BlockDevice {
                volume_type: Some(kind.to_owned()),
                iops: Some(4000),
                throughput: Some(250),
                ..device()
            };
            let ebs = ebs(&device);
            (ebs.iops, ebs.throughput)
        };
        assert_eq!(fast("gp2"), (None, None));
        assert_eq!(fast("io1"), (Some(4000), None));
        assert_eq!(fast("io2"), (Some(4000), None));
        assert_eq!(fast("gp3"), (Some(4000), Some(250)));
    }

    #[test]
    fn a_device_may_be_taken_away_or_be_an_instance_store() {
        let none = mapping(&BlockDevice { no_device: true, ..device() });
        assert_eq!((none.no_device.as_deref(), none.ebs), (Some(""), None));
        let named = |name: &str| mapping(&BlockDevice { virtual_name: Some(name.to_owned()), ..device() });
        assert_eq!(named("ephemeral0").virtual_name.as_deref(), Some("ephemeral0"));
        assert_eq!(named("data").virtual_name, None);
        assert_eq!(named("data").ebs, None);
    }

    #[test]
    fn snapshot_and_encryption_are_passed_on() {
        let device = BlockDevice {
            snapshot_id: Some("snap-1".to_owned()),
            encrypted: Some(true),
            kms_key_id: Some("alias/mine".to_owned()),
            ..device()
        };
        let ebs = ebs(&device);
        assert_eq!(ebs.snapshot_id.as_deref(), Some("snap-1"));
        assert_eq!((ebs.encrypted, ebs.kms_key_id.as_deref()), (Some(true), Some("alias/mine")));
    }

    #[test]
    fn a_resumed_build_keeps_its_volumes() {
        let ebs = EbsBlockDevice::builder().snapshot_id("snap-9").build();
        let mapping = BlockDeviceMapping::builder().device_name("/dev/xvdcy").ebs(ebs).build();
        let checkpoint = Image::builder().block_device_mappings(mapping).build();
        let other = BlockDevice { device_name: "/dev/xvdz".to_owned(), ..BlockDevice::default() };
        let resumed = resumed(&[device(), other], &checkpoint);
        assert_eq!(resumed[0].snapshot_id.as_deref(), Some("snap-9"));
        assert_eq!(resumed[1].snapshot_id, None);
    }
}
