//! Managed policies of the account's own, and AWS's.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::iam::*;
use iam_policy::PolicyKind;
use jiff::Timestamp;

use super::arn;
use super::checks;
use super::errors::{conflict, exists, limit, no_such_policy, validation};
use super::managed::{self, AwsPolicy};
use super::state::{PolicyRecord, PolicyVersionState, RoleRecord};
use super::wire::{self, Paged};
use crate::store::GLOBAL;
use crate::{Ctx, Store, ids};

/// Versions that a policy may have.
const MAX_VERSIONS: usize = 5;

fn find(ctx: &Ctx, arn: Option<String>) -> Result<Arc<PolicyRecord>, Error> {
    let arn = checks::given(arn, "policyArn")?;
    ctx.cloud.store.get(GLOBAL, &arn).ok_or_else(|| no_such_policy(&arn))
}

fn change<R>(
    ctx: &Ctx,
    arn: Option<String>,
    change: impl FnOnce(&mut PolicyRecord) -> Result<R, Error>,
) -> Result<R, Error> {
    let arn = checks::given(arn, "policyArn")?;
    ctx.cloud.store.write(|tx| {
        let found: Arc<PolicyRecord> = tx.get(GLOBAL, &arn).ok_or_else(|| no_such_policy(&arn))?;
        let mut policy = (*found).clone();
        let result = change(&mut policy)?;
        tx.put(policy)?;
        Ok(result)
    })
}

fn attachments(store: &Store, arn: &str) -> Vec<Arc<RoleRecord>> {
    let roles = store.list::<RoleRecord>(GLOBAL);
    roles.into_iter().filter(|role| role.attached.iter().any(|attached| attached == arn)).collect()
}

fn answer(store: &Store, policy: &PolicyRecord) -> Policy {
    let count = attachments(store, &policy.arn).len();
    Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.policy_id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(policy.default_version.clone()),
        attachment_count: i32::try_from(count).ok(),
        permissions_boundary_usage_count: Some(0),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        tags: wire::tag_list(&policy.tags),
    }
}

fn aws_answer(store: &Store, policy: &AwsPolicy) -> Policy {
    let (path, name) =
        policy.arn.split_once(":policy").and_then(|(_, rest)| rest.rsplit_once('/')).unwrap_or_default();
    Policy {
        policy_name: Some(name.to_owned()),
        arn: Some(policy.arn.to_owned()),
        path: Some(format!("{path}/")),
        default_version_id: Some("v1".to_owned()),
        attachment_count: i32::try_from(attachments(store, policy.arn).len()).ok(),
        is_attachable: Some(true),
        ..Policy::default()
    }
}

pub fn create(ctx: &Ctx, input: CreatePolicyRequest) -> Result<CreatePolicyResponse, Error> {
    let name = checks::name(input.policy_name, "policyName", 128)?;
    let path = checks::path(input.path)?;
    let document = checks::document(input.policy_document, "policyDocument", PolicyKind::Identity)?;
    let now = Timestamp::now();
    let policy = PolicyRecord {
        arn: arn(ctx, "policy", &path, &name),
        policy_id: ids::iam("ANPA"),
        description: input.description,
        versions: vec![PolicyVersionState { id: "v1".to_owned(), document, created: now }],
        default_version: "v1".to_owned(),
        versions_made: 1,
        created: now,
        updated: now,
        tags: wire::tags(ctx, input.tags)?,
        path,
        name,
    };
    let made = answer(&ctx.cloud.store, &policy);
    ctx.cloud.store.write(|tx| {
        if tx.list::<PolicyRecord>(GLOBAL).iter().any(|other| other.name == policy.name) {
            return Err(exists("A policy", &policy.name));
        }
        tx.put(policy)?;
        Ok(CreatePolicyResponse { policy: Some(made) })
    })
}

pub fn get(ctx: &Ctx, input: GetPolicyRequest) -> Result<GetPolicyResponse, Error> {
    if let Some(policy) = input.policy_arn.as_deref().and_then(managed::find) {
        return Ok(GetPolicyResponse { policy: Some(aws_answer(&ctx.cloud.store, policy)) });
    }
    let policy = find(ctx, input.policy_arn)?;
    Ok(GetPolicyResponse { policy: Some(answer(&ctx.cloud.store, &policy)) })
}

pub fn list(ctx: &Ctx, input: ListPoliciesRequest) -> Result<ListPoliciesResponse, Error> {
    let store = &ctx.cloud.store;
    let (own, aws) = match input.scope.as_deref().unwrap_or("All") {
        "All" => (true, true),
        "Local" => (true, false),
        "AWS" => (false, true),
        other => return Err(validation(format!("Scope must be All, AWS or Local, not {other}."))),
    };
    let mut policies = Vec::new();
    if own {
        policies.extend(store.list::<PolicyRecord>(GLOBAL).iter().map(|policy| answer(store, policy)));
    }
    if aws {
        policies.extend(managed::POLICIES.iter().map(|policy| aws_answer(store, policy)));
    }
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    policies.retain(|policy| policy.path.as_ref().is_some_and(|path| path.starts_with(&prefix)));
    if input.only_attached == Some(true) {
        policies.retain(|policy| policy.attachment_count.is_some_and(|count| count > 0));
    }
    policies.sort_by(|a, b| a.arn.cmp(&b.arn));
    let page = Paged { marker: input.marker, max_items: input.max_items }
        .cut(policies, |policy| policy.arn.as_deref().unwrap_or_default())?;
    Ok(ListPoliciesResponse {
        policies: page.items,
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn delete(ctx: &Ctx, input: DeletePolicyRequest) -> Result<(), Error> {
    let policy = find(ctx, input.policy_arn)?;
    ctx.cloud.store.write(|tx| {
        let used = tx.list::<RoleRecord>(GLOBAL).iter().any(|role| role.attached.contains(&policy.arn));
        if used {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            return Err(conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."));
        }
        tx.remove::<PolicyRecord>(GLOBAL, &policy.arn);
        Ok(())
    })
}

pub fn list_entities(
    ctx: &Ctx,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Error> {
    let arn = checks::given(input.policy_arn, "policyArn")?;
    if managed::find(&arn).is_none() {
        find(ctx, Some(arn.clone()))?;
    }
    let roles = attachments(&ctx.cloud.store, &arn);
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(roles, |role| &role.name)?;
    Ok(ListEntitiesForPolicyResponse {
        policy_roles: page
            .items
            .iter()
            .map(|role| PolicyRole {
                role_name: Some(role.name.clone()),
                role_id: Some(role.role_id.clone()),
            })
            .collect(),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
        ..ListEntitiesForPolicyResponse::default()
    })
}

fn version_answer(policy: &PolicyRecord, version: &PolicyVersionState, document: bool) -> PolicyVersion {
    PolicyVersion {
        document: document.then(|| wire::encoded(&version.document)),
        version_id: Some(version.id.clone()),
        is_default_version: Some(version.id == policy.default_version),
        create_date: Some(version.created),
    }
}

fn no_such_version(id: &str) -> Error {
    Error::with_status("NoSuchEntity", format!("Policy version {id} does not exist."), 404)
}

pub fn create_version(
    ctx: &Ctx,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Error> {
    let document = checks::document(input.policy_document, "policyDocument", PolicyKind::Identity)?;
    let version = change(ctx, input.policy_arn, |policy| {
        if policy.versions.len() >= MAX_VERSIONS {
            return Err(limit(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
            ));
        }
        policy.versions_made += 1;
        let now = Timestamp::now();
        let version = PolicyVersionState { id: format!("v{}", policy.versions_made), document, created: now };
        policy.updated = now;
        if input.set_as_default == Some(true) {
            policy.default_version.clone_from(&version.id);
        }
        let answer = version_answer(policy, &version, false);
        policy.versions.push(version);
        Ok(answer)
    })?;
    Ok(CreatePolicyVersionResponse { policy_version: Some(version) })
}

pub fn get_version(ctx: &Ctx, input: GetPolicyVersionRequest) -> Result<GetPolicyVersionResponse, Error> {
    let id = checks::given(input.version_id, "versionId")?;
    if let Some(policy) = input.policy_arn.as_deref().and_then(managed::find) {
        let version = PolicyVersion {
            document: Some(wire::encoded(policy.document)),
            version_id: Some("v1".to_owned()),
            is_default_version: Some(true),
            create_date: None,
        };
        return if id == "v1" {
            Ok(GetPolicyVersionResponse { policy_version: Some(version) })
        } else {
            Err(no_such_version(&id))
        };
    }
    let policy = find(ctx, input.policy_arn)?;
    let version =
        policy.versions.iter().find(|version| version.id == id).ok_or_else(|| no_such_version(&id))?;
    Ok(GetPolicyVersionResponse { policy_version: Some(version_answer(&policy, version, true)) })
}

pub fn list_versions(
    ctx: &Ctx,
    input: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Error> {
    let policy = find(ctx, input.policy_arn)?;
    let versions = policy.versions.iter().rev().map(|version| version_answer(&policy, version, false));
    Ok(ListPolicyVersionsResponse { versions: versions.collect(), is_truncated: Some(false), marker: None })
}

pub fn delete_version(ctx: &Ctx, input: DeletePolicyVersionRequest) -> Result<(), Error> {
    let id = checks::given(input.version_id, "versionId")?;
    change(ctx, input.policy_arn, |policy| {
        if id == policy.default_version {
            return Err(conflict("Cannot delete the default version of a policy."));
        }
        let before = policy.versions.len();
        policy.versions.retain(|version| version.id != id);
        if policy.versions.len() == before { Err(no_such_version(&id)) } else { Ok(()) }
    })
}

pub fn set_default_version(ctx: &Ctx, input: SetDefaultPolicyVersionRequest) -> Result<(), Error> {
    let id = checks::given(input.version_id, "versionId")?;
    change(ctx, input.policy_arn, |policy| {
        if !policy.versions.iter().any(|version| version.id == id) {
            return Err(no_such_version(&id));
        }
        policy.default_version = id;
        Ok(())
    })
}

pub fn tag(ctx: &Ctx, input: TagPolicyRequest) -> Result<(), Error> {
    change(ctx, input.policy_arn, |policy| wire::merge_tags(ctx, &mut policy.tags, input.tags))
}

pub fn untag(ctx: &Ctx, input: UntagPolicyRequest) -> Result<(), Error> {
    change(ctx, input.policy_arn, |policy| {
        input.tag_keys.iter().for_each(|key| policy.tags.remove(key, None));
        Ok(())
    })
}

pub fn list_tags(ctx: &Ctx, input: ListPolicyTagsRequest) -> Result<ListPolicyTagsResponse, Error> {
    let policy = find(ctx, input.policy_arn)?;
    Ok(ListPolicyTagsResponse { tags: wire::tag_list(&policy.tags), is_truncated: Some(false), marker: None })
}
