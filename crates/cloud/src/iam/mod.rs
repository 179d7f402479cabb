//! IAM: roles, their policies, and the instance profiles that bring them to instances.
//!
//! IAM is global: it has one set of records, whatever region a request names.

mod authorize;
mod checks;
mod errors;
mod managed;
mod policies;
mod profiles;
mod roles;
pub mod state;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::iam::*;

pub use authorize::{authorize, decide};

use crate::store::{GLOBAL, Kinds};
use crate::{Ctx, Store};
use state::{InstanceProfileRecord, PolicyRecord, RoleRecord};

/// Adds this service's records to those the store can load.
pub fn kinds(kinds: &mut Kinds) {
    kinds.add::<RoleRecord>().add::<InstanceProfileRecord>().add::<PolicyRecord>();
}

/// The instance profile of that name or ARN.
pub fn instance_profile(store: &Store, name_or_arn: &str) -> Option<Arc<InstanceProfileRecord>> {
    if !name_or_arn.starts_with("arn:") {
        return store.get(GLOBAL, name_or_arn);
    }
    store.list::<InstanceProfileRecord>(GLOBAL).into_iter().find(|profile| profile.arn == name_or_arn)
}

/// An ARN of the account's: IAM's have no region, and the path stands before the name.
fn arn(ctx: &Ctx, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{}:{kind}{path}{name}", ctx.account)
}

/// The service.
pub struct IamService;

impl Iam<Ctx> for IamService {
    fn add_role_to_instance_profile(
        &self,
        ctx: &Ctx,
        input: AddRoleToInstanceProfileRequest,
    ) -> Result<(), Error> {
        profiles::add_role(ctx, input)
    }
    fn attach_role_policy(&self, ctx: &Ctx, input: AttachRolePolicyRequest) -> Result<(), Error> {
        roles::attach(ctx, input)
    }
    fn create_instance_profile(
        &self,
        ctx: &Ctx,
        input: CreateInstanceProfileRequest,
    ) -> Result<CreateInstanceProfileResponse, Error> {
        profiles::create(ctx, input)
    }
    fn create_policy(&self, ctx: &Ctx, input: CreatePolicyRequest) -> Result<CreatePolicyResponse, Error> {
        policies::create(ctx, input)
    }
    fn create_policy_version(
        &self,
        ctx: &Ctx,
        input: CreatePolicyVersionRequest,
    ) -> Result<CreatePolicyVersionResponse, Error> {
        policies::create_version(ctx, input)
    }
    fn create_role(&self, ctx: &Ctx, input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
        roles::create(ctx, input)
    }
    fn delete_instance_profile(&self, ctx: &Ctx, input: DeleteInstanceProfileRequest) -> Result<(), Error> {
        profiles::delete(ctx, input)
    }
    fn delete_policy(&self, ctx: &Ctx, input: DeletePolicyRequest) -> Result<(), Error> {
        policies::delete(ctx, input)
    }
    fn delete_policy_version(&self, ctx: &Ctx, input: DeletePolicyVersionRequest) -> Result<(), Error> {
        policies::delete_version(ctx, input)
    }
    fn delete_role(&self, ctx: &Ctx, input: DeleteRoleRequest) -> Result<(), Error> {
        roles::delete(ctx, input)
    }
    fn delete_role_policy(&self, ctx: &Ctx, input: DeleteRolePolicyRequest) -> Result<(), Error> {
        roles::delete_policy(ctx, input)
    }
    fn detach_role_policy(&self, ctx: &Ctx, input: DetachRolePolicyRequest) -> Result<(), Error> {
        roles::detach(ctx, input)
    }
    fn get_instance_profile(
        &self,
        ctx: &Ctx,
        input: GetInstanceProfileRequest,
    ) -> Result<GetInstanceProfileResponse, Error> {
        profiles::get(ctx, input)
    }
    fn get_policy(&self, ctx: &Ctx, input: GetPolicyRequest) -> Result<GetPolicyResponse, Error> {
        policies::get(ctx, input)
    }
    fn get_policy_version(
        &self,
        ctx: &Ctx,
        input: GetPolicyVersionRequest,
    ) -> Result<GetPolicyVersionResponse, Error> {
        policies::get_version(ctx, input)
    }
    fn get_role(&self, ctx: &Ctx, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
        roles::get(ctx, input)
    }
    fn get_role_policy(
        &self,
        ctx: &Ctx,
        input: GetRolePolicyRequest,
    ) -> Result<GetRolePolicyResponse, Error> {
        roles::get_policy(ctx, input)
    }
    fn list_attached_role_policies(
        &self,
        ctx: &Ctx,
        input: ListAttachedRolePoliciesRequest,
    ) -> Result<ListAttachedRolePoliciesResponse, Error> {
        roles::list_attached(ctx, input)
    }
    fn list_entities_for_policy(
        &self,
        ctx: &Ctx,
        input: ListEntitiesForPolicyRequest,
    ) -> Result<ListEntitiesForPolicyResponse, Error> {
        policies::list_entities(ctx, input)
    }
    fn list_instance_profile_tags(
        &self,
        ctx: &Ctx,
        input: ListInstanceProfileTagsRequest,
    ) -> Result<ListInstanceProfileTagsResponse, Error> {
        profiles::list_tags(ctx, input)
    }
    fn list_instance_profiles(
        &self,
        ctx: &Ctx,
        input: ListInstanceProfilesRequest,
    ) -> Result<ListInstanceProfilesResponse, Error> {
        profiles::list(ctx, input)
    }
    fn list_instance_profiles_for_role(
        &self,
        ctx: &Ctx,
        input: ListInstanceProfilesForRoleRequest,
    ) -> Result<ListInstanceProfilesForRoleResponse, Error> {
        profiles::list_for_role(ctx, input)
    }
    fn list_policies(&self, ctx: &Ctx, input: ListPoliciesRequest) -> Result<ListPoliciesResponse, Error> {
        policies::list(ctx, input)
    }
    fn list_policy_tags(
        &self,
        ctx: &Ctx,
        input: ListPolicyTagsRequest,
    ) -> Result<ListPolicyTagsResponse, Error> {
        policies::list_tags(ctx, input)
    }
    fn list_policy_versions(
        &self,
        ctx: &Ctx,
        input: ListPolicyVersionsRequest,
    ) -> Result<ListPolicyVersionsResponse, Error> {
        policies::list_versions(ctx, input)
    }
    fn list_role_policies(
        &self,
        ctx: &Ctx,
        input: ListRolePoliciesRequest,
    ) -> Result<ListRolePoliciesResponse, Error> {
        roles::list_policies(ctx, input)
    }
    fn list_role_tags(&self, ctx: &Ctx, input: ListRoleTagsRequest) -> Result<ListRoleTagsResponse, Error> {
        roles::list_tags(ctx, input)
    }
    fn list_roles(&self, ctx: &Ctx, input: ListRolesRequest) -> Result<ListRolesResponse, Error> {
        roles::list(ctx, input)
    }
    fn put_role_policy(&self, ctx: &Ctx, input: PutRolePolicyRequest) -> Result<(), Error> {
        roles::put_policy(ctx, input)
    }
    fn remove_role_from_instance_profile(
        &self,
        ctx: &Ctx,
        input: RemoveRoleFromInstanceProfileRequest,
    ) -> Result<(), Error> {
        profiles::remove_role(ctx, input)
    }
    fn set_default_policy_version(
        &self,
        ctx: &Ctx,
        input: SetDefaultPolicyVersionRequest,
    ) -> Result<(), Error> {
        policies::set_default_version(ctx, input)
    }
    fn tag_instance_profile(&self, ctx: &Ctx, input: TagInstanceProfileRequest) -> Result<(), Error> {
        profiles::tag(ctx, input)
    }
    fn tag_policy(&self, ctx: &Ctx, input: TagPolicyRequest) -> Result<(), Error> {
        policies::tag(ctx, input)
    }
    fn tag_role(&self, ctx: &Ctx, input: TagRoleRequest) -> Result<(), Error> {
        roles::tag(ctx, input)
    }
    fn untag_instance_profile(&self, ctx: &Ctx, input: UntagInstanceProfileRequest) -> Result<(), Error> {
        profiles::untag(ctx, input)
    }
    fn untag_policy(&self, ctx: &Ctx, input: UntagPolicyRequest) -> Result<(), Error> {
        policies::untag(ctx, input)
    }
    fn untag_role(&self, ctx: &Ctx, input: UntagRoleRequest) -> Result<(), Error> {
        roles::untag(ctx, input)
    }
    fn update_assume_role_policy(
        &self,
        ctx: &Ctx,
        input: UpdateAssumeRolePolicyRequest,
    ) -> Result<(), Error> {
        roles::update_trust(ctx, input)
    }
    fn update_role(&self, ctx: &Ctx, input: UpdateRoleRequest) -> Result<UpdateRoleResponse, Error> {
        roles::update(ctx, input)
    }
}
