//! `DescribeInstanceAttribute`, `ModifyInstanceAttribute`, `ModifyInstanceMetadataOptions`

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeBooleanValue, AttributeValue, DescribeInstanceAttributeRequest, GroupIdentifier,
    InstanceAttribute, InstanceBlockDeviceMappingSpecification, InstanceMetadataOptionsRequest,
    ModifyInstanceAttributeRequest, ModifyInstanceMetadataOptionsRequest,
    ModifyInstanceMetadataOptionsResult,
};

use super::describe::{View, metadata_options};
use super::launch;
use crate::api::values::to_base64;
use crate::context::Ctx;
use crate::ec2::request::{Read, change, only_supported, required, stop_dry_run};
use crate::ec2::state::{
    InstanceRecord, InstanceState, NetworkInterfaceRecord, SecurityGroupRecord, VolumeRecord,
};
use crate::ec2::{errors, images, instance_types};
use crate::store::Tx;

/// `DescribeInstanceAttribute`
pub fn describe_instance_attribute(
    ctx: &Ctx,
    input: DescribeInstanceAttributeRequest,
) -> Result<InstanceAttribute, Error> {
    let id = required(&input.instance_id, "instanceId")?;
    let instance = ctx.cloud.store.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
    stop_dry_run(input.dry_run)?;
    let text = |value: &str| Some(AttributeValue { value: Some(value.to_owned()) });
    let truth = |value| Some(AttributeBooleanValue { value: Some(value) });
    let mut answer = InstanceAttribute { instance_id: Some(id.to_owned()), ..InstanceAttribute::default() };
    match required(&input.attribute, "attribute")? {
        "instanceType" => answer.instance_type = text(&instance.instance_type),
        "userData" => answer.user_data = Some(AttributeValue { value: instance.user_data.clone() }),
        "disableApiTermination" => answer.disable_api_termination = truth(instance.disable_api_termination),
        "disableApiStop" => answer.disable_api_stop = truth(instance.disable_api_stop),
        "instanceInitiatedShutdownBehavior" => {
            answer.instance_initiated_shutdown_behavior = text(instance.shutdown_behavior.name());
        }
        "rootDeviceName" => answer.root_device_name = text(&instance.root_device),
        "ebsOptimized" => answer.ebs_optimized = truth(instance.ebs_optimized),
        "enaSupport" => answer.ena_support = truth(instance.drivers.ena),
        "sriovNetSupport" => {
            let value = instance.drivers.sriov.clone();
            answer.sriov_net_support = Some(AttributeValue { value });
        }
        "sourceDestCheck" => answer.source_dest_check = truth(true),
        "kernel" | "ramdisk" | "productCodes" => {}
        "blockDeviceMapping" => {
            answer.block_device_mappings = View::of(ctx).instance(&instance).block_device_mappings;
        }
        "groupSet" => {
            // Unlike in `DescribeInstances`, EC2 gives only the ids.
            let groups = View::of(ctx).instance(&instance).security_groups;
            answer.groups =
                groups.into_iter().map(|group| GroupIdentifier { group_name: None, ..group }).collect();
        }
        other => return Err(errors::invalid_parameter(other, "attribute", "Unknown attribute.")),
    }
    Ok(answer)
}

/// One change of an instance.
enum Change {
    InstanceType(String),
    UserData(Option<String>),
    DisableApiTermination(bool),
    DisableApiStop(bool),
    ShutdownBehavior(String),
    EbsOptimized(bool),
    EnaSupport(bool),
    SriovNetSupport(Option<String>),
    Groups(Vec<String>),
    DeleteOnTermination(Vec<InstanceBlockDeviceMappingSpecification>),
}

/// `ModifyInstanceAttribute`: one attribute at a time, as on EC2.
pub fn modify_instance_attribute(ctx: &Ctx, input: ModifyInstanceAttributeRequest) -> Result<(), Error> {
    const SUPPORTED: &[&str] = &[
        "Attribute",
        "BlockDeviceMappings",
        "DisableApiStop",
        "DisableApiTermination",
        "DryRun",
        "EbsOptimized",
        "EnaSupport",
        "Groups",
        "InstanceId",
        "InstanceInitiatedShutdownBehavior",
        "InstanceType",
        "SriovNetSupport",
        "UserData",
        "Value",
    ];
    only_supported(&input, "ModifyInstanceAttribute", SUPPORTED)?;
    let id = required(&input.instance_id, "instanceId")?;
    let asked = asked(&input)?;
    change(ctx, input.dry_run, |tx| {
        let mut instance =
            Arc::unwrap_or_clone(tx.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?);
        if !instance.state.lives() {
            let message = format!("The instance '{id}' is not in the 'running' or 'stopped' state.");
            return Err(Error::client("IncorrectInstanceState", message));
        }
        apply(tx, &mut instance, asked)?;
        tx.put(instance)?;
        Ok(())
    })
}

fn asked(input: &ModifyInstanceAttributeRequest) -> Result<Change, Error> {
    let flag = |value: &Option<AttributeBooleanValue>| value.as_ref().and_then(|value| value.value);
    let text = |value: &Option<AttributeValue>| value.as_ref().and_then(|value| value.value.clone());
    let mut changes = Vec::new();
    changes.extend(text(&input.instance_type).map(Change::InstanceType));
    if let Some(data) = &input.user_data {
        let bytes = data.value.as_ref().map(|blob| to_base64(&blob.0));
        changes.push(Change::UserData(bytes));
    }
    changes.extend(flag(&input.disable_api_termination).map(Change::DisableApiTermination));
    changes.extend(flag(&input.disable_api_stop).map(Change::DisableApiStop));
    changes.extend(text(&input.instance_initiated_shutdown_behavior).map(Change::ShutdownBehavior));
    changes.extend(flag(&input.ebs_optimized).map(Change::EbsOptimized));
    changes.extend(flag(&input.ena_support).map(Change::EnaSupport));
    if input.sriov_net_support.is_some() {
        changes.push(Change::SriovNetSupport(images::sriov(&text(&input.sriov_net_support))?));
    }
    if !input.groups.is_empty() {
        changes.push(Change::Groups(input.groups.clone()));
    }
    if !input.block_device_mappings.is_empty() {
        changes.push(Change::DeleteOnTermination(input.block_device_mappings.clone()));
    }
    if let Some(attribute) = &input.attribute
        && let Some(value) = &input.value
    {
        changes.push(by_name(attribute, value)?);
    }
    match (changes.pop(), changes.is_empty()) {
        (Some(change), true) => Ok(change),
        (None, _) => Err(errors::bad_combination("No attributes specified.")),
        (Some(_), false) => Err(errors::bad_combination("Fields for multiple attribute types specified")),
    }
}

/// The old form of a change: the attribute's name and its value as texts.
fn by_name(attribute: &str, value: &str) -> Result<Change, Error> {
    let truth = || match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(errors::invalid_parameter(value, attribute, "Expected true or false.")),
    };
    match attribute {
        "instanceType" => Ok(Change::InstanceType(value.to_owned())),
        "userData" => Ok(Change::UserData(Some(value.to_owned()))),
        "disableApiTermination" => truth().map(Change::DisableApiTermination),
        "disableApiStop" => truth().map(Change::DisableApiStop),
        "instanceInitiatedShutdownBehavior" => Ok(Change::ShutdownBehavior(value.to_owned())),
        "ebsOptimized" => truth().map(Change::EbsOptimized),
        other => Err(errors::unsupported(&format!("ModifyInstanceAttribute of {other}"))),
    }
}

fn apply(tx: &mut Tx<'_>, instance: &mut InstanceRecord, change: Change) -> Result<(), Error> {
    match change {
        Change::InstanceType(name) => {
            only_stopped(instance)?;
            let kind = instance_types::find(&name)
                .filter(|kind| kind.architecture == instance.architecture)
                .ok_or_else(|| errors::invalid_value(format!("Invalid value '{name}' for InstanceType.")))?;
            instance.instance_type = kind.name.to_owned();
        }
        Change::UserData(data) => {
            only_stopped(instance)?;
            instance.user_data = launch::user_data(data.as_deref())?;
        }
        Change::EbsOptimized(value) => {
            only_stopped(instance)?;
            instance.ebs_optimized = value;
        }
        Change::EnaSupport(value) => {
            only_stopped(instance)?;
            instance.drivers.ena = value;
        }
        Change::SriovNetSupport(value) => {
            only_stopped(instance)?;
            instance.drivers.sriov = value;
        }
        Change::DisableApiTermination(value) => instance.disable_api_termination = value,
        Change::DisableApiStop(value) => instance.disable_api_stop = value,
        Change::ShutdownBehavior(name) => {
            instance.shutdown_behavior = launch::shutdown_behavior(Some(&name))?
        }
        Change::Groups(groups) => set_groups(tx, instance, groups)?,
        Change::DeleteOnTermination(mappings) => set_delete_on_termination(tx, instance, &mappings)?,
    }
    Ok(())
}

fn only_stopped(instance: &InstanceRecord) -> Result<(), Error> {
    if instance.state == InstanceState::Stopped {
        return Ok(());
    }
    let message = format!("The instance '{}' is not in the 'stopped' state.", instance.id);
    Err(Error::client("IncorrectInstanceState", message))
}

fn set_groups(tx: &mut Tx<'_>, instance: &InstanceRecord, groups: Vec<String>) -> Result<(), Error> {
    for id in &groups {
        let group = tx.need::<SecurityGroupRecord>(&instance.region, id, errors::SECURITY_GROUP)?;
        if group.vpc_id != instance.vpc_id {
            let message = format!(
                "You have specified two resources that belong to different networks: {id} and {}",
                instance.id
            );
            return Err(Error::client("InvalidGroup.NotFound", message));
        }
    }
    tx.update::<NetworkInterfaceRecord>(&instance.region, &instance.network_interface_id, |interface| {
        interface.groups = groups;
    })?;
    Ok(())
}

fn set_delete_on_termination(
    tx: &mut Tx<'_>,
    instance: &InstanceRecord,
    mappings: &[InstanceBlockDeviceMappingSpecification],
) -> Result<(), Error> {
    for mapping in mappings {
        let device = mapping.device_name.as_deref().unwrap_or_default();
        let Some(value) = mapping.ebs.as_ref().and_then(|ebs| ebs.delete_on_termination) else { continue };
        let mut found = false;
        for id in &instance.volumes {
            let is_it = tx
                .get::<VolumeRecord>(&instance.region, id)
                .and_then(|volume| Some(volume.attachment.as_ref()?.device == device));
            if is_it == Some(true) {
                found = true;
                tx.update::<VolumeRecord>(&instance.region, id, |volume| {
                    if let Some(attachment) = &mut volume.attachment {
                        attachment.delete_on_termination = value;
                    }
                })?;
            }
        }
        if !found {
            let message = format!("No device is currently mapped at {device}");
            return Err(Error::client("InvalidInstanceAttributeValue", message));
        }
    }
    Ok(())
}

/// `ModifyInstanceMetadataOptions`
pub fn modify_instance_metadata_options(
    ctx: &Ctx,
    input: ModifyInstanceMetadataOptionsRequest,
) -> Result<ModifyInstanceMetadataOptionsResult, Error> {
    let id = required(&input.instance_id, "instanceId")?;
    let asked = InstanceMetadataOptionsRequest {
        http_tokens: input.http_tokens.clone(),
        http_put_response_hop_limit: input.http_put_response_hop_limit,
        http_endpoint: input.http_endpoint.clone(),
        http_protocol_ipv6: input.http_protocol_ipv6.clone(),
        instance_metadata_tags: input.instance_metadata_tags.clone(),
    };
    let options = change(ctx, input.dry_run, |tx| {
        let instance = tx.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
        let options = launch::metadata(instance.metadata.clone(), Some(&asked))?;
        tx.update::<InstanceRecord>(&ctx.region, id, |instance| instance.metadata = options.clone())?;
        Ok(options)
    })?;
    Ok(ModifyInstanceMetadataOptionsResult {
        instance_id: Some(id.to_owned()),
        instance_metadata_options: Some(metadata_options(&options)),
    })
}
