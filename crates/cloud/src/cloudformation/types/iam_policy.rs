//! `AWS::IAM::Policy`: an inline policy of one or more roles.

use aws_wire::iam::{DeleteRolePolicyRequest, GetRolePolicyRequest, PutRolePolicyRequest};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, iam_checks, props};

/// The type.
pub struct Policy;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::IAM::Policy",
    properties: &[
        Property::new("PolicyDocument", Kind::Json).required(),
        Property::new("PolicyName", Kind::String).required().replaces(),
        Property::new("Roles", Kind::List(&Kind::String)).required(),
    ],
    attributes: &[],
};

const NOT_FOUND: &[&str] = &["NoSuchEntity"];

impl ResourceType<Api> for Policy {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask_each(properties, "Roles", &mut problems, |name| iam_checks::role(api, name));
        problems
    }

    fn create(&self, _api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        // A policy has no life of its own: it is in the roles that have it, by `complete`.
        Ok(Made::new(wanted.name))
    }

    fn complete(&self, api: &Api, _physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        put(api, wanted.properties)
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        for role in props::texts(wanted.properties, "Roles") {
            let policy_name = props::text(wanted.properties, "PolicyName");
            let input = GetRolePolicyRequest { role_name: Some(role), policy_name };
            if props::absent(api.services.iam.get_role_policy(&api.ctx, input), NOT_FOUND)?.is_some() {
                return Ok(Some(Made::new(wanted.name)));
            }
        }
        Ok(None)
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        put(api, change.after)?;
        let stays = props::texts(change.after, "Roles");
        let leaves = props::texts(change.before, "Roles").into_iter().filter(|role| !stays.contains(role));
        remove(api, change.before, leaves)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        remove(api, existing.properties, props::texts(existing.properties, "Roles").into_iter())
    }
}

fn put(api: &Api, properties: &Value) -> Result<(), Failure> {
    for role in props::texts(properties, "Roles") {
        let input = PutRolePolicyRequest {
            role_name: Some(role),
            policy_name: props::text(properties, "PolicyName"),
            policy_document: props::document(properties, "PolicyDocument"),
        };
        api.services.iam.put_role_policy(&api.ctx, input)?;
    }
    Ok(())
}

fn remove(api: &Api, properties: &Value, roles: impl Iterator<Item = String>) -> Result<(), Failure> {
    for role in roles {
        let policy_name = props::text(properties, "PolicyName");
        let input = DeleteRolePolicyRequest { role_name: Some(role), policy_name };
        props::absent(api.services.iam.delete_role_policy(&api.ctx, input), NOT_FOUND)?;
    }
    Ok(())
}
