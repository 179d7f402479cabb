//! `AWS::AutoScaling::AutoScalingGroup`.

use aws_wire::autoscaling::{
    AutoScalingGroup as Group, AutoScalingGroupNamesType, CreateAutoScalingGroupType, CreateOrUpdateTagsType,
    DeleteAutoScalingGroupType, DeleteTagsType, DescribeScalingActivitiesType, LaunchTemplateSpecification,
    Tag, UpdateAutoScalingGroupType,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use indexmap::IndexMap;
use serde_json::Value;

use super::api::Api;
use super::{
    Attributes, Change, Existing, Failure, Made, Owner, Problem, Progress, ResourceType, Wanted, ec2_checks,
    props, tag,
};

/// The type.
pub struct AutoScalingGroup;

const TAG: &[Property] = &[
    Property::new("Key", Kind::String).required(),
    Property::new("PropagateAtLaunch", Kind::Boolean).required(),
    Property::new("Value", Kind::String).required(),
];
const TEMPLATE: &[Property] = &[
    Property::new("LaunchTemplateId", Kind::String),
    Property::new("LaunchTemplateName", Kind::String),
    Property::new("Version", Kind::String).required(),
];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::AutoScaling::AutoScalingGroup",
    properties: &[
        Property::new("AutoScalingGroupName", Kind::String).replaces(),
        Property::new("AvailabilityZones", Kind::List(&Kind::String)),
        Property::new("Cooldown", Kind::Integer),
        Property::new("DesiredCapacity", Kind::Integer),
        Property::new("HealthCheckGracePeriod", Kind::Integer),
        Property::new("HealthCheckType", Kind::Enum(&["EC2"])),
        Property::new("LaunchConfigurationName", Kind::String),
        Property::new("LaunchTemplate", Kind::Object(TEMPLATE)),
        Property::new("MaxSize", Kind::Integer).required(),
        Property::new("MinSize", Kind::Integer).required(),
        Property::new("NewInstancesProtectedFromScaleIn", Kind::Boolean),
        Property::new("Tags", Kind::List(&Kind::Object(TAG))),
        Property::new("TerminationPolicies", Kind::List(&Kind::String)),
        Property::new("VPCZoneIdentifier", Kind::List(&Kind::String)),
    ],
    attributes: &["AutoScalingGroupARN"],
};

/// After how many launches that failed in a row a group is held to be unable to launch at all.
const FAILED_LAUNCHES: usize = 3;

impl ResourceType<Api> for AutoScalingGroup {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("AutoScalingGroupName")
    }

    fn name_limit(&self) -> usize {
        255
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask_each(properties, "VPCZoneIdentifier", &mut problems, |id| ec2_checks::subnet(api, id));
        let sources = ["LaunchConfigurationName", "LaunchTemplate"];
        if sources.iter().filter(|name| properties.get(**name).is_some()).count() != 1 {
            let message = "Valid requests must contain either LaunchTemplate or LaunchConfigurationName";
            problems.push(Problem::new(&[], message));
        }
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let properties = wanted.properties;
        let input = CreateAutoScalingGroupType {
            auto_scaling_group_name: Some(wanted.name.to_owned()),
            launch_configuration_name: props::text(properties, "LaunchConfigurationName"),
            launch_template: launch_template(properties),
            min_size: props::integer(properties, "MinSize"),
            max_size: props::integer(properties, "MaxSize"),
            desired_capacity: props::integer(properties, "DesiredCapacity"),
            default_cooldown: props::integer(properties, "Cooldown"),
            availability_zones: props::texts(properties, "AvailabilityZones"),
            vpc_zone_identifier: subnets(properties),
            health_check_type: props::text(properties, "HealthCheckType"),
            health_check_grace_period: props::integer(properties, "HealthCheckGracePeriod"),
            termination_policies: props::texts(properties, "TerminationPolicies"),
            new_instances_protected_from_scale_in: props::boolean(
                properties,
                "NewInstancesProtectedFromScaleIn",
            ),
            tags: tags(wanted.name, &tags_of(wanted.owner, wanted.tags, properties)),
            ..Default::default()
        };
        api.services.autoscaling.create_auto_scaling_group(&api.ctx, input)?;
        Ok(Made::new(wanted.name))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let Some(group) = group(api, wanted.name)? else { return Ok(None) };
        let owned = group.tags.iter().any(|tag| {
            tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&wanted.owner.stack_id)
        });
        Ok(owned.then(|| Made::new(wanted.name)))
    }

    /// A group is there when as many instances are in service as it is to have.
    fn stabilize(&self, api: &Api, existing: &Existing<'_>) -> Result<Progress, Failure> {
        let Some(group) = group(api, existing.physical_id)? else {
            return Err(Failure::new(format!("The Auto Scaling group {} is gone", existing.physical_id)));
        };
        let state =
            |name| move |i: &&aws_wire::autoscaling::Instance| i.lifecycle_state.as_deref() == Some(name);
        let in_service = group.instances.iter().filter(state("InService")).count();
        let desired =
            group.desired_capacity.and_then(|desired| usize::try_from(desired).ok()).unwrap_or_default();
        if in_service == desired && group.instances.len() == desired {
            let arn = group.auto_scaling_group_arn.unwrap_or_default();
            return Ok(Progress::Ready(Attributes::from([(
                "AutoScalingGroupARN".to_owned(),
                Value::from(arn),
            )])));
        }
        match failed_launches(api, existing.physical_id)? {
            Some(message) => Err(Failure::new(format!(
                "Group did not stabilize. {{current/minSize/maxSize}} group size = {{{in_service}/{}/{}}}. Failed \
                 Scaling Activity: {message}",
                group.min_size.unwrap_or_default(),
                group.max_size.unwrap_or_default(),
            ))),
            None => Ok(Progress::Pending),
        }
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        let properties = change.after;
        let input = UpdateAutoScalingGroupType {
            auto_scaling_group_name: Some(change.physical_id.to_owned()),
            launch_configuration_name: props::text(properties, "LaunchConfigurationName"),
            launch_template: launch_template(properties),
            min_size: props::integer(properties, "MinSize"),
            max_size: props::integer(properties, "MaxSize"),
            // One that the template leaves alone is left as it is, whatever scaling has made of it.
            desired_capacity: props::integer(properties, "DesiredCapacity"),
            default_cooldown: props::integer(properties, "Cooldown"),
            availability_zones: props::texts(properties, "AvailabilityZones"),
            vpc_zone_identifier: subnets(properties),
            health_check_type: props::text(properties, "HealthCheckType"),
            health_check_grace_period: props::integer(properties, "HealthCheckGracePeriod"),
            termination_policies: props::texts(properties, "TerminationPolicies"),
            new_instances_protected_from_scale_in: props::boolean(
                properties,
                "NewInstancesProtectedFromScaleIn",
            ),
            ..Default::default()
        };
        api.services.autoscaling.update_auto_scaling_group(&api.ctx, input)?;
        update_tags(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        if group(api, existing.physical_id)?.is_none() {
            return Ok(());
        }
        let input = DeleteAutoScalingGroupType {
            auto_scaling_group_name: Some(existing.physical_id.to_owned()),
            force_delete: Some(true),
        };
        Ok(api.services.autoscaling.delete_auto_scaling_group(&api.ctx, input)?)
    }

    /// The group stays until its instances are terminated.
    fn deleted(&self, api: &Api, existing: &Existing<'_>) -> Result<bool, Failure> {
        Ok(group(api, existing.physical_id)?.is_none())
    }

    fn awaits_signals(&self) -> bool {
        true
    }

    fn signallers(&self, api: &Api, physical_id: &str) -> Vec<String> {
        match group(api, physical_id) {
            Ok(Some(group)) => {
                group.instances.into_iter().filter_map(|instance| instance.instance_id).collect()
            }
            Ok(None) | Err(_) => Vec::new(),
        }
    }
}

fn group(api: &Api, name: &str) -> Result<Option<Group>, Failure> {
    let input =
        AutoScalingGroupNamesType { auto_scaling_group_names: vec![name.to_owned()], ..Default::default() };
    let found = api.services.autoscaling.describe_auto_scaling_groups(&api.ctx, input)?;
    Ok(found.auto_scaling_groups.into_iter().next())
}

/// The message of the last launch, when the last few have all failed.
fn failed_launches(api: &Api, name: &str) -> Result<Option<String>, Failure> {
    let input = DescribeScalingActivitiesType {
        auto_scaling_group_name: Some(name.to_owned()),
        ..Default::default()
    };
    let activities = api.services.autoscaling.describe_scaling_activities(&api.ctx, input)?.activities;
    let failed =
        |activity: &&aws_wire::autoscaling::Activity| activity.status_code.as_deref() == Some("Failed");
    if activities.iter().take_while(failed).count() < FAILED_LAUNCHES {
        return Ok(None);
    }
    Ok(activities.into_iter().next().and_then(|activity| activity.status_message))
}

fn launch_template(properties: &Value) -> Option<LaunchTemplateSpecification> {
    let template = properties.get("LaunchTemplate")?;
    Some(LaunchTemplateSpecification {
        launch_template_id: props::text(template, "LaunchTemplateId"),
        launch_template_name: props::text(template, "LaunchTemplateName"),
        version: props::text(template, "Version"),
    })
}

/// The API has one text with commas where templates have a list.
fn subnets(properties: &Value) -> Option<String> {
    let subnets = props::texts(properties, "VPCZoneIdentifier");
    (!subnets.is_empty()).then(|| subnets.join(","))
}

/// A tag's value, and whether instances get it.
type GroupTags = IndexMap<String, (String, bool)>;

/// The group's tags. CloudFormation's own and the stack's go on to instances; they tell whose they are.
fn tags_of(owner: &Owner, stack: &IndexMap<String, String>, properties: &Value) -> GroupTags {
    let mut tags: GroupTags =
        owner.tags(stack).into_iter().map(|(key, value)| (key, (value, true))).collect();
    for tag in props::list(properties, "Tags") {
        if let (Some(key), Some(value)) = (props::text(tag, "Key"), props::text(tag, "Value")) {
            tags.insert(key, (value, props::boolean(tag, "PropagateAtLaunch").unwrap_or_default()));
        }
    }
    tags
}

fn tags(group: &str, tags: &GroupTags) -> Vec<Tag> {
    tags.iter().map(|(key, (value, propagate))| one_tag(group, key, Some(value), Some(*propagate))).collect()
}

fn one_tag(group: &str, key: &str, value: Option<&str>, propagate: Option<bool>) -> Tag {
    Tag {
        resource_id: Some(group.to_owned()),
        resource_type: Some("auto-scaling-group".to_owned()),
        key: Some(key.to_owned()),
        value: value.map(str::to_owned),
        propagate_at_launch: propagate,
    }
}

fn update_tags(api: &Api, change: &Change<'_>) -> Result<(), Failure> {
    let before = tags_of(change.owner, change.tags_before, change.before);
    let after = tags_of(change.owner, change.tags, change.after);
    let set: GroupTags = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !set.is_empty() {
        let input = CreateOrUpdateTagsType { tags: tags(change.physical_id, &set) };
        api.services.autoscaling.create_or_update_tags(&api.ctx, input)?;
    }
    let removed: Vec<Tag> = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| one_tag(change.physical_id, key, None, None))
        .collect();
    if !removed.is_empty() {
        api.services.autoscaling.delete_tags(&api.ctx, DeleteTagsType { tags: removed })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_of_the_stack_go_on_to_instances() {
        let owner = Owner { stack_id: "arn".into(), stack_name: "s".into(), logical_id: "L".into() };
        let properties = json!({"Tags": [{"Key": "Name", "Value": "n", "PropagateAtLaunch": false}]});
        let tags = tags_of(&owner, &IndexMap::from([("Env".to_owned(), "dev".to_owned())]), &properties);
        assert_eq!(tags["Env"], ("dev".to_owned(), true));
        assert_eq!(tags["aws:cloudformation:stack-name"], ("s".to_owned(), true));
        assert_eq!(tags["Name"], ("n".to_owned(), false));
    }

    #[test]
    fn subnets_are_joined() {
        assert_eq!(subnets(&json!({"VPCZoneIdentifier": ["a", "b"]})).as_deref(), Some("a,b"));
        assert_eq!(subnets(&json!({})), None);
    }
}
