//! Snapshots. They are kept with the images; the reconciler copies their bytes.

mod attributes;
mod copy;
mod create;
mod describe;

use aws_wire::Error;
use aws_wire::ec2::DeleteSnapshotRequest;
use machine::images::{ImageError, Snapshot, SnapshotState};

pub use attributes::{describe_snapshot_attribute, modify_snapshot_attribute, reset_snapshot_attribute};
pub use copy::{copy_of, copy_snapshot};
pub use create::{create_snapshot, create_snapshots, description, of_volume, volumes_of};
pub use describe::describe_snapshots;

use super::request::{required, stop_dry_run};
use super::{errors, volumes};
use crate::context::Ctx;

/// The snapshots that the request's region sees, in the order of their ids.
///
/// # Errors
/// When the image store cannot be read.
pub fn visible(ctx: &Ctx) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = ctx.cloud.images.snapshots().map_err(internal)?;
    snapshots.retain(|snapshot| snapshot.region == *ctx.region);
    Ok(snapshots)
}

/// The snapshot with this id.
///
/// # Errors
/// When the region does not see such a snapshot, or the image store cannot be read.
pub fn need(ctx: &Ctx, id: &str) -> Result<Snapshot, Error> {
    let snapshot = ctx.cloud.images.snapshot(id).map_err(internal)?;
    snapshot.filter(|s| s.region == *ctx.region).ok_or_else(|| errors::SNAPSHOT.not_found(id))
}

/// The snapshot with this id, of which volumes can be made.
///
/// # Errors
/// When there is none, or it is not completed.
pub fn usable(ctx: &Ctx, id: &str) -> Result<Snapshot, Error> {
    let snapshot = need(ctx, id)?;
    match snapshot.state {
        SnapshotState::Completed => Ok(snapshot),
        SnapshotState::Pending | SnapshotState::Failed | SnapshotState::Deleted => {
            let message = format!("Snapshot '{id}' is not 'completed'.");
            Err(Error::client("IncorrectState", message))
        }
    }
}

/// The size asked for of a volume that is made of a snapshot.
///
/// # Errors
/// When it is smaller than the snapshot's, or no volume's.
pub fn size_over(snapshot: &Snapshot, gib: i32) -> Result<u32, Error> {
    let size = volumes::size(gib)?;
    if size >= snapshot.size_gib {
        return Ok(size);
    }
    let message = format!(
        "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
        snapshot.id, snapshot.size_gib
    );
    Err(Error::client("InvalidBlockDeviceMapping", message))
}

pub(super) fn internal(error: ImageError) -> Error {
    Error::internal(format!("the image store: {error}"))
}

/// The images that are made of a snapshot.
pub(super) fn images_of(ctx: &Ctx, id: &str) -> Result<Vec<String>, Error> {
    let images = ctx.cloud.images.list().map_err(internal)?;
    let users = images
        .into_iter()
        .filter(|image| image.block_devices.iter().any(|device| device.snapshot.as_deref() == Some(id)));
    Ok(users.map(|image| image.id).collect())
}

/// `DeleteSnapshot`
pub fn delete_snapshot(ctx: &Ctx, input: DeleteSnapshotRequest) -> Result<(), Error> {
    let id = required(&input.snapshot_id, "snapshotId")?;
    need(ctx, id)?;
    if let Some(image) = images_of(ctx, id)?.first() {
        let message = format!("The snapshot {id} is currently in use by {image}");
        return Err(Error::client("InvalidSnapshot.InUse", message));
    }
    stop_dry_run(input.dry_run)?;
    ctx.cloud.images.delete_snapshot(id).map_err(internal)?;
    ctx.cloud.store.touch();
    Ok(())
}
