//! `AWS::IAM::InstanceProfile`.

use aws_wire::iam::{
    AddRoleToInstanceProfileRequest, CreateInstanceProfileRequest, DeleteInstanceProfileRequest,
    GetInstanceProfileRequest, InstanceProfile as Described, RemoveRoleFromInstanceProfileRequest, Tag,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, iam_checks, props, tag};

/// The type.
pub struct InstanceProfile;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::IAM::InstanceProfile",
    properties: &[
        Property::new("InstanceProfileName", Kind::String).replaces(),
        Property::new("Path", Kind::String).replaces(),
        Property::new("Roles", Kind::List(&Kind::String)).required(),
    ],
    attributes: &["Arn"],
};

const NOT_FOUND: &[&str] = &["NoSuchEntity"];

impl ResourceType<Api> for InstanceProfile {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("InstanceProfileName")
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask_each(properties, "Roles", &mut problems, |name| iam_checks::role(api, name));
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input = CreateInstanceProfileRequest {
            instance_profile_name: Some(wanted.name.to_owned()),
            path: props::text(wanted.properties, "Path"),
            tags: wanted
                .owner
                .tags(wanted.tags)
                .into_iter()
                .map(|(key, value)| new_tag(key, value))
                .collect(),
        };
        let created = api.services.iam.create_instance_profile(&api.ctx, input)?.instance_profile;
        Ok(made(wanted.name, created))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        let present = get(api, physical_id)?.map(|profile| role_names(&profile)).unwrap_or_default();
        set_roles(api, physical_id, &present, &props::texts(wanted.properties, "Roles"))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let Some(profile) = get(api, wanted.name)? else { return Ok(None) };
        Ok(owned(&profile, wanted).then(|| made(wanted.name, Some(profile))))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        let Some(profile) = get(api, change.physical_id)? else {
            return Err(Failure::new(format!("The instance profile {} is gone", change.physical_id)));
        };
        set_roles(api, change.physical_id, &role_names(&profile), &props::texts(change.after, "Roles"))
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let Some(profile) = get(api, existing.physical_id)? else { return Ok(()) };
        set_roles(api, existing.physical_id, &role_names(&profile), &[])?;
        let input =
            DeleteInstanceProfileRequest { instance_profile_name: Some(existing.physical_id.to_owned()) };
        props::absent(api.services.iam.delete_instance_profile(&api.ctx, input), NOT_FOUND).map(drop)
    }
}

fn get(api: &Api, name: &str) -> Result<Option<Described>, Failure> {
    let input = GetInstanceProfileRequest { instance_profile_name: Some(name.to_owned()) };
    let found = props::absent(api.services.iam.get_instance_profile(&api.ctx, input), NOT_FOUND)?;
    Ok(found.and_then(|found| found.instance_profile))
}

fn made(name: &str, profile: Option<Described>) -> Made {
    Made::new(name).with("Arn", profile.and_then(|profile| profile.arn).unwrap_or_default())
}

fn new_tag(key: String, value: String) -> Tag {
    Tag { key: Some(key), value: Some(value) }
}

/// Whether a profile was made for this very resource.
fn owned(profile: &Described, wanted: &Wanted<'_>) -> bool {
    profile.tags.iter().any(|tag| {
        tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&wanted.owner.stack_id)
    })
}

fn role_names(profile: &Described) -> Vec<String> {
    profile.roles.iter().filter_map(|role| role.role_name.clone()).collect()
}

/// Takes away what is too much first: a profile holds one role at most.
fn set_roles(api: &Api, name: &str, before: &[String], after: &[String]) -> Result<(), Failure> {
    for role in before.iter().filter(|role| !after.contains(role)) {
        let input = RemoveRoleFromInstanceProfileRequest {
            instance_profile_name: Some(name.to_owned()),
            role_name: Some(role.clone()),
        };
        props::absent(api.services.iam.remove_role_from_instance_profile(&api.ctx, input), NOT_FOUND)?;
    }
    for role in after.iter().filter(|role| !before.contains(role)) {
        let input = AddRoleToInstanceProfileRequest {
            instance_profile_name: Some(name.to_owned()),
            role_name: Some(role.clone()),
        };
        api.services.iam.add_role_to_instance_profile(&api.ctx, input)?;
    }
    Ok(())
}
