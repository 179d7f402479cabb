//! `DescribeSnapshotAttribute`, `ModifySnapshotAttribute`, `ResetSnapshotAttribute`

use aws_wire::Error;
use aws_wire::ec2::{
    CreateVolumePermission, DescribeSnapshotAttributeRequest, DescribeSnapshotAttributeResult,
    ModifySnapshotAttributeRequest, ResetSnapshotAttributeRequest,
};
use machine::images::Shared;

use super::{internal, need};
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{required, stop_dry_run};
use crate::ec2::sharing::{Changes, shared, volume_permissions};

const PERMISSION: &str = "createVolumePermission";

/// `DescribeSnapshotAttribute`
pub fn describe_snapshot_attribute(
    ctx: &Ctx,
    input: DescribeSnapshotAttributeRequest,
) -> Result<DescribeSnapshotAttributeResult, Error> {
    let snapshot = need(ctx, required(&input.snapshot_id, "snapshotId")?)?;
    stop_dry_run(input.dry_run)?;
    let create_volume_permissions = match required(&input.attribute, "attribute")? {
        PERMISSION => volume_permissions(&snapshot.shared),
        "productCodes" => Vec::new(),
        other => return Err(errors::invalid_parameter(other, "attribute", "Unknown attribute.")),
    };
    Ok(DescribeSnapshotAttributeResult {
        snapshot_id: Some(snapshot.id),
        create_volume_permissions,
        ..DescribeSnapshotAttributeResult::default()
    })
}

/// `ModifySnapshotAttribute`
pub fn modify_snapshot_attribute(ctx: &Ctx, input: ModifySnapshotAttributeRequest) -> Result<(), Error> {
    let id = required(&input.snapshot_id, "snapshotId")?;
    need(ctx, id)?;
    if let Some(other) = input.attribute.as_deref().filter(|name| *name != PERMISSION) {
        return Err(errors::unsupported(&format!("ModifySnapshotAttribute of {other}")));
    }
    let changes = match (&input.create_volume_permission, input.operation_type.as_deref()) {
        (Some(changes), _) => Changes { add: who(&changes.add)?, remove: who(&changes.remove)? },
        (None, Some(operation)) => Changes::by_operation(operation, &input.user_ids, &input.group_names)?,
        (None, None) => return Err(errors::missing("operationType")),
    };
    if changes.is_empty() {
        return Err(errors::bad_combination("No permissions specified."));
    }
    stop_dry_run(input.dry_run)?;
    let changed = ctx.cloud.images.update_snapshot(id, |snapshot| changes.apply(&mut snapshot.shared));
    changed.map_err(internal)?.map(drop).ok_or_else(|| errors::SNAPSHOT.not_found(id))
}

fn who(permissions: &[CreateVolumePermission]) -> Result<Shared, Error> {
    shared(permissions.iter().map(|p| (p.user_id.as_deref(), p.group.as_deref())))
}

/// `ResetSnapshotAttribute`
pub fn reset_snapshot_attribute(ctx: &Ctx, input: ResetSnapshotAttributeRequest) -> Result<(), Error> {
    let id = required(&input.snapshot_id, "snapshotId")?;
    need(ctx, id)?;
    let attribute = required(&input.attribute, "attribute")?;
    if attribute != PERMISSION {
        return Err(errors::invalid_parameter(
            attribute,
            "attribute",
            "Only createVolumePermission is reset.",
        ));
    }
    stop_dry_run(input.dry_run)?;
    let changed = ctx.cloud.images.update_snapshot(id, |snapshot| snapshot.shared = Shared::default());
    changed.map_err(internal)?.map(drop).ok_or_else(|| errors::SNAPSHOT.not_found(id))
}
