//! Questions to IAM that several types ask before anything is made.

use aws_wire::Error;
use aws_wire::iam::{GetInstanceProfileRequest, GetRoleRequest};

use super::api::Api;

/// Whether an instance profile exists, given by its name or ARN.
///
/// # Errors
/// IAM's own.
pub fn instance_profile(api: &Api, name_or_arn: &str) -> Result<(), Error> {
    let name = name_or_arn.rsplit('/').next().unwrap_or(name_or_arn).to_owned();
    let input = GetInstanceProfileRequest { instance_profile_name: Some(name) };
    api.services.iam.get_instance_profile(&api.ctx, input).map(drop)
}

/// Whether a role exists.
///
/// # Errors
/// IAM's own.
pub fn role(api: &Api, name: &str) -> Result<(), Error> {
    let input = GetRoleRequest { role_name: Some(name.to_owned()) };
    api.services.iam.get_role(&api.ctx, input).map(drop)
}
