//! Records in the API's words.

use aws_wire::ecs::{
    Attribute, Cluster, ClusterSetting, ContainerInstance, ContainerInstanceHealthStatus, Failure,
    KeyValuePair, Tag,
};

use super::names::Home;
use super::state::{ClusterRecord, ContainerInstanceRecord};
use crate::Ctx;
use crate::api::tags::Tags;

/// Whose ARNs the context's are.
pub fn home(ctx: &Ctx) -> Home<'_> {
    Home { region: &ctx.region, account: &ctx.account }
}

/// What of a cluster is told beside the always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterFields {
    /// `CONFIGURATIONS`
    pub configuration: bool,
    /// `SETTINGS`
    pub settings: bool,
    /// `STATISTICS`
    pub statistics: bool,
    /// `TAGS`
    pub tags: bool,
}

impl ClusterFields {
    /// What operations that change a cluster tell.
    pub const CHANGED: Self = Self { configuration: true, settings: true, statistics: false, tags: true };

    /// What a request asks for.
    pub fn asked(include: &[String]) -> Self {
        let has = |field: &str| include.iter().any(|asked| asked == field);
        Self {
            configuration: has("CONFIGURATIONS"),
            settings: has("SETTINGS"),
            statistics: has("STATISTICS"),
            tags: has("TAGS"),
        }
    }
}

/// The statistics of clusters. All are zero: this cloud runs no tasks and no services.
const STATISTICS: [&str; 12] = [
    "runningEC2TasksCount",
    "runningFargateTasksCount",
    "pendingEC2TasksCount",
    "pendingFargateTasksCount",
    "runningExternalTasksCount",
    "pendingExternalTasksCount",
    "activeEC2ServiceCount",
    "activeFargateServiceCount",
    "drainingEC2ServiceCount",
    "drainingFargateServiceCount",
    "activeExternalServiceCount",
    "drainingExternalServiceCount",
];

/// A cluster; `members` are the region's container instances.
pub fn cluster(
    home: Home<'_>,
    record: &ClusterRecord,
    members: &[std::sync::Arc<ContainerInstanceRecord>],
    fields: ClusterFields,
) -> Cluster {
    let registered =
        members.iter().filter(|member| member.cluster == record.id && member.is_registered()).count();
    let zero = |name: &&str| KeyValuePair { name: Some((*name).to_owned()), value: Some("0".to_owned()) };
    let setting = |(name, value): (&String, &String)| ClusterSetting {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    Cluster {
        cluster_arn: Some(home.cluster_arn(&record.id)),
        cluster_name: Some(record.id.clone()),
        status: Some(if record.is_active() { "ACTIVE" } else { "INACTIVE" }.to_owned()),
        registered_container_instances_count: Some(i32::try_from(registered).unwrap_or(i32::MAX)),
        running_tasks_count: Some(0),
        pending_tasks_count: Some(0),
        active_services_count: Some(0),
        configuration: record.configuration.clone().filter(|_| fields.configuration),
        statistics: STATISTICS.iter().filter(|_| fields.statistics).map(zero).collect(),
        settings: record.settings.iter().filter(|_| fields.settings).map(setting).collect(),
        tags: if fields.tags { tags(&record.tags) } else { Vec::new() },
        ..Cluster::default()
    }
}

/// What of a container instance is told beside the always told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceFields {
    /// `CONTAINER_INSTANCE_HEALTH`
    pub health: bool,
    /// `TAGS`
    pub tags: bool,
}

impl InstanceFields {
    /// What a request asks for.
    pub fn asked(include: &[String]) -> Self {
        let has = |field: &str| include.iter().any(|asked| asked == field);
        Self { health: has("CONTAINER_INSTANCE_HEALTH"), tags: has("TAGS") }
    }
}

/// A container instance.
pub fn container_instance(
    home: Home<'_>,
    record: &ContainerInstanceRecord,
    fields: InstanceFields,
) -> ContainerInstance {
    // What agents tell of their instances' health is not kept, so there is never enough data to judge it.
    let health = ContainerInstanceHealthStatus {
        overall_status: Some("INSUFFICIENT_DATA".to_owned()),
        ..ContainerInstanceHealthStatus::default()
    };
    ContainerInstance {
        container_instance_arn: Some(home.container_instance_arn(&record.cluster, &record.id)),
        ec2_instance_id: Some(record.ec2_instance_id.clone()),
        version: Some(record.version),
        version_info: Some(record.version_info.clone()),
        remaining_resources: record.resources.clone(),
        registered_resources: record.resources.clone(),
        status: Some(record.status.name().to_owned()),
        agent_connected: Some(record.agent_connected()),
        running_tasks_count: Some(0),
        pending_tasks_count: Some(0),
        attributes: record.attributes.iter().map(attribute).collect(),
        registered_at: Some(record.registered_at),
        tags: if fields.tags { tags(&record.tags) } else { Vec::new() },
        health_status: Some(health).filter(|_| fields.health),
        ..ContainerInstance::default()
    }
}

fn attribute((name, value): (&String, &Option<String>)) -> Attribute {
    Attribute { name: Some(name.clone()), value: value.clone(), ..Attribute::default() }
}

/// Tags.
pub fn tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }).collect()
}

/// Tags' keys and values.
pub fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

/// What was asked for and is not there.
pub fn missing(arn: String) -> Failure {
    Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}
