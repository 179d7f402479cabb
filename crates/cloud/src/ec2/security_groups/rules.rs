//! Operations on the rules of security groups.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResult,
    AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResult,
    DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult, IpPermission, IpRange,
    ReferencedSecurityGroup, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult, RevokedSecurityGroupRule,
    SecurityGroupRule, SecurityGroupRuleDescription, TagSpecification,
    UpdateSecurityGroupRuleDescriptionsEgressRequest, UpdateSecurityGroupRuleDescriptionsEgressResult,
    UpdateSecurityGroupRuleDescriptionsIngressRequest, UpdateSecurityGroupRuleDescriptionsIngressResult,
    UserIdGroupPair,
};

use super::permissions::{self, described, duplicate, wire_protocol};
use super::{find_by_name, name_not_found, need};
use crate::api::filters::Field;
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{Read, change, page, select, stop_dry_run, tag_set, tags_for, truth};
use crate::ec2::state::{Peer, Rule, SecurityGroupRecord};
use crate::store::Tx;

/// The group, permissions and rules that a request is about.
struct Subject<'a> {
    group_id: Option<&'a str>,
    group_name: Option<&'a str>,
    permissions: Vec<IpPermission>,
    rule_ids: &'a [String],
    egress: bool,
    dry_run: Option<bool>,
}

/// The one permission that old clients write into the request itself: protocol, first and last port, addresses, and
/// the name of a group.
type Inline<'a> = (&'a Option<String>, Option<i32>, Option<i32>, &'a Option<String>, &'a Option<String>);

/// The permissions with the inline one, if there is one.
fn with_inline(permissions: &[IpPermission], inline: Inline<'_>) -> Vec<IpPermission> {
    let (protocol, from_port, to_port, cidr, group_name) = inline;
    let mut permissions = permissions.to_vec();
    if protocol.is_some() || cidr.is_some() || group_name.is_some() {
        let all = || "-1".to_owned();
        permissions.push(IpPermission {
            ip_protocol: Some(protocol.clone().unwrap_or_else(all)),
            from_port,
            to_port,
            ip_ranges: cidr
                .iter()
                .map(|cidr| IpRange { cidr_ip: Some(cidr.clone()), description: None })
                .collect(),
            user_id_group_pairs: group_name
                .iter()
                .map(|name| UserIdGroupPair { group_name: Some(name.clone()), ..Default::default() })
                .collect(),
            ..IpPermission::default()
        });
    }
    permissions
}

impl Subject<'_> {
    fn group(&self, tx: &Tx<'_>, ctx: &Ctx) -> Result<Arc<SecurityGroupRecord>, Error> {
        need(tx, &ctx.region, self.group_id, self.group_name)
    }

    fn rules(&self, tx: &Tx<'_>, ctx: &Ctx, group: &SecurityGroupRecord) -> Result<Vec<Rule>, Error> {
        let resolve = |id: Option<&str>, name: Option<&str>| match (id, name) {
            (Some(id), _) => {
                let peer = tx.need::<SecurityGroupRecord>(&ctx.region, id, errors::SECURITY_GROUP)?;
                if peer.vpc_id != group.vpc_id {
                    let message = format!(
                        "You have specified two resources that belong to different networks: {} and {id}",
                        group.id
                    );
                    return Err(Error::client("InvalidGroup.NotFound", message));
                }
                Ok(peer.id.clone())
            }
            (None, Some(name)) => find_by_name(tx, &ctx.region, &group.vpc_id, name)
                .map(|peer| peer.id.clone())
                .ok_or_else(|| name_not_found(name, &group.vpc_id)),
            (None, None) => Err(errors::missing("groupId")),
        };
        permissions::parse(&self.permissions, self.egress, &resolve)
    }

    /// Adds the rules and returns them.
    fn authorize(&self, ctx: &Ctx, tags: &[TagSpecification]) -> Result<Vec<SecurityGroupRule>, Error> {
        let tags = tags_for(ctx, tags, "security-group-rule", &["security-group-rule"])?;
        change(ctx, self.dry_run, |tx| {
            let group = self.group(tx, ctx)?;
            let mut rules = self.rules(tx, ctx, &group)?;
            if let Some(known) = rules.iter().find(|rule| group.rules.iter().any(|r| r.same_traffic(rule))) {
                return Err(duplicate(known));
            }
            for rule in &mut rules {
                rule.tags = tags.clone();
            }
            let answer = rules.iter().map(|rule| to_wire(ctx, &group, rule)).collect();
            tx.update::<SecurityGroupRecord>(&ctx.region, &group.id, |group| group.rules.extend(rules))?;
            Ok(answer)
        })
    }

    /// Removes the rules and returns them.
    fn revoke(&self, ctx: &Ctx) -> Result<Vec<RevokedSecurityGroupRule>, Error> {
        change(ctx, self.dry_run, |tx| {
            let group = self.group(tx, ctx)?;
            let mut revoked: Vec<Rule> = Vec::new();
            for id in self.rule_ids {
                let rule = group.rules.iter().find(|rule| rule.id == *id && rule.egress == self.egress);
                revoked.push(rule.cloned().ok_or_else(|| errors::SECURITY_GROUP_RULE.not_found(id))?);
            }
            if self.rule_ids.is_empty() {
                for asked in self.rules(tx, ctx, &group)? {
                    let rule = group.rules.iter().find(|rule| rule.same_traffic(&asked));
                    revoked.push(rule.cloned().ok_or_else(|| {
                        let message = "The specified rule does not exist in this security group.";
                        Error::client("InvalidPermission.NotFound", message)
                    })?);
                }
            }
            tx.update::<SecurityGroupRecord>(&ctx.region, &group.id, |group| {
                group.rules.retain(|rule| revoked.iter().all(|gone| gone.id != rule.id));
            })?;
            Ok(revoked.iter().map(|rule| to_revoked(&group, rule)).collect())
        })
    }

    /// Gives rules new descriptions.
    fn describe_anew(&self, ctx: &Ctx, descriptions: &[SecurityGroupRuleDescription]) -> Result<(), Error> {
        change(ctx, self.dry_run, |tx| {
            let group = self.group(tx, ctx)?;
            let mut rules = group.rules.clone();
            for new in descriptions {
                let id = new.security_group_rule_id.as_deref().unwrap_or_default();
                let rule = rules.iter_mut().find(|rule| rule.id == id && rule.egress == self.egress);
                let rule = rule.ok_or_else(|| errors::SECURITY_GROUP_RULE.not_found(id))?;
                rule.description = described(new.description.as_deref())?;
            }
            if descriptions.is_empty() {
                for new in self.rules(tx, ctx, &group)? {
                    let rule = rules.iter_mut().find(|rule| rule.same_traffic(&new)).ok_or_else(|| {
                        let message = "The specified rule does not exist in this security group.";
                        Error::client("InvalidPermission.NotFound", message)
                    })?;
                    rule.description = new.description;
                }
            }
            tx.update::<SecurityGroupRecord>(&ctx.region, &group.id, |group| group.rules = rules)?;
            Ok(())
        })
    }
}

/// `AuthorizeSecurityGroupIngress`
pub fn authorize_security_group_ingress(
    ctx: &Ctx,
    input: AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResult, Error> {
    let inline = (
        &input.ip_protocol,
        input.from_port,
        input.to_port,
        &input.cidr_ip,
        &input.source_security_group_name,
    );
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: input.group_name.as_deref(),
        permissions: with_inline(&input.ip_permissions, inline),
        rule_ids: &[],
        egress: false,
        dry_run: input.dry_run,
    };
    let security_group_rules = subject.authorize(ctx, &input.tag_specifications)?;
    Ok(AuthorizeSecurityGroupIngressResult { return_: Some(true), security_group_rules })
}

/// `AuthorizeSecurityGroupEgress`
pub fn authorize_security_group_egress(
    ctx: &Ctx,
    input: AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResult, Error> {
    let inline = (
        &input.ip_protocol,
        input.from_port,
        input.to_port,
        &input.cidr_ip,
        &input.source_security_group_name,
    );
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: None,
        permissions: with_inline(&input.ip_permissions, inline),
        rule_ids: &[],
        egress: true,
        dry_run: input.dry_run,
    };
    let security_group_rules = subject.authorize(ctx, &input.tag_specifications)?;
    Ok(AuthorizeSecurityGroupEgressResult { return_: Some(true), security_group_rules })
}

/// `RevokeSecurityGroupIngress`
pub fn revoke_security_group_ingress(
    ctx: &Ctx,
    input: RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResult, Error> {
    let inline = (
        &input.ip_protocol,
        input.from_port,
        input.to_port,
        &input.cidr_ip,
        &input.source_security_group_name,
    );
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: input.group_name.as_deref(),
        permissions: with_inline(&input.ip_permissions, inline),
        rule_ids: &input.security_group_rule_ids,
        egress: false,
        dry_run: input.dry_run,
    };
    let revoked_security_group_rules = subject.revoke(ctx)?;
    Ok(RevokeSecurityGroupIngressResult {
        return_: Some(true),
        revoked_security_group_rules,
        ..Default::default()
    })
}

/// `RevokeSecurityGroupEgress`
pub fn revoke_security_group_egress(
    ctx: &Ctx,
    input: RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResult, Error> {
    let inline = (
        &input.ip_protocol,
        input.from_port,
        input.to_port,
        &input.cidr_ip,
        &input.source_security_group_name,
    );
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: None,
        permissions: with_inline(&input.ip_permissions, inline),
        rule_ids: &input.security_group_rule_ids,
        egress: true,
        dry_run: input.dry_run,
    };
    let revoked_security_group_rules = subject.revoke(ctx)?;
    Ok(RevokeSecurityGroupEgressResult {
        return_: Some(true),
        revoked_security_group_rules,
        ..Default::default()
    })
}

/// `UpdateSecurityGroupRuleDescriptionsIngress`
pub fn update_security_group_rule_descriptions_ingress(
    ctx: &Ctx,
    input: UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResult, Error> {
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: input.group_name.as_deref(),
        permissions: input.ip_permissions,
        rule_ids: &[],
        egress: false,
        dry_run: input.dry_run,
    };
    subject.describe_anew(ctx, &input.security_group_rule_descriptions)?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResult { return_: Some(true) })
}

/// `UpdateSecurityGroupRuleDescriptionsEgress`
pub fn update_security_group_rule_descriptions_egress(
    ctx: &Ctx,
    input: UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResult, Error> {
    let subject = Subject {
        group_id: input.group_id.as_deref(),
        group_name: input.group_name.as_deref(),
        permissions: input.ip_permissions,
        rule_ids: &[],
        egress: true,
        dry_run: input.dry_run,
    };
    subject.describe_anew(ctx, &input.security_group_rule_descriptions)?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResult { return_: Some(true) })
}

/// A rule and the id of its group.
struct Row {
    group: Arc<SecurityGroupRecord>,
    rule: Rule,
}

const FIELDS: &[Field<Row>] = &[
    ("group-id", |row, is| is(&row.group.id)),
    ("security-group-rule-id", |row, is| is(&row.rule.id)),
    ("is-egress", |row, is| is(truth(row.rule.egress))),
];

/// `DescribeSecurityGroupRules`
pub fn describe_security_group_rules(
    ctx: &Ctx,
    input: DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, Some(|row: &Row| &row.rule.tags), &input.filters)?;
    let mut rows: Vec<Row> = Vec::new();
    for group in ctx.cloud.store.list::<SecurityGroupRecord>(&ctx.region) {
        rows.extend(group.rules.iter().map(|rule| Row { group: Arc::clone(&group), rule: rule.clone() }));
    }
    rows.sort_by(|a, b| a.rule.id.cmp(&b.rule.id));
    let asked = &input.security_group_rule_ids;
    if let Some(unknown) = asked.iter().find(|id| rows.iter().all(|row| row.rule.id != **id)) {
        return Err(errors::SECURITY_GROUP_RULE.not_found(unknown));
    }
    rows.retain(|row| (asked.is_empty() || asked.contains(&row.rule.id)) && selection.accepts(row));
    let limits = crate::ec2::request::PAGE;
    let page = page(rows, input.max_results, input.next_token.as_deref(), limits, |row| &row.rule.id)?;
    Ok(DescribeSecurityGroupRulesResult {
        security_group_rules: page.items.iter().map(|row| to_wire(ctx, &row.group, &row.rule)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, group: &SecurityGroupRecord, rule: &Rule) -> SecurityGroupRule {
    let (ip_protocol, from_port, to_port) = wire_protocol(rule.protocol);
    let (cidr_ipv4, referenced_group_info) = match &rule.peer {
        Peer::Cidr(cidr) => (Some(cidr.to_string()), None),
        Peer::Group(id) => (
            None,
            Some(ReferencedSecurityGroup {
                group_id: Some(id.clone()),
                user_id: Some(ctx.account.to_string()),
                vpc_id: Some(group.vpc_id.clone()),
                ..ReferencedSecurityGroup::default()
            }),
        ),
    };
    SecurityGroupRule {
        security_group_rule_id: Some(rule.id.clone()),
        security_group_rule_arn: Some(ctx.arn("ec2", &format!("security-group-rule/{}", rule.id))),
        group_id: Some(group.id.clone()),
        group_owner_id: Some(ctx.account.to_string()),
        is_egress: Some(rule.egress),
        ip_protocol: Some(ip_protocol),
        // Unlike permissions, rules have -1 for "all ports".
        from_port: Some(from_port.unwrap_or(-1)),
        to_port: Some(to_port.unwrap_or(-1)),
        cidr_ipv4,
        referenced_group_info,
        description: rule.description.clone(),
        tags: tag_set(&rule.tags),
        ..SecurityGroupRule::default()
    }
}

fn to_revoked(group: &SecurityGroupRecord, rule: &Rule) -> RevokedSecurityGroupRule {
    let (ip_protocol, from_port, to_port) = wire_protocol(rule.protocol);
    let (cidr_ipv4, referenced_group_id) = match &rule.peer {
        Peer::Cidr(cidr) => (Some(cidr.to_string()), None),
        Peer::Group(id) => (None, Some(id.clone())),
    };
    RevokedSecurityGroupRule {
        security_group_rule_id: Some(rule.id.clone()),
        group_id: Some(group.id.clone()),
        is_egress: Some(rule.egress),
        ip_protocol: Some(ip_protocol),
        from_port: Some(from_port.unwrap_or(-1)),
        to_port: Some(to_port.unwrap_or(-1)),
        cidr_ipv4,
        referenced_group_id,
        description: rule.description.clone(),
        ..RevokedSecurityGroupRule::default()
    }
}
