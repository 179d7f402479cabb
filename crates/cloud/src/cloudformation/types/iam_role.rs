//! `AWS::IAM::Role`.

use std::collections::BTreeMap;

use aws_wire::iam::{
    AttachRolePolicyRequest, CreateRoleRequest, DeleteRolePolicyRequest, DeleteRoleRequest,
    DetachRolePolicyRequest, GetRoleRequest, ListAttachedRolePoliciesRequest, ListRolePoliciesRequest,
    PutRolePolicyRequest, Role as Described, Tag, TagRoleRequest, UntagRoleRequest,
    UpdateAssumeRolePolicyRequest, UpdateRoleRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props, tag};

/// The type.
pub struct Role;

const POLICY: &[Property] = &[
    Property::new("PolicyDocument", Kind::Json).required(),
    Property::new("PolicyName", Kind::String).required(),
];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::IAM::Role",
    properties: &[
        Property::new("AssumeRolePolicyDocument", Kind::Json).required(),
        Property::new("Description", Kind::String),
        Property::new("ManagedPolicyArns", Kind::List(&Kind::String)),
        Property::new("MaxSessionDuration", Kind::Integer),
        Property::new("Path", Kind::String).replaces(),
        Property::new("Policies", Kind::List(&Kind::Object(POLICY))),
        Property::new("RoleName", Kind::String).replaces(),
        Property::new("Tags", Kind::Tags),
    ],
    attributes: &["Arn", "RoleId"],
};

const NOT_FOUND: &[&str] = &["NoSuchEntity"];

impl ResourceType<Api> for Role {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("RoleName")
    }

    fn name_limit(&self) -> usize {
        64
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let properties = wanted.properties;
        let tags = props::tags(wanted.owner, wanted.tags, properties);
        let input = CreateRoleRequest {
            role_name: Some(wanted.name.to_owned()),
            path: props::text(properties, "Path"),
            assume_role_policy_document: props::document(properties, "AssumeRolePolicyDocument"),
            description: props::text(properties, "Description"),
            max_session_duration: props::integer(properties, "MaxSessionDuration"),
            permissions_boundary: None,
            tags: tags.iter().map(|(key, value)| new_tag(key, value)).collect(),
        };
        let created = api.services.iam.create_role(&api.ctx, input)?.role;
        Ok(made(wanted.name, created))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        set_policies(api, physical_id, wanted.properties)
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let Some(role) = get(api, wanted.name)? else { return Ok(None) };
        let owned = role.tags.iter().any(|tag| {
            tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&wanted.owner.stack_id)
        });
        Ok(owned.then(|| made(wanted.name, Some(role))))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        let role_name = Some(change.physical_id.to_owned());
        if change.touches("AssumeRolePolicyDocument") {
            let policy_document = props::document(change.after, "AssumeRolePolicyDocument");
            let input = UpdateAssumeRolePolicyRequest { role_name: role_name.clone(), policy_document };
            api.services.iam.update_assume_role_policy(&api.ctx, input)?;
        }
        if change.touches("Description") || change.touches("MaxSessionDuration") {
            let input = UpdateRoleRequest {
                role_name,
                description: Some(props::text(change.after, "Description").unwrap_or_default()),
                max_session_duration: props::integer(change.after, "MaxSessionDuration"),
            };
            api.services.iam.update_role(&api.ctx, input)?;
        }
        set_policies(api, change.physical_id, change.after)?;
        update_tags(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        if get(api, existing.physical_id)?.is_none() {
            return Ok(());
        }
        set_policies(api, existing.physical_id, &Value::Null)?;
        let input = DeleteRoleRequest { role_name: Some(existing.physical_id.to_owned()) };
        props::absent(api.services.iam.delete_role(&api.ctx, input), NOT_FOUND).map(drop)
    }
}

fn get(api: &Api, name: &str) -> Result<Option<Described>, Failure> {
    let input = GetRoleRequest { role_name: Some(name.to_owned()) };
    let found = props::absent(api.services.iam.get_role(&api.ctx, input), NOT_FOUND)?;
    Ok(found.and_then(|found| found.role))
}

fn made(name: &str, role: Option<Described>) -> Made {
    let (arn, id) = role.map(|role| (role.arn, role.role_id)).unwrap_or_default();
    Made::new(name).with("Arn", arn.unwrap_or_default()).with("RoleId", id.unwrap_or_default())
}

/// Brings a role's inline and attached policies to what the properties say. Those that were put on it by
/// others (`AWS::IAM::Policy`, users) go as well only when the role itself goes (`properties` is null).
fn set_policies(api: &Api, name: &str, properties: &Value) -> Result<(), Failure> {
    let wanted: BTreeMap<String, String> = props::list(properties, "Policies")
        .iter()
        .filter_map(|policy| {
            Some((props::text(policy, "PolicyName")?, props::document(policy, "PolicyDocument")?))
        })
        .collect();
    let role_name = Some(name.to_owned());
    let present = inline_policies(api, name)?;
    for policy in present.iter().filter(|policy| !wanted.contains_key(*policy)) {
        let input =
            DeleteRolePolicyRequest { role_name: role_name.clone(), policy_name: Some(policy.clone()) };
        props::absent(api.services.iam.delete_role_policy(&api.ctx, input), NOT_FOUND)?;
    }
    for (policy, document) in wanted {
        let input = PutRolePolicyRequest {
            role_name: role_name.clone(),
            policy_name: Some(policy),
            policy_document: Some(document),
        };
        api.services.iam.put_role_policy(&api.ctx, input)?;
    }
    let arns = props::texts(properties, "ManagedPolicyArns");
    let attached = attached_policies(api, name)?;
    for arn in attached.iter().filter(|arn| !arns.contains(arn)) {
        let input = DetachRolePolicyRequest { role_name: role_name.clone(), policy_arn: Some(arn.clone()) };
        props::absent(api.services.iam.detach_role_policy(&api.ctx, input), NOT_FOUND)?;
    }
    for arn in arns.iter().filter(|arn| !attached.contains(arn)) {
        let input = AttachRolePolicyRequest { role_name: role_name.clone(), policy_arn: Some(arn.clone()) };
        api.services.iam.attach_role_policy(&api.ctx, input)?;
    }
    Ok(())
}

fn inline_policies(api: &Api, name: &str) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    let mut marker = None;
    loop {
        let input =
            ListRolePoliciesRequest { role_name: Some(name.to_owned()), marker, ..Default::default() };
        let page = api.services.iam.list_role_policies(&api.ctx, input)?;
        names.extend(page.policy_names);
        marker = page.marker.filter(|_| page.is_truncated == Some(true));
        if marker.is_none() {
            return Ok(names);
        }
    }
}

fn attached_policies(api: &Api, name: &str) -> Result<Vec<String>, Failure> {
    let mut arns = Vec::new();
    let mut marker = None;
    loop {
        let input = ListAttachedRolePoliciesRequest {
            role_name: Some(name.to_owned()),
            marker,
            ..Default::default()
        };
        let page = api.services.iam.list_attached_role_policies(&api.ctx, input)?;
        arns.extend(page.attached_policies.into_iter().filter_map(|policy| policy.policy_arn));
        marker = page.marker.filter(|_| page.is_truncated == Some(true));
        if marker.is_none() {
            return Ok(arns);
        }
    }
}

fn new_tag(key: &str, value: &str) -> Tag {
    Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}

fn update_tags(api: &Api, change: &Change<'_>) -> Result<(), Failure> {
    let before = props::tags(change.owner, change.tags_before, change.before);
    let after = props::tags(change.owner, change.tags, change.after);
    let (set, removed) = props::tag_changes(&before, &after);
    let role_name = Some(change.physical_id.to_owned());
    if !set.is_empty() {
        let tags = set.iter().map(|(key, value)| new_tag(key, value)).collect();
        api.services.iam.tag_role(&api.ctx, TagRoleRequest { role_name: role_name.clone(), tags })?;
    }
    if !removed.is_empty() {
        api.services.iam.untag_role(&api.ctx, UntagRoleRequest { role_name, tag_keys: removed })?;
    }
    Ok(())
}
