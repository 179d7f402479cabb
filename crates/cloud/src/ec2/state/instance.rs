//! The record of an instance.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use machine::images::Drivers;
use serde::{Deserialize, Serialize};

use super::record;
use crate::api::tags::Tags;

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// The region.
    pub region: String,
    /// `i-…`
    pub id: String,
    /// The launch that it came from (`r-…`).
    pub reservation_id: String,
    /// The account or service that launched it on behalf of the owner, if not the owner.
    pub requester_id: Option<String>,
    /// Its place among the instances of its launch.
    pub launch_index: i32,
    /// When it was launched or last started.
    pub launch_time: Timestamp,
    /// The token of the launch.
    pub client_token: Option<String>,
    /// The digest of the launch's parameters, by which a token used twice is told from one misused.
    pub request_digest: String,
    /// Where it is in its life.
    pub state: InstanceState,
    /// Why it last changed its state, if somebody or something asked for it.
    pub state_reason: Option<StateReason>,
    /// The same as text with the time (`User initiated (2026-01-02 03:04:05 GMT)`); empty if nobody did.
    pub transition_reason: String,
    /// When it was terminated; it is forgotten about an hour later.
    pub terminated_at: Option<Timestamp>,
    /// Whether it is stopped at once, without asking its init.
    pub stop_by_force: bool,
    /// Whether it ran when the cloud was stopped, so that it boots when the cloud is started.
    pub resumes: bool,
    /// A reboot that was asked for and has not happened yet.
    pub reboot_requested: bool,
    /// Whether an image is being made of it, for which it is powered off until its volumes are copied, and booted
    /// again. It counts as running meanwhile, as on EC2.
    #[serde(default)]
    pub imaging: bool,
    /// The AMI that was asked for.
    pub image_id: String,
    /// The processor architecture (`x86_64`, `arm64`).
    pub architecture: String,
    /// The device that it boots from (`/dev/xvda`).
    pub root_device: String,
    /// What EC2 shows of its network drivers; without effect here.
    #[serde(default)]
    pub drivers: Drivers,
    /// The type (`t2.micro`).
    pub instance_type: String,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// The public half of the key pair, as it was at launch, in OpenSSH's form.
    pub public_key: Option<String>,
    /// User data in base64.
    pub user_data: Option<String>,
    /// Its instance profile.
    pub profile: Option<ProfileAssociation>,
    /// Its availability zone.
    pub zone: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its network interface.
    pub network_interface_id: String,
    /// The interface's address.
    pub private_address: Ipv4Addr,
    /// Whether it gets a public address whenever it starts.
    pub wants_public_address: bool,
    /// Its volumes' ids, the root volume first. How each is attached stands in its own record.
    pub volumes: Vec<String>,
    /// How it serves metadata.
    pub metadata: MetadataOptions,
    /// What a power-off from inside does.
    pub shutdown_behavior: ShutdownBehavior,
    /// Whether `TerminateInstances` is refused.
    pub disable_api_termination: bool,
    /// Whether `StopInstances` is refused.
    pub disable_api_stop: bool,
    /// Whether detailed monitoring is on.
    pub monitoring: bool,
    /// Whether it was asked to be EBS optimised.
    pub ebs_optimized: bool,
    /// Tags.
    pub tags: Tags,
}
record!(InstanceRecord, "ec2.instance");

impl InstanceRecord {
    /// The name that the VPC's resolver knows it by (`ip-172-31-0-4.ec2.internal`).
    pub fn private_dns_name(&self) -> String {
        private_dns_name(self.private_address, &self.region)
    }
}

/// The name of a private address inside its VPC: `us-east-1` has a domain of its own, as on AWS.
pub fn private_dns_name(address: Ipv4Addr, region: &str) -> String {
    let [a, b, c, d] = address.octets();
    if region == "us-east-1" {
        format!("ip-{a}-{b}-{c}-{d}.ec2.internal")
    } else {
        format!("ip-{a}-{b}-{c}-{d}.{region}.compute.internal")
    }
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It is being made ready, or boots.
    Pending,
    /// Its init runs.
    Running,
    /// It is being terminated.
    ShuttingDown,
    /// It is gone for ever.
    Terminated,
    /// It is being stopped.
    Stopping,
    /// It does not run, and may be started.
    Stopped,
}

impl InstanceState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// EC2's number.
    pub fn code(self) -> i32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Whether it is not, and will not be, gone for ever.
    pub fn lives(self) -> bool {
        !matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// Why an instance changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    /// EC2's code (`Client.UserInitiatedShutdown`).
    pub code: String,
    /// The code again and what happened.
    pub message: String,
}

impl StateReason {
    /// A reason, its message in EC2's form `CODE: what`.
    pub fn new(code: &str, what: &str) -> Self {
        Self { code: code.to_owned(), message: format!("{code}: {what}") }
    }
}

/// What happens when an instance is powered off from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShutdownBehavior {
    /// It stops.
    #[default]
    Stop,
    /// It is terminated.
    Terminate,
}

impl ShutdownBehavior {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }
}

/// How an instance's metadata are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// Whether they are served at all.
    pub enabled: bool,
    /// Whether only with a session token (IMDSv2).
    pub tokens_required: bool,
    /// How many hops the answer to a token request survives.
    pub hop_limit: i32,
    /// Whether tags are among them.
    pub tags_enabled: bool,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self { enabled: true, tokens_required: false, hop_limit: 1, tags_enabled: false }
    }
}

/// An instance's profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileAssociation {
    /// `iip-assoc-…`
    pub association_id: String,
    /// The profile's ARN.
    pub arn: String,
    /// The profile's id (`AIPA…`).
    pub profile_id: String,
    /// The profile's name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names() {
        let address = Ipv4Addr::new(172, 31, 0, 4);
        assert_eq!(private_dns_name(address, "us-east-1"), "ip-172-31-0-4.ec2.internal");
        assert_eq!(private_dns_name(address, "eu-west-1"), "ip-172-31-0-4.eu-west-1.compute.internal");
    }
}
