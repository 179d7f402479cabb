//! From records to what IAM answers, and back.

use aws_wire::Error;
use aws_wire::iam::{InstanceProfile, Role, Tag};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::errors::validation;
use super::state::{InstanceProfileRecord, RoleRecord};
use crate::api::paging::{Limits, Order, Page, PageRequest, page};
use crate::api::tags::Tags;
use crate::context::{Caller, Ctx};

/// What RFC 3986 leaves alone.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A policy document as IAM answers it: URL-encoded.
pub fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

pub fn role(role: &RoleRecord) -> Role {
    Role {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.role_id.clone()),
        arn: Some(role.arn.clone()),
        create_date: Some(role.created),
        assume_role_policy_document: Some(encoded(&role.trust)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration),
        tags: tag_list(&role.tags),
        ..Role::default()
    }
}

pub fn instance_profile(profile: &InstanceProfileRecord, of: Option<&RoleRecord>) -> InstanceProfile {
    InstanceProfile {
        path: Some(profile.path.clone()),
        instance_profile_name: Some(profile.name.clone()),
        instance_profile_id: Some(profile.profile_id.clone()),
        arn: Some(profile.arn.clone()),
        create_date: Some(profile.created),
        roles: of.map(role).into_iter().collect(),
        tags: tag_list(&profile.tags),
    }
}

pub fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }).collect()
}

pub fn tags(ctx: &Ctx, given: Vec<Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    merge_tags(ctx, &mut tags, given)?;
    Ok(tags)
}

/// Adds tags; only the cloud's own services may set those of AWS's own (`aws:cloudformation:…`).
pub fn merge_tags(ctx: &Ctx, tags: &mut Tags, given: Vec<Tag>) -> Result<(), Error> {
    let pairs = given.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    tags.merge(pairs, matches!(ctx.caller, Caller::Service { .. }))
        .map_err(|error| Error::client("InvalidInput", error.to_string()))
}

/// `Marker` and `MaxItems`.
pub struct Paged {
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

impl Paged {
    /// The page that is asked for; items lie in the order of their keys.
    pub fn cut<T>(self, items: Vec<T>, key: impl Fn(&T) -> &str) -> Result<Page<T>, Error> {
        let limits = Limits { min: 1, max: 1000, default: Some(100) };
        let request = PageRequest { max: self.max_items, token: self.marker.as_deref() };
        page(items, request, limits, Order::Ascending, key).map_err(|error| validation(error.to_string()))
    }
}
