//! `AWS::Logs::LogGroup`.

use std::collections::BTreeMap;

use aws_wire::logs::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest, ListTagsForResourceRequest,
    PutRetentionPolicyRequest, TagResourceRequest, UntagResourceRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, props, tag};
use crate::logs::retention;

/// The type.
pub struct LogGroup;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::Logs::LogGroup",
    properties: &[
        Property::new("LogGroupClass", Kind::Enum(&["STANDARD"])),
        Property::new("LogGroupName", Kind::String).replaces(),
        Property::new("RetentionInDays", Kind::Integer),
        Property::new("Tags", Kind::Tags),
    ],
    attributes: &["Arn"],
};

const NOT_FOUND: &[&str] = &["ResourceNotFoundException"];

impl ResourceType<Api> for LogGroup {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LogGroupName")
    }

    fn name_limit(&self) -> usize {
        512
    }

    fn preflight(&self, _api: &Api, properties: &Value) -> Vec<Problem> {
        let days = props::integer(properties, "RetentionInDays").filter(|days| !retention::permitted(*days));
        let message =
            |days| format!("{days} is not a retention that CloudWatch Logs has (1, 3, 5, 7, 14, 30 …)");
        days.map(|days| Problem::new(&["RetentionInDays"], message(days))).into_iter().collect()
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input = CreateLogGroupRequest {
            log_group_name: Some(wanted.name.to_owned()),
            log_group_class: props::text(wanted.properties, "LogGroupClass"),
            tags: props::tags(wanted.owner, wanted.tags, wanted.properties).into_iter().collect(),
            ..Default::default()
        };
        api.services.logs.create_log_group(&api.ctx, input)?;
        Ok(made(api, wanted.name))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        match props::integer(wanted.properties, "RetentionInDays") {
            Some(_) => retain(api, physical_id, wanted.properties),
            None => Ok(()),
        }
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let input = ListTagsForResourceRequest { resource_arn: Some(resource(api, wanted.name)) };
        let found = props::absent(api.services.logs.list_tags_for_resource(&api.ctx, input), NOT_FOUND)?;
        let owned = found.is_some_and(|found| found.tags.get(tag::STACK_ID) == Some(&wanted.owner.stack_id));
        Ok(owned.then(|| made(api, wanted.name)))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        if change.touches("RetentionInDays") {
            retain(api, change.physical_id, change.after)?;
        }
        let before = props::tags(change.owner, change.tags_before, change.before);
        let after = props::tags(change.owner, change.tags, change.after);
        let (set, removed) = props::tag_changes(&before, &after);
        let resource_arn = Some(resource(api, change.physical_id));
        if !set.is_empty() {
            let tags: BTreeMap<String, String> = set.into_iter().collect();
            let input = TagResourceRequest { resource_arn: resource_arn.clone(), tags };
            api.services.logs.tag_resource(&api.ctx, input)?;
        }
        if !removed.is_empty() {
            let input = UntagResourceRequest { resource_arn, tag_keys: removed };
            api.services.logs.untag_resource(&api.ctx, input)?;
        }
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteLogGroupRequest { log_group_name: Some(existing.physical_id.to_owned()) };
        props::absent(api.services.logs.delete_log_group(&api.ctx, input), NOT_FOUND).map(drop)
    }
}

/// The group's ARN as tags' operations have it.
fn resource(api: &Api, name: &str) -> String {
    api.ctx.arn("logs", &format!("log-group:{name}"))
}

/// `Arn` is that of the group with all its streams.
fn made(api: &Api, name: &str) -> Made {
    Made::new(name).with("Arn", format!("{}:*", resource(api, name)))
}

fn retain(api: &Api, name: &str, properties: &Value) -> Result<(), Failure> {
    let log_group_name = Some(name.to_owned());
    match props::integer(properties, "RetentionInDays") {
        Some(days) => {
            let input = PutRetentionPolicyRequest { log_group_name, retention_in_days: Some(days) };
            api.services.logs.put_retention_policy(&api.ctx, input)?;
        }
        None => {
            let input = DeleteRetentionPolicyRequest { log_group_name };
            api.services.logs.delete_retention_policy(&api.ctx, input)?;
        }
    }
    Ok(())
}
