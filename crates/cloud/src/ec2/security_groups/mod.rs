//! Security groups.

pub mod permissions;
mod rules;

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    CreateSecurityGroupRequest, CreateSecurityGroupResult, DeleteSecurityGroupRequest,
    DeleteSecurityGroupResult, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult, SecurityGroup,
};
use ipnet::Ipv4Net;

pub use rules::*;

use super::request::{Query, Read, change, required, tag_set, tags_for};
use super::state::{NetworkInterfaceRecord, Peer, Protocol, Rule, SecurityGroupRecord, VpcRecord};
use super::{errors, regions};
use crate::api::filters::{Field, Test};
use crate::api::tags::Tags;
use crate::api::values::length;
use crate::context::Ctx;
use crate::ids;

/// `CreateSecurityGroup`. A new group lets everything out and nothing in.
pub fn create_security_group(
    ctx: &Ctx,
    input: CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResult, Error> {
    let name = required(&input.group_name, "groupName")?;
    let description = required(&input.description, "groupDescription")?;
    check_text(name, "groupName")?;
    check_text(description, "groupDescription")?;
    if name.starts_with("sg-") {
        let message =
            format!("Invalid value '{name}' for groupName. Group names may not be in the format sg-*.");
        return Err(errors::invalid_value(message));
    }
    if name == "default" {
        return Err(Error::client("InvalidGroup.Reserved", "The security group 'default' is reserved"));
    }
    let tags = tags_for(ctx, &input.tag_specifications, "security-group", &["security-group"])?;
    let group = change(ctx, input.dry_run, |tx| {
        // Packer names a VPC always; without one the name is empty, which EC2 takes for none.
        let vpc_id = match input.vpc_id.as_ref().filter(|id| !id.is_empty()) {
            Some(id) => tx.need::<VpcRecord>(&ctx.region, id, errors::VPC)?.id.clone(),
            None => regions::default_vpc(tx, &ctx.region).ok_or_else(no_default_vpc)?.id.clone(),
        };
        if find_by_name(tx, &ctx.region, &vpc_id, name).is_some() {
            let message = format!("The security group '{name}' already exists for VPC '{vpc_id}'");
            return Err(Error::client("InvalidGroup.Duplicate", message));
        }
        let group = SecurityGroupRecord {
            region: ctx.region.to_string(),
            id: ids::ec2("sg"),
            vpc_id,
            name: name.to_owned(),
            description: description.to_owned(),
            rules: vec![Rule {
                id: ids::ec2("sgr"),
                egress: true,
                protocol: Protocol::All,
                peer: Peer::Cidr(Ipv4Net::default()),
                description: None,
                tags: Tags::new(),
            }],
            tags,
        };
        tx.put(group.clone())?;
        Ok(group)
    })?;
    Ok(CreateSecurityGroupResult {
        security_group_arn: Some(arn(ctx, &group.id)),
        group_id: Some(group.id),
        tags: tag_set(&group.tags),
    })
}

/// The region has no default VPC to make something in.
pub fn no_default_vpc() -> Error {
    Error::client("VPCIdNotSpecified", "No default VPC for this user")
}

/// Names and descriptions: up to 255 characters of EC2's alphabet.
fn check_text(text: &str, parameter: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if length(text, 1, 255) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(errors::invalid_value(format!(
        "Value ({text}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported, and it \
         may be up to 255 characters long."
    )))
}

fn arn(ctx: &Ctx, id: &str) -> String {
    ctx.arn("ec2", &format!("security-group/{id}"))
}

/// The group of a VPC that has this name.
pub fn find_by_name(
    read: &impl Read,
    region: &str,
    vpc_id: &str,
    name: &str,
) -> Option<Arc<SecurityGroupRecord>> {
    read.list::<SecurityGroupRecord>(region)
        .into_iter()
        .find(|group| group.vpc_id == vpc_id && group.name == name)
}

/// The group that a request names by id, or else by name in the default VPC.
pub(super) fn need(
    read: &impl Read,
    region: &str,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<Arc<SecurityGroupRecord>, Error> {
    match (id, name) {
        (Some(id), _) => read.need(region, id, errors::SECURITY_GROUP),
        (None, Some(name)) => {
            let vpc = regions::default_vpc(read, region).ok_or_else(no_default_vpc)?;
            find_by_name(read, region, &vpc.id, name).ok_or_else(|| name_not_found(name, &vpc.id))
        }
        (None, None) => Err(errors::missing("groupId")),
    }
}

/// There is no group of this name in the VPC.
pub fn name_not_found(name: &str, vpc_id: &str) -> Error {
    let message = format!("The security group '{name}' does not exist in VPC '{vpc_id}'");
    Error::client("InvalidGroup.NotFound", message)
}

/// `DeleteSecurityGroup`
pub fn delete_security_group(
    ctx: &Ctx,
    input: DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResult, Error> {
    let id = change(ctx, input.dry_run, |tx| {
        let group = need(tx, &ctx.region, input.group_id.as_deref(), input.group_name.as_deref())?;
        if group.name == "default" {
            let message = format!(
                "the specified group: \"{}\" name: \"default\" cannot be deleted by a user",
                group.id
            );
            return Err(Error::client("CannotDelete", message));
        }
        let interfaces = tx.list::<NetworkInterfaceRecord>(&ctx.region);
        let groups = tx.list::<SecurityGroupRecord>(&ctx.region);
        let has_member = interfaces.iter().any(|interface| interface.groups.contains(&group.id));
        let is_peer = groups.iter().any(|other| other.id != group.id && refers_to(other, &group.id));
        if has_member || is_peer {
            let message = format!("resource {} has a dependent object", group.id);
            return Err(Error::client("DependencyViolation", message));
        }
        tx.remove::<SecurityGroupRecord>(&ctx.region, &group.id);
        Ok(group.id.clone())
    })?;
    Ok(DeleteSecurityGroupResult { return_: Some(true), group_id: Some(id) })
}

fn refers_to(group: &SecurityGroupRecord, id: &str) -> bool {
    group.rules.iter().any(|rule| matches!(&rule.peer, Peer::Group(peer) if peer == id))
}

fn any_rule(group: &SecurityGroupRecord, egress: bool, test: impl Fn(&Rule) -> bool) -> bool {
    group.rules.iter().any(|rule| rule.egress == egress && test(rule))
}

fn has_cidr(rule: &Rule, is: Test<'_>) -> bool {
    matches!(&rule.peer, Peer::Cidr(cidr) if is(&cidr.to_string()))
}

fn has_group(rule: &Rule, is: Test<'_>) -> bool {
    matches!(&rule.peer, Peer::Group(group) if is(group))
}

fn has_protocol(rule: &Rule, is: Test<'_>) -> bool {
    is(&permissions::wire_protocol(rule.protocol).0)
}

fn has_from(rule: &Rule, is: Test<'_>) -> bool {
    permissions::wire_protocol(rule.protocol).1.is_some_and(|port| is(&port.to_string()))
}

fn has_to(rule: &Rule, is: Test<'_>) -> bool {
    permissions::wire_protocol(rule.protocol).2.is_some_and(|port| is(&port.to_string()))
}

const FIELDS: &[Field<SecurityGroupRecord>] = &[
    ("group-id", |group, is| is(&group.id)),
    ("group-name", |group, is| is(&group.name)),
    ("description", |group, is| is(&group.description)),
    ("vpc-id", |group, is| is(&group.vpc_id)),
    ("ip-permission.cidr", |group, is| any_rule(group, false, |rule| has_cidr(rule, is))),
    ("ip-permission.group-id", |group, is| any_rule(group, false, |rule| has_group(rule, is))),
    ("ip-permission.protocol", |group, is| any_rule(group, false, |rule| has_protocol(rule, is))),
    ("ip-permission.from-port", |group, is| any_rule(group, false, |rule| has_from(rule, is))),
    ("ip-permission.to-port", |group, is| any_rule(group, false, |rule| has_to(rule, is))),
    ("egress.ip-permission.cidr", |group, is| any_rule(group, true, |rule| has_cidr(rule, is))),
    ("egress.ip-permission.group-id", |group, is| any_rule(group, true, |rule| has_group(rule, is))),
    ("egress.ip-permission.protocol", |group, is| any_rule(group, true, |rule| has_protocol(rule, is))),
    ("egress.ip-permission.from-port", |group, is| any_rule(group, true, |rule| has_from(rule, is))),
    ("egress.ip-permission.to-port", |group, is| any_rule(group, true, |rule| has_to(rule, is))),
];

/// `DescribeSecurityGroups`
pub fn describe_security_groups(
    ctx: &Ctx,
    input: DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResult, Error> {
    let mut groups = ctx.cloud.store.list::<SecurityGroupRecord>(&ctx.region);
    for name in &input.group_names {
        // Names are names in the default VPC; with a filter on another VPC they are looked up there.
        if !groups.iter().any(|group| group.name == *name) {
            let message = format!("The security group '{name}' does not exist");
            return Err(Error::client("InvalidGroup.NotFound", message));
        }
    }
    let query = Query {
        ids: &input.group_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |group: &SecurityGroupRecord| &group.tags,
        kind: errors::SECURITY_GROUP,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    if !input.group_names.is_empty() {
        groups.retain(|group| input.group_names.contains(&group.name));
    }
    let page = query.of(groups)?;
    Ok(DescribeSecurityGroupsResult {
        security_groups: page.items.iter().map(|group| to_wire(ctx, group)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, group: &SecurityGroupRecord) -> SecurityGroup {
    SecurityGroup {
        group_id: Some(group.id.clone()),
        group_name: Some(group.name.clone()),
        description: Some(group.description.clone()),
        vpc_id: Some(group.vpc_id.clone()),
        owner_id: Some(ctx.account.to_string()),
        security_group_arn: Some(arn(ctx, &group.id)),
        ip_permissions: permissions::to_wire(&group.rules, false, &ctx.account),
        ip_permissions_egress: permissions::to_wire(&group.rules, true, &ctx.account),
        tags: tag_set(&group.tags),
    }
}
