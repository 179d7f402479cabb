//! The instances of a stack and how far each has come, as far as the API tells.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::{ResourceStatus, StackResource};
use aws_sdk_ec2::types::{Filter, Instance};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::clients::Clients;
use crate::error::{Error, sdk};
use crate::phase::{self, Phase};

/// One instance of a stack.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StackInstance {
    /// `i-…`.
    pub id: String,
    /// The resource that it belongs to: its Auto Scaling group's or its own logical id.
    pub logical_id: String,
    /// EC2's state, e.g. `running`.
    pub state: String,
    /// Private address.
    pub private_ip: Option<String>,
    /// Public address.
    pub public_ip: Option<String>,
    /// The launch time in RFC 3339.
    pub launched: Option<String>,
    /// Its key pair's name.
    pub key_name: Option<String>,
    /// How far its bootstrap has come.
    pub phase: Phase,
    /// Whether its console says that user data has ended.
    pub user_data_ended: bool,
    /// What its console says last.
    pub console_tail: Vec<String>,
}

/// The physical ids of a stack's resources of one type, by logical id; without those that are deleted, which
/// CloudFormation goes on listing after a rollback.
pub fn physical_ids<'a>(resources: &'a [StackResource], resource_type: &str) -> BTreeMap<&'a str, &'a str> {
    resources
        .iter()
        .filter(|resource| resource.resource_type() == Some(resource_type))
        .filter(|resource| resource.resource_status() != Some(&ResourceStatus::DeleteComplete))
        .filter_map(|resource| Some((resource.logical_resource_id()?, resource.physical_resource_id()?)))
        .filter(|(_, physical)| !physical.is_empty())
        .collect()
}

/// A stack's resources.
///
/// # Errors
/// When CloudFormation cannot be asked.
pub async fn resources(clients: &Clients, stack: &str) -> Result<Vec<StackResource>, Error> {
    let answer = clients
        .cloudformation
        .describe_stack_resources()
        .stack_name(stack)
        .send()
        .await
        .map_err(|error| sdk("DescribeStackResources", error))?;
    Ok(answer.stack_resources.unwrap_or_default())
}

/// The instances of a stack's Auto Scaling groups and its own instances, with their phases.
///
/// # Errors
/// When a service cannot be asked.
pub async fn of_stack(clients: &Clients, resources: &[StackResource]) -> Result<Vec<StackInstance>, Error> {
    let mut found = Vec::new();
    for (logical_id, group) in physical_ids(resources, "AWS::AutoScaling::AutoScalingGroup") {
        let filter = Filter::builder().name("tag:aws:autoscaling:groupName").values(group).build();
        found.extend(described(clients, logical_id, Some(filter), None).await?);
    }
    for (logical_id, id) in physical_ids(resources, "AWS::EC2::Instance") {
        found.extend(described(clients, logical_id, None, Some(id)).await?);
    }
    let registered = registered(clients, resources).await?;
    for instance in &mut found {
        if registered.contains(&instance.id) && !matches!(instance.phase, Phase::Gone(_)) {
            instance.phase = Phase::Registered;
        }
    }
    Ok(found)
}

/// Every instance that exists in the region, each under the name of its group or its own `Name` tag.
///
/// # Errors
/// When EC2 cannot be asked.
pub async fn all(clients: &Clients) -> Result<Vec<StackInstance>, Error> {
    let existing = Filter::builder()
        .name("instance-state-name")
        .set_values(Some(
            ["pending", "running", "stopping", "stopped", "shutting-down"].map(str::to_owned).to_vec(),
        ))
        .build();
    let mut instances = Vec::new();
    for instance in query(clients, Some(existing), None).await? {
        let owner = tag(&instance, "aws:autoscaling:groupName").or_else(|| tag(&instance, "Name"));
        let owner = owner.unwrap_or("-").to_owned();
        instances.push(looked_at(clients, &owner, instance).await?);
    }
    Ok(instances)
}

/// One instance.
///
/// # Errors
/// When EC2 cannot be asked or does not know it.
pub async fn one(clients: &Clients, id: &str) -> Result<StackInstance, Error> {
    let found = query(clients, None, Some(id)).await?.into_iter().next();
    let instance = found.ok_or_else(|| Error::Refused {
        operation: "DescribeInstances",
        code: "InvalidInstanceID.NotFound".to_owned(),
        message: format!("The instance ID '{id}' does not exist"),
    })?;
    looked_at(clients, "-", instance).await
}

fn tag<'i>(instance: &'i Instance, key: &str) -> Option<&'i str> {
    instance.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}

async fn described(
    clients: &Clients,
    logical_id: &str,
    filter: Option<Filter>,
    id: Option<&str>,
) -> Result<Vec<StackInstance>, Error> {
    let mut instances = Vec::new();
    for instance in query(clients, filter, id).await? {
        instances.push(looked_at(clients, logical_id, instance).await?);
    }
    Ok(instances)
}

async fn query(clients: &Clients, filter: Option<Filter>, id: Option<&str>) -> Result<Vec<Instance>, Error> {
    let mut request = clients.ec2.describe_instances();
    if let Some(filter) = filter {
        request = request.filters(filter);
    }
    if let Some(id) = id {
        request = request.instance_ids(id);
    }
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(reservation) = pages.next().await {
        let reservation = reservation.map_err(|error| sdk("DescribeInstances", error))?;
        found.extend(reservation.instances.unwrap_or_default());
    }
    Ok(found)
}

async fn looked_at(clients: &Clients, logical_id: &str, instance: Instance) -> Result<StackInstance, Error> {
    let id = instance.instance_id.unwrap_or_default();
    let state = instance.state.and_then(|s| s.name).map(|n| n.as_str().to_owned()).unwrap_or_default();
    let console = match state.as_str() {
        "pending" | "running" => console(clients, &id).await?,
        _ => String::new(),
    };
    let phase = match state.as_str() {
        "pending" | "running" => phase::of_console(&console),
        gone => Phase::Gone(gone.to_owned()),
    };
    Ok(StackInstance {
        logical_id: logical_id.to_owned(),
        state,
        private_ip: instance.private_ip_address,
        public_ip: instance.public_ip_address,
        launched: instance.launch_time.map(|time| time.to_string()),
        key_name: instance.key_name,
        user_data_ended: phase::user_data_ended(&console),
        phase,
        console_tail: phase::user_data_tail(&console, 12),
        id,
    })
}

/// An instance's console output, empty when it has none yet.
///
/// # Errors
/// When EC2 cannot be asked or does not know the instance.
pub async fn console(clients: &Clients, instance_id: &str) -> Result<String, Error> {
    let request = clients.ec2.get_console_output().instance_id(instance_id);
    // `Latest` is only for instances on Nitro, which every current type is; older ones refuse it.
    let answer =
        match request.clone().latest(true).send().await.map_err(|error| sdk("GetConsoleOutput", error)) {
            Err(Error::Refused { code, .. }) if code == "UnsupportedOperation" => {
                request.send().await.map_err(|error| sdk("GetConsoleOutput", error))?
            }
            answer => answer?,
        };
    let encoded: String = answer.output.unwrap_or_default().split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).map_err(|error| Error::Unreachable {
        operation: "GetConsoleOutput",
        reason: format!("the output is not base64: {error}"),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The EC2 ids of the instances registered in the stack's ECS clusters.
async fn registered(clients: &Clients, resources: &[StackResource]) -> Result<BTreeSet<String>, Error> {
    let mut ids = BTreeSet::new();
    for cluster in physical_ids(resources, "AWS::ECS::Cluster").into_values() {
        let found = match container_instances(clients, cluster).await {
            // The stack's deletion has got to it since its resources were listed.
            Err(error) if error.code() == Some("ClusterNotFoundException") => Vec::new(),
            found => found?,
        };
        let connected = found.into_iter().filter(|instance| instance.agent_connected());
        ids.extend(connected.filter_map(|instance| instance.ec2_instance_id));
    }
    Ok(ids)
}

/// The container instances of a cluster.
///
/// # Errors
/// When ECS cannot be asked.
pub async fn container_instances(
    clients: &Clients,
    cluster: &str,
) -> Result<Vec<aws_sdk_ecs::types::ContainerInstance>, Error> {
    let mut arns = Vec::new();
    let mut pages = clients.ecs.list_container_instances().cluster(cluster).into_paginator().items().send();
    while let Some(arn) = pages.next().await {
        arns.push(arn.map_err(|error| sdk("ListContainerInstances", error))?);
    }
    let mut found = Vec::new();
    // DescribeContainerInstances takes at most a hundred at a time.
    for some in arns.chunks(100) {
        let answer = clients
            .ecs
            .describe_container_instances()
            .cluster(cluster)
            .set_container_instances(Some(some.to_vec()))
            .send()
            .await
            .map_err(|error| sdk("DescribeContainerInstances", error))?;
        found.extend(answer.container_instances.unwrap_or_default());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_resources_are_not_a_stacks_any_more() {
        let resource = |logical: &str, physical: &str, status: ResourceStatus| {
            StackResource::builder()
                .logical_resource_id(logical)
                .physical_resource_id(physical)
                .resource_type("AWS::ECS::Cluster")
                .resource_status(status)
                .build()
        };
        let resources = [
            resource("Kept", "kept", ResourceStatus::CreateComplete),
            resource("Gone", "gone", ResourceStatus::DeleteComplete),
            resource("Unmade", "", ResourceStatus::CreateFailed),
        ];
        assert_eq!(physical_ids(&resources, "AWS::ECS::Cluster"), BTreeMap::from([("Kept", "kept")]));
        assert_eq!(physical_ids(&resources, "AWS::AutoScaling::AutoScalingGroup"), BTreeMap::new());
    }
}
