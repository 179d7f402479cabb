//! Tags of parameters.

use aws_wire::Error;
use aws_wire::ssm::*;

use super::errors::{self, validation};
use super::state::ParameterRecord;
use super::{get, may_reserve};
use crate::Ctx;
use crate::api::tags::Tags;

/// Tags' keys and values.
pub fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

/// The parameter that a request is about.
fn find(ctx: &Ctx, kind: Option<&str>, id: Option<&str>) -> Result<std::sync::Arc<ParameterRecord>, Error> {
    if kind != Some("Parameter") {
        let message =
            format!("The resource type {} is not supported by this cloud.", kind.unwrap_or("(none)"));
        return Err(Error::client("InvalidResourceType", message));
    }
    let invalid = "The resource ID is not valid. Verify that you entered the correct ID and try again.";
    get::find(ctx, id.unwrap_or_default()).ok_or_else(|| Error::client("InvalidResourceId", invalid))
}

fn change(
    ctx: &Ctx,
    kind: Option<&str>,
    id: Option<&str>,
    change: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.cloud.store.write(|tx| {
        let mut record = (*find(ctx, kind, id)?).clone();
        change(&mut record.tags)?;
        tx.put(record)?;
        Ok(())
    })
}

/// `AddTagsToResource`
pub fn add(ctx: &Ctx, input: AddTagsToResourceRequest) -> Result<AddTagsToResourceResult, Error> {
    change(ctx, input.resource_type.as_deref(), input.resource_id.as_deref(), |tags| {
        tags.merge(pairs(input.tags), may_reserve(ctx)).map_err(errors::tags)
    })?;
    Ok(AddTagsToResourceResult::default())
}

/// `RemoveTagsFromResource`
pub fn remove(
    ctx: &Ctx,
    input: RemoveTagsFromResourceRequest,
) -> Result<RemoveTagsFromResourceResult, Error> {
    if !may_reserve(ctx) && input.tag_keys.iter().any(|key| key.starts_with("aws:")) {
        return Err(validation("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    change(ctx, input.resource_type.as_deref(), input.resource_id.as_deref(), |tags| {
        input.tag_keys.iter().for_each(|key| tags.remove(key, None));
        Ok(())
    })?;
    Ok(RemoveTagsFromResourceResult::default())
}

/// `ListTagsForResource`
pub fn list(ctx: &Ctx, input: ListTagsForResourceRequest) -> Result<ListTagsForResourceResult, Error> {
    let record = find(ctx, input.resource_type.as_deref(), input.resource_id.as_deref())?;
    let tag = |(key, value): (&str, &str)| Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) };
    Ok(ListTagsForResourceResult { tag_list: record.tags.iter().map(tag).collect() })
}
