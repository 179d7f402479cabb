//! Volumes.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    AttachVolumeRequest, CreateVolumeRequest, DeleteVolumeRequest, DescribeVolumeStatusRequest,
    DescribeVolumeStatusResult, DescribeVolumesRequest, DescribeVolumesResult, DetachVolumeRequest, Volume,
    VolumeAttachment as WireAttachment, VolumeStatusInfo, VolumeStatusItem,
};
use jiff::Timestamp;
use machine::volumes::MAX_GIB;

use super::instances::devices::check_device_name;
use super::request::{Query, Read, change, only_supported, required, tag_set, tags_for, truth};
use super::state::{
    AttachmentState, InstanceRecord, InstanceState, VolumeAttachment, VolumeRecord, VolumeSource, VolumeState,
};
use super::{errors, regions, snapshots};
use crate::api::filters::Field;
use crate::context::Ctx;
use crate::ids;
use crate::store::Tx;

/// A volume's type and figures. They are described; every volume is as fast as the host's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performance {
    /// `gp2`, `gp3`, …
    pub volume_type: String,
    /// Input and output operations per second.
    pub iops: Option<i32>,
    /// MiB per second.
    pub throughput: Option<i32>,
}

impl Performance {
    /// A type with its default figures.
    ///
    /// # Errors
    /// When there is no such type.
    pub fn of_type(volume_type: &str) -> Result<Self, Error> {
        match volume_type {
            "io1" | "io2" => {
                Ok(Self { volume_type: volume_type.to_owned(), iops: Some(100), throughput: None })
            }
            other => Self::new(other, None, None),
        }
    }

    /// A type with figures, each within the type's range.
    ///
    /// # Errors
    /// When there is no such type, or it does not have such a figure.
    pub fn new(volume_type: &str, iops: Option<i32>, throughput: Option<i32>) -> Result<Self, Error> {
        let (iops_range, default_iops, throughput_range, default_throughput) = match volume_type {
            "gp3" => (Some(3000..=80000), Some(3000), Some(125..=2000), Some(125)),
            "io1" => (Some(100..=64000), None, None, None),
            "io2" => (Some(100..=256_000), None, None, None),
            "gp2" | "st1" | "sc1" | "standard" => (None, None, None, None),
            other => return Err(errors::invalid_parameter(other, "volumeType", "Invalid volume type.")),
        };
        if iops_range.is_some() && default_iops.is_none() && iops.is_none() {
            let message = format!("The parameter iops must be specified for {volume_type} volumes.");
            return Err(Error::client("MissingParameter", message));
        }
        let check = |value: Option<i32>, range: Option<std::ops::RangeInclusive<i32>>, name: &str| match (
            value, range,
        ) {
            (Some(_), None) => Err(errors::bad_combination(format!(
                "The parameter {name} is not supported for {volume_type} volumes."
            ))),
            (Some(value), Some(range)) if !range.contains(&value) => Err(errors::invalid_value(format!(
                "Volume {name} of {value} is out of range; it must be between {} and {}.",
                range.start(),
                range.end()
            ))),
            _ => Ok(()),
        };
        check(iops, iops_range, "iops")?;
        check(throughput, throughput_range, "throughput")?;
        Ok(Self {
            volume_type: volume_type.to_owned(),
            iops: iops.or(default_iops),
            throughput: throughput.or(default_throughput),
        })
    }
}

/// A volume's size in GiB, within what a volume may have.
///
/// # Errors
/// When it is not.
pub fn size(gib: i32) -> Result<u32, Error> {
    u32::try_from(gib).ok().filter(|gib| (1..=MAX_GIB).contains(gib)).ok_or_else(|| {
        errors::invalid_value(format!(
            "Volume of {gib}GiB is not valid; it must be between 1GiB and {MAX_GIB}GiB."
        ))
    })
}

/// `CreateVolume`
pub fn create_volume(ctx: &Ctx, input: CreateVolumeRequest) -> Result<Volume, Error> {
    const SUPPORTED: &[&str] = &[
        "AvailabilityZone",
        "AvailabilityZoneId",
        "ClientToken",
        "DryRun",
        "Iops",
        "Size",
        "SnapshotId",
        "TagSpecifications",
        "Throughput",
        "VolumeType",
    ];
    only_supported(&input, "CreateVolume", SUPPORTED)?;
    let snapshot = input.snapshot_id.as_deref().filter(|id| !id.is_empty());
    let snapshot = snapshot.map(|id| snapshots::usable(ctx, id)).transpose()?;
    let zones = regions::zones(&ctx.region);
    let zone = match (&input.availability_zone, &input.availability_zone_id) {
        (Some(name), _) => zones.iter().find(|zone| *zone == name),
        (None, Some(id)) => zones.iter().find(|zone| regions::zone_id(zone).as_ref() == Some(id)),
        (None, None) => return Err(errors::missing("zone")),
    };
    let zone = zone.cloned().ok_or_else(|| {
        let asked = input.availability_zone.as_ref().or(input.availability_zone_id.as_ref());
        let asked = asked.map(String::as_str).unwrap_or_default();
        Error::client("InvalidZone.NotFound", format!("The zone '{asked}' does not exist."))
    })?;
    let performance =
        Performance::new(input.volume_type.as_deref().unwrap_or("gp2"), input.iops, input.throughput)?;
    let size_gib = match (input.size, &snapshot) {
        (Some(gib), None) => size(gib)?,
        (None, None) => return Err(errors::missing("size")),
        (None, Some(snapshot)) => snapshot.size_gib,
        (Some(gib), Some(snapshot)) => snapshots::size_over(snapshot, gib)?,
    };
    let source = snapshot.map_or(VolumeSource::Empty, |snapshot| VolumeSource::Snapshot(snapshot.id));
    let tags = tags_for(ctx, &input.tag_specifications, "volume", &["volume"])?;
    let volume = change(ctx, input.dry_run, |tx| {
        if let Some(earlier) = by_token(tx, ctx, input.client_token.as_deref()) {
            if earlier.size_gib != size_gib || earlier.zone != zone || earlier.source != source {
                return Err(errors::token_mismatch());
            }
            return Ok(Arc::unwrap_or_clone(earlier));
        }
        let volume = VolumeRecord {
            region: ctx.region.to_string(),
            id: ids::ec2("vol"),
            zone,
            size_gib,
            volume_type: performance.volume_type,
            iops: performance.iops,
            throughput: performance.throughput,
            source,
            layers: None,
            create_time: Timestamp::now(),
            state: VolumeState::Creating,
            attachment: None,
            client_token: input.client_token,
            modification: None,
            tags,
        };
        tx.put(volume.clone())?;
        Ok(volume)
    })?;
    Ok(to_wire(&volume))
}

fn by_token(tx: &Tx<'_>, ctx: &Ctx, token: Option<&str>) -> Option<Arc<VolumeRecord>> {
    let token = token?;
    let volumes = tx.list::<VolumeRecord>(&ctx.region);
    volumes.into_iter().find(|volume| volume.client_token.as_deref() == Some(token))
}

/// `DeleteVolume`
pub fn delete_volume(ctx: &Ctx, input: DeleteVolumeRequest) -> Result<(), Error> {
    let id = required(&input.volume_id, "volumeId")?;
    change(ctx, input.dry_run, |tx| {
        let volume = tx.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
        if let Some(attachment) = &volume.attachment {
            let message = format!("Volume {id} is currently attached to {}", attachment.instance_id);
            return Err(Error::client("VolumeInUse", message));
        }
        tx.update::<VolumeRecord>(&ctx.region, id, |volume| volume.state = VolumeState::Deleting)?;
        Ok(())
    })
}

/// `AttachVolume`
pub fn attach_volume(ctx: &Ctx, input: AttachVolumeRequest) -> Result<WireAttachment, Error> {
    only_supported(&input, "AttachVolume", &["Device", "InstanceId", "VolumeId", "DryRun"])?;
    let id = required(&input.volume_id, "volumeId")?;
    let instance_id = required(&input.instance_id, "instanceId")?;
    let device = required(&input.device, "device")?;
    check_device_name(device)?;
    change(ctx, input.dry_run, |tx| {
        let volume = tx.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
        let instance = tx.need::<InstanceRecord>(&ctx.region, instance_id, errors::INSTANCE)?;
        if volume.state != VolumeState::Available {
            let message = match &volume.attachment {
                Some(other) => format!("{id} is already attached to an instance ({})", other.instance_id),
                None => format!("Volume '{id}' is not 'available'."),
            };
            let code = if volume.attachment.is_some() { "VolumeInUse" } else { "IncorrectState" };
            return Err(Error::client(code, message));
        }
        if volume.zone != instance.zone {
            let message =
                format!("The volume '{id}' is not in the same availability zone as instance '{instance_id}'");
            return Err(Error::client("InvalidVolume.ZoneMismatch", message));
        }
        if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
            let message = format!("Instance '{instance_id}' is not 'running' or 'stopped'.");
            return Err(Error::client("IncorrectState", message));
        }
        if device_in_use(tx, &instance, device) {
            let message = format!(
                "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
            );
            return Err(errors::invalid_value(message));
        }
        let state = match instance.state {
            InstanceState::Running => AttachmentState::Attaching,
            _ => AttachmentState::Attached,
        };
        let attachment = VolumeAttachment {
            instance_id: instance_id.to_owned(),
            device: device.to_owned(),
            state,
            attach_time: Timestamp::now(),
            delete_on_termination: false,
        };
        tx.update::<VolumeRecord>(&ctx.region, id, |volume| {
            volume.state = VolumeState::InUse;
            volume.attachment = Some(attachment.clone());
        })?;
        tx.update::<InstanceRecord>(&ctx.region, instance_id, |instance| {
            instance.volumes.push(id.to_owned())
        })?;
        Ok(attachment_to_wire(id, &attachment))
    })
}

fn device_in_use(tx: &Tx<'_>, instance: &InstanceRecord, device: &str) -> bool {
    instance
        .volumes
        .iter()
        .filter_map(|id| tx.get::<VolumeRecord>(&instance.region, id))
        .any(|volume| volume.attachment.as_ref().is_some_and(|attachment| attachment.device == device))
}

/// `DetachVolume`
pub fn detach_volume(ctx: &Ctx, input: DetachVolumeRequest) -> Result<WireAttachment, Error> {
    let id = required(&input.volume_id, "volumeId")?;
    change(ctx, input.dry_run, |tx| {
        let volume = tx.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
        let Some(attachment) = &volume.attachment else {
            let message = format!("Volume '{id}' is in the '{}' state.", volume.state.name());
            return Err(Error::client("IncorrectState", message));
        };
        let matches = input.instance_id.as_ref().is_none_or(|asked| *asked == attachment.instance_id)
            && input.device.as_ref().is_none_or(|asked| *asked == attachment.device);
        if !matches {
            let message = format!(
                "The volume '{id}' is not attached to instance '{}' as device '{}'",
                input.instance_id.as_deref().unwrap_or_default(),
                input.device.as_deref().unwrap_or_default()
            );
            return Err(Error::client("InvalidAttachment.NotFound", message));
        }
        let instance = tx.need::<InstanceRecord>(&ctx.region, &attachment.instance_id, errors::INSTANCE)?;
        let is_root = instance.root_device == attachment.device;
        if is_root {
            let message = format!("Unable to detach root volume '{id}' from instance '{}'", instance.id);
            let code = if instance.state == InstanceState::Stopped {
                "UnsupportedOperation"
            } else {
                "OperationNotPermitted"
            };
            return Err(Error::client(code, message));
        }
        let mut attachment = attachment.clone();
        attachment.state = AttachmentState::Detaching { force: input.force == Some(true) };
        let answer = attachment_to_wire(id, &attachment);
        if instance.state == InstanceState::Stopped {
            release(tx, &ctx.region, id)?;
        } else {
            tx.update::<VolumeRecord>(&ctx.region, id, |volume| volume.attachment = Some(attachment))?;
        }
        Ok(answer)
    })
}

/// Makes a volume nobody's.
///
/// # Errors
/// When the store fails.
pub fn release(tx: &mut Tx<'_>, region: &str, id: &str) -> Result<(), Error> {
    let Some(volume) = tx.get::<VolumeRecord>(region, id) else { return Ok(()) };
    if let Some(attachment) = &volume.attachment {
        tx.update::<InstanceRecord>(region, &attachment.instance_id, |instance| {
            instance.volumes.retain(|other| other != id);
        })?;
    }
    tx.update::<VolumeRecord>(region, id, |volume| {
        volume.attachment = None;
        volume.state = VolumeState::Available;
    })?;
    Ok(())
}

const FIELDS: &[Field<VolumeRecord>] = &[
    ("volume-id", |volume, is| is(&volume.id)),
    ("availability-zone", |volume, is| is(&volume.zone)),
    ("size", |volume, is| is(&volume.size_gib.to_string())),
    ("status", |volume, is| is(volume.state.name())),
    ("volume-type", |volume, is| is(&volume.volume_type)),
    ("snapshot-id", |volume, is| volume.source.snapshot().is_some_and(is)),
    ("create-time", |volume, is| is(&volume.create_time.to_string())),
    ("encrypted", |_, is| is("false")),
    ("multi-attach-enabled", |_, is| is("false")),
    ("attachment.instance-id", |volume, is| volume.attachment.as_ref().is_some_and(|a| is(&a.instance_id))),
    ("attachment.device", |volume, is| volume.attachment.as_ref().is_some_and(|a| is(&a.device))),
    ("attachment.status", |volume, is| volume.attachment.as_ref().is_some_and(|a| is(a.state.name()))),
    ("attachment.delete-on-termination", |volume, is| {
        volume.attachment.as_ref().is_some_and(|a| is(truth(a.delete_on_termination)))
    }),
];

/// `DescribeVolumes`
pub fn describe_volumes(ctx: &Ctx, input: DescribeVolumesRequest) -> Result<DescribeVolumesResult, Error> {
    let query = Query {
        ids: &input.volume_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |volume: &VolumeRecord| &volume.tags,
        kind: errors::VOLUME,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeVolumesResult {
        volumes: page.items.iter().map(|volume| to_wire(volume)).collect(),
        next_token: page.next,
    })
}

/// `DescribeVolumeStatus`
pub fn describe_volume_status(
    ctx: &Ctx,
    input: DescribeVolumeStatusRequest,
) -> Result<DescribeVolumeStatusResult, Error> {
    const FIELDS: &[Field<VolumeRecord>] = &[
        ("availability-zone", |volume, is| is(&volume.zone)),
        ("volume-status.status", |volume, is| is(health(volume))),
    ];
    let query = Query {
        ids: &input.volume_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |volume: &VolumeRecord| &volume.tags,
        kind: errors::VOLUME,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    let item = |volume: &Arc<VolumeRecord>| VolumeStatusItem {
        volume_id: Some(volume.id.clone()),
        availability_zone: Some(volume.zone.clone()),
        volume_status: Some(VolumeStatusInfo {
            status: Some(health(volume).to_owned()),
            ..Default::default()
        }),
        ..VolumeStatusItem::default()
    };
    Ok(DescribeVolumeStatusResult {
        volume_statuses: page.items.iter().map(item).collect(),
        next_token: page.next,
    })
}

fn health(volume: &VolumeRecord) -> &'static str {
    match volume.state {
        VolumeState::Creating => "insufficient-data",
        VolumeState::Error => "impaired",
        VolumeState::Available | VolumeState::InUse | VolumeState::Deleting => "ok",
    }
}

fn to_wire(volume: &VolumeRecord) -> Volume {
    Volume {
        volume_id: Some(volume.id.clone()),
        availability_zone: Some(volume.zone.clone()),
        availability_zone_id: regions::zone_id(&volume.zone),
        size: i32::try_from(volume.size_gib).ok(),
        volume_type: Some(volume.volume_type.clone()),
        iops: volume.iops,
        throughput: volume.throughput,
        // A volume without a snapshot has an empty id on EC2, not none.
        snapshot_id: Some(volume.source.snapshot().unwrap_or_default().to_owned()),
        state: Some(volume.state.name().to_owned()),
        create_time: Some(volume.create_time),
        attachments: volume.attachment.iter().map(|a| attachment_to_wire(&volume.id, a)).collect(),
        encrypted: Some(false),
        multi_attach_enabled: Some(false),
        tags: tag_set(&volume.tags),
        ..Volume::default()
    }
}

fn attachment_to_wire(volume_id: &str, attachment: &VolumeAttachment) -> WireAttachment {
    WireAttachment {
        volume_id: Some(volume_id.to_owned()),
        instance_id: Some(attachment.instance_id.clone()),
        device: Some(attachment.device.clone()),
        state: Some(attachment.state.name().to_owned()),
        attach_time: Some(attachment.attach_time),
        delete_on_termination: Some(attachment.delete_on_termination),
        ..WireAttachment::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_figures() {
        for (kind, iops, throughput, expected) in [
            ("gp2", None, None, Ok((None, None))),
            ("gp3", None, None, Ok((Some(3000), Some(125)))),
            ("gp3", Some(4000), Some(250), Ok((Some(4000), Some(250)))),
            ("io1", Some(200), None, Ok((Some(200), None))),
            ("io1", None, None, Err("MissingParameter")),
            ("gp2", Some(200), None, Err("InvalidParameterCombination")),
            ("gp3", Some(1), None, Err("InvalidParameterValue")),
            ("floppy", None, None, Err("InvalidParameterValue")),
        ] {
            let found = Performance::new(kind, iops, throughput);
            let found = found.map(|p| (p.iops, p.throughput)).map_err(|error| error.code);
            assert_eq!(found, expected.map_err(str::to_owned), "{kind} {iops:?} {throughput:?}");
        }
        assert!(size(0).is_err() && size(-1).is_err() && size(8).is_ok());
    }
}
