//! Auto Scaling's records. Pure: what they are and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use aws_wire::autoscaling::CreateLaunchConfigurationType;
use aws_wire::ec2::RunInstancesRequest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::processes::Process;
use super::termination::TerminationPolicy;
use crate::api::tags::Tags;
use crate::ec2::state::record;

/// A launch configuration. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchConfigurationRecord {
    /// The region.
    pub region: String,
    /// Its name, unique in the region.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it was made with, checked.
    pub given: CreateLaunchConfigurationType,
}
record!(LaunchConfigurationRecord, "autoscaling.launch-configuration");

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// The region.
    pub region: String,
    /// Its name, unique in the region.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub created: Timestamp,
    /// What its instances are launched from.
    pub source: LaunchSource,
    /// The fewest instances that may be wanted.
    pub min: i32,
    /// The most instances that may be wanted.
    pub max: i32,
    /// How many instances are wanted.
    pub desired: i32,
    /// Where instances may be launched; never empty.
    pub placements: Vec<Placement>,
    /// Whether the subnets were named, or follow from availability zones as their default subnets.
    pub names_subnets: bool,
    /// Seconds to wait after a scaling activity, for who wants to honour it.
    pub default_cooldown: i32,
    /// Seconds after an instance's launch in which users' health reports may be ignored.
    pub grace_period: i32,
    /// How instances to terminate are chosen, in this order.
    pub termination_policies: Vec<TerminationPolicy>,
    /// Whether instances are protected from scale-in from their launch.
    pub protect_new: bool,
    /// The suspended processes, each with the reason.
    pub suspended: BTreeMap<Process, String>,
    /// Its tags.
    pub tags: Tags,
    /// The keys of those tags that its instances get.
    pub propagated: BTreeSet<String>,
    /// Whether it is being deleted together with its instances.
    pub deleting: bool,
    /// The change of the desired capacity that no activity has answered yet, as activities tell it.
    pub change: Option<String>,
    /// How many unhealthy instances were taken out and wait for their replacement.
    pub replacing: i32,
    /// The launches that failed last, if any did.
    pub setback: Option<Setback>,
}
record!(GroupRecord, "autoscaling.group");

impl GroupRecord {
    /// Whether a process is not suspended.
    pub fn runs(&self, process: Process) -> bool {
        !self.suspended.contains_key(&process)
    }

    /// The tags that a new instance gets: those propagated and the group's name.
    pub fn instance_tags(&self) -> Vec<(String, String)> {
        let propagated = self.tags.iter().filter(|(key, _)| self.propagated.contains(*key));
        propagated
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .chain([(GROUP_TAG.to_owned(), self.id.clone())])
            .collect()
    }

    /// The availability zones, each once, in the order given.
    pub fn zones(&self) -> Vec<String> {
        let mut zones: Vec<String> = Vec::new();
        for placement in &self.placements {
            if !zones.contains(&placement.zone) {
                zones.push(placement.zone.clone());
            }
        }
        zones
    }

    /// Notes that a launch failed. Launches that fail together are one setback, and one that was overcome some
    /// minutes ago does not count any more.
    pub fn note_failure(&mut self, now: Timestamp) {
        let failures = match &self.setback {
            Some(setback) if setback.retry_at > now => return,
            Some(setback) if now.duration_since(setback.retry_at) < OVERCOME => {
                setback.failures.saturating_add(1)
            }
            Some(_) | None => 1,
        };
        self.setback = Some(Setback::new(failures, now));
    }
}

/// How long after the next try a setback still counts.
const OVERCOME: SignedDuration = SignedDuration::from_mins(5);

/// The tag by which an instance is known as a group's.
pub const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Where an instance may be launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The availability zone.
    pub zone: String,
    /// The subnet's id.
    pub subnet: String,
}

/// What instances are launched from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchSource {
    /// A launch configuration.
    Configuration {
        /// Its name.
        name: String,
    },
    /// A launch template.
    Template {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// A version's number; in a group also `$Latest` or `$Default`.
        version: String,
    },
}

/// Launches that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// How many times in a row.
    pub failures: u32,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

impl Setback {
    /// The wait doubles from five seconds to five minutes.
    fn new(failures: u32, now: Timestamp) -> Self {
        let seconds = 5_i64.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(300);
        let retry_at = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        Self { failures, retry_at }
    }
}

/// A launch that was decided on and not yet answered by EC2. It is stored before EC2 is asked, with the
/// request and its token, so that a daemon that was killed asks again and gets the same instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// The region.
    pub region: String,
    /// The request's client token.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// What EC2 is asked.
    pub request: RunInstancesRequest,
    /// Where it is launched.
    pub placement: Placement,
    /// What it is launched from, with the template's version resolved.
    pub source: LaunchSource,
    /// When that source was made.
    pub source_created: Timestamp,
    /// The id of the scaling activity.
    pub activity: String,
}
record!(LaunchRecord, "autoscaling.launch");

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// The region.
    pub region: String,
    /// The instance's id.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// Where it is in its life in the group.
    pub lifecycle: Lifecycle,
    /// Whether it is healthy.
    pub health: Health,
    /// Whether it is never chosen for scale-in.
    pub protected: bool,
    /// Its type.
    pub instance_type: String,
    /// Its AMI.
    pub image_id: String,
    /// Where it is.
    pub placement: Placement,
    /// What it was launched from; none for an attached instance.
    pub source: Option<LaunchSource>,
    /// When that source was made.
    pub source_created: Option<Timestamp>,
    /// When it was launched.
    pub launched: Timestamp,
    /// When it went into service.
    pub in_service: Option<Timestamp>,
    /// The id of the activity that goes on with it.
    pub activity: Option<String>,
}
record!(MemberRecord, "autoscaling.instance");

/// Where an instance is in its life in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    /// It is launched, and does not run yet.
    Pending,
    /// It runs.
    InService,
    /// It is being terminated and counts no more.
    Terminating,
}

impl Lifecycle {
    /// Auto Scaling's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
        }
    }
}

/// An instance's health as the group sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Nothing is known against it.
    Healthy,
    /// EC2 says that it does not run.
    NotRunning,
    /// A user said so (`SetInstanceHealth`).
    Reported,
}

impl Health {
    /// Auto Scaling's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::NotRunning | Self::Reported => "Unhealthy",
        }
    }
}

/// A scaling activity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityRecord {
    /// The region.
    pub region: String,
    /// Its id, a UUID.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// The group's ARN.
    pub group_arn: String,
    /// Whether the group has been deleted since.
    pub group_deleted: bool,
    /// What is done.
    pub description: String,
    /// Why it is done.
    pub cause: String,
    /// Since when.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// How it stands.
    pub status: ActivityStatus,
    /// What went wrong.
    pub status_message: Option<String>,
    /// Where the instance is.
    pub placement: Placement,
}
record!(ActivityRecord, "autoscaling.activity");

impl ActivityRecord {
    /// Ends the activity, unless it has ended before.
    pub fn finish(&mut self, status: ActivityStatus, now: Timestamp) {
        if self.end.is_none() {
            self.status = status;
            self.end = Some(now);
        }
    }

    /// Ends the activity as failed. The description repeats the reason, as Auto Scaling's does.
    pub fn fail(&mut self, reason: &str, now: Timestamp) {
        if self.end.is_none() {
            self.description =
                format!("{}.  Status Reason: {reason}", self.description.trim_end_matches('.'));
            self.status_message = Some(reason.chars().take(255).collect());
            self.finish(ActivityStatus::Failed, now);
        }
    }
}

/// How an activity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActivityStatus {
    /// It has begun.
    InProgress,
    /// The instance is launched and not yet in service.
    PreInService,
    /// It ended well.
    Successful,
    /// It did not.
    Failed,
    /// It was no longer wanted.
    Cancelled,
}

impl ActivityStatus {
    /// Auto Scaling's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::PreInService => "PreInService",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// How far the activity has come, in percent.
    pub fn progress(self) -> i32 {
        match self {
            Self::InProgress => 0,
            Self::PreInService => 30,
            Self::Successful | Self::Failed | Self::Cancelled => 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_after_a_failure_doubles_up_to_five_minutes() {
        let now = Timestamp::UNIX_EPOCH;
        for (failures, seconds) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (60, 300)] {
            assert_eq!(
                Setback::new(failures, now).retry_at.as_second(),
                seconds,
                "after {failures} failures"
            );
        }
    }

    #[test]
    fn setbacks_add_up_until_they_are_overcome() {
        let mut group = super::super::testing::group("g");
        for (second, failures, retry_at) in
            [(0, 1, 5), (3, 1, 5), (5, 2, 15), (20, 3, 40), (339, 4, 379), (679, 1, 684)]
        {
            group.note_failure(Timestamp::from_second(second).unwrap());
            let setback = group.setback.as_ref().unwrap();
            assert_eq!((setback.failures, setback.retry_at.as_second()), (failures, retry_at), "at {second}");
        }
    }

    #[test]
    fn a_failed_activity_says_why_in_both_places() {
        let mut activity = super::super::testing::activity("a");
        activity.fail("No image. Launching EC2 instance failed.", Timestamp::UNIX_EPOCH);
        assert_eq!(
            activity.description,
            "Launching a new EC2 instance.  Status Reason: No image. Launching EC2 instance failed."
        );
        assert_eq!(activity.status_message.as_deref(), Some("No image. Launching EC2 instance failed."));
        assert_eq!((activity.status.name(), activity.status.progress()), ("Failed", 100));
    }
}
