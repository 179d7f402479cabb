//! The tags of groups.

use std::cmp::Ordering;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{
    CreateOrUpdateTagsType, DeleteTagsType, DescribeTagsType, Tag, TagDescription, TagsType,
};

use super::errors::{required, validation};
use super::groups;
use super::paging::{self, PAGE};
use super::state::GroupRecord;
use crate::Ctx;
use crate::api::filters::{Field, Selection};
use crate::api::paging::{Order, PageRequest};
use crate::context::Caller;

const RESOURCE_TYPE: &str = "auto-scaling-group";

/// Adds or replaces tags of a group. Only the cloud's own services may set tags of AWS's own.
///
/// # Errors
/// When a tag is not allowed.
pub fn merge(ctx: &Ctx, group: &mut GroupRecord, tags: &[Tag]) -> Result<(), Error> {
    let may_reserve = matches!(ctx.caller, Caller::Service { .. });
    let pairs = tags.iter().map(|tag| (text(&tag.key), text(&tag.value)));
    group.tags.merge(pairs, may_reserve).map_err(|error| validation(error.to_string()))?;
    for tag in tags {
        let key = text(&tag.key);
        if tag.propagate_at_launch == Some(true) {
            group.propagated.insert(key);
        } else {
            group.propagated.remove(&key);
        }
    }
    Ok(())
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

/// `CreateOrUpdateTags`
pub fn create_or_update(ctx: &Ctx, input: CreateOrUpdateTagsType) -> Result<(), Error> {
    each_group(ctx, &input.tags, |group, tags| merge(ctx, group, tags))
}

/// `DeleteTags`: tags that are not there are ignored; one named with a value goes only with that value.
pub fn delete(ctx: &Ctx, input: DeleteTagsType) -> Result<(), Error> {
    each_group(ctx, &input.tags, |group, tags| {
        for tag in tags {
            let key = text(&tag.key);
            group.tags.remove(&key, tag.value.as_deref().filter(|value| !value.is_empty()));
            if group.tags.get(&key).is_none() {
                group.propagated.remove(&key);
            }
        }
        Ok(())
    })
}

/// Changes each group that tags name, with the tags that name it; all or none.
fn each_group(
    ctx: &Ctx,
    tags: &[Tag],
    change: impl Fn(&mut GroupRecord, &[Tag]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut tags = tags.to_vec();
    for tag in &tags {
        required(tag.resource_id.as_deref(), "resourceId")?;
        if tag.resource_type.as_deref() != Some(RESOURCE_TYPE) {
            return Err(validation(format!("The resource type of a tag must be {RESOURCE_TYPE}")));
        }
    }
    tags.sort_by(|a, b| a.resource_id.cmp(&b.resource_id));
    ctx.cloud.store.write(|tx| {
        for own in tags.chunk_by(|a, b| a.resource_id.cmp(&b.resource_id) == Ordering::Equal) {
            let name = own.first().and_then(|tag| tag.resource_id.as_deref()).unwrap_or_default();
            let mut group = Arc::unwrap_or_clone(groups::need(tx, &ctx.region, name)?);
            change(&mut group, own)?;
            tx.put(group)?;
        }
        Ok(())
    })
}

/// A group's tags as answers hold them.
pub fn of_group(group: &GroupRecord) -> Vec<TagDescription> {
    let description = |(key, value): (&str, &str)| TagDescription {
        resource_id: Some(group.id.clone()),
        resource_type: Some(RESOURCE_TYPE.to_owned()),
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
        propagate_at_launch: Some(group.propagated.contains(key)),
    };
    group.tags.iter().map(description).collect()
}

struct Row {
    /// Group and key, between which nothing sorts.
    place: String,
    tag: TagDescription,
}

fn member(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

const FIELDS: &[Field<Row>] = &[
    ("auto-scaling-group", |row, is| is(member(&row.tag.resource_id))),
    ("key", |row, is| is(member(&row.tag.key))),
    ("value", |row, is| is(member(&row.tag.value))),
    ("propagate-at-launch", |row, is| {
        is(if row.tag.propagate_at_launch == Some(true) { "true" } else { "false" })
    }),
];

/// `DescribeTags`
pub fn describe(ctx: &Ctx, input: DescribeTagsType) -> Result<TagsType, Error> {
    let filters = input.filters.iter().map(|f| (member(&f.name), f.values.as_slice()));
    let selection = Selection::new(FIELDS, None, filters).map_err(|error| validation(error.to_string()))?;
    let groups: Vec<Arc<GroupRecord>> = ctx.cloud.store.list(&ctx.region);
    let rows = groups
        .iter()
        .flat_map(|group| of_group(group))
        .map(|tag| Row { place: format!("{}\0{}", member(&tag.resource_id), member(&tag.key)), tag })
        .filter(|row| selection.accepts(row))
        .collect();
    let request = PageRequest { max: input.max_records, token: input.next_token.as_deref() };
    let page = paging::page(rows, request, PAGE, Order::Ascending, |row: &Row| &row.place)?;
    Ok(TagsType { tags: page.items.into_iter().map(|row| row.tag).collect(), next_token: page.next })
}
