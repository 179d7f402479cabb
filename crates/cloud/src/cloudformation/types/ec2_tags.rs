//! Tags of EC2 resources.

use aws_wire::ec2::{CreateTagsRequest, DeleteTagsRequest, Filter, Tag, TagSpecification};
use indexmap::IndexMap;

use super::api::Api;
use super::{Change, Failure, Owner, props, tag};

/// The tags of something that is being made.
pub fn specifications(resource_type: &str, tags: &IndexMap<String, String>) -> Vec<TagSpecification> {
    let tags = tags.iter().map(|(key, value)| new(key, value)).collect();
    vec![TagSpecification { resource_type: Some(resource_type.to_owned()), tags }]
}

/// Filters that only a resource of this owner passes.
pub fn owner_filters(owner: &Owner) -> [Filter; 2] {
    let filter =
        |key: &str, value: &str| Filter { name: Some(format!("tag:{key}")), values: vec![value.to_owned()] };
    [filter(tag::STACK_ID, &owner.stack_id), filter(tag::LOGICAL_ID, &owner.logical_id)]
}

/// Brings the tags of a resource whose physical id is its EC2 id to what they are to be.
///
/// # Errors
/// EC2's refusal.
pub fn update(api: &Api, change: &Change<'_>) -> Result<(), Failure> {
    let before = props::tags(change.owner, change.tags_before, change.before);
    let after = props::tags(change.owner, change.tags, change.after);
    let (set, removed) = props::tag_changes(&before, &after);
    let resources = vec![change.physical_id.to_owned()];
    if !set.is_empty() {
        let tags = set.iter().map(|(key, value)| new(key, value)).collect();
        let input = CreateTagsRequest { resources: resources.clone(), tags, ..Default::default() };
        api.services.ec2.create_tags(&api.ctx, input)?;
    }
    if !removed.is_empty() {
        let tags = removed.into_iter().map(|key| Tag { key: Some(key), value: None }).collect();
        api.services
            .ec2
            .delete_tags(&api.ctx, DeleteTagsRequest { resources, tags, ..Default::default() })?;
    }
    Ok(())
}

fn new(key: &str, value: &str) -> Tag {
    Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}
