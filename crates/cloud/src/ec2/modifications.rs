//! Modifications of volumes: `ModifyVolume` and what shows it, and volumes' attributes.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeBooleanValue, DescribeVolumeAttributeRequest, DescribeVolumeAttributeResult,
    DescribeVolumesModificationsRequest, DescribeVolumesModificationsResult,
    GetEbsEncryptionByDefaultRequest, GetEbsEncryptionByDefaultResult, ModifyVolumeAttributeRequest,
    ModifyVolumeRequest, ModifyVolumeResult, VolumeModification as WireModification,
};
use jiff::Timestamp;

use super::errors;
use super::request::{Query, Read, change, only_supported, required, stop_dry_run};
use super::state::{
    InstanceRecord, InstanceState, VolumeModification, VolumeRecord, VolumeShape, VolumeState,
};
use super::volumes::{self, Performance};
use crate::api::filters::Field;
use crate::context::Ctx;

/// `ModifyVolume`. A volume only grows. What is on it does not grow with it, but for a root volume's file system; that
/// is no partition which the instance could make larger, so its instance must not run.
pub fn modify_volume(ctx: &Ctx, input: ModifyVolumeRequest) -> Result<ModifyVolumeResult, Error> {
    const SUPPORTED: &[&str] = &["DryRun", "Iops", "Size", "Throughput", "VolumeId", "VolumeType"];
    only_supported(&input, "ModifyVolume", SUPPORTED)?;
    let id = required(&input.volume_id, "volumeId")?;
    let modification = change(ctx, input.dry_run, |tx| {
        let volume = tx.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
        if !matches!(volume.state, VolumeState::Available | VolumeState::InUse) {
            let message = format!("Volume '{id}' is in the '{}' state.", volume.state.name());
            return Err(Error::client("IncorrectState", message));
        }
        if volume.is_being_modified() {
            let message = format!("Volume '{id}' is being modified already");
            return Err(Error::client("IncorrectModificationState", message));
        }
        let original = shape(&volume);
        let target = target(&original, &input)?;
        if target.size_gib > original.size_gib && volume.layers.is_some() {
            check_at_rest(tx, &volume)?;
        }
        let modification =
            VolumeModification { original, target, start_time: Timestamp::now(), end_time: None };
        tx.update::<VolumeRecord>(&ctx.region, id, |volume| {
            volume.modification = Some(modification.clone())
        })?;
        Ok(modification)
    })?;
    Ok(ModifyVolumeResult { volume_modification: Some(to_wire(id, &modification)) })
}

fn shape(volume: &VolumeRecord) -> VolumeShape {
    VolumeShape {
        size_gib: volume.size_gib,
        volume_type: volume.volume_type.clone(),
        iops: volume.iops,
        throughput: volume.throughput,
    }
}

/// What a volume of this shape becomes.
fn target(original: &VolumeShape, input: &ModifyVolumeRequest) -> Result<VolumeShape, Error> {
    let size_gib = input.size.map(volumes::size).transpose()?.unwrap_or(original.size_gib);
    if size_gib < original.size_gib {
        return Err(errors::invalid_value("New size cannot be smaller than existing size"));
    }
    let volume_type = input.volume_type.as_deref().unwrap_or(&original.volume_type);
    let same_type = volume_type == original.volume_type;
    let performance = Performance::new(
        volume_type,
        input.iops.or(original.iops.filter(|_| same_type)),
        input.throughput.or(original.throughput.filter(|_| same_type)),
    )?;
    Ok(VolumeShape {
        size_gib,
        volume_type: performance.volume_type,
        iops: performance.iops,
        throughput: performance.throughput,
    })
}

fn check_at_rest(read: &impl Read, volume: &VolumeRecord) -> Result<(), Error> {
    let Some(attachment) = &volume.attachment else { return Ok(()) };
    let instance = read.get::<InstanceRecord>(&volume.region, &attachment.instance_id);
    if instance.is_none_or(|instance| instance.state == InstanceState::Stopped) {
        return Ok(());
    }
    Err(errors::unsupported("ModifyVolume with Size of a root volume whose instance is not stopped"))
}

const FIELDS: &[Field<VolumeRecord>] = &[
    ("volume-id", |volume, is| is(&volume.id)),
    ("modification-state", |volume, is| volume.modification.as_ref().is_some_and(|m| is(state(m)))),
    ("target-size", |volume, is| {
        volume.modification.as_ref().is_some_and(|m| is(&m.target.size_gib.to_string()))
    }),
    ("target-volume-type", |volume, is| {
        volume.modification.as_ref().is_some_and(|m| is(&m.target.volume_type))
    }),
];

/// `DescribeVolumesModifications`
pub fn describe_volumes_modifications(
    ctx: &Ctx,
    input: DescribeVolumesModificationsRequest,
) -> Result<DescribeVolumesModificationsResult, Error> {
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
    let mut volumes = ctx.cloud.store.list::<VolumeRecord>(&ctx.region);
    if input.volume_ids.is_empty() {
        volumes.retain(|volume| volume.modification.is_some());
    }
    let page = query.of(volumes)?;
    let modified = |volume: &Arc<VolumeRecord>| Some(to_wire(&volume.id, volume.modification.as_ref()?));
    let volumes_modifications: Vec<WireModification> = page.items.iter().filter_map(modified).collect();
    if volumes_modifications.len() < input.volume_ids.len() {
        let message = "Modification for one of the volumes does not exist.";
        return Err(Error::client("InvalidVolumeModification.NotFound", message));
    }
    Ok(DescribeVolumesModificationsResult { volumes_modifications, next_token: page.next })
}

fn state(modification: &VolumeModification) -> &'static str {
    if modification.end_time.is_some() { "completed" } else { "modifying" }
}

fn to_wire(volume_id: &str, modification: &VolumeModification) -> WireModification {
    let (original, target) = (&modification.original, &modification.target);
    WireModification {
        volume_id: Some(volume_id.to_owned()),
        modification_state: Some(state(modification).to_owned()),
        original_size: i32::try_from(original.size_gib).ok(),
        original_volume_type: Some(original.volume_type.clone()),
        original_iops: original.iops,
        original_throughput: original.throughput,
        target_size: i32::try_from(target.size_gib).ok(),
        target_volume_type: Some(target.volume_type.clone()),
        target_iops: target.iops,
        target_throughput: target.throughput,
        progress: Some(if modification.end_time.is_some() { 100 } else { 0 }),
        start_time: Some(modification.start_time),
        end_time: modification.end_time,
        ..WireModification::default()
    }
}

/// `DescribeVolumeAttribute`
pub fn describe_volume_attribute(
    ctx: &Ctx,
    input: DescribeVolumeAttributeRequest,
) -> Result<DescribeVolumeAttributeResult, Error> {
    let id = required(&input.volume_id, "volumeId")?;
    ctx.cloud.store.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
    stop_dry_run(input.dry_run)?;
    let auto_enable_io = match required(&input.attribute, "attribute")? {
        // A volume's input and output is never disabled here.
        "autoEnableIO" => Some(AttributeBooleanValue { value: Some(true) }),
        "productCodes" => None,
        other => return Err(errors::invalid_parameter(other, "attribute", "Unknown attribute.")),
    };
    Ok(DescribeVolumeAttributeResult {
        volume_id: Some(id.to_owned()),
        auto_enable_io,
        ..DescribeVolumeAttributeResult::default()
    })
}

/// `ModifyVolumeAttribute`
pub fn modify_volume_attribute(ctx: &Ctx, input: ModifyVolumeAttributeRequest) -> Result<(), Error> {
    let id = required(&input.volume_id, "volumeId")?;
    ctx.cloud.store.need::<VolumeRecord>(&ctx.region, id, errors::VOLUME)?;
    if input.auto_enable_io.as_ref().and_then(|asked| asked.value) == Some(false) {
        return Err(errors::unsupported("ModifyVolumeAttribute with AutoEnableIO false"));
    }
    stop_dry_run(input.dry_run)
}

/// `GetEbsEncryptionByDefault`: nothing is encrypted.
pub fn get_ebs_encryption_by_default(
    _ctx: &Ctx,
    input: GetEbsEncryptionByDefaultRequest,
) -> Result<GetEbsEncryptionByDefaultResult, Error> {
    stop_dry_run(input.dry_run)?;
    let sse_type = Some("none".to_owned());
    Ok(GetEbsEncryptionByDefaultResult { ebs_encryption_by_default: Some(false), sse_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_only_grows_and_keeps_figures_of_its_type() {
        let gp3 = VolumeShape {
            size_gib: 10,
            volume_type: "gp3".to_owned(),
            iops: Some(4000),
            throughput: Some(250),
        };
        type Expected = Result<(u32, &'static str, Option<i32>), &'static str>;
        let cases: [(Option<i32>, Option<&str>, Expected); 5] = [
            (None, None, Ok((10, "gp3", Some(4000)))),
            (Some(20), None, Ok((20, "gp3", Some(4000)))),
            (Some(9), None, Err("InvalidParameterValue")),
            (None, Some("gp2"), Ok((10, "gp2", None))),
            (None, Some("io1"), Err("MissingParameter")),
        ];
        for (size, volume_type, expected) in cases {
            let asked = ModifyVolumeRequest {
                size,
                volume_type: volume_type.map(str::to_owned),
                ..ModifyVolumeRequest::default()
            };
            let found = target(&gp3, &asked);
            let found = found.as_ref().map(|s| (s.size_gib, s.volume_type.as_str(), s.iops));
            assert_eq!(found.map_err(|e| e.code.as_ref()), expected, "{asked:?}");
        }
    }
}
