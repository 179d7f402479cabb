//! Roles and the policies that are theirs.

use aws_wire::Error;
use aws_wire::iam::*;
use iam_policy::PolicyKind;
use jiff::Timestamp;

use super::checks;
use super::errors::{conflict, exists, limit, no_such, no_such_policy, validation};
use super::state::{InstanceProfileRecord, PolicyRecord, RoleRecord};
use super::wire::{self, Paged};
use super::{arn, managed};
use crate::store::{GLOBAL, Tx};
use crate::{Ctx, ids};

/// Inline policies of a role together have at most so many characters, white space not counted.
const MAX_INLINE_CHARACTERS: usize = 10_240;
/// Managed policies that a role may have, by default.
const MAX_ATTACHED: usize = 10;

/// Sees or changes one role.
fn with_role<R>(
    ctx: &Ctx,
    name: Option<String>,
    change: impl FnOnce(&mut RoleRecord, &Tx<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let name = checks::name(name, "roleName", 64)?;
    ctx.cloud.store.write(|tx| {
        let found = tx.get::<RoleRecord>(GLOBAL, &name).ok_or_else(|| no_such("role", &name))?;
        let mut role = (*found).clone();
        let result = change(&mut role, tx)?;
        if role != *found {
            tx.put(role)?;
        }
        Ok(result)
    })
}

/// The role of that name.
pub fn find(ctx: &Ctx, name: Option<String>) -> Result<std::sync::Arc<RoleRecord>, Error> {
    let name = checks::name(name, "roleName", 64)?;
    ctx.cloud.store.get::<RoleRecord>(GLOBAL, &name).ok_or_else(|| no_such("role", &name))
}

pub fn create(ctx: &Ctx, input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
    if input.permissions_boundary.is_some() {
        return Err(validation("PermissionsBoundary is not supported by this cloud."));
    }
    let name = checks::name(input.role_name, "roleName", 64)?;
    let path = checks::path(input.path)?;
    let trust =
        checks::document(input.assume_role_policy_document, "assumeRolePolicyDocument", PolicyKind::Trust)?;
    let role = RoleRecord {
        arn: arn(ctx, "role", &path, &name),
        role_id: ids::iam("AROA"),
        trust,
        description: input.description,
        max_session_duration: session_duration(input.max_session_duration)?,
        inline: Default::default(),
        attached: Vec::new(),
        created: Timestamp::now(),
        tags: wire::tags(ctx, input.tags)?,
        path,
        name,
    };
    ctx.cloud.store.write(|tx| {
        if tx.get::<RoleRecord>(GLOBAL, &role.name).is_some() {
            return Err(exists("Role", &role.name));
        }
        let answer = wire::role(&role);
        tx.put(role)?;
        Ok(CreateRoleResponse { role: Some(answer) })
    })
}

fn session_duration(asked: Option<i32>) -> Result<i32, Error> {
    match asked.unwrap_or(3600) {
        seconds @ 3600..=43_200 => Ok(seconds),
        _ => Err(validation("MaxSessionDuration must be between 3600 and 43200 seconds.")),
    }
}

pub fn get(ctx: &Ctx, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
    Ok(GetRoleResponse { role: Some(wire::role(&*find(ctx, input.role_name)?)) })
}

pub fn list(ctx: &Ctx, input: ListRolesRequest) -> Result<ListRolesResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let roles = ctx.cloud.store.list::<RoleRecord>(GLOBAL);
    let roles = roles.into_iter().filter(|role| role.path.starts_with(&prefix)).collect();
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(roles, |role| &role.name)?;
    Ok(ListRolesResponse {
        roles: page.items.iter().map(|role| wire::role(role)).collect(),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn delete(ctx: &Ctx, input: DeleteRoleRequest) -> Result<(), Error> {
    let name = checks::name(input.role_name, "roleName", 64)?;
    ctx.cloud.store.write(|tx| {
        let role = tx.get::<RoleRecord>(GLOBAL, &name).ok_or_else(|| no_such("role", &name))?;
        let profiles = tx.list::<InstanceProfileRecord>(GLOBAL);
        if profiles.iter().any(|profile| profile.role.as_deref() == Some(&name)) {
            return Err(conflict("Cannot delete entity, must remove roles from instance profile first."));
        }
        if !role.inline.is_empty() {
            return Err(conflict("Cannot delete entity, must delete policies first."));
        }
        if !role.attached.is_empty() {
            return Err(conflict("Cannot delete entity, must detach all policies first."));
        }
        tx.remove::<RoleRecord>(GLOBAL, &name);
        Ok(())
    })
}

pub fn update(ctx: &Ctx, input: UpdateRoleRequest) -> Result<UpdateRoleResponse, Error> {
    with_role(ctx, input.role_name, |role, _| {
        role.description = input.description.or(role.description.take());
        if input.max_session_duration.is_some() {
            role.max_session_duration = session_duration(input.max_session_duration)?;
        }
        Ok(UpdateRoleResponse::default())
    })
}

pub fn update_trust(ctx: &Ctx, input: UpdateAssumeRolePolicyRequest) -> Result<(), Error> {
    let trust = checks::document(input.policy_document, "policyDocument", PolicyKind::Trust)?;
    with_role(ctx, input.role_name, |role, _| {
        role.trust = trust;
        Ok(())
    })
}

pub fn put_policy(ctx: &Ctx, input: PutRolePolicyRequest) -> Result<(), Error> {
    let policy = checks::name(input.policy_name, "policyName", 128)?;
    let document = checks::document(input.policy_document, "policyDocument", PolicyKind::Identity)?;
    with_role(ctx, input.role_name, |role, _| {
        role.inline.insert(policy, document);
        let characters = |text: &String| text.chars().filter(|c| !c.is_whitespace()).count();
        if role.inline.values().map(characters).sum::<usize>() > MAX_INLINE_CHARACTERS {
            return Err(limit(format!(
                "Maximum policy size of {MAX_INLINE_CHARACTERS} bytes exceeded for role {}",
                role.name
            )));
        }
        Ok(())
    })
}

pub fn get_policy(ctx: &Ctx, input: GetRolePolicyRequest) -> Result<GetRolePolicyResponse, Error> {
    let role = find(ctx, input.role_name)?;
    let name = checks::given(input.policy_name, "policyName")?;
    let document = role.inline.get(&name).ok_or_else(|| no_such("role policy", &name))?;
    Ok(GetRolePolicyResponse {
        role_name: Some(role.name.clone()),
        policy_document: Some(wire::encoded(document)),
        policy_name: Some(name),
    })
}

pub fn delete_policy(ctx: &Ctx, input: DeleteRolePolicyRequest) -> Result<(), Error> {
    let name = checks::given(input.policy_name, "policyName")?;
    with_role(ctx, input.role_name, |role, _| {
        role.inline.remove(&name).map(|_| ()).ok_or_else(|| no_such("role policy", &name))
    })
}

pub fn list_policies(ctx: &Ctx, input: ListRolePoliciesRequest) -> Result<ListRolePoliciesResponse, Error> {
    let role = find(ctx, input.role_name)?;
    let names = role.inline.keys().cloned().collect();
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(names, |name| name)?;
    Ok(ListRolePoliciesResponse {
        policy_names: page.items,
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn attach(ctx: &Ctx, input: AttachRolePolicyRequest) -> Result<(), Error> {
    let policy = checks::given(input.policy_arn, "policyArn")?;
    with_role(ctx, input.role_name, |role, tx| {
        let known = managed::find(&policy).is_some() || tx.get::<PolicyRecord>(GLOBAL, &policy).is_some();
        if !known {
            return Err(no_such_policy(&policy));
        }
        if !role.attached.contains(&policy) {
            if role.attached.len() >= MAX_ATTACHED {
                return Err(limit(format!("Cannot exceed quota for PoliciesPerRole: {MAX_ATTACHED}")));
            }
            role.attached.push(policy);
        }
        Ok(())
    })
}

pub fn detach(ctx: &Ctx, input: DetachRolePolicyRequest) -> Result<(), Error> {
    let policy = checks::given(input.policy_arn, "policyArn")?;
    with_role(ctx, input.role_name, |role, _| {
        let before = role.attached.len();
        role.attached.retain(|attached| *attached != policy);
        if role.attached.len() == before {
            let message = format!("Policy {policy} was not found.");
            return Err(Error::with_status("NoSuchEntity", message, 404));
        }
        Ok(())
    })
}

pub fn list_attached(
    ctx: &Ctx,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Error> {
    let role = find(ctx, input.role_name)?;
    let mut arns = role.attached.clone();
    arns.sort();
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(arns, |arn| arn)?;
    let attached = page.items.into_iter().map(|arn| AttachedPolicy {
        policy_name: arn.rsplit('/').next().map(str::to_owned),
        policy_arn: Some(arn),
    });
    Ok(ListAttachedRolePoliciesResponse {
        attached_policies: attached.collect(),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn tag(ctx: &Ctx, input: TagRoleRequest) -> Result<(), Error> {
    with_role(ctx, input.role_name, |role, _| wire::merge_tags(ctx, &mut role.tags, input.tags))
}

pub fn untag(ctx: &Ctx, input: UntagRoleRequest) -> Result<(), Error> {
    with_role(ctx, input.role_name, |role, _| {
        input.tag_keys.iter().for_each(|key| role.tags.remove(key, None));
        Ok(())
    })
}

pub fn list_tags(ctx: &Ctx, input: ListRoleTagsRequest) -> Result<ListRoleTagsResponse, Error> {
    let role = find(ctx, input.role_name)?;
    Ok(ListRoleTagsResponse { tags: wire::tag_list(&role.tags), is_truncated: Some(false), marker: None })
}
