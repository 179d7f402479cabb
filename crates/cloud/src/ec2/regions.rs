//! Regions, availability zones, and what every region begins with.

use aws_wire::Error;
use aws_wire::ec2::{
    AvailabilityZone, DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult,
    DescribeRegionsRequest, DescribeRegionsResult, Region,
};
use jiff::Timestamp;

use super::request::{Read, select, stop_dry_run};
use super::state::{
    DhcpOptionsRecord, InternetGatewayRecord, RegionRecord, Route, RouteTarget, SubnetRecord, VpcRecord,
};
use super::{errors, subnets, vpcs};
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ids;
use crate::store::{Store, Tx};

/// A region.
struct Place {
    name: &'static str,
    /// What its zones' ids begin with.
    zone_prefix: &'static str,
    /// The letters of its zones.
    zones: &'static str,
}

const fn place(name: &'static str, zone_prefix: &'static str, zones: &'static str) -> Place {
    Place { name, zone_prefix, zones }
}

/// The regions that every account has without opting in. Each has those three zones that accounts commonly
/// have (`us-west-1` has two).
const REGIONS: &[Place] = &[
    place("ap-northeast-1", "apne1", "acd"),
    place("ap-northeast-2", "apne2", "abc"),
    place("ap-northeast-3", "apne3", "abc"),
    place("ap-south-1", "aps1", "abc"),
    place("ap-southeast-1", "apse1", "abc"),
    place("ap-southeast-2", "apse2", "abc"),
    place("ca-central-1", "cac1", "abd"),
    place("eu-central-1", "euc1", "abc"),
    place("eu-north-1", "eun1", "abc"),
    place("eu-west-1", "euw1", "abc"),
    place("eu-west-2", "euw2", "abc"),
    place("eu-west-3", "euw3", "abc"),
    place("sa-east-1", "sae1", "abc"),
    place("us-east-1", "use1", "abc"),
    place("us-east-2", "use2", "abc"),
    place("us-west-1", "usw1", "ac"),
    place("us-west-2", "usw2", "abc"),
];

impl Place {
    fn zone_names(&self) -> impl Iterator<Item = String> {
        self.zones.chars().map(|letter| format!("{}{letter}", self.name))
    }
}

fn find(region: &str) -> Option<&'static Place> {
    REGIONS.iter().find(|place| place.name == region)
}

/// The names of the regions there are.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|place| place.name)
}

/// The names of a region's availability zones; none if there is no such region.
pub fn zones(region: &str) -> Vec<String> {
    find(region).map(|place| place.zone_names().collect()).unwrap_or_default()
}

/// The id of a zone (`use1-az1`); none if there is no such zone.
pub fn zone_id(zone: &str) -> Option<String> {
    let place =
        REGIONS.iter().find(|place| zone.starts_with(place.name) && place.zone_names().any(|z| z == zone))?;
    let number = 1 + place.zone_names().position(|name| name == zone)?;
    Some(format!("{}-az{number}", place.zone_prefix))
}

/// Gives a region its defaults when it is used for the first time: a VPC with a subnet in each zone, an
/// internet gateway, a route table that leads to it and a security group.
///
/// # Errors
/// When there is no such region, or the store fails.
pub fn ensure_region(store: &Store, region: &str) -> Result<(), Error> {
    if store.get::<RegionRecord>(region, "region").is_some() {
        return Ok(());
    }
    let place = find(region).ok_or_else(|| {
        errors::invalid_value(format!("There is no region '{region}' that needs no opt-in"))
    })?;
    store.write(|tx| {
        // Two first requests may come at once.
        if tx.get::<RegionRecord>(region, "region").is_none() {
            tx.put(RegionRecord {
                region: region.to_owned(),
                id: "region".to_owned(),
                created: Timestamp::now(),
            })?;
            create_defaults(tx, place)?;
        }
        Ok(())
    })
}

fn create_defaults(tx: &mut Tx<'_>, place: &Place) -> Result<(), Error> {
    let region = place.name;
    let dhcp_options_id = ids::ec2("dopt");
    let domain =
        if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    let options = [("domain-name", domain), ("domain-name-servers", "AmazonProvidedDNS".to_owned())];
    tx.put(DhcpOptionsRecord {
        region: region.to_owned(),
        id: dhcp_options_id.clone(),
        options: options.into_iter().map(|(name, value)| (name.to_owned(), vec![value])).collect(),
        tags: Tags::new(),
    })?;
    let vpc = VpcRecord {
        is_default: true,
        enable_dns_hostnames: true,
        dhcp_options_id,
        ..vpcs::new_vpc(region, ids::ec2("vpc"), vpcs::DEFAULT_CIDR)
    };
    create_public_vpc(tx, &vpc)?;
    for (index, zone) in place.zone_names().enumerate() {
        let cidr = subnets::nth(vpc.cidr, 20, index)
            .ok_or_else(|| Error::internal("the default VPC is too small"))?;
        tx.put(SubnetRecord {
            default_for_az: true,
            map_public_ip_on_launch: true,
            ..subnets::new_subnet(&vpc, ids::ec2("subnet"), cidr, &zone)
        })?;
    }
    Ok(())
}

/// Makes a VPC whose main route table leads out through an internet gateway.
///
/// # Errors
/// When the store fails.
pub fn create_public_vpc(tx: &mut Tx<'_>, vpc: &VpcRecord) -> Result<(), Error> {
    let gateway = InternetGatewayRecord {
        region: vpc.region.clone(),
        id: ids::ec2("igw"),
        vpc_id: Some(vpc.id.clone()),
        tags: Tags::new(),
    };
    let mut table = vpcs::put_vpc(tx, vpc.clone())?;
    table.routes.push(Route {
        destination: ipnet::Ipv4Net::default(),
        target: RouteTarget::InternetGateway(gateway.id.clone()),
    });
    tx.put(gateway)?;
    tx.put(table)?;
    Ok(())
}

/// The region's default VPC, if it (still) has one.
pub fn default_vpc(read: &impl Read, region: &str) -> Option<std::sync::Arc<VpcRecord>> {
    read.list::<VpcRecord>(region).into_iter().find(|vpc| vpc.is_default)
}

/// `DescribeRegions`
pub fn describe_regions(_: &Ctx, input: DescribeRegionsRequest) -> Result<DescribeRegionsResult, Error> {
    stop_dry_run(input.dry_run)?;
    const FIELDS: &[Field<Place>] = &[
        ("region-name", |place, is| is(place.name)),
        ("endpoint", |place, is| is(&endpoint(place))),
        ("opt-in-status", |_, is| is("opt-in-not-required")),
    ];
    let selection = select(FIELDS, None, &input.filters)?;
    if let Some(unknown) = input.region_names.iter().find(|name| find(name).is_none()) {
        return Err(errors::invalid_value(format!("Invalid region names: [{unknown}]")));
    }
    let asked =
        |place: &&Place| input.region_names.is_empty() || input.region_names.iter().any(|n| n == place.name);
    let regions = REGIONS.iter().filter(asked).filter(|place| selection.accepts(place)).map(|place| Region {
        region_name: Some(place.name.to_owned()),
        endpoint: Some(endpoint(place)),
        opt_in_status: Some("opt-in-not-required".to_owned()),
        ..Region::default()
    });
    Ok(DescribeRegionsResult { regions: regions.collect() })
}

fn endpoint(place: &Place) -> String {
    format!("ec2.{}.amazonaws.com", place.name)
}

/// `DescribeAvailabilityZones`
pub fn describe_availability_zones(
    ctx: &Ctx,
    input: DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResult, Error> {
    stop_dry_run(input.dry_run)?;
    const FIELDS: &[Field<AvailabilityZone>] = &[
        ("zone-name", |zone, is| zone.zone_name.as_deref().is_some_and(is)),
        ("zone-id", |zone, is| zone.zone_id.as_deref().is_some_and(is)),
        ("region-name", |zone, is| zone.region_name.as_deref().is_some_and(is)),
        ("group-name", |zone, is| zone.group_name.as_deref().is_some_and(is)),
        ("zone-type", |_, is| is("availability-zone")),
        ("state", |_, is| is("available")),
        ("opt-in-status", |_, is| is("opt-in-not-required")),
    ];
    let selection = select(FIELDS, None, &input.filters)?;
    let all = zones(&ctx.region);
    if let Some(unknown) = input.zone_names.iter().find(|name| !all.contains(name)) {
        return Err(errors::invalid_value(format!("Invalid availability zone: [{unknown}]")));
    }
    let zones = all
        .into_iter()
        .filter(|name| input.zone_names.is_empty() || input.zone_names.contains(name))
        .map(|name| AvailabilityZone {
            state: Some("available".to_owned()),
            opt_in_status: Some("opt-in-not-required".to_owned()),
            region_name: Some(ctx.region.to_string()),
            zone_id: zone_id(&name),
            zone_name: Some(name),
            group_name: Some(format!("{}-zg-1", ctx.region)),
            network_border_group: Some(ctx.region.to_string()),
            zone_type: Some("availability-zone".to_owned()),
            ..AvailabilityZone::default()
        })
        .filter(|zone| {
            let id = zone.zone_id.clone().unwrap_or_default();
            (input.zone_ids.is_empty() || input.zone_ids.contains(&id)) && selection.accepts(zone)
        });
    Ok(DescribeAvailabilityZonesResult { availability_zones: zones.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_their_ids() {
        assert_eq!(zones("us-east-1"), ["us-east-1a", "us-east-1b", "us-east-1c"]);
        assert_eq!(zone_id("ap-northeast-1c").as_deref(), Some("apne1-az2"));
        assert_eq!(zone_id("us-east-1z"), None);
        assert!(zones("mars-north-1").is_empty());
    }
}
