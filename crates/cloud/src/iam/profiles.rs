//! Instance profiles.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::iam::*;
use jiff::Timestamp;

use super::errors::{exists, limit, no_such};
use super::state::{InstanceProfileRecord, RoleRecord};
use super::wire::{self, Paged};
use super::{arn, checks};
use crate::store::GLOBAL;
use crate::{Ctx, Store, ids};

fn find(ctx: &Ctx, name: Option<String>) -> Result<Arc<InstanceProfileRecord>, Error> {
    let name = checks::name(name, "instanceProfileName", 128)?;
    ctx.cloud.store.get(GLOBAL, &name).ok_or_else(|| no_such("instance profile", &name))
}

fn change(
    ctx: &Ctx,
    name: Option<String>,
    change: impl FnOnce(&mut InstanceProfileRecord) -> Result<(), Error>,
) -> Result<(), Error> {
    let name = checks::name(name, "instanceProfileName", 128)?;
    ctx.cloud.store.write(|tx| {
        let found: Arc<InstanceProfileRecord> =
            tx.get(GLOBAL, &name).ok_or_else(|| no_such("instance profile", &name))?;
        let mut profile = (*found).clone();
        change(&mut profile)?;
        Ok(tx.put(profile)?)
    })
}

fn answer(store: &Store, profile: &InstanceProfileRecord) -> InstanceProfile {
    let role = profile.role.as_ref().and_then(|role| store.get::<RoleRecord>(GLOBAL, role));
    wire::instance_profile(profile, role.as_deref())
}

pub fn create(
    ctx: &Ctx,
    input: CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse, Error> {
    let name = checks::name(input.instance_profile_name, "instanceProfileName", 128)?;
    let path = checks::path(input.path)?;
    let profile = InstanceProfileRecord {
        profile_id: ids::iam("AIPA"),
        arn: arn(ctx, "instance-profile", &path, &name),
        role: None,
        created: Timestamp::now(),
        tags: wire::tags(ctx, input.tags)?,
        path,
        name,
    };
    ctx.cloud.store.write(|tx| {
        if tx.get::<InstanceProfileRecord>(GLOBAL, &profile.name).is_some() {
            return Err(exists("Instance Profile", &profile.name));
        }
        let answer = wire::instance_profile(&profile, None);
        tx.put(profile)?;
        Ok(CreateInstanceProfileResponse { instance_profile: Some(answer) })
    })
}

pub fn get(ctx: &Ctx, input: GetInstanceProfileRequest) -> Result<GetInstanceProfileResponse, Error> {
    let profile = find(ctx, input.instance_profile_name)?;
    Ok(GetInstanceProfileResponse { instance_profile: Some(answer(&ctx.cloud.store, &profile)) })
}

pub fn delete(ctx: &Ctx, input: DeleteInstanceProfileRequest) -> Result<(), Error> {
    let name = checks::name(input.instance_profile_name, "instanceProfileName", 128)?;
    ctx.cloud.store.write(|tx| {
        let profile = tx
            .get::<InstanceProfileRecord>(GLOBAL, &name)
            .ok_or_else(|| no_such("instance profile", &name))?;
        if profile.role.is_some() {
            return Err(super::errors::conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        tx.remove::<InstanceProfileRecord>(GLOBAL, &name);
        Ok(())
    })
}

pub fn list(ctx: &Ctx, input: ListInstanceProfilesRequest) -> Result<ListInstanceProfilesResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let profiles = ctx.cloud.store.list::<InstanceProfileRecord>(GLOBAL);
    let profiles = profiles.into_iter().filter(|profile| profile.path.starts_with(&prefix)).collect();
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(profiles, |p| &p.name)?;
    Ok(ListInstanceProfilesResponse {
        instance_profiles: page.items.iter().map(|profile| answer(&ctx.cloud.store, profile)).collect(),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn list_for_role(
    ctx: &Ctx,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Error> {
    let role = super::roles::find(ctx, input.role_name)?;
    let profiles = ctx.cloud.store.list::<InstanceProfileRecord>(GLOBAL);
    let profiles =
        profiles.into_iter().filter(|profile| profile.role.as_deref() == Some(&role.name)).collect();
    let page = Paged { marker: input.marker, max_items: input.max_items }.cut(profiles, |p| &p.name)?;
    Ok(ListInstanceProfilesForRoleResponse {
        instance_profiles: page.items.iter().map(|profile| answer(&ctx.cloud.store, profile)).collect(),
        is_truncated: Some(page.next.is_some()),
        marker: page.next,
    })
}

pub fn add_role(ctx: &Ctx, input: AddRoleToInstanceProfileRequest) -> Result<(), Error> {
    let role = super::roles::find(ctx, input.role_name)?;
    change(ctx, input.instance_profile_name, |profile| match &profile.role {
        Some(_) => Err(limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")),
        None => {
            profile.role = Some(role.name.clone());
            Ok(())
        }
    })
}

pub fn remove_role(ctx: &Ctx, input: RemoveRoleFromInstanceProfileRequest) -> Result<(), Error> {
    let role = checks::name(input.role_name, "roleName", 64)?;
    change(ctx, input.instance_profile_name, |profile| {
        if profile.role.as_deref() != Some(&role) {
            return Err(no_such("role", &role));
        }
        profile.role = None;
        Ok(())
    })
}

pub fn tag(ctx: &Ctx, input: TagInstanceProfileRequest) -> Result<(), Error> {
    change(ctx, input.instance_profile_name, |profile| wire::merge_tags(ctx, &mut profile.tags, input.tags))
}

pub fn untag(ctx: &Ctx, input: UntagInstanceProfileRequest) -> Result<(), Error> {
    change(ctx, input.instance_profile_name, |profile| {
        input.tag_keys.iter().for_each(|key| profile.tags.remove(key, None));
        Ok(())
    })
}

pub fn list_tags(
    ctx: &Ctx,
    input: ListInstanceProfileTagsRequest,
) -> Result<ListInstanceProfileTagsResponse, Error> {
    let profile = find(ctx, input.instance_profile_name)?;
    Ok(ListInstanceProfileTagsResponse {
        tags: wire::tag_list(&profile.tags),
        is_truncated: Some(false),
        marker: None,
    })
}
