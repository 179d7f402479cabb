//! `AWS::EC2::SecurityGroup`.

use aws_wire::ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupIngressRequest, CreateSecurityGroupRequest,
    DeleteSecurityGroupRequest, DescribeSecurityGroupsRequest, Filter, IpPermission, IpRange,
    RevokeSecurityGroupEgressRequest, RevokeSecurityGroupIngressRequest, UserIdGroupPair,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{
    Change, Existing, Failure, Made, Problem, Progress, ResourceType, Wanted, ec2_checks, ec2_tags, props,
};

/// The type.
pub struct SecurityGroup;

const INGRESS: &[Property] = &[
    Property::new("CidrIp", Kind::String),
    Property::new("Description", Kind::String),
    Property::new("FromPort", Kind::Integer),
    Property::new("IpProtocol", Kind::String).required(),
    Property::new("SourceSecurityGroupId", Kind::String),
    Property::new("SourceSecurityGroupName", Kind::String),
    Property::new("ToPort", Kind::Integer),
];
const EGRESS: &[Property] = &[
    Property::new("CidrIp", Kind::String),
    Property::new("Description", Kind::String),
    Property::new("DestinationSecurityGroupId", Kind::String),
    Property::new("FromPort", Kind::Integer),
    Property::new("IpProtocol", Kind::String).required(),
    Property::new("ToPort", Kind::Integer),
];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::SecurityGroup",
    properties: &[
        Property::new("GroupDescription", Kind::String).required().replaces(),
        Property::new("GroupName", Kind::String).replaces(),
        Property::new("SecurityGroupEgress", Kind::List(&Kind::Object(EGRESS))),
        Property::new("SecurityGroupIngress", Kind::List(&Kind::Object(INGRESS))),
        Property::new("Tags", Kind::Tags),
        Property::new("VpcId", Kind::String).replaces(),
    ],
    attributes: &["GroupId", "Id", "VpcId"],
};

impl ResourceType<Api> for SecurityGroup {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("GroupName")
    }

    fn name_limit(&self) -> usize {
        255
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask(properties, "VpcId", &mut problems, |id| ec2_checks::vpc(api, id));
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let tags = props::tags(wanted.owner, wanted.tags, wanted.properties);
        let input = CreateSecurityGroupRequest {
            group_name: Some(wanted.name.to_owned()),
            description: props::text(wanted.properties, "GroupDescription"),
            vpc_id: props::text(wanted.properties, "VpcId"),
            tag_specifications: ec2_tags::specifications("security-group", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_security_group(&api.ctx, input)?;
        Ok(Made::new(created.group_id.unwrap_or_default()))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        let (id, properties) = (physical_id, wanted.properties);
        authorize(api, id, &permissions(props::list(properties, "SecurityGroupIngress"), false), false)?;
        let egress = permissions(props::list(properties, "SecurityGroupEgress"), true);
        if egress.is_empty() {
            return Ok(());
        }
        authorize(api, id, &egress, true)?;
        // A group with egress rules of its own does not keep the one that EC2 gives to every new group.
        if egress.contains(&anywhere()) { Ok(()) } else { revoke(api, id, &[anywhere()], true) }
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner)
            .into_iter()
            .chain([Filter { name: Some("group-name".to_owned()), values: vec![wanted.name.to_owned()] }])
            .collect();
        let input = DescribeSecurityGroupsRequest { filters, ..Default::default() };
        let found = api.services.ec2.describe_security_groups(&api.ctx, input)?;
        Ok(found.security_groups.into_iter().find_map(|group| group.group_id).map(Made::new))
    }

    fn stabilize(&self, api: &Api, existing: &Existing<'_>) -> Result<Progress, Failure> {
        let id = existing.physical_id;
        let input = DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
        let found = api.services.ec2.describe_security_groups(&api.ctx, input)?;
        let vpc = found.security_groups.into_iter().find_map(|group| group.vpc_id).unwrap_or_default();
        let made = Made::new(id).with("GroupId", id).with("Id", id).with("VpcId", vpc);
        Ok(Progress::Ready(made.attributes))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        let rules = |properties, name| props::list(properties, name);
        let id = change.physical_id;
        for (name, egress) in [("SecurityGroupIngress", false), ("SecurityGroupEgress", true)] {
            let (before, after) = (rules(change.before, name), rules(change.after, name));
            // First what is new, so that what both allow is never closed.
            if egress && before.is_empty() != after.is_empty() {
                let open = [anywhere()];
                let (close, reopen) = if after.is_empty() { (false, true) } else { (true, false) };
                authorize(api, id, &permissions(&props::difference(after, before), egress), egress)?;
                if reopen {
                    authorize(api, id, &open, egress)?;
                }
                revoke(api, id, &permissions(&props::difference(before, after), egress), egress)?;
                if close {
                    revoke(api, id, &open, egress)?;
                }
                continue;
            }
            authorize(api, id, &permissions(&props::difference(after, before), egress), egress)?;
            revoke(api, id, &permissions(&props::difference(before, after), egress), egress)?;
        }
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteSecurityGroupRequest {
            group_id: Some(existing.physical_id.to_owned()),
            ..Default::default()
        };
        props::absent(api.services.ec2.delete_security_group(&api.ctx, input), &["InvalidGroup.NotFound"])
            .map(drop)
    }
}

/// The egress rule of every new group.
fn anywhere() -> IpPermission {
    IpPermission {
        ip_protocol: Some("-1".to_owned()),
        ip_ranges: vec![IpRange { cidr_ip: Some("0.0.0.0/0".to_owned()), description: None }],
        ..Default::default()
    }
}

fn permissions(rules: &[Value], egress: bool) -> Vec<IpPermission> {
    rules.iter().map(|rule| permission(rule, egress)).collect()
}

/// The permission that one rule of a template stands for.
pub(super) fn permission(rule: &Value, egress: bool) -> IpPermission {
    let description = props::text(rule, "Description");
    let peer = if egress { "DestinationSecurityGroupId" } else { "SourceSecurityGroupId" };
    let (group_id, group_name) = (props::text(rule, peer), props::text(rule, "SourceSecurityGroupName"));
    let pairs = (group_id.is_some() || group_name.is_some()).then(|| UserIdGroupPair {
        group_id,
        group_name,
        description: description.clone(),
        ..Default::default()
    });
    let range = props::text(rule, "CidrIp").map(|cidr| IpRange { cidr_ip: Some(cidr), description });
    IpPermission {
        ip_protocol: props::text(rule, "IpProtocol"),
        from_port: props::integer(rule, "FromPort"),
        to_port: props::integer(rule, "ToPort"),
        ip_ranges: range.into_iter().collect(),
        user_id_group_pairs: pairs.into_iter().collect(),
        ..Default::default()
    }
}

/// Adds rules one by one: those that are there already are no error.
pub(super) fn authorize(
    api: &Api,
    id: &str,
    permissions: &[IpPermission],
    egress: bool,
) -> Result<(), Failure> {
    for permission in permissions {
        let (group_id, ip_permissions) = (Some(id.to_owned()), vec![permission.clone()]);
        let answer = if egress {
            let input =
                AuthorizeSecurityGroupEgressRequest { group_id, ip_permissions, ..Default::default() };
            api.services.ec2.authorize_security_group_egress(&api.ctx, input).map(drop)
        } else {
            let input =
                AuthorizeSecurityGroupIngressRequest { group_id, ip_permissions, ..Default::default() };
            api.services.ec2.authorize_security_group_ingress(&api.ctx, input).map(drop)
        };
        props::absent(answer, &["InvalidPermission.Duplicate"])?;
    }
    Ok(())
}

/// Takes rules away one by one: those that are gone already are no error.
pub(super) fn revoke(api: &Api, id: &str, permissions: &[IpPermission], egress: bool) -> Result<(), Failure> {
    for permission in permissions {
        let (group_id, ip_permissions) = (Some(id.to_owned()), vec![permission.clone()]);
        let answer = if egress {
            let input = RevokeSecurityGroupEgressRequest { group_id, ip_permissions, ..Default::default() };
            api.services.ec2.revoke_security_group_egress(&api.ctx, input).map(drop)
        } else {
            let input = RevokeSecurityGroupIngressRequest { group_id, ip_permissions, ..Default::default() };
            api.services.ec2.revoke_security_group_ingress(&api.ctx, input).map(drop)
        };
        props::absent(answer, &["InvalidPermission.NotFound"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_become_permissions() {
        let web = permission(
            &json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/8", "Description": "web"}),
            false,
        );
        assert_eq!((web.from_port, web.to_port), (Some(80), Some(80)));
        assert_eq!(web.ip_ranges[0].cidr_ip.as_deref(), Some("10.0.0.0/8"));
        assert_eq!(web.ip_ranges[0].description.as_deref(), Some("web"));
        assert!(web.user_id_group_pairs.is_empty());
        let peer = permission(&json!({"IpProtocol": "-1", "DestinationSecurityGroupId": "sg-1"}), true);
        assert_eq!(peer.user_id_group_pairs[0].group_id.as_deref(), Some("sg-1"));
        assert_eq!(permission(&json!({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}), true), anywhere());
    }
}
