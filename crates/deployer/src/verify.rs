//! Proves a deployed stack: asks each service for the fact behind the status.

use std::time::{Duration, Instant};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_cloudformation::types::StackResource;
use aws_sdk_ecs::types::ContainerInstance;

use crate::clients::Clients;
use crate::deploy::existing_stack;
use crate::error::{Error, sdk};
use crate::instances::{container_instances, physical_ids, resources};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What should be true.
    pub claim: String,
    /// Whether it is.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

impl Check {
    fn new(claim: impl Into<String>, holds: bool, found: impl Into<String>) -> Self {
        Self { claim: claim.into(), holds, found: found.into() }
    }
}

/// Looks again and again until every check holds, but not longer than `patience`: an instance that an update
/// launched is in service before its agent has joined.
///
/// # Errors
/// As [`verify`].
pub async fn verify_within(clients: &Clients, stack: &str, patience: Duration) -> Result<Vec<Check>, Error> {
    let deadline = Instant::now() + patience;
    loop {
        let checks = verify(clients, stack).await?;
        if checks.iter().all(|check| check.holds) || Instant::now() >= deadline {
            return Ok(checks);
        }
        tokio::time::sleep(clients.poll).await;
    }
}

/// Looks at a stack, its Auto Scaling groups and its ECS clusters.
///
/// # Errors
/// When there is no such stack or a service cannot be asked.
pub async fn verify(clients: &Clients, stack: &str) -> Result<Vec<Check>, Error> {
    let found = existing_stack(clients, stack).await?.ok_or_else(|| Error::NoStack(stack.to_owned()))?;
    let status = found.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    let mut checks = vec![Check::new(
        format!("stack {stack} is complete"),
        matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE"),
        status,
    )];
    let resources = resources(clients, stack).await?;
    let mut in_service = Vec::new();
    for (logical_id, name) in physical_ids(&resources, "AWS::AutoScaling::AutoScalingGroup") {
        let group = group(clients, name).await?;
        checks.push(group_check(logical_id, group.as_ref()));
        in_service.extend(group.iter().flat_map(healthy_instances));
    }
    checks.extend(clusters(clients, &resources, &in_service).await?);
    Ok(checks)
}

async fn clusters(
    clients: &Clients,
    resources: &[StackResource],
    in_service: &[String],
) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    let clusters = physical_ids(resources, "AWS::ECS::Cluster");
    let mut everywhere = Vec::new();
    for (logical_id, name) in &clusters {
        let registered = match container_instances(clients, name).await {
            // A cluster that somebody deleted is a finding: counting tells it.
            Err(error) if error.code() == Some("ClusterNotFoundException") => Vec::new(),
            answer => answer?,
        };
        checks.extend(registered.iter().map(|instance| agent_check(name, instance)));
        checks.push(count_check(clients, logical_id, name, registered.len()).await?);
        everywhere.extend(registered);
    }
    if !clusters.is_empty() {
        checks.extend(in_service.iter().map(|id| joined_check(id, &everywhere)));
    }
    Ok(checks)
}

async fn group(clients: &Clients, name: &str) -> Result<Option<AutoScalingGroup>, Error> {
    let answer = clients
        .autoscaling
        .describe_auto_scaling_groups()
        .auto_scaling_group_names(name)
        .send()
        .await
        .map_err(|error| sdk("DescribeAutoScalingGroups", error))?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

fn healthy_instances(group: &AutoScalingGroup) -> Vec<String> {
    group
        .instances()
        .iter()
        .filter(|instance| {
            instance.lifecycle_state() == Some(&LifecycleState::InService)
                && instance.health_status() == Some("Healthy")
        })
        .filter_map(|instance| instance.instance_id().map(str::to_owned))
        .collect()
}

fn group_check(logical_id: &str, group: Option<&AutoScalingGroup>) -> Check {
    let claim = format!("group {logical_id} has its desired capacity in service");
    let Some(group) = group else { return Check::new(claim, false, "the group does not exist") };
    let desired = group.desired_capacity().unwrap_or_default();
    let healthy = healthy_instances(group).len();
    Check::new(claim, i64::from(desired) == healthy as i64, format!("{healthy} of {desired} in service"))
}

async fn count_check(
    clients: &Clients,
    logical_id: &str,
    name: &str,
    registered: usize,
) -> Result<Check, Error> {
    let answer = clients
        .ecs
        .describe_clusters()
        .clusters(name)
        .send()
        .await
        .map_err(|error| sdk("DescribeClusters", error))?;
    let claim = format!("cluster {logical_id} counts its instances rightly");
    let Some(cluster) = answer.clusters().first() else {
        return Ok(Check::new(claim, false, "the cluster does not exist"));
    };
    let counted = cluster.registered_container_instances_count();
    let status = cluster.status().unwrap_or_default();
    Ok(Check::new(
        claim,
        status == "ACTIVE" && counted as usize == registered,
        format!("{status}, {counted} registered, {registered} listed"),
    ))
}

fn agent_check(cluster: &str, instance: &ContainerInstance) -> Check {
    let id = instance.ec2_instance_id().unwrap_or("an instance without an EC2 id");
    let docker = instance.version_info().and_then(|version| version.docker_version());
    let connected = instance.agent_connected();
    let status = instance.status().unwrap_or_default();
    Check::new(
        format!("{id} serves {cluster}"),
        status == "ACTIVE" && connected && docker.is_some_and(|version| !version.is_empty()),
        format!(
            "{status}, agent {}, {}",
            if connected { "connected" } else { "not connected" },
            // Agents write `DockerVersion: 20.10.24`.
            docker.map_or("no Docker reported".to_owned(), |version| {
                format!("Docker {}", version.trim_start_matches("DockerVersion: "))
            }),
        ),
    )
}

fn joined_check(id: &str, everywhere: &[ContainerInstance]) -> Check {
    let joined = everywhere.iter().any(|instance| instance.ec2_instance_id() == Some(id));
    let found = if joined { "registered" } else { "in service, but in none of the stack's clusters" };
    Check::new(format!("{id} has joined a cluster of the stack"), joined, found)
}
