//! Launch configurations.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{
    BlockDeviceMapping, CreateLaunchConfigurationType, InstanceMonitoring, LaunchConfiguration,
    LaunchConfigurationNameType, LaunchConfigurationNamesType, LaunchConfigurationsType,
};
use jiff::Timestamp;

use super::errors::{self, required, validation};
use super::paging::{self, PAGE};
use super::state::{GroupRecord, LaunchConfigurationRecord, LaunchSource};
use crate::api::paging::{Order, PageRequest};
use crate::api::support::first_unsupported;
use crate::api::values;
use crate::ec2::instance_types;
use crate::ec2::state::{KeyPairRecord, SecurityGroupRecord, VpcRecord};
use crate::store::Tx;
use crate::{Ctx, iam, ids};

const SUPPORTED: &[&str] = &[
    "AssociatePublicIpAddress",
    "BlockDeviceMappings",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceMonitoring",
    "InstanceType",
    "KeyName",
    "LaunchConfigurationName",
    "MetadataOptions",
    "PlacementTenancy",
    "SecurityGroups",
    "UserData",
];

/// The longest user data in bytes.
const MAX_USER_DATA: usize = 16 * 1024;

/// `CreateLaunchConfiguration`
pub fn create(ctx: &Ctx, input: CreateLaunchConfigurationType) -> Result<(), Error> {
    let name = required(input.launch_configuration_name.as_deref(), "launchConfigurationName")?.to_owned();
    if let Some(member) = first_unsupported(&input, SUPPORTED) {
        return Err(errors::unsupported(&format!("CreateLaunchConfiguration with {member}")));
    }
    check_values(&input)?;
    check_image(ctx, &input)?;
    if let Some(profile) = &input.iam_instance_profile
        && iam::instance_profile(&ctx.cloud.store, profile).is_none()
    {
        return Err(validation(format!("Invalid IamInstanceProfile: {profile}")));
    }
    let record = LaunchConfigurationRecord {
        region: ctx.region.to_string(),
        arn: ctx.arn(
            "autoscaling",
            &format!("launchConfiguration:{}:launchConfigurationName/{name}", ids::uuid()),
        ),
        id: name,
        created: Timestamp::now(),
        given: input,
    };
    ctx.cloud.store.write(|tx| {
        check_references(tx, &ctx.region, &record.given)?;
        if tx.get::<LaunchConfigurationRecord>(&ctx.region, &record.id).is_some() {
            let message = format!(
                "Launch Configuration by this name already exists - A launch configuration already exists with the name {}",
                record.id
            );
            return Err(Error::client("AlreadyExists", message));
        }
        Ok(tx.put(record)?)
    })
}

/// Checks what does not depend on anything else there is.
fn check_values(input: &CreateLaunchConfigurationType) -> Result<(), Error> {
    if let Some(tenancy) = input.placement_tenancy.as_deref().filter(|tenancy| *tenancy != "default") {
        return Err(errors::unsupported(&format!(
            "CreateLaunchConfiguration with PlacementTenancy {tenancy}"
        )));
    }
    if let Some(text) = input.user_data.as_deref().filter(|text| !text.is_empty()) {
        let bytes =
            values::base64(text).ok_or_else(|| validation("Invalid BASE64 encoding of user data."))?;
        if bytes.len() > MAX_USER_DATA {
            return Err(validation(format!("User data is limited to {MAX_USER_DATA} bytes")));
        }
    }
    input.block_device_mappings.iter().try_for_each(check_device)?;
    match required(input.instance_type.as_deref(), "instanceType")? {
        name if instance_types::find(name).is_none() => Err(validation(format!(
            "Invalid instance type '{name}'; see DescribeInstanceTypes for those there are"
        ))),
        _ => Ok(()),
    }
}

fn check_device(mapping: &BlockDeviceMapping) -> Result<(), Error> {
    let name = required(mapping.device_name.as_deref(), "deviceName")?;
    let ways = [mapping.ebs.is_some(), mapping.virtual_name.is_some(), mapping.no_device == Some(true)];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(validation(format!(
            "Device mapping {name} must have exactly one of Ebs, VirtualName and NoDevice"
        )));
    }
    Ok(())
}

fn check_image(ctx: &Ctx, input: &CreateLaunchConfigurationType) -> Result<(), Error> {
    let id = required(input.image_id.as_deref(), "imageId")?;
    let found = ctx.cloud.images.get(id).map_err(|error| Error::internal(error.to_string()))?;
    let is_visible = |region: &Option<String>| region.as_deref().is_none_or(|region| region == &*ctx.region);
    if found.is_some_and(|image| is_visible(&image.region)) {
        return Ok(());
    }
    Err(validation(format!("AMI {id} is invalid: The image id '[{id}]' does not exist")))
}

/// Checks that what the configuration names is there.
fn check_references(tx: &Tx<'_>, region: &str, input: &CreateLaunchConfigurationType) -> Result<(), Error> {
    if let Some(key) = &input.key_name
        && tx.get::<KeyPairRecord>(region, key).is_none()
    {
        return Err(validation(format!("The key pair '{key}' does not exist")));
    }
    input.security_groups.iter().try_for_each(|group| check_security_group(tx, region, group))
}

/// A group is named by its id, or by its name in the default VPC.
fn check_security_group(tx: &Tx<'_>, region: &str, group: &str) -> Result<(), Error> {
    if group.starts_with("sg-") {
        return match tx.get::<SecurityGroupRecord>(region, group) {
            Some(_) => Ok(()),
            None => Err(validation(format!("The security group '{group}' does not exist"))),
        };
    }
    let Some(vpc) = tx.list::<VpcRecord>(region).into_iter().find(|vpc| vpc.is_default) else {
        return Err(validation(format!(
            "The security group '{group}' does not exist: there is no default VPC"
        )));
    };
    let mut groups = tx.list::<SecurityGroupRecord>(region).into_iter();
    if groups.any(|found| found.vpc_id == vpc.id && found.name == group) {
        return Ok(());
    }
    Err(validation(format!("The security group '{group}' does not exist in default VPC '{}'", vpc.id)))
}

/// `DeleteLaunchConfiguration`
pub fn delete(ctx: &Ctx, input: LaunchConfigurationNameType) -> Result<(), Error> {
    let name = required(input.launch_configuration_name.as_deref(), "launchConfigurationName")?;
    ctx.cloud.store.write(|tx| {
        if tx.get::<LaunchConfigurationRecord>(&ctx.region, name).is_none() {
            return Err(errors::no_configuration(name));
        }
        let source = LaunchSource::Configuration { name: name.to_owned() };
        if let Some(user) = tx.list::<GroupRecord>(&ctx.region).iter().find(|group| group.source == source) {
            return Err(errors::in_use(format!(
                "Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {}",
                user.id
            )));
        }
        tx.remove::<LaunchConfigurationRecord>(&ctx.region, name);
        Ok(())
    })
}

/// `DescribeLaunchConfigurations`: names that are not there are ignored.
pub fn describe(ctx: &Ctx, input: LaunchConfigurationNamesType) -> Result<LaunchConfigurationsType, Error> {
    let names = &input.launch_configuration_names;
    let mut records: Vec<Arc<LaunchConfigurationRecord>> = ctx.cloud.store.list(&ctx.region);
    records.retain(|record| names.is_empty() || names.contains(&record.id));
    let request = PageRequest { max: input.max_records, token: input.next_token.as_deref() };
    let page = paging::page(records, request, PAGE, Order::Ascending, |record| &record.id)?;
    Ok(LaunchConfigurationsType {
        launch_configurations: page.items.iter().map(|record| to_wire(record)).collect(),
        next_token: page.next,
    })
}

fn to_wire(record: &LaunchConfigurationRecord) -> LaunchConfiguration {
    let given = record.given.clone();
    let is_monitored = given.instance_monitoring.and_then(|monitoring| monitoring.enabled).unwrap_or(true);
    LaunchConfiguration {
        launch_configuration_name: Some(record.id.clone()),
        launch_configuration_arn: Some(record.arn.clone()),
        created_time: Some(record.created),
        image_id: given.image_id,
        // AWS gives empty texts, not none, for these.
        key_name: Some(given.key_name.unwrap_or_default()),
        user_data: Some(given.user_data.unwrap_or_default()),
        kernel_id: Some(String::new()),
        ramdisk_id: Some(String::new()),
        security_groups: given.security_groups,
        instance_type: given.instance_type,
        block_device_mappings: given.block_device_mappings,
        instance_monitoring: Some(InstanceMonitoring { enabled: Some(is_monitored) }),
        iam_instance_profile: given.iam_instance_profile,
        ebs_optimized: Some(given.ebs_optimized.unwrap_or(false)),
        associate_public_ip_address: given.associate_public_ip_address,
        placement_tenancy: given.placement_tenancy,
        metadata_options: given.metadata_options,
        ..LaunchConfiguration::default()
    }
}
