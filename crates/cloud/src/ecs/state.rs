//! ECS's records. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_wire::ecs::{ClusterConfiguration, Resource, VersionInfo};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::api::tags::Tags;
use crate::ec2::state::record;
use crate::ids;

/// How long deleted clusters and deregistered container instances can still be described.
pub const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// The region.
    pub region: String,
    /// The name.
    pub id: String,
    /// The settings by name (`containerInsights`).
    pub settings: BTreeMap<String, String>,
    /// The configuration as it was given.
    pub configuration: Option<ClusterConfiguration>,
    /// Tags.
    pub tags: Tags,
    /// When it was deleted; it is `INACTIVE` since.
    pub inactive_since: Option<Timestamp>,
}
record!(ClusterRecord, "ecs.cluster");

impl ClusterRecord {
    /// Whether it is there to be used.
    pub fn is_active(&self) -> bool {
        self.inactive_since.is_none()
    }
}

/// A container instance: an EC2 instance whose agent registered in a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerInstanceRecord {
    /// The region.
    pub region: String,
    /// 32 hexadecimal digits, the end of its ARN.
    pub id: String,
    /// The cluster's name.
    pub cluster: String,
    /// The EC2 instance.
    pub ec2_instance_id: String,
    /// Its type when it registered; it cannot come back as another one.
    pub instance_type: String,
    /// What becomes of it.
    pub status: ContainerInstanceStatus,
    /// How often it has changed.
    pub version: i64,
    /// What the agent said of itself and Docker.
    pub version_info: VersionInfo,
    /// What the agent said the instance has. Nothing of it is taken: this cloud places no tasks.
    pub resources: Vec<Resource>,
    /// The attributes, of which some have no value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Since when.
    pub registered_at: Timestamp,
    /// Tags.
    pub tags: Tags,
    /// The session that its agent has now.
    pub session: Option<AgentSession>,
    /// When it was deregistered.
    pub inactive_since: Option<Timestamp>,
}
record!(ContainerInstanceRecord, "ecs.container-instance");

/// What becomes of a container instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerInstanceStatus {
    /// It may be given tasks.
    Active,
    /// It is given no more tasks.
    Draining,
    /// It was deregistered.
    Inactive,
}

impl ContainerInstanceStatus {
    /// ECS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// An agent's session with the daemon. A record of it outlives the daemon, the session does not: so it names
/// the daemon's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSession {
    run: String,
    id: String,
}

/// Names this run of the daemon.
static RUN: LazyLock<String> = LazyLock::new(ids::uuid);

impl AgentSession {
    /// A new session of this run.
    pub fn new() -> Self {
        Self { run: RUN.clone(), id: ids::uuid() }
    }

    /// Whether it may still live: a daemon before this one took its sessions with it.
    pub fn is_of_this_run(&self) -> bool {
        self.run == *RUN
    }

    /// A session as an earlier run of the daemon left it behind.
    #[cfg(test)]
    pub fn of_an_earlier_run() -> Self {
        Self { run: "earlier".to_owned(), id: ids::uuid() }
    }
}

impl Default for AgentSession {
    fn default() -> Self {
        Self::new()
    }
}

impl ContainerInstanceRecord {
    /// Whether it belongs to its cluster: it does until it is deregistered.
    pub fn is_registered(&self) -> bool {
        self.status != ContainerInstanceStatus::Inactive
    }

    /// Whether its agent has a session.
    pub fn agent_connected(&self) -> bool {
        self.session.as_ref().is_some_and(AgentSession::is_of_this_run)
    }

    /// Takes it out of its cluster.
    pub fn deregister(&mut self, now: Timestamp) {
        self.status = ContainerInstanceStatus::Inactive;
        self.session = None;
        self.inactive_since = Some(now);
        self.version += 1;
    }

    /// Begins or ends its agent's session.
    pub fn connect(&mut self, session: Option<AgentSession>) {
        self.session = session;
        self.version += 1;
    }
}

/// A setting of the account that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettingRecord {
    /// The region.
    pub region: String,
    /// The principal's ARN and the setting's name.
    pub id: String,
    /// The setting's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// For whom.
    pub principal_arn: String,
}
record!(AccountSettingRecord, "ecs.account-setting");
