//! `DeregisterImage`

use std::collections::BTreeSet;

use aws_wire::Error;
use aws_wire::ec2::{DeleteSnapshotReturnCode, DeregisterImageRequest, DeregisterImageResult};
use machine::images::{Image, ImageError, InUse};

use super::{internal, need_own};
use crate::context::Ctx;
use crate::ec2::request::{required, stop_dry_run};
use crate::ec2::snapshots::images_of;

/// `DeregisterImage`. Instances that were launched from it run on and boot again; its snapshots stay, unless they are
/// to be deleted with it.
pub fn deregister_image(ctx: &Ctx, input: DeregisterImageRequest) -> Result<DeregisterImageResult, Error> {
    let image = need_own(ctx, required(&input.image_id, "imageId")?)?;
    if image.deregistration_protection {
        let message = format!("Image {} is protected against deregistration", image.id);
        return Err(Error::client("OperationNotPermitted", message));
    }
    stop_dry_run(input.dry_run)?;
    // What instances need of it are its layers, not its record.
    let in_use = InUse { images: BTreeSet::new(), ..crate::in_use(&ctx.cloud.store) };
    ctx.cloud.images.remove(&image.id, &in_use).map_err(|error| match error {
        ImageError::InUse { .. } => Error::client("DependencyViolation", error.to_string()),
        other => internal(other),
    })?;
    let delete_snapshot_results = match input.delete_associated_snapshots {
        Some(true) => delete_snapshots(ctx, &image)?,
        Some(false) | None => Vec::new(),
    };
    ctx.cloud.store.touch();
    Ok(DeregisterImageResult { return_: Some(true), delete_snapshot_results })
}

fn delete_snapshots(ctx: &Ctx, image: &Image) -> Result<Vec<DeleteSnapshotReturnCode>, Error> {
    let mut results = Vec::new();
    for id in image.block_devices.iter().filter_map(|device| device.snapshot.as_ref()) {
        let code = if images_of(ctx, id)?.is_empty() {
            ctx.cloud.images.delete_snapshot(id).map_err(internal)?;
            "success"
        } else {
            "skipped"
        };
        results.push(DeleteSnapshotReturnCode {
            snapshot_id: Some(id.clone()),
            return_code: Some(code.to_owned()),
        });
    }
    Ok(results)
}
