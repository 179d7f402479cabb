//! The processes of a group, and suspending them.

use aws_wire::Error;
use aws_wire::autoscaling::{ProcessType, ProcessesType, ScalingProcessQuery, SuspendedProcess};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::groups;
use super::state::GroupRecord;
use super::{errors, words};
use crate::Ctx;

/// A process of a group. Those that this cloud never begins by itself can be suspended all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Auto Scaling's own")]
pub enum Process {
    AZRebalance,
    AddToLoadBalancer,
    AlarmNotification,
    HealthCheck,
    InstanceRefresh,
    Launch,
    ReplaceUnhealthy,
    ScheduledActions,
    Terminate,
}

impl Process {
    /// All processes in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::AZRebalance,
        Self::AddToLoadBalancer,
        Self::AlarmNotification,
        Self::HealthCheck,
        Self::InstanceRefresh,
        Self::Launch,
        Self::ReplaceUnhealthy,
        Self::ScheduledActions,
        Self::Terminate,
    ];

    /// Auto Scaling's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AZRebalance => "AZRebalance",
            Self::AddToLoadBalancer => "AddToLoadBalancer",
            Self::AlarmNotification => "AlarmNotification",
            Self::HealthCheck => "HealthCheck",
            Self::InstanceRefresh => "InstanceRefresh",
            Self::Launch => "Launch",
            Self::ReplaceUnhealthy => "ReplaceUnhealthy",
            Self::ScheduledActions => "ScheduledActions",
            Self::Terminate => "Terminate",
        }
    }

    fn named(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|process| process.name() == name)
            .ok_or_else(|| errors::validation(format!("'{name}' is not a scaling process.")))
    }
}

/// `DescribeScalingProcessTypes`
pub fn describe_types() -> ProcessesType {
    let name = |process: Process| ProcessType { process_name: Some(process.name().to_owned()) };
    ProcessesType { processes: Process::ALL.map(name).to_vec() }
}

/// `SuspendProcesses`: all, if none are named.
pub fn suspend(ctx: &Ctx, input: ScalingProcessQuery) -> Result<(), Error> {
    let reason = format!("User suspended at {}", words::time(Timestamp::now()));
    change(ctx, input, |group, process| {
        group.suspended.entry(process).or_insert_with(|| reason.clone());
    })
}

/// `ResumeProcesses`: all, if none are named.
pub fn resume(ctx: &Ctx, input: ScalingProcessQuery) -> Result<(), Error> {
    change(ctx, input, |group, process| {
        group.suspended.remove(&process);
    })
}

fn change(
    ctx: &Ctx,
    input: ScalingProcessQuery,
    mut change: impl FnMut(&mut GroupRecord, Process),
) -> Result<(), Error> {
    let named: Result<Vec<_>, Error> =
        input.scaling_processes.iter().map(|name| Process::named(name)).collect();
    let named = named?;
    let processes = if named.is_empty() { Process::ALL.to_vec() } else { named };
    groups::change(ctx, input.auto_scaling_group_name.as_deref(), |_, group| {
        processes.iter().for_each(|process| change(group, *process));
        Ok(())
    })
}

/// The suspended processes as answers hold them.
pub fn suspended(group: &GroupRecord) -> Vec<SuspendedProcess> {
    let entry = |(process, reason): (&Process, &String)| SuspendedProcess {
        process_name: Some(process.name().to_owned()),
        suspension_reason: Some(reason.clone()),
    };
    group.suspended.iter().map(entry).collect()
}
