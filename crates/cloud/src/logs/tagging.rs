//! Tags of groups, by both of AWS's ways: of resources, and the older one of groups.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::logs::*;

use super::state::GroupRecord;
use super::{errors, groups, may_reserve, names};
use crate::Ctx;
use crate::api::tags::Tags;

/// `TagResource`
pub fn tag(ctx: &Ctx, input: TagResourceRequest) -> Result<(), Error> {
    add(ctx, &of_arn(ctx, input.resource_arn)?, input.tags)
}

/// `UntagResource`
pub fn untag(ctx: &Ctx, input: UntagResourceRequest) -> Result<(), Error> {
    remove(ctx, &of_arn(ctx, input.resource_arn)?, &input.tag_keys)
}

/// `ListTagsForResource`
pub fn list(ctx: &Ctx, input: ListTagsForResourceRequest) -> Result<ListTagsForResourceResponse, Error> {
    Ok(ListTagsForResourceResponse { tags: tags(ctx, &of_arn(ctx, input.resource_arn)?)? })
}

/// `TagLogGroup`
pub fn tag_group(ctx: &Ctx, input: TagLogGroupRequest) -> Result<(), Error> {
    add(ctx, &checked(input.log_group_name)?, input.tags)
}

/// `UntagLogGroup`
pub fn untag_group(ctx: &Ctx, input: UntagLogGroupRequest) -> Result<(), Error> {
    remove(ctx, &checked(input.log_group_name)?, &input.tags)
}

/// `ListTagsLogGroup`
pub fn list_group(ctx: &Ctx, input: ListTagsLogGroupRequest) -> Result<ListTagsLogGroupResponse, Error> {
    Ok(ListTagsLogGroupResponse { tags: tags(ctx, &checked(input.log_group_name)?)? })
}

fn checked(name: Option<String>) -> Result<String, Error> {
    let name = name.unwrap_or_default();
    names::check_group(&name, "logGroupName")?;
    Ok(name)
}

/// The name of the group that an ARN is of. It has no `:*` here, unlike in policies.
fn of_arn(ctx: &Ctx, arn: Option<String>) -> Result<String, Error> {
    let arn = arn.unwrap_or_default();
    match groups::home(ctx).group_of_arn(&arn) {
        Some((name, "")) => checked(Some(name.to_owned())),
        _ if arn.contains(":destination:") => Err(errors::unsupported("The tagging of destinations")),
        _ => Err(errors::invalid(format!(
            "The resource ARN '{arn}' is not the ARN of a log group, which has no ':*' at its end here."
        ))),
    }
}

fn add(ctx: &Ctx, name: &str, tags: BTreeMap<String, String>) -> Result<(), Error> {
    change(ctx, name, |stored| stored.merge(tags, may_reserve(ctx)).map_err(errors::tags))
}

fn remove(ctx: &Ctx, name: &str, keys: &[String]) -> Result<(), Error> {
    if !may_reserve(ctx) && keys.iter().any(|key| key.starts_with("aws:")) {
        return Err(errors::invalid("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    change(ctx, name, |stored| {
        keys.iter().for_each(|key| stored.remove(key, None));
        Ok(())
    })
}

fn change(ctx: &Ctx, name: &str, change: impl FnOnce(&mut Tags) -> Result<(), Error>) -> Result<(), Error> {
    ctx.cloud.store.write(|tx| {
        let mut group = (*tx.get::<GroupRecord>(&ctx.region, name).ok_or_else(errors::no_group)?).clone();
        change(&mut group.tags)?;
        tx.put(group)?;
        Ok(())
    })
}

fn tags(ctx: &Ctx, name: &str) -> Result<BTreeMap<String, String>, Error> {
    let group = groups::find(ctx, name)?;
    Ok(group.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
