//! How an instance joins a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ecs::*;
use jiff::Timestamp;
use serde::Deserialize;

use super::attributes;
use super::clusters::{self, may_reserve};
use super::errors::{self, client, instance_inactive};
use super::state::{ClusterRecord, ContainerInstanceRecord, ContainerInstanceStatus};
use super::wire::{self, InstanceFields, home};
use crate::api::tags::Tags;
use crate::ec2::state::InstanceRecord;
use crate::store::Tx;
use crate::{Ctx, ids};

/// `RegisterContainerInstance`, which agents call whenever they start.
///
/// An agent that remembers who it was says so by `containerInstanceArn`. One that does not (its first call's
/// answer may have been lost) is known by its EC2 instance, so an instance is in a cluster but once.
pub fn register(
    ctx: &Ctx,
    input: RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse, Error> {
    if !input.platform_devices.is_empty() {
        return Err(errors::unsupported("platformDevices"));
    }
    let instance = identify(
        ctx,
        input.instance_identity_document.as_deref().unwrap_or_default(),
        input.instance_identity_document_signature.as_deref().unwrap_or_default(),
    )?;
    let mut attributes = attributes::checked(input.attributes)?;
    attributes.extend(own_attributes(&instance));
    let mut tags = Tags::new();
    tags.merge(wire::pairs(input.tags), may_reserve(ctx)).map_err(errors::tags)?;
    let said = Said {
        version_info: input.version_info.unwrap_or_default(),
        resources: input.total_resources,
        attributes,
        tags,
    };
    ctx.cloud.store.write(|tx| {
        let cluster = clusters::find_in(ctx, tx, input.cluster.as_deref())?;
        let record = match known(ctx, tx, &cluster, &instance, input.container_instance_arn.as_deref())? {
            Some(known) => again(&known, said),
            None => new(ctx, &cluster, &instance, said),
        };
        let container_instance =
            wire::container_instance(home(ctx), &record, InstanceFields { tags: true, health: false });
        tx.put(record)?;
        Ok(RegisterContainerInstanceResponse { container_instance: Some(container_instance) })
    })
}

/// What an agent says of its instance.
struct Said {
    version_info: VersionInfo,
    resources: Vec<Resource>,
    attributes: BTreeMap<String, Option<String>>,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityDocument {
    instance_id: String,
    region: String,
}

/// The instance that proves itself by its identity document.
fn identify(ctx: &Ctx, document: &str, signature: &str) -> Result<Arc<InstanceRecord>, Error> {
    if document.is_empty() || signature.is_empty() {
        return Err(client("An instance identity document and its signature are required."));
    }
    let genuine = ctx.cloud.identity.verify(document.as_bytes(), signature);
    if !genuine.map_err(|error| Error::internal(error.to_string()))? {
        return Err(client("The signature of the instance identity document is not valid."));
    }
    let said: IdentityDocument = serde_json::from_str(document)
        .map_err(|error| client(format!("The instance identity document cannot be read: {error}.")))?;
    if said.region != *ctx.region {
        return Err(client(format!("The instance is in the region {}, not in {}.", said.region, ctx.region)));
    }
    let found = ctx.cloud.store.get::<InstanceRecord>(&ctx.region, &said.instance_id);
    found
        .filter(|instance| instance.state.lives())
        .ok_or_else(|| client(format!("The instance {} does not exist or is terminated.", said.instance_id)))
}

/// What ECS itself knows of an instance ("Amazon ECS container instance attributes" in the ECS guide).
fn own_attributes(instance: &InstanceRecord) -> impl Iterator<Item = (String, Option<String>)> {
    [
        ("ecs.ami-id", instance.image_id.clone()),
        ("ecs.availability-zone", instance.zone.clone()),
        ("ecs.cpu-architecture", instance.architecture.clone()),
        ("ecs.instance-type", instance.instance_type.clone()),
        ("ecs.os-type", "linux".to_owned()),
        ("ecs.subnet-id", instance.subnet_id.clone()),
        ("ecs.vpc-id", instance.vpc_id.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Some(value)))
}

/// Who the instance already is in the cluster.
fn known(
    ctx: &Ctx,
    tx: &Tx<'_>,
    cluster: &ClusterRecord,
    instance: &InstanceRecord,
    arn: Option<&str>,
) -> Result<Option<Arc<ContainerInstanceRecord>>, Error> {
    let Some(arn) = arn.filter(|arn| !arn.is_empty()) else {
        let all = tx.list::<ContainerInstanceRecord>(&ctx.region);
        return Ok(all.into_iter().find(|known| {
            known.cluster == cluster.id && known.ec2_instance_id == instance.id && known.is_registered()
        }));
    };
    // An agent that does not find itself by these words must not give up but register afresh.
    let gone = || {
        let id = arn.rsplit('/').next().unwrap_or(arn);
        client(format!("Container instance {id} not found."))
    };
    let id = home(ctx).container_instance_id(&cluster.id, arn).ok_or_else(gone)?;
    let known = tx.get::<ContainerInstanceRecord>(&ctx.region, id).ok_or_else(gone)?;
    if known.cluster != cluster.id || known.ec2_instance_id != instance.id {
        return Err(gone());
    }
    if !known.is_registered() {
        return Err(instance_inactive(&known.id));
    }
    if known.instance_type != instance.instance_type {
        return Err(client("Container instance type changes are not supported."));
    }
    Ok(Some(known))
}

/// The instance as it was, with what its agent says now. Attributes that users put stay.
fn again(known: &ContainerInstanceRecord, said: Said) -> ContainerInstanceRecord {
    let mut record = known.clone();
    record.version += 1;
    record.version_info = said.version_info;
    record.resources = said.resources;
    record.attributes.extend(said.attributes);
    said.tags.iter().for_each(|(key, value)| record.tags.set(key, value));
    record
}

fn new(ctx: &Ctx, cluster: &ClusterRecord, instance: &InstanceRecord, said: Said) -> ContainerInstanceRecord {
    ContainerInstanceRecord {
        region: ctx.region.to_string(),
        id: ids::hex_digits(32),
        cluster: cluster.id.clone(),
        ec2_instance_id: instance.id.clone(),
        instance_type: instance.instance_type.clone(),
        status: ContainerInstanceStatus::Active,
        version: 1,
        version_info: said.version_info,
        resources: said.resources,
        attributes: said.attributes,
        registered_at: Timestamp::now(),
        tags: said.tags,
        session: None,
        inactive_since: None,
    }
}
