//! Container instances, once they are registered.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ecs::*;
use jiff::Timestamp;

use super::clusters::{self, PAGE};
use super::errors::{self, instance_inactive, instance_not_found, invalid};
use super::query::Query;
use super::state::{ClusterRecord, ContainerInstanceRecord, ContainerInstanceStatus};
use super::wire::{self, InstanceFields, home};
use crate::Ctx;
use crate::api::paging::{Order, PageRequest, page};
use crate::store::Tx;

/// How many container instances one request may describe.
const MAX_DESCRIBED: usize = 100;
/// How many container instances one request may drain.
const MAX_DRAINED: usize = 10;

/// The container instance of a cluster, by id or ARN; deregistered ones too.
pub fn find(ctx: &Ctx, cluster: &ClusterRecord, given: &str) -> Result<Arc<ContainerInstanceRecord>, Error> {
    let id = home(ctx).container_instance_id(&cluster.id, given).ok_or_else(|| instance_not_found(given))?;
    of_cluster(ctx.cloud.store.get(&ctx.region, id), &cluster.id, given)
}

/// The same inside a transaction.
pub fn find_in(
    ctx: &Ctx,
    tx: &Tx<'_>,
    cluster: &str,
    given: &str,
) -> Result<Arc<ContainerInstanceRecord>, Error> {
    let id = home(ctx).container_instance_id(cluster, given).ok_or_else(|| instance_not_found(given))?;
    of_cluster(tx.get(&ctx.region, id), cluster, given)
}

fn of_cluster(
    found: Option<Arc<ContainerInstanceRecord>>,
    cluster: &str,
    given: &str,
) -> Result<Arc<ContainerInstanceRecord>, Error> {
    found.filter(|instance| instance.cluster == cluster).ok_or_else(|| instance_not_found(given))
}

/// How a container instance that was asked for and is not there is called in the answer.
fn arn_of(ctx: &Ctx, cluster: &str, given: &str) -> String {
    if given.starts_with("arn:") {
        given.to_owned()
    } else {
        home(ctx).container_instance_arn(cluster, given)
    }
}

/// `DescribeContainerInstances`
pub fn describe(
    ctx: &Ctx,
    input: DescribeContainerInstancesRequest,
) -> Result<DescribeContainerInstancesResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    if input.container_instances.is_empty() {
        return Err(invalid("Container Instances cannot be empty."));
    }
    if input.container_instances.len() > MAX_DESCRIBED {
        return Err(invalid(format!("Container Instances cannot have more than {MAX_DESCRIBED} elements.")));
    }
    let fields = InstanceFields::asked(&input.include);
    let mut answer = DescribeContainerInstancesResponse::default();
    for given in &input.container_instances {
        match find(ctx, &cluster, given) {
            Ok(found) => answer.container_instances.push(wire::container_instance(home(ctx), &found, fields)),
            Err(_) => answer.failures.push(wire::missing(arn_of(ctx, &cluster.id, given))),
        }
    }
    Ok(answer)
}

/// `ListContainerInstances`: the registered ones, or those of one status.
pub fn list(
    ctx: &Ctx,
    input: ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    let query = input.filter.as_deref().map(Query::parse).transpose();
    let query = query.map_err(|error| invalid(error.to_string()))?;
    let mut instances = ctx.cloud.store.list::<ContainerInstanceRecord>(&ctx.region);
    instances.retain(|instance| {
        instance.cluster == cluster.id
            && instance.is_registered()
            && input.status.as_deref().is_none_or(|status| status == instance.status.name())
            && query.as_ref().is_none_or(|query| query.accepts(instance))
    });
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page =
        page(instances, request, PAGE, Order::Ascending, |instance| &instance.id).map_err(errors::paging)?;
    let arn =
        |instance: &Arc<ContainerInstanceRecord>| home(ctx).container_instance_arn(&cluster.id, &instance.id);
    Ok(ListContainerInstancesResponse {
        container_instance_arns: page.items.iter().map(arn).collect(),
        next_token: page.next,
    })
}

/// `DeregisterContainerInstance`. There are no tasks that `force` would have to be asked for.
pub fn deregister(
    ctx: &Ctx,
    input: DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse, Error> {
    let given = input.container_instance.unwrap_or_default();
    ctx.cloud.store.write(|tx| {
        let cluster = clusters::find_in(ctx, tx, input.cluster.as_deref())?;
        let mut instance = (*find_in(ctx, tx, &cluster.id, &given)?).clone();
        if !instance.is_registered() {
            return Err(instance_inactive(&instance.id));
        }
        instance.deregister(Timestamp::now());
        let container_instance = wire::container_instance(home(ctx), &instance, InstanceFields::default());
        tx.put(instance)?;
        Ok(DeregisterContainerInstanceResponse { container_instance: Some(container_instance) })
    })
}

/// `UpdateContainerInstancesState`
pub fn update_state(
    ctx: &Ctx,
    input: UpdateContainerInstancesStateRequest,
) -> Result<UpdateContainerInstancesStateResponse, Error> {
    let status = match input.status.as_deref() {
        Some("ACTIVE") => ContainerInstanceStatus::Active,
        Some("DRAINING") => ContainerInstanceStatus::Draining,
        _ => return Err(invalid("Container instance status should be one of [ACTIVE, DRAINING].")),
    };
    if input.container_instances.is_empty() || input.container_instances.len() > MAX_DRAINED {
        return Err(invalid(format!("Container Instances must have between 1 and {MAX_DRAINED} elements.")));
    }
    ctx.cloud.store.write(|tx| {
        let cluster = clusters::find_in(ctx, tx, input.cluster.as_deref())?;
        let mut answer = UpdateContainerInstancesStateResponse::default();
        for given in &input.container_instances {
            let Ok(found) = find_in(ctx, tx, &cluster.id, given) else {
                answer.failures.push(wire::missing(arn_of(ctx, &cluster.id, given)));
                continue;
            };
            if !found.is_registered() {
                let inactive = Failure {
                    reason: Some("INACTIVE".to_owned()),
                    ..wire::missing(arn_of(ctx, &cluster.id, given))
                };
                answer.failures.push(inactive);
                continue;
            }
            let mut instance = (*found).clone();
            if instance.status != status {
                instance.status = status;
                instance.version += 1;
                tx.put(instance.clone())?;
            }
            answer.container_instances.push(wire::container_instance(
                home(ctx),
                &instance,
                InstanceFields::default(),
            ));
        }
        Ok(answer)
    })
}

/// `UpdateContainerAgent`. Agents come with the image; there is never another one to be had.
pub fn update_agent(
    ctx: &Ctx,
    input: UpdateContainerAgentRequest,
) -> Result<UpdateContainerAgentResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    let instance = find(ctx, &cluster, &input.container_instance.unwrap_or_default())?;
    if !instance.is_registered() {
        return Err(instance_inactive(&instance.id));
    }
    Err(Error::client("NoUpdateAvailableException", "There is no update available for your container agent."))
}
