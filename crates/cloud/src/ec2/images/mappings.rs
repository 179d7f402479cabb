//! Block device mappings: an image's volumes, changed by what a request maps. Pure.

use aws_wire::Error;
use aws_wire::ec2::{BlockDeviceMapping, EbsBlockDevice};
use machine::images::{BlockDevice, Snapshot};

use crate::ec2::errors;
use crate::ec2::instances::devices::check_device_name;
use crate::ec2::request::only_supported;
use crate::ec2::snapshots::size_over;
use crate::ec2::volumes::{self, Performance};

/// Finds a snapshot by its id, or says why it cannot be used.
pub type Find<'a> = &'a dyn Fn(&str) -> Result<Snapshot, Error>;

/// The type of volumes that nobody gives one.
const DEFAULT_TYPE: &str = "gp2";

/// Lays a request's mappings over the volumes that there are already.
///
/// # Errors
/// When a mapping is not valid or not supported, or a snapshot cannot be used.
pub fn merge(
    mut devices: Vec<BlockDevice>,
    root_device: &str,
    mappings: &[BlockDeviceMapping],
    find: Find<'_>,
) -> Result<Vec<BlockDevice>, Error> {
    for mapping in mappings {
        apply(&mut devices, root_device, mapping, find)?;
    }
    devices.sort_by_key(|device| device.device != root_device);
    Ok(devices)
}

fn apply(
    devices: &mut Vec<BlockDevice>,
    root_device: &str,
    mapping: &BlockDeviceMapping,
    find: Find<'_>,
) -> Result<(), Error> {
    let name =
        mapping.device_name.as_deref().ok_or_else(|| errors::missing("blockDeviceMapping.deviceName"))?;
    if mapping.virtual_name.is_some() {
        return Err(errors::unsupported("BlockDeviceMapping with VirtualName (an instance store)"));
    }
    if mapping.no_device.is_some() {
        if name == root_device {
            return Err(invalid(format!("The root device {name} cannot be suppressed")));
        }
        devices.retain(|device| device.device != name);
        return Ok(());
    }
    check_device_name(name)?;
    let Some(ebs) = &mapping.ebs else {
        return Err(invalid(format!("The device {name} is neither an EBS volume nor suppressed")));
    };
    check(ebs)?;
    let snapshot = ebs.snapshot_id.as_deref().filter(|id| !id.is_empty());
    let snapshot = snapshot.map(find).transpose()?;
    match devices.iter_mut().find(|device| device.device == name) {
        Some(device) => change(device, name == root_device, ebs, snapshot, find),
        None => {
            devices.push(new(name, ebs, snapshot)?);
            Ok(())
        }
    }
}

fn check(ebs: &EbsBlockDevice) -> Result<(), Error> {
    const SUPPORTED: &[&str] =
        &["DeleteOnTermination", "Iops", "SnapshotId", "Throughput", "VolumeSize", "VolumeType"];
    only_supported(ebs, "BlockDeviceMapping.Ebs", SUPPORTED)
}

fn new(name: &str, ebs: &EbsBlockDevice, snapshot: Option<Snapshot>) -> Result<BlockDevice, Error> {
    let size_gib = match (ebs.volume_size, &snapshot) {
        (Some(gib), None) => volumes::size(gib)?,
        (Some(gib), Some(snapshot)) => size_over(snapshot, gib)?,
        (None, Some(snapshot)) => snapshot.size_gib,
        (None, None) => {
            let message = "The request must contain the parameter size or snapshotId";
            return Err(Error::client("MissingParameter", message));
        }
    };
    let mut device = BlockDevice {
        snapshot: snapshot.map(|snapshot| snapshot.id),
        delete_on_termination: ebs.delete_on_termination.unwrap_or(true),
        ..BlockDevice::empty(name, size_gib)
    };
    set_performance(&mut device, ebs, DEFAULT_TYPE)?;
    Ok(device)
}

fn change(
    device: &mut BlockDevice,
    is_root: bool,
    ebs: &EbsBlockDevice,
    snapshot: Option<Snapshot>,
    find: Find<'_>,
) -> Result<(), Error> {
    if let Some(snapshot) = snapshot
        && device.snapshot.as_ref() != Some(&snapshot.id)
    {
        if is_root {
            return Err(invalid("snapshotId cannot be modified on root device".to_owned()));
        }
        device.size_gib = snapshot.size_gib;
        device.snapshot = Some(snapshot.id);
    }
    if let Some(gib) = ebs.volume_size {
        device.size_gib = match &device.snapshot {
            Some(id) => size_over(&find(id)?, gib)?,
            None => size_over_image(device, gib)?,
        };
    }
    let own_type = device.volume_type.clone();
    set_performance(device, ebs, &own_type)?;
    device.delete_on_termination = ebs.delete_on_termination.unwrap_or(device.delete_on_termination);
    Ok(())
}

fn size_over_image(device: &BlockDevice, gib: i32) -> Result<u32, Error> {
    let size = volumes::size(gib)?;
    if size >= device.size_gib {
        return Ok(size);
    }
    Err(invalid(format!(
        "Volume of size {size}GB is smaller than that of the image's device '{}', expect size >= {}GB",
        device.device, device.size_gib
    )))
}

fn set_performance(device: &mut BlockDevice, ebs: &EbsBlockDevice, default_type: &str) -> Result<(), Error> {
    let volume_type = ebs.volume_type.as_deref().unwrap_or(default_type);
    let same_type = volume_type == device.volume_type;
    // Figures are of a type: those of another one do not stay.
    let iops = ebs.iops.or(device.iops.filter(|_| same_type));
    let throughput = ebs.throughput.or(device.throughput.filter(|_| same_type));
    let performance = Performance::new(volume_type, iops, throughput)?;
    device.volume_type = performance.volume_type;
    device.iops = performance.iops;
    device.throughput = performance.throughput;
    Ok(())
}

fn invalid(what: String) -> Error {
    Error::client("InvalidBlockDeviceMapping", what)
}

/// A mapping as answers hold it.
pub fn to_wire(device: &BlockDevice) -> BlockDeviceMapping {
    BlockDeviceMapping {
        device_name: Some(device.device.clone()),
        ebs: Some(EbsBlockDevice {
            delete_on_termination: Some(device.delete_on_termination),
            volume_size: i32::try_from(device.size_gib).ok(),
            volume_type: Some(device.volume_type.clone()),
            snapshot_id: device.snapshot.clone(),
            iops: device.iops,
            throughput: device.throughput,
            encrypted: Some(false),
            ..EbsBlockDevice::default()
        }),
        ..BlockDeviceMapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn ebs(change: impl FnOnce(&mut EbsBlockDevice)) -> Option<EbsBlockDevice> {
        let mut ebs = EbsBlockDevice::default();
        change(&mut ebs);
        Some(ebs)
    }

    fn map(name: &str, ebs: Option<EbsBlockDevice>) -> BlockDeviceMapping {
        BlockDeviceMapping { device_name: Some(name.into()), ebs, ..Default::default() }
    }

    fn suppress(name: &str) -> BlockDeviceMapping {
        BlockDeviceMapping { no_device: Some(String::new()), ..map(name, None) }
    }

    /// A volume of the image that was made of a snapshot of 10 GiB, and what the mapping makes of all volumes.
    fn merged(mapping: BlockDeviceMapping) -> Result<Vec<BlockDevice>, String> {
        let mut devices = BlockDevice::ecs_optimised();
        devices.push(BlockDevice { snapshot: Some("snap-a".into()), ..BlockDevice::empty("/dev/sdf", 10) });
        let find = |id: &str| match id {
            "snap-a" => Ok(testing::snapshot("snap-a", 10)),
            "snap-b" => Ok(testing::snapshot("snap-b", 30)),
            other => Err(errors::SNAPSHOT.not_found(other)),
        };
        merge(devices, "/dev/xvda", &[mapping], &find).map_err(|error| error.code.to_string())
    }

    #[test]
    fn mappings_change_add_and_suppress() {
        let size = |gib| ebs(|e| e.volume_size = Some(gib));
        let from = |id: &str| ebs(|e| e.snapshot_id = Some(id.into()));
        type Expected = Result<(&'static str, u32, Option<&'static str>), &'static str>;
        let table: Vec<(BlockDeviceMapping, Expected)> = vec![
            (map("/dev/xvda", size(20)), Ok(("/dev/xvda", 20, None))),
            (map("/dev/xvda", size(4)), Err("InvalidBlockDeviceMapping")),
            (map("/dev/xvda", from("snap-b")), Err("InvalidBlockDeviceMapping")),
            (map("/dev/sdf", size(12)), Ok(("/dev/sdf", 12, Some("snap-a")))),
            (map("/dev/sdf", size(9)), Err("InvalidBlockDeviceMapping")),
            (map("/dev/sdf", from("snap-b")), Ok(("/dev/sdf", 30, Some("snap-b")))),
            (map("/dev/sdg", size(1)), Ok(("/dev/sdg", 1, None))),
            (map("/dev/sdg", from("snap-b")), Ok(("/dev/sdg", 30, Some("snap-b")))),
            (map("/dev/sdg", from("snap-c")), Err("InvalidSnapshot.NotFound")),
            (map("/dev/sdg", ebs(|_| {})), Err("MissingParameter")),
            (map("/dev/sdg", None), Err("InvalidBlockDeviceMapping")),
            (map("/dev/vdf", size(1)), Err("InvalidParameterValue")),
            (map("/dev/sdg", ebs(|e| e.encrypted = Some(true))), Err("UnsupportedOperation")),
            (suppress("/dev/xvda"), Err("InvalidBlockDeviceMapping")),
        ];
        for (mapping, expected) in table {
            let found = merged(mapping.clone());
            let found = found.as_ref().map_err(String::as_str).map(|devices| {
                let name = mapping.device_name.as_deref().unwrap();
                let device = devices.iter().find(|d| d.device == name).unwrap();
                (device.device.as_str(), device.size_gib, device.snapshot.as_deref())
            });
            assert_eq!(found, expected, "{mapping:?}");
        }
        let left = merged(suppress("/dev/xvdcz")).unwrap();
        assert_eq!(left.iter().map(|d| d.device.as_str()).collect::<Vec<_>>(), ["/dev/xvda", "/dev/sdf"]);
    }

    #[test]
    fn figures_belong_to_their_type() {
        let io1 = ebs(|e| (e.volume_type, e.iops) = (Some("io1".into()), Some(300)));
        let devices = merged(map("/dev/sdf", io1)).unwrap();
        let find = |_: &str| Ok(testing::snapshot("snap-a", 10));
        let gp3 = map("/dev/sdf", ebs(|e| e.volume_type = Some("gp3".into())));
        let changed = merge(devices, "/dev/xvda", &[gp3], &find).unwrap();
        let device = changed.iter().find(|d| d.device == "/dev/sdf").unwrap();
        assert_eq!((device.iops, device.throughput), (Some(3000), Some(125)));
    }
}
