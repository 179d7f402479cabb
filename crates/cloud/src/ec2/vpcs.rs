//! VPCs.

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeBooleanValue, CreateVpcRequest, CreateVpcResult, DeleteVpcRequest, DescribeVpcAttributeRequest,
    DescribeVpcAttributeResult, DescribeVpcsRequest, DescribeVpcsResult, ModifyVpcAttributeRequest, Vpc,
    VpcCidrBlockAssociation, VpcCidrBlockState,
};
use ipnet::Ipv4Net;

use super::request::{Query, Read, change, only_supported, required, stop_dry_run, tag_set, tags_for, truth};
use super::state::{
    InternetGatewayRecord, Peer, Protocol, Route, RouteAssociation, RouteTableRecord, RouteTarget, Rule,
    SecurityGroupRecord, SubnetRecord, VpcRecord,
};
use super::{errors, regions};
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ids;
use crate::store::Tx;

/// The addresses of default VPCs.
pub const DEFAULT_CIDR: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 31, 0, 0), 16);

/// A VPC with EC2's defaults.
pub fn new_vpc(region: &str, id: String, cidr: Ipv4Net) -> VpcRecord {
    VpcRecord {
        region: region.to_owned(),
        id,
        cidr,
        cidr_association_id: ids::ec2("vpc-cidr-assoc"),
        is_default: false,
        dhcp_options_id: "default".to_owned(),
        network_acl_id: ids::ec2("acl"),
        enable_dns_support: true,
        enable_dns_hostnames: false,
        tags: Tags::new(),
    }
}

/// Stores a VPC with what every VPC has: a main route table, which is returned and of which the caller may
/// store a longer one, and a default security group.
///
/// # Errors
/// When the store fails.
pub fn put_vpc(tx: &mut Tx<'_>, vpc: VpcRecord) -> Result<RouteTableRecord, Error> {
    let table = RouteTableRecord {
        region: vpc.region.clone(),
        id: ids::ec2("rtb"),
        vpc_id: vpc.id.clone(),
        routes: vec![Route { destination: vpc.cidr, target: RouteTarget::Local }],
        associations: vec![RouteAssociation { id: ids::ec2("rtbassoc"), subnet_id: None }],
        tags: Tags::new(),
    };
    let group_id = ids::ec2("sg");
    let rule = |egress, peer| Rule {
        id: ids::ec2("sgr"),
        egress,
        protocol: Protocol::All,
        peer,
        description: None,
        tags: Tags::new(),
    };
    tx.put(SecurityGroupRecord {
        region: vpc.region.clone(),
        vpc_id: vpc.id.clone(),
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        rules: vec![rule(false, Peer::Group(group_id.clone())), rule(true, Peer::Cidr(Ipv4Net::default()))],
        id: group_id,
        tags: Tags::new(),
    })?;
    tx.put(table.clone())?;
    tx.put(vpc)?;
    Ok(table)
}

/// `CreateVpc`
pub fn create_vpc(ctx: &Ctx, input: CreateVpcRequest) -> Result<CreateVpcResult, Error> {
    only_supported(&input, "CreateVpc", &["CidrBlock", "InstanceTenancy", "TagSpecifications", "DryRun"])?;
    if input.instance_tenancy.as_deref().is_some_and(|tenancy| tenancy != "default") {
        return Err(errors::unsupported("InstanceTenancy other than default"));
    }
    let text = required(&input.cidr_block, "cidrBlock")?;
    let cidr = parse_cidr(text, "cidrBlock")?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(Error::client("InvalidVpc.Range", format!("The CIDR '{text}' is invalid.")));
    }
    if let Some((taken, what)) = reserved(cidr) {
        let message = format!("The CIDR '{text}' is invalid: {taken} is for {what}.");
        return Err(Error::client("InvalidVpc.Range", message));
    }
    let tags = tags_for(ctx, &input.tag_specifications, "vpc", &["vpc"])?;
    let vpc = change(ctx, input.dry_run, |tx| {
        let dhcp_options_id = regions::default_vpc(tx, &ctx.region)
            .map_or_else(|| "default".to_owned(), |default| default.dhcp_options_id.clone());
        let vpc = VpcRecord { tags, dhcp_options_id, ..new_vpc(&ctx.region, ids::ec2("vpc"), cidr) };
        put_vpc(tx, vpc.clone())?;
        Ok(vpc)
    })?;
    // As on EC2, the answer has the state that the VPC has for a moment; it is `available` when next described.
    Ok(CreateVpcResult { vpc: Some(Vpc { state: Some("pending".to_owned()), ..to_wire(ctx, &vpc) }) })
}

/// The reserved network that a VPC's addresses would overlap with, and what it is for. EC2 reserves most of
/// these too; the benchmarking range is where this cloud's API stands.
fn reserved(cidr: Ipv4Net) -> Option<(&'static str, &'static str)> {
    const RESERVED: [(&str, &str); 5] = [
        ("0.0.0.0/8", "this network"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "the metadata, name and time services"),
        ("198.18.0.0/24", "the API inside VPCs"),
        ("224.0.0.0/3", "multicast and future use"),
    ];
    RESERVED.into_iter().find(|(taken, _)| {
        // The table's networks are valid.
        taken.parse::<Ipv4Net>().is_ok_and(|taken| taken.contains(&cidr) || cidr.contains(&taken))
    })
}

/// Parses a network's addresses. Bits beyond the prefix are refused by whoever makes something of them.
///
/// # Errors
/// When it is no IPv4 network.
pub fn parse_cidr(text: &str, parameter: &str) -> Result<Ipv4Net, Error> {
    let cidr: Ipv4Net = text
        .parse()
        .map_err(|_| errors::invalid_parameter(text, parameter, "This is not a valid CIDR block."))?;
    Ok(cidr.trunc())
}

/// `DeleteVpc`: with its default security group and main route table, and nothing else in it.
pub fn delete_vpc(ctx: &Ctx, input: DeleteVpcRequest) -> Result<(), Error> {
    let id = required(&input.vpc_id, "vpcId")?;
    let region = ctx.region.as_ref();
    change(ctx, input.dry_run, |tx| {
        tx.need::<VpcRecord>(region, id, errors::VPC)?;
        let groups: Vec<_> =
            tx.list::<SecurityGroupRecord>(region).into_iter().filter(|group| group.vpc_id == id).collect();
        let tables: Vec<_> =
            tx.list::<RouteTableRecord>(region).into_iter().filter(|table| table.vpc_id == id).collect();
        let in_use = groups.iter().any(|group| group.name != "default")
            || tables.iter().any(|table| !table.is_main())
            || tx.list::<SubnetRecord>(region).iter().any(|subnet| subnet.vpc_id == id)
            || tx.list::<InternetGatewayRecord>(region).iter().any(|gw| gw.vpc_id.as_deref() == Some(id));
        if in_use {
            return Err(errors::VPC.has_dependencies(id));
        }
        for group in groups {
            tx.remove::<SecurityGroupRecord>(region, &group.id);
        }
        for table in tables {
            tx.remove::<RouteTableRecord>(region, &table.id);
        }
        tx.remove::<VpcRecord>(region, id);
        Ok(())
    })
}

const FIELDS: &[Field<VpcRecord>] = &[
    ("vpc-id", |vpc, is| is(&vpc.id)),
    ("cidr", |vpc, is| is(&vpc.cidr.to_string())),
    ("cidr-block", |vpc, is| is(&vpc.cidr.to_string())),
    ("cidrBlock", |vpc, is| is(&vpc.cidr.to_string())),
    ("cidr-block-association.cidr-block", |vpc, is| is(&vpc.cidr.to_string())),
    ("cidr-block-association.association-id", |vpc, is| is(&vpc.cidr_association_id)),
    ("cidr-block-association.state", |_, is| is("associated")),
    ("dhcp-options-id", |vpc, is| is(&vpc.dhcp_options_id)),
    ("dhcpOptionsId", |vpc, is| is(&vpc.dhcp_options_id)),
    ("is-default", |vpc, is| is(truth(vpc.is_default))),
    ("isDefault", |vpc, is| is(truth(vpc.is_default))),
    ("state", |_, is| is("available")),
];

/// `DescribeVpcs`
pub fn describe_vpcs(ctx: &Ctx, input: DescribeVpcsRequest) -> Result<DescribeVpcsResult, Error> {
    let query = Query {
        ids: &input.vpc_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |vpc: &VpcRecord| &vpc.tags,
        kind: errors::VPC,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeVpcsResult {
        vpcs: page.items.iter().map(|vpc| to_wire(ctx, vpc)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, vpc: &VpcRecord) -> Vpc {
    let association = VpcCidrBlockAssociation {
        association_id: Some(vpc.cidr_association_id.clone()),
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_state: Some(VpcCidrBlockState {
            state: Some("associated".to_owned()),
            ..VpcCidrBlockState::default()
        }),
    };
    Vpc {
        vpc_id: Some(vpc.id.clone()),
        owner_id: Some(ctx.account.to_string()),
        state: Some("available".to_owned()),
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_association_set: vec![association],
        dhcp_options_id: Some(vpc.dhcp_options_id.clone()),
        instance_tenancy: Some("default".to_owned()),
        is_default: Some(vpc.is_default),
        tags: tag_set(&vpc.tags),
        ..Vpc::default()
    }
}

/// `DescribeVpcAttribute`
pub fn describe_vpc_attribute(
    ctx: &Ctx,
    input: DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResult, Error> {
    let id = required(&input.vpc_id, "vpcId")?;
    let vpc = ctx.cloud.store.need::<VpcRecord>(&ctx.region, id, errors::VPC)?;
    stop_dry_run(input.dry_run)?;
    let value = |value| Some(AttributeBooleanValue { value: Some(value) });
    let mut result = DescribeVpcAttributeResult { vpc_id: Some(id.to_owned()), ..Default::default() };
    match required(&input.attribute, "attribute")? {
        "enableDnsSupport" => result.enable_dns_support = value(vpc.enable_dns_support),
        "enableDnsHostnames" => result.enable_dns_hostnames = value(vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics" => result.enable_network_address_usage_metrics = value(false),
        other => return Err(errors::invalid_parameter(other, "attribute", "Unknown attribute.")),
    }
    Ok(result)
}

/// `ModifyVpcAttribute`
pub fn modify_vpc_attribute(ctx: &Ctx, input: ModifyVpcAttributeRequest) -> Result<(), Error> {
    let id = required(&input.vpc_id, "vpcId")?;
    let asked = |value: &Option<AttributeBooleanValue>| value.as_ref().and_then(|value| value.value);
    if asked(&input.enable_network_address_usage_metrics) == Some(true) {
        return Err(errors::unsupported("EnableNetworkAddressUsageMetrics"));
    }
    let (support, hostnames) = (asked(&input.enable_dns_support), asked(&input.enable_dns_hostnames));
    match (support, hostnames) {
        (None, None) => return Err(errors::missing("enableDnsSupport")),
        (Some(_), Some(_)) => {
            return Err(errors::bad_combination("Only one attribute may be modified at a time"));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    change(ctx, None, |tx| {
        tx.need::<VpcRecord>(&ctx.region, id, errors::VPC)?;
        tx.update::<VpcRecord>(&ctx.region, id, |vpc| {
            vpc.enable_dns_support = support.unwrap_or(vpc.enable_dns_support);
            vpc.enable_dns_hostnames = hostnames.unwrap_or(vpc.enable_dns_hostnames);
        })?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_networks_cannot_be_vpcs() {
        for (cidr, free) in [
            ("10.0.0.0/16", true),
            ("172.31.0.0/16", true),
            ("198.18.1.0/24", true),
            ("198.18.0.0/16", false),
            ("198.18.0.16/28", false),
            ("169.254.0.0/24", false),
            ("127.1.0.0/16", false),
            ("240.0.0.0/16", false),
        ] {
            assert_eq!(reserved(cidr.parse().unwrap()).is_none(), free, "{cidr}");
        }
    }
}
