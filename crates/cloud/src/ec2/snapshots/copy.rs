//! `CopySnapshot`

use aws_wire::Error;
use aws_wire::ec2::{CopySnapshotRequest, CopySnapshotResult};
use jiff::Timestamp;
use machine::images::{Origin, Shared, Snapshot, SnapshotState};

use super::create::description;
use super::internal;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ec2::request::{only_supported, required, stop_dry_run, tag_set, tags_for};
use crate::ec2::{errors, regions};
use crate::ids;

/// What EC2 names as the volume of a snapshot that is a copy.
const NO_VOLUME: &str = "vol-ffffffff";

/// A copy of a snapshot in the request's region, to be copied.
pub fn copy_of(ctx: &Ctx, source: &Snapshot, description: String, tags: &Tags) -> Snapshot {
    let id = ids::ec2("snap");
    Snapshot {
        region: ctx.region.to_string(),
        owner: ctx.account.to_string(),
        volume_id: NO_VOLUME.to_owned(),
        size_gib: source.size_gib,
        description,
        started: Timestamp::now(),
        completed: None,
        state: SnapshotState::Pending,
        reason: None,
        origin: Origin::Snapshot(source.id.clone()),
        batch: id.clone(),
        layers: source.layers.clone(),
        shared: Shared::default(),
        tags: tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        id,
    }
}

/// `CopySnapshot`: asked for in the region that the copy is to be in.
pub fn copy_snapshot(ctx: &Ctx, input: CopySnapshotRequest) -> Result<CopySnapshotResult, Error> {
    const SUPPORTED: &[&str] = &[
        "Description",
        "DestinationRegion",
        "DryRun",
        "PresignedUrl",
        "SourceRegion",
        "SourceSnapshotId",
        "TagSpecifications",
    ];
    only_supported(&input, "CopySnapshot", SUPPORTED)?;
    let id = required(&input.source_snapshot_id, "sourceSnapshotId")?;
    let region = required(&input.source_region, "sourceRegion")?;
    if regions::zones(region).is_empty() {
        return Err(errors::invalid_parameter(region, "sourceRegion", "There is no such region."));
    }
    let tags = tags_for(ctx, &input.tag_specifications, "snapshot", &["snapshot"])?;
    let description = description(input.description.as_deref())?;
    let source = ctx.cloud.images.snapshot(id).map_err(internal)?;
    let source = source.filter(|s| s.region == region).ok_or_else(|| errors::SNAPSHOT.not_found(id))?;
    if source.state == SnapshotState::Failed {
        let message = format!("Snapshot '{id}' is not 'completed'.");
        return Err(Error::client("IncorrectState", message));
    }
    stop_dry_run(input.dry_run)?;
    let copy = copy_of(ctx, &source, description, &tags);
    ctx.cloud.images.put_snapshot(&copy).map_err(internal)?;
    ctx.cloud.store.touch();
    Ok(CopySnapshotResult { snapshot_id: Some(copy.id), tags: tag_set(&tags) })
}
