//! `CreateSnapshot`, `CreateSnapshots`

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    CreateSnapshotRequest, CreateSnapshotsRequest, CreateSnapshotsResult, Snapshot as WireSnapshot,
    SnapshotInfo,
};
use jiff::Timestamp;
use machine::images::{Origin, Shared, Snapshot, SnapshotState};

use super::{describe, internal};
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{Read, change, only_supported, required, tags_for};
use crate::ec2::state::{InstanceRecord, VolumeRecord, VolumeState};
use crate::ids;

/// The most characters of a description.
const MAX_DESCRIPTION: usize = 255;

/// A snapshot of a volume, to be copied. Those with the same `batch` are of one moment.
pub fn of_volume(
    ctx: &Ctx,
    volume: &VolumeRecord,
    batch: &str,
    description: String,
    tags: &Tags,
) -> Snapshot {
    Snapshot {
        id: ids::ec2("snap"),
        region: ctx.region.to_string(),
        owner: ctx.account.to_string(),
        volume_id: volume.id.clone(),
        size_gib: volume.coming_size_gib(),
        description,
        started: Timestamp::now(),
        completed: None,
        state: SnapshotState::Pending,
        reason: None,
        origin: Origin::Volume(volume.id.clone()),
        batch: batch.to_owned(),
        layers: volume.layers.clone(),
        shared: Shared::default(),
        tags: tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

/// `CreateSnapshot`
pub fn create_snapshot(ctx: &Ctx, input: CreateSnapshotRequest) -> Result<WireSnapshot, Error> {
    const SUPPORTED: &[&str] = &["Description", "DryRun", "TagSpecifications", "VolumeId"];
    only_supported(&input, "CreateSnapshot", SUPPORTED)?;
    let id = required(&input.volume_id, "volumeId")?;
    let description = description(input.description.as_deref())?;
    let tags = tags_for(ctx, &input.tag_specifications, "snapshot", &["snapshot"])?;
    let snapshot = change(ctx, input.dry_run, |tx| {
        let volume = tx.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
        check(&volume)?;
        Ok(of_volume(ctx, &volume, &ids::ec2("batch"), description, &tags))
    })?;
    ctx.cloud.images.put_snapshot(&snapshot).map_err(internal)?;
    ctx.cloud.store.touch();
    Ok(describe::to_wire(ctx, &snapshot))
}

/// `CreateSnapshots`: of an instance's volumes, all of one moment.
pub fn create_snapshots(ctx: &Ctx, input: CreateSnapshotsRequest) -> Result<CreateSnapshotsResult, Error> {
    const SUPPORTED: &[&str] =
        &["CopyTagsFromSource", "Description", "DryRun", "InstanceSpecification", "TagSpecifications"];
    only_supported(&input, "CreateSnapshots", SUPPORTED)?;
    let asked =
        input.instance_specification.as_ref().ok_or_else(|| errors::missing("instanceSpecification"))?;
    let id = required(&asked.instance_id, "instanceId")?;
    let description = description(input.description.as_deref())?;
    let tags = tags_for(ctx, &input.tag_specifications, "snapshot", &["snapshot"])?;
    let copies_tags = match input.copy_tags_from_source.as_deref() {
        None => false,
        Some("volume") => true,
        Some(other) => {
            return Err(errors::invalid_parameter(other, "copyTagsFromSource", "Expected volume."));
        }
    };
    let snapshots = change(ctx, input.dry_run, |tx| {
        let instance = tx.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
        let batch = ids::ec2("batch");
        let mut snapshots = Vec::new();
        for volume in volumes_of(tx, &instance)? {
            let is_root = volume.attachment.as_ref().is_some_and(|a| a.device == instance.root_device);
            let is_excluded = asked.exclude_data_volume_ids.contains(&volume.id)
                || (is_root && asked.exclude_boot_volume == Some(true));
            if is_excluded {
                continue;
            }
            check(&volume)?;
            let mut own = if copies_tags { volume.tags.clone() } else { Tags::new() };
            tags.iter().for_each(|(key, value)| own.set(key, value));
            snapshots.push(of_volume(ctx, &volume, &batch, description.clone(), &own));
        }
        Ok(snapshots)
    })?;
    ctx.cloud.images.put_snapshots(&snapshots).map_err(internal)?;
    ctx.cloud.store.touch();
    Ok(CreateSnapshotsResult { snapshots: snapshots.iter().map(|s| info(ctx, s)).collect() })
}

/// An instance's volumes, the root volume first.
pub fn volumes_of(read: &impl Read, instance: &InstanceRecord) -> Result<Vec<Arc<VolumeRecord>>, Error> {
    let ids = instance.volumes.iter();
    ids.map(|id| read.need::<VolumeRecord>(&instance.region, id, errors::VOLUME)).collect()
}

/// Whether a snapshot can be taken of a volume.
fn check(volume: &VolumeRecord) -> Result<(), Error> {
    match volume.state {
        VolumeState::Creating | VolumeState::Available | VolumeState::InUse => Ok(()),
        VolumeState::Deleting | VolumeState::Error => {
            let message = format!("Volume '{}' is in the '{}' state.", volume.id, volume.state.name());
            Err(Error::client("IncorrectState", message))
        }
    }
}

/// A description within EC2's limit.
pub fn description(text: Option<&str>) -> Result<String, Error> {
    let text = text.unwrap_or_default();
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(errors::invalid_value(format!(
            "Character sets beyond {MAX_DESCRIPTION} characters are not supported for the description."
        )));
    }
    Ok(text.to_owned())
}

fn info(ctx: &Ctx, snapshot: &Snapshot) -> SnapshotInfo {
    let wire = describe::to_wire(ctx, snapshot);
    SnapshotInfo {
        description: wire.description,
        tags: wire.tags,
        encrypted: wire.encrypted,
        volume_id: wire.volume_id,
        state: wire.state,
        volume_size: wire.volume_size,
        start_time: wire.start_time,
        progress: wire.progress,
        owner_id: wire.owner_id,
        snapshot_id: wire.snapshot_id,
        ..SnapshotInfo::default()
    }
}
