//! Status checks and console output: what is true of the machine, not of the record.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    DescribeInstanceStatusRequest, DescribeInstanceStatusResult, GetConsoleOutputRequest,
    GetConsoleOutputResult, InstanceStatus, InstanceStatusDetails, InstanceStatusSummary,
};
use jiff::Timestamp;
use machine::{ByteRange, CONSOLE_BYTES, DriverError, MachineStatus};

use super::describe::state;
use crate::api::filters::Field;
use crate::api::paging::Limits;
use crate::api::values::to_base64;
use crate::context::Ctx;
use crate::ec2::console;
use crate::ec2::request::{Read, by_ids, page, required, select, stop_dry_run};
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::ec2::{errors, regions};

/// What the checks of an instance say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// There is nothing to check yet.
    Initializing,
    /// Its init runs.
    Ok,
    /// It should run and does not.
    Impaired,
    /// It does not run, nor should it.
    NotApplicable,
}

impl Health {
    fn of(state: InstanceState, machine: MachineStatus) -> Self {
        match (state, machine) {
            (InstanceState::Pending, _) | (InstanceState::Running, MachineStatus::Booting) => {
                Self::Initializing
            }
            (InstanceState::Running, MachineStatus::Running { .. }) => Self::Ok,
            (InstanceState::Running, MachineStatus::Absent | MachineStatus::Exited) => Self::Impaired,
            (
                InstanceState::Stopping
                | InstanceState::Stopped
                | InstanceState::ShuttingDown
                | InstanceState::Terminated,
                _,
            ) => Self::NotApplicable,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Ok => "ok",
            Self::Impaired => "impaired",
            Self::NotApplicable => "not-applicable",
        }
    }

    fn reachability(self) -> Option<&'static str> {
        match self {
            Self::Initializing => Some("initializing"),
            Self::Ok => Some("passed"),
            Self::Impaired => Some("failed"),
            Self::NotApplicable => None,
        }
    }

    fn summary(self) -> InstanceStatusSummary {
        let detail = |status: &str| InstanceStatusDetails {
            name: Some("reachability".to_owned()),
            status: Some(status.to_owned()),
            ..InstanceStatusDetails::default()
        };
        InstanceStatusSummary {
            status: Some(self.name().to_owned()),
            details: self.reachability().map(detail).into_iter().collect(),
        }
    }
}

struct Row {
    instance: Arc<InstanceRecord>,
    health: Health,
}

const FIELDS: &[Field<Row>] = &[
    ("availability-zone", |row, is| is(&row.instance.zone)),
    ("availability-zone-id", |row, is| regions::zone_id(&row.instance.zone).is_some_and(|id| is(&id))),
    ("instance-state-name", |row, is| is(row.instance.state.name())),
    ("instance-state-code", |row, is| is(&row.instance.state.code().to_string())),
    ("instance-status.status", |row, is| is(row.health.name())),
    ("instance-status.reachability", |row, is| row.health.reachability().is_some_and(is)),
    ("system-status.status", |row, is| is(row.health.name())),
    ("system-status.reachability", |row, is| row.health.reachability().is_some_and(is)),
];

/// `DescribeInstanceStatus`: of running instances, unless all are asked for.
pub fn describe_instance_status(
    ctx: &Ctx,
    input: DescribeInstanceStatusRequest,
) -> Result<DescribeInstanceStatusResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, Some(|row: &Row| &row.instance.tags), &input.filters)?;
    let records =
        by_ids(ctx.cloud.store.list::<InstanceRecord>(&ctx.region), &input.instance_ids, errors::INSTANCE)?;
    let all = input.include_all_instances == Some(true);
    let rows = records
        .into_iter()
        .filter(|instance| all || instance.state == InstanceState::Running)
        .map(|instance: Arc<InstanceRecord>| {
            let health = Health::of(instance.state, ctx.cloud.driver.status(&instance.id));
            Row { instance, health }
        })
        .filter(|row| selection.accepts(row))
        .collect();
    let limits = Limits { min: 5, max: 1000, default: Some(100) };
    let page = page(rows, input.max_results, input.next_token.as_deref(), limits, |row| &row.instance.id)?;
    let statuses = page.items.iter().map(|row| InstanceStatus {
        instance_id: Some(row.instance.id.clone()),
        availability_zone: Some(row.instance.zone.clone()),
        availability_zone_id: regions::zone_id(&row.instance.zone),
        instance_state: Some(state(row.instance.state)),
        instance_status: Some(row.health.summary()),
        system_status: Some(row.health.summary()),
        ..InstanceStatus::default()
    });
    Ok(DescribeInstanceStatusResult { instance_statuses: statuses.collect(), next_token: page.next })
}

/// `GetConsoleOutput`: the last 64 KiB, also of an instance that has been terminated within the hour.
pub fn get_console_output(
    ctx: &Ctx,
    input: GetConsoleOutputRequest,
) -> Result<GetConsoleOutputResult, Error> {
    let id = required(&input.instance_id, "instanceId")?;
    ctx.cloud.store.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
    stop_dry_run(input.dry_run)?;
    let bytes = match ctx.cloud.driver.console(id, ByteRange::Tail { max: CONSOLE_BYTES }) {
        Ok(chunk) => chunk.bytes,
        Err(DriverError::Absent { .. }) => console::kept(&ctx.cloud.config.state_dir, id)
            .map_err(|error| Error::internal(format!("the console of {id}: {error}")))?
            .unwrap_or_default(),
        Err(error) => return Err(Error::internal(error.to_string())),
    };
    Ok(GetConsoleOutputResult {
        instance_id: Some(id.to_owned()),
        timestamp: Some(Timestamp::now()),
        output: Some(to_base64(&bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_what_is_true_of_the_machine() {
        for (state, machine, expected) in [
            (InstanceState::Pending, MachineStatus::Absent, Health::Initializing),
            (InstanceState::Running, MachineStatus::Running { leader_pid: 1 }, Health::Ok),
            (InstanceState::Running, MachineStatus::Booting, Health::Initializing),
            (InstanceState::Running, MachineStatus::Exited, Health::Impaired),
            (InstanceState::Stopped, MachineStatus::Exited, Health::NotApplicable),
        ] {
            assert_eq!(Health::of(state, machine), expected, "{state:?} {machine:?}");
        }
    }
}
