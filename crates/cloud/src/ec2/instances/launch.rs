//! What a launch asks for, checked and resolved.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, RunInstancesRequest,
};
use machine::images::{Image, ImageState};

use super::devices::{self, Device};
use super::profiles::{self, Profile};
use crate::api::tags::Tags;
use crate::api::values;
use crate::context::Ctx;
use crate::ec2::instance_types::{self, InstanceType};
use crate::ec2::request::{Read, only_supported, required, tags_for};
use crate::ec2::security_groups;
use crate::ec2::state::{
    KeyPairRecord, MetadataOptions, SecurityGroupRecord, ShutdownBehavior, SubnetRecord,
};
use crate::ec2::{errors, images, regions, snapshots};

/// The longest user data in bytes.
pub const MAX_USER_DATA: usize = 16 * 1024;

const SUPPORTED: &[&str] = &[
    "BlockDeviceMappings",
    "ClientToken",
    "DisableApiStop",
    "DisableApiTermination",
    "DryRun",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "LaunchTemplate",
    "MaxCount",
    "MetadataOptions",
    "MinCount",
    "Monitoring",
    "NetworkInterfaces",
    "Placement",
    "PrivateIpAddress",
    "SecurityGroupIds",
    "SecurityGroups",
    "SubnetId",
    "TagSpecifications",
    "UserData",
];

/// A launch: everything that its instances have in common.
pub struct Launch {
    /// How many instances at least.
    pub min: i32,
    /// How many at most.
    pub max: i32,
    /// What they boot.
    pub image: Image,
    /// Their type.
    pub instance_type: &'static InstanceType,
    /// Their key pair.
    pub key: Option<Arc<KeyPairRecord>>,
    /// Their network.
    pub network: Network,
    /// User data in base64.
    pub user_data: Option<String>,
    /// Their instance profile.
    pub profile: Option<Profile>,
    /// Their volumes, the root volume first.
    pub devices: Vec<Device>,
    /// How they serve metadata.
    pub metadata: MetadataOptions,
    /// What a power-off from inside does.
    pub shutdown_behavior: ShutdownBehavior,
    /// Their tags.
    pub instance_tags: Tags,
    /// Their volumes' tags.
    pub volume_tags: Tags,
    /// Their interfaces' tags.
    pub interface_tags: Tags,
}

/// The network interface of each instance of a launch.
pub struct Network {
    /// The subnet.
    pub subnet: Arc<SubnetRecord>,
    /// Security groups' ids.
    pub groups: Vec<String>,
    /// The address asked for.
    pub private_address: Option<Ipv4Addr>,
    /// Whether to have a public address.
    pub public_address: bool,
    /// What it is for.
    pub description: String,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

impl Launch {
    /// Checks a launch whose template's parameters are filled in already.
    ///
    /// # Errors
    /// EC2's own for each parameter; `UnsupportedOperation` for what this cloud does not have.
    pub fn resolve(ctx: &Ctx, read: &impl Read, input: &RunInstancesRequest) -> Result<Self, Error> {
        only_supported(input, "RunInstances", SUPPORTED)?;
        let (min, max) = counts(input)?;
        let image = usable_image(ctx, required(&input.image_id, "ImageId")?)?;
        let instance_type = instance_type(input.instance_type.as_deref().unwrap_or("m1.small"), &image)?;
        let key = match &input.key_name {
            Some(name) => Some(read.need::<KeyPairRecord>(&ctx.region, name, errors::KEY_PAIR)?),
            None => None,
        };
        let tagged = |resource| tags_for(ctx, &input.tag_specifications, resource, &TAGGED);
        // An image that supports session tokens alone makes them required, unless the launch says otherwise.
        let default_metadata = match image.imds_v2 {
            true => MetadataOptions { tokens_required: true, hop_limit: 2, ..MetadataOptions::default() },
            false => MetadataOptions::default(),
        };
        let launch = Self {
            min,
            max,
            devices: devices::merge(&image, &input.block_device_mappings, &|id| snapshots::usable(ctx, id))?,
            image,
            instance_type,
            key,
            network: network(ctx, read, input)?,
            user_data: user_data(input.user_data.as_deref())?,
            profile: input
                .iam_instance_profile
                .as_ref()
                .map(|asked| profiles::find(ctx, asked))
                .transpose()?,
            metadata: metadata(default_metadata, input.metadata_options.as_ref())?,
            shutdown_behavior: shutdown_behavior(input.instance_initiated_shutdown_behavior.as_deref())?,
            instance_tags: tagged("instance")?,
            volume_tags: tagged("volume")?,
            interface_tags: tagged("network-interface")?,
        };
        if launch.network.private_address.is_some() && launch.max > 1 {
            let message = "Private IP address may only be specified when launching a single instance";
            return Err(errors::bad_combination(message));
        }
        Ok(launch)
    }
}

const TAGGED: [&str; 3] = ["instance", "volume", "network-interface"];

fn counts(input: &RunInstancesRequest) -> Result<(i32, i32), Error> {
    let min = input.min_count.ok_or_else(|| errors::missing("MinCount"))?;
    let max = input.max_count.ok_or_else(|| errors::missing("MaxCount"))?;
    if min < 1 {
        return Err(errors::invalid_parameter(&min.to_string(), "minCount", "Minimum value of 1 expected."));
    }
    if max < min {
        return Err(errors::bad_combination(format!(
            "maxCount ({max}) must be equal to or greater than minCount ({min})"
        )));
    }
    Ok((min, max))
}

fn usable_image(ctx: &Ctx, id: &str) -> Result<Image, Error> {
    let image = images::need(ctx, id)?;
    match image.state {
        ImageState::Available => Ok(image),
        ImageState::Pending | ImageState::Failed => {
            let message = format!("The image ID '{id}' is not available");
            Err(Error::client("InvalidAMIID.Unavailable", message))
        }
    }
}

fn instance_type(name: &str, image: &Image) -> Result<&'static InstanceType, Error> {
    let kind = instance_types::find(name)
        .ok_or_else(|| errors::invalid_value(format!("Invalid value '{name}' for InstanceType.")))?;
    if kind.architecture != image.architecture {
        return Err(errors::invalid_value(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified \
             AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            kind.architecture, image.architecture
        )));
    }
    Ok(kind)
}

/// Checks user data: base64, and not too long.
///
/// # Errors
/// EC2's own.
pub fn user_data(text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let bytes =
        values::base64(text).ok_or_else(|| errors::invalid_value("Invalid BASE64 encoding of user data."))?;
    if bytes.len() > MAX_USER_DATA {
        return Err(errors::invalid_value(format!("User data is limited to {MAX_USER_DATA} bytes")));
    }
    Ok(Some(values::to_base64(&bytes)))
}

/// What a power-off from inside does, by EC2's name.
///
/// # Errors
/// When it is neither `stop` nor `terminate`.
pub fn shutdown_behavior(name: Option<&str>) -> Result<ShutdownBehavior, Error> {
    match name {
        None | Some("stop") => Ok(ShutdownBehavior::Stop),
        Some("terminate") => Ok(ShutdownBehavior::Terminate),
        Some(other) => Err(errors::invalid_parameter(other, "instanceInitiatedShutdownBehavior", "")),
    }
}

/// Metadata options with a request's changes.
///
/// # Errors
/// When a value is not one of EC2's.
pub fn metadata(
    mut options: MetadataOptions,
    asked: Option<&InstanceMetadataOptionsRequest>,
) -> Result<MetadataOptions, Error> {
    let Some(asked) = asked else { return Ok(options) };
    let either = |value: &Option<String>, name: &str, no: &str, yes: &str| match value.as_deref() {
        None => Ok(None),
        Some(value) if value == no => Ok(Some(false)),
        Some(value) if value == yes => Ok(Some(true)),
        Some(other) => Err(errors::invalid_parameter(other, name, &format!("Expected {no} or {yes}."))),
    };
    if let Some(required) = either(&asked.http_tokens, "HttpTokens", "optional", "required")? {
        options.tokens_required = required;
    }
    if let Some(enabled) = either(&asked.http_endpoint, "HttpEndpoint", "disabled", "enabled")? {
        options.enabled = enabled;
    }
    if let Some(enabled) =
        either(&asked.instance_metadata_tags, "InstanceMetadataTags", "disabled", "enabled")?
    {
        options.tags_enabled = enabled;
    }
    if either(&asked.http_protocol_ipv6, "HttpProtocolIpv6", "disabled", "enabled")? == Some(true) {
        return Err(errors::unsupported("MetadataOptions with HttpProtocolIpv6"));
    }
    if let Some(limit) = asked.http_put_response_hop_limit {
        if !(1..=64).contains(&limit) {
            let why = "The hop limit must be between 1 and 64.";
            return Err(errors::invalid_parameter(&limit.to_string(), "HttpPutResponseHopLimit", why));
        }
        options.hop_limit = limit;
    }
    Ok(options)
}

fn network(ctx: &Ctx, read: &impl Read, input: &RunInstancesRequest) -> Result<Network, Error> {
    let zone = zone(ctx, input)?;
    let interface = match input.network_interfaces.as_slice() {
        [] => InstanceNetworkInterfaceSpecification {
            subnet_id: input.subnet_id.clone(),
            private_ip_address: input.private_ip_address.clone(),
            ..InstanceNetworkInterfaceSpecification::default()
        },
        [interface] => {
            check_interface(input, interface)?;
            interface.clone()
        }
        _ => return Err(errors::unsupported("RunInstances with more than one network interface")),
    };
    let subnet = match &interface.subnet_id {
        Some(id) => read.need::<SubnetRecord>(&ctx.region, id, errors::SUBNET)?,
        None => default_subnet(ctx, read, zone.as_deref())?,
    };
    if zone.is_some_and(|zone| zone != subnet.zone) {
        let message = format!("The availability zone of the subnet '{}' is '{}'", subnet.id, subnet.zone);
        return Err(errors::invalid_value(message));
    }
    let groups =
        if input.network_interfaces.is_empty() { &input.security_group_ids } else { &interface.groups };
    let private_address = match &interface.private_ip_address {
        None => None,
        Some(text) => {
            Some(text.parse().map_err(|_| errors::invalid_parameter(text, "privateIpAddress", ""))?)
        }
    };
    Ok(Network {
        groups: self::groups(ctx, read, input, &subnet, groups)?,
        private_address,
        public_address: interface.associate_public_ip_address.unwrap_or(subnet.map_public_ip_on_launch),
        description: interface.description.unwrap_or_default(),
        delete_on_termination: interface.delete_on_termination.unwrap_or(true),
        subnet,
    })
}

fn zone(ctx: &Ctx, input: &RunInstancesRequest) -> Result<Option<String>, Error> {
    let Some(placement) = &input.placement else { return Ok(None) };
    only_supported(placement, "Placement", &["AvailabilityZone", "AvailabilityZoneId", "Tenancy"])?;
    if placement.tenancy.as_deref().is_some_and(|tenancy| tenancy != "default") {
        return Err(errors::unsupported("Placement with Tenancy other than default"));
    }
    let zones = regions::zones(&ctx.region);
    let (asked, found) = match (&placement.availability_zone, &placement.availability_zone_id) {
        (None, None) => return Ok(None),
        (Some(name), _) => (name, zones.into_iter().find(|zone| zone == name)),
        (None, Some(id)) => (id, zones.into_iter().find(|zone| regions::zone_id(zone).as_ref() == Some(id))),
    };
    found.map(Some).ok_or_else(|| errors::invalid_value(format!("Invalid availability zone: [{asked}]")))
}

fn check_interface(
    input: &RunInstancesRequest,
    interface: &InstanceNetworkInterfaceSpecification,
) -> Result<(), Error> {
    const SUPPORTED: &[&str] = &[
        "AssociatePublicIpAddress",
        "DeleteOnTermination",
        "Description",
        "DeviceIndex",
        "Groups",
        "InterfaceType",
        "PrivateIpAddress",
        "SubnetId",
    ];
    only_supported(interface, "NetworkInterface", SUPPORTED)?;
    if interface.interface_type.as_deref().is_some_and(|kind| kind != "interface") {
        return Err(errors::unsupported("NetworkInterface with InterfaceType other than interface"));
    }
    if interface.device_index.is_none_or(|index| index != 0) {
        return Err(errors::invalid_value("The first network interface must have the device index 0"));
    }
    let conflict = |what: &str| {
        let message = format!(
            "Network interfaces and an instance-level {what} may not be specified on the same request"
        );
        Err(errors::bad_combination(message))
    };
    if input.subnet_id.is_some() {
        return conflict("subnet ID");
    }
    if !input.security_group_ids.is_empty() || !input.security_groups.is_empty() {
        return conflict("security groups");
    }
    if input.private_ip_address.is_some() {
        return conflict("private IP address");
    }
    Ok(())
}

fn default_subnet(ctx: &Ctx, read: &impl Read, zone: Option<&str>) -> Result<Arc<SubnetRecord>, Error> {
    let vpc = regions::default_vpc(read, &ctx.region).ok_or_else(|| {
        let message =
            "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.";
        Error::client("VPCIdNotSpecified", message)
    })?;
    let mut subnets: Vec<_> = read
        .list::<SubnetRecord>(&ctx.region)
        .into_iter()
        .filter(|subnet| subnet.vpc_id == vpc.id && subnet.default_for_az)
        .filter(|subnet| zone.is_none_or(|zone| subnet.zone == zone))
        .collect();
    subnets.sort_by(|a, b| a.zone.cmp(&b.zone));
    subnets.into_iter().next().ok_or_else(|| {
        let message = format!("No subnets found for the default VPC '{}'. Please specify a subnet.", vpc.id);
        Error::client("MissingInput", message)
    })
}

/// The security groups asked for by id or name, or the VPC's default group.
fn groups(
    ctx: &Ctx,
    read: &impl Read,
    input: &RunInstancesRequest,
    subnet: &SubnetRecord,
    ids: &[String],
) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    for id in ids {
        let group = read.need::<SecurityGroupRecord>(&ctx.region, id, errors::SECURITY_GROUP)?;
        if group.vpc_id != subnet.vpc_id {
            let message =
                format!("Security group {id} and subnet {} belong to different networks.", subnet.id);
            return Err(Error::client("InvalidParameter", message));
        }
        found.push(group.id.clone());
    }
    if !input.security_groups.is_empty() && input.subnet_id.is_some() {
        return Err(errors::bad_combination(
            "The parameter groupName cannot be used with the parameter subnet",
        ));
    }
    for name in &input.security_groups {
        let group = security_groups::find_by_name(read, &ctx.region, &subnet.vpc_id, name);
        found.push(group.ok_or_else(|| security_groups::name_not_found(name, &subnet.vpc_id))?.id.clone());
    }
    if found.is_empty() {
        let group = security_groups::find_by_name(read, &ctx.region, &subnet.vpc_id, "default");
        found.push(
            group.ok_or_else(|| security_groups::name_not_found("default", &subnet.vpc_id))?.id.clone(),
        );
    }
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_base64_of_at_most_16_kib() {
        assert_eq!(user_data(None).unwrap(), None);
        assert_eq!(user_data(Some("IyEvYmlu\nL3No")).unwrap().as_deref(), Some("IyEvYmluL3No"));
        assert!(user_data(Some("#!/bin/sh")).unwrap_err().message.contains("BASE64"));
        let long = values::to_base64(&[b'x'; MAX_USER_DATA + 1]);
        assert_eq!(user_data(Some(&long)).unwrap_err().message, "User data is limited to 16384 bytes");
    }

    #[test]
    fn metadata_options_change_what_is_named() {
        let asked = |tokens: &str, limit| InstanceMetadataOptionsRequest {
            http_tokens: Some(tokens.into()),
            http_put_response_hop_limit: limit,
            ..InstanceMetadataOptionsRequest::default()
        };
        let options = metadata(MetadataOptions::default(), Some(&asked("required", Some(2)))).unwrap();
        assert_eq!((options.enabled, options.tokens_required, options.hop_limit), (true, true, 2));
        assert!(metadata(MetadataOptions::default(), Some(&asked("always", None))).is_err());
        assert!(metadata(MetadataOptions::default(), Some(&asked("optional", Some(65)))).is_err());
    }
}
