//! `AWS::EC2::SecurityGroupIngress` and `AWS::EC2::SecurityGroupEgress`: a rule apart from its group, so that two
//! groups can name each other.

use aws_wire::ec2::{DescribeSecurityGroupsRequest, IpPermission};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::ec2_security_group::{authorize, permission, revoke};
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, ec2_checks, props};

/// A rule for what comes in.
pub struct SecurityGroupIngress;
/// A rule for what goes out.
pub struct SecurityGroupEgress;

const INGRESS: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::SecurityGroupIngress",
    properties: &[
        Property::new("CidrIp", Kind::String).replaces(),
        Property::new("Description", Kind::String).replaces(),
        Property::new("FromPort", Kind::Integer).replaces(),
        Property::new("GroupId", Kind::String).required().replaces(),
        Property::new("IpProtocol", Kind::String).required().replaces(),
        Property::new("SourceSecurityGroupId", Kind::String).replaces(),
        Property::new("ToPort", Kind::Integer).replaces(),
    ],
    attributes: &[],
};
const EGRESS: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::SecurityGroupEgress",
    properties: &[
        Property::new("CidrIp", Kind::String).replaces(),
        Property::new("Description", Kind::String).replaces(),
        Property::new("DestinationSecurityGroupId", Kind::String).replaces(),
        Property::new("FromPort", Kind::Integer).replaces(),
        Property::new("GroupId", Kind::String).required().replaces(),
        Property::new("IpProtocol", Kind::String).required().replaces(),
        Property::new("ToPort", Kind::Integer).replaces(),
    ],
    attributes: &[],
};

/// Rules go by the generated name: they are found by what they allow.
macro_rules! rule {
    ($type_:ident, $schema:ident, $egress:literal) => {
        impl ResourceType<Api> for $type_ {
            fn schema(&self) -> &'static ResourceSchema {
                &$schema
            }

            fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
                let mut problems = Vec::new();
                props::ask(properties, "GroupId", &mut problems, |id| ec2_checks::security_group(api, id));
                problems
            }

            fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
                let group = props::text(wanted.properties, "GroupId").unwrap_or_default();
                authorize(api, &group, &[permission(wanted.properties, $egress)], $egress)?;
                Ok(Made::new(wanted.name))
            }

            fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
                Ok(present(api, wanted.properties, $egress)?.then(|| Made::new(wanted.name)))
            }

            fn update(&self, _api: &Api, _change: &Change<'_>) -> Result<(), Failure> {
                Ok(())
            }

            fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
                let group = props::text(existing.properties, "GroupId").unwrap_or_default();
                match revoke(api, &group, &[permission(existing.properties, $egress)], $egress) {
                    Err(failure) if failure.reason.contains("InvalidGroup.NotFound") => Ok(()),
                    answer => answer,
                }
            }
        }
    };
}

rule!(SecurityGroupIngress, INGRESS, false);
rule!(SecurityGroupEgress, EGRESS, true);

fn present(api: &Api, properties: &Value, egress: bool) -> Result<bool, Failure> {
    let ids = props::text(properties, "GroupId").into_iter().collect();
    let input = DescribeSecurityGroupsRequest { group_ids: ids, ..Default::default() };
    let groups = api.services.ec2.describe_security_groups(&api.ctx, input)?.security_groups;
    let wanted = permission(properties, egress);
    Ok(groups.iter().any(|group| {
        let rules = if egress { &group.ip_permissions_egress } else { &group.ip_permissions };
        rules.iter().any(|rule| covers(rule, &wanted))
    }))
}

/// Whether a group's permission, in which EC2 puts all peers of the same ports together, holds a rule.
fn covers(rule: &IpPermission, wanted: &IpPermission) -> bool {
    let ports = |p: &IpPermission| (p.ip_protocol.clone(), p.from_port, p.to_port);
    let cidr = |cidr: &Option<String>| rule.ip_ranges.iter().any(|range| range.cidr_ip == *cidr);
    let group = |id: &Option<String>| rule.user_id_group_pairs.iter().any(|pair| pair.group_id == *id);
    ports(rule) == ports(wanted)
        && wanted.ip_ranges.iter().all(|range| cidr(&range.cidr_ip))
        && wanted.user_id_group_pairs.iter().all(|pair| group(&pair.group_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_is_found_among_its_neighbours() {
        let rule = |cidr: &str, port: i32| {
            permission(&json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}), false)
        };
        let mut both = rule("10.0.0.0/8", 80);
        both.ip_ranges.extend(rule("0.0.0.0/0", 80).ip_ranges);
        assert!(covers(&both, &rule("10.0.0.0/8", 80)));
        assert!(!covers(&both, &rule("10.0.0.0/8", 443)));
        assert!(!covers(&both, &rule("11.0.0.0/8", 80)));
    }
}
