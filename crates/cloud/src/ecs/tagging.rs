//! Tags of clusters and container instances, by ARN.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ecs::*;

use super::clusters::{self, may_reserve};
use super::container_instances;
use super::errors::{self, invalid};
use super::state::{ClusterRecord, ContainerInstanceRecord};
use super::wire::{self, home};
use crate::Ctx;
use crate::api::tags::Tags;
use crate::store::Tx;

/// What has tags.
enum Tagged {
    Cluster(Arc<ClusterRecord>),
    Instance(Arc<ContainerInstanceRecord>),
}

impl Tagged {
    fn find(ctx: &Ctx, tx: &Tx<'_>, arn: &str) -> Result<Self, Error> {
        let resource = home(ctx)
            .resource(arn)
            .ok_or_else(|| invalid(format!("Invalid identifier: {arn} is not an ARN of ECS here.")))?;
        let mut parts = resource.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("cluster"), Some(name), None) => clusters::find_in(ctx, tx, Some(name)).map(Self::Cluster),
            (Some("container-instance"), Some(cluster), Some(id)) => {
                container_instances::find_in(ctx, tx, cluster, id).map(Self::Instance)
            }
            (Some("container-instance"), Some(id), None) => {
                let found = tx.get::<ContainerInstanceRecord>(&ctx.region, id);
                found.ok_or_else(|| errors::instance_not_found(id)).map(Self::Instance)
            }
            _ => Err(invalid(format!(
                "Invalid identifier: this cloud has no resource {arn} that could have tags."
            ))),
        }
    }

    fn tags(&self) -> &Tags {
        match self {
            Self::Cluster(cluster) => &cluster.tags,
            Self::Instance(instance) => &instance.tags,
        }
    }

    fn put(&self, tx: &mut Tx<'_>, tags: Tags) -> Result<(), Error> {
        match self {
            Self::Cluster(cluster) => tx.put(ClusterRecord { tags, ..(**cluster).clone() })?,
            Self::Instance(instance) => {
                let version = instance.version + 1;
                tx.put(ContainerInstanceRecord { tags, version, ..(**instance).clone() })?;
            }
        }
        Ok(())
    }
}

fn change(
    ctx: &Ctx,
    arn: Option<String>,
    change: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.cloud.store.write(|tx| {
        let tagged = Tagged::find(ctx, tx, &arn.unwrap_or_default())?;
        let mut tags = tagged.tags().clone();
        change(&mut tags)?;
        tagged.put(tx, tags)
    })
}

/// `TagResource`
pub fn tag(ctx: &Ctx, input: TagResourceRequest) -> Result<TagResourceResponse, Error> {
    change(ctx, input.resource_arn, |tags| {
        tags.merge(wire::pairs(input.tags), may_reserve(ctx)).map_err(errors::tags)
    })?;
    Ok(TagResourceResponse::default())
}

/// `UntagResource`
pub fn untag(ctx: &Ctx, input: UntagResourceRequest) -> Result<UntagResourceResponse, Error> {
    if !may_reserve(ctx) && input.tag_keys.iter().any(|key| key.starts_with("aws:")) {
        return Err(invalid("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    change(ctx, input.resource_arn, |tags| {
        input.tag_keys.iter().for_each(|key| tags.remove(key, None));
        Ok(())
    })?;
    Ok(UntagResourceResponse::default())
}

/// `ListTagsForResource`
pub fn list(ctx: &Ctx, input: ListTagsForResourceRequest) -> Result<ListTagsForResourceResponse, Error> {
    let arn = input.resource_arn.unwrap_or_default();
    let tags =
        ctx.cloud.store.write(|tx| Tagged::find(ctx, tx, &arn).map(|tagged| wire::tags(tagged.tags())))?;
    Ok(ListTagsForResourceResponse { tags })
}
