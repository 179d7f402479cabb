//! Account attributes, DHCP options and network ACLs.

use aws_wire::Error;
use aws_wire::ec2::{
    AccountAttribute, AccountAttributeValue, AttributeValue, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResult, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResult,
    DescribeNetworkAclsRequest, DescribeNetworkAclsResult, DhcpConfiguration, DhcpOptions, NetworkAcl,
    NetworkAclAssociation, NetworkAclEntry,
};

use super::request::{PAGE, Query, page, select, stop_dry_run, tag_set};
use super::state::{DhcpOptionsRecord, SubnetRecord, VpcRecord};
use super::{errors, regions};
use crate::api::filters::Field;
use crate::context::Ctx;

/// `DescribeAccountAttributes`
pub fn describe_account_attributes(
    ctx: &Ctx,
    input: DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResult, Error> {
    stop_dry_run(input.dry_run)?;
    let default_vpc = regions::default_vpc(&ctx.cloud.store, &ctx.region).map(|vpc| vpc.id.clone());
    let attributes = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", default_vpc.unwrap_or_else(|| "none".to_owned())),
        ("max-instances", "20".to_owned()),
        ("vpc-max-security-groups-per-interface", "5".to_owned()),
        ("max-elastic-ips", "0".to_owned()),
        ("vpc-max-elastic-ips", "0".to_owned()),
    ];
    let asked = &input.attribute_names;
    if let Some(unknown) = asked.iter().find(|name| attributes.iter().all(|(known, _)| known != name)) {
        return Err(errors::invalid_parameter(unknown, "attributeName", ""));
    }
    let account_attributes = attributes
        .into_iter()
        .filter(|(name, _)| asked.is_empty() || asked.iter().any(|asked| asked == name))
        .map(|(name, value)| AccountAttribute {
            attribute_name: Some(name.to_owned()),
            attribute_values: vec![AccountAttributeValue { attribute_value: Some(value) }],
        })
        .collect();
    Ok(DescribeAccountAttributesResult { account_attributes })
}

const DHCP_FIELDS: &[Field<DhcpOptionsRecord>] = &[
    ("dhcp-options-id", |options, is| is(&options.id)),
    ("key", |options, is| options.options.keys().any(|key| is(key))),
    ("value", |options, is| options.options.values().flatten().any(|value| is(value))),
];

/// `DescribeDhcpOptions`
pub fn describe_dhcp_options(
    ctx: &Ctx,
    input: DescribeDhcpOptionsRequest,
) -> Result<DescribeDhcpOptionsResult, Error> {
    let query = Query {
        ids: &input.dhcp_options_ids,
        filters: &input.filters,
        fields: DHCP_FIELDS,
        tags: |options: &DhcpOptionsRecord| &options.tags,
        kind: errors::DHCP_OPTIONS,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    let dhcp_options = page.items.iter().map(|options| DhcpOptions {
        owner_id: Some(ctx.account.to_string()),
        dhcp_options_id: Some(options.id.clone()),
        dhcp_configurations: options
            .options
            .iter()
            .map(|(key, values)| DhcpConfiguration {
                key: Some(key.clone()),
                values: values.iter().map(|value| AttributeValue { value: Some(value.clone()) }).collect(),
            })
            .collect(),
        tags: tag_set(&options.tags),
    });
    Ok(DescribeDhcpOptionsResult { dhcp_options: dhcp_options.collect(), next_token: page.next })
}

const ACL_FIELDS: &[Field<NetworkAcl>] = &[
    ("network-acl-id", |acl, is| acl.network_acl_id.as_deref().is_some_and(is)),
    ("vpc-id", |acl, is| acl.vpc_id.as_deref().is_some_and(is)),
    ("default", |_, is| is("true")),
    ("association.subnet-id", |acl, is| {
        acl.associations.iter().any(|association| association.subnet_id.as_deref().is_some_and(is))
    }),
];

/// `DescribeNetworkAcls`: each VPC has its default one, which lets everything through.
pub fn describe_network_acls(
    ctx: &Ctx,
    input: DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(ACL_FIELDS, None, &input.filters)?;
    let subnets = ctx.cloud.store.list::<SubnetRecord>(&ctx.region);
    let mut acls: Vec<(String, NetworkAcl)> = ctx
        .cloud
        .store
        .list::<VpcRecord>(&ctx.region)
        .iter()
        .map(|vpc| (vpc.network_acl_id.clone(), acl(ctx, vpc, &subnets)))
        .collect();
    let asked = &input.network_acl_ids;
    if let Some(unknown) = asked.iter().find(|id| acls.iter().all(|(known, _)| known != *id)) {
        return Err(errors::NETWORK_ACL.not_found(unknown));
    }
    acls.sort_by(|a, b| a.0.cmp(&b.0));
    acls.retain(|(id, acl)| (asked.is_empty() || asked.contains(id)) && selection.accepts(acl));
    let page = page(acls, input.max_results, input.next_token.as_deref(), PAGE, |(id, _)| id)?;
    Ok(DescribeNetworkAclsResult {
        network_acls: page.items.into_iter().map(|(_, acl)| acl).collect(),
        next_token: page.next,
    })
}

fn acl(ctx: &Ctx, vpc: &VpcRecord, subnets: &[std::sync::Arc<SubnetRecord>]) -> NetworkAcl {
    let entry = |egress, number, action: &str| NetworkAclEntry {
        cidr_block: Some("0.0.0.0/0".to_owned()),
        egress: Some(egress),
        protocol: Some("-1".to_owned()),
        rule_action: Some(action.to_owned()),
        rule_number: Some(number),
        ..NetworkAclEntry::default()
    };
    let association = |subnet: &std::sync::Arc<SubnetRecord>| NetworkAclAssociation {
        network_acl_association_id: Some(subnet.id.replacen("subnet-", "aclassoc-", 1)),
        network_acl_id: Some(vpc.network_acl_id.clone()),
        subnet_id: Some(subnet.id.clone()),
    };
    NetworkAcl {
        network_acl_id: Some(vpc.network_acl_id.clone()),
        vpc_id: Some(vpc.id.clone()),
        owner_id: Some(ctx.account.to_string()),
        is_default: Some(true),
        associations: subnets.iter().filter(|subnet| subnet.vpc_id == vpc.id).map(association).collect(),
        entries: [true, false]
            .into_iter()
            .flat_map(|egress| [entry(egress, 100, "allow"), entry(egress, 32767, "deny")])
            .collect(),
        ..NetworkAcl::default()
    }
}
