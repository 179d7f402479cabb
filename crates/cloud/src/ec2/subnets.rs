//! Subnets.

use aws_wire::Error;
use aws_wire::ec2::{
    CreateSubnetRequest, CreateSubnetResult, DeleteSubnetRequest, DescribeSubnetsRequest,
    DescribeSubnetsResult, ModifySubnetAttributeRequest, PrivateDnsNameOptionsOnLaunch, Subnet,
};
use ipnet::Ipv4Net;

use super::request::{Query, Read, change, only_supported, required, tag_set, tags_for, truth};
use super::state::{NetworkInterfaceRecord, RouteTableRecord, SubnetRecord, VpcRecord};
use super::{errors, regions, vpcs};
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ids;

/// A subnet with EC2's defaults.
pub fn new_subnet(vpc: &VpcRecord, id: String, cidr: Ipv4Net, zone: &str) -> SubnetRecord {
    SubnetRecord {
        region: vpc.region.clone(),
        id,
        vpc_id: vpc.id.clone(),
        cidr,
        zone: zone.to_owned(),
        default_for_az: false,
        map_public_ip_on_launch: false,
        tags: Tags::new(),
    }
}

/// The `index`-th network of a size within another.
pub fn nth(within: Ipv4Net, prefix_len: u8, index: usize) -> Option<Ipv4Net> {
    within.subnets(prefix_len).ok()?.nth(index)
}

/// The first network of a size within a VPC that overlaps none of the others.
pub fn first_free(vpc: Ipv4Net, prefix_len: u8, others: &[Ipv4Net]) -> Option<Ipv4Net> {
    vpc.subnets(prefix_len).ok()?.find(|candidate| others.iter().all(|other| !overlap(*candidate, *other)))
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// `CreateSubnet`
pub fn create_subnet(ctx: &Ctx, input: CreateSubnetRequest) -> Result<CreateSubnetResult, Error> {
    const SUPPORTED: &[&str] =
        &["TagSpecifications", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId", "DryRun"];
    only_supported(&input, "CreateSubnet", SUPPORTED)?;
    let vpc_id = required(&input.vpc_id, "vpcId")?;
    let text = required(&input.cidr_block, "cidrBlock")?;
    let cidr = vpcs::parse_cidr(text, "cidrBlock")?;
    let zone = zone_for(ctx, input.availability_zone.as_deref(), input.availability_zone_id.as_deref())?;
    let tags = tags_for(ctx, &input.tag_specifications, "subnet", &["subnet"])?;
    let subnet = change(ctx, input.dry_run, |tx| {
        let vpc = tx.need::<VpcRecord>(&ctx.region, vpc_id, errors::VPC)?;
        if !(16..=28).contains(&cidr.prefix_len()) || !vpc.cidr.contains(&cidr) {
            return Err(Error::client("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
        }
        let taken = |other: &SubnetRecord| other.vpc_id == vpc_id && overlap(other.cidr, cidr);
        if tx.list::<SubnetRecord>(&ctx.region).iter().any(|other| taken(other)) {
            let message = format!("The CIDR '{text}' conflicts with another subnet");
            return Err(Error::client("InvalidSubnet.Conflict", message));
        }
        let subnet = SubnetRecord { tags, ..new_subnet(&vpc, ids::ec2("subnet"), cidr, &zone) };
        tx.put(subnet.clone())?;
        Ok(subnet)
    })?;
    Ok(CreateSubnetResult { subnet: Some(to_wire(ctx, &subnet)) })
}

/// The zone asked for by name or id, or the region's first.
fn zone_for(ctx: &Ctx, name: Option<&str>, id: Option<&str>) -> Result<String, Error> {
    let zones = regions::zones(&ctx.region);
    let found = match (name, id) {
        (Some(name), None) => zones.iter().find(|zone| *zone == name),
        (None, Some(id)) => zones.iter().find(|zone| regions::zone_id(zone).as_deref() == Some(id)),
        (None, None) => zones.first(),
        (Some(_), Some(_)) => {
            return Err(errors::bad_combination(
                "AvailabilityZone and AvailabilityZoneId exclude one another",
            ));
        }
    };
    found.cloned().ok_or_else(|| {
        let asked = name.or(id).unwrap_or_default();
        let why = format!(
            "Subnets can currently only be created in the following availability zones: {}.",
            zones.join(", ")
        );
        errors::invalid_parameter(asked, "availabilityZone", &why)
    })
}

/// `DeleteSubnet`
pub fn delete_subnet(ctx: &Ctx, input: DeleteSubnetRequest) -> Result<(), Error> {
    let id = required(&input.subnet_id, "subnetId")?;
    change(ctx, input.dry_run, |tx| {
        tx.need::<SubnetRecord>(&ctx.region, id, errors::SUBNET)?;
        if tx.list::<NetworkInterfaceRecord>(&ctx.region).iter().any(|interface| interface.subnet_id == id) {
            return Err(errors::SUBNET.has_dependencies(id));
        }
        for table in tx.list::<RouteTableRecord>(&ctx.region).iter().filter(|table| table.is_for(id)) {
            tx.update::<RouteTableRecord>(&ctx.region, &table.id, |table| {
                table.associations.retain(|association| association.subnet_id.as_deref() != Some(id));
            })?;
        }
        tx.remove::<SubnetRecord>(&ctx.region, id);
        Ok(())
    })
}

/// `ModifySubnetAttribute`
pub fn modify_subnet_attribute(ctx: &Ctx, input: ModifySubnetAttributeRequest) -> Result<(), Error> {
    let id = required(&input.subnet_id, "subnetId")?;
    let Some(map) = input.map_public_ip_on_launch.as_ref().and_then(|value| value.value) else {
        return Err(errors::unsupported("A modification of a subnet other than of MapPublicIpOnLaunch"));
    };
    change(ctx, None, |tx| {
        tx.need::<SubnetRecord>(&ctx.region, id, errors::SUBNET)?;
        tx.update::<SubnetRecord>(&ctx.region, id, |subnet| subnet.map_public_ip_on_launch = map)?;
        Ok(())
    })
}

const FIELDS: &[Field<SubnetRecord>] = &[
    ("subnet-id", |subnet, is| is(&subnet.id)),
    ("vpc-id", |subnet, is| is(&subnet.vpc_id)),
    ("availability-zone", |subnet, is| is(&subnet.zone)),
    ("availabilityZone", |subnet, is| is(&subnet.zone)),
    ("availability-zone-id", |subnet, is| regions::zone_id(&subnet.zone).is_some_and(|id| is(&id))),
    ("cidr-block", |subnet, is| is(&subnet.cidr.to_string())),
    ("cidr", |subnet, is| is(&subnet.cidr.to_string())),
    ("cidrBlock", |subnet, is| is(&subnet.cidr.to_string())),
    ("default-for-az", |subnet, is| is(truth(subnet.default_for_az))),
    ("defaultForAz", |subnet, is| is(truth(subnet.default_for_az))),
    ("map-public-ip-on-launch", |subnet, is| is(truth(subnet.map_public_ip_on_launch))),
    ("state", |_, is| is("available")),
];

/// `DescribeSubnets`
pub fn describe_subnets(ctx: &Ctx, input: DescribeSubnetsRequest) -> Result<DescribeSubnetsResult, Error> {
    let query = Query {
        ids: &input.subnet_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |subnet: &SubnetRecord| &subnet.tags,
        kind: errors::SUBNET,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeSubnetsResult {
        subnets: page.items.iter().map(|subnet| to_wire(ctx, subnet)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, subnet: &SubnetRecord) -> Subnet {
    let interfaces = ctx.cloud.store.list::<NetworkInterfaceRecord>(&ctx.region);
    let used = interfaces.iter().filter(|interface| interface.subnet_id == subnet.id).count();
    let size = 1_u64 << (32 - u32::from(subnet.cidr.prefix_len()));
    let free = size.saturating_sub(5).saturating_sub(used as u64);
    Subnet {
        subnet_id: Some(subnet.id.clone()),
        subnet_arn: Some(ctx.arn("ec2", &format!("subnet/{}", subnet.id))),
        owner_id: Some(ctx.account.to_string()),
        vpc_id: Some(subnet.vpc_id.clone()),
        state: Some("available".to_owned()),
        cidr_block: Some(subnet.cidr.to_string()),
        available_ip_address_count: i32::try_from(free).ok(),
        availability_zone: Some(subnet.zone.clone()),
        availability_zone_id: regions::zone_id(&subnet.zone),
        default_for_az: Some(subnet.default_for_az),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        map_customer_owned_ip_on_launch: Some(false),
        assign_ipv6_address_on_creation: Some(false),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some("ip-name".to_owned()),
            enable_resource_name_dns_a_record: Some(false),
            enable_resource_name_dns_aaaa_record: Some(false),
        }),
        tags: tag_set(&subnet.tags),
        ..Subnet::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_part_of_a_vpc() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        let vpc = net("10.0.0.0/16");
        for (others, size, expected) in [
            (vec![], 20, Some("10.0.0.0/20")),
            (vec![net("10.0.0.0/20")], 20, Some("10.0.16.0/20")),
            (vec![net("10.0.17.0/24")], 20, Some("10.0.0.0/20")),
            (vec![net("10.0.0.0/24")], 20, Some("10.0.16.0/20")),
            (vec![net("10.0.0.0/16")], 20, None),
            (vec![], 8, None),
        ] {
            assert_eq!(first_free(vpc, size, &others), expected.map(net), "{others:?}");
        }
    }
}
