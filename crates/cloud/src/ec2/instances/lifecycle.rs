//! Starting, stopping, rebooting and terminating.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    InstanceStateChange, RebootInstancesRequest, StartInstancesRequest, StartInstancesResult,
    StopInstancesRequest, StopInstancesResult, TerminateInstancesRequest, TerminateInstancesResult,
};
use jiff::Timestamp;

use super::describe::state;
use super::run::free_public_address;
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{by_ids, change};
use crate::ec2::state::{InstanceRecord, InstanceState, NetworkInterfaceRecord, StateReason};
use crate::store::Tx;

/// `StartInstances`
pub fn start_instances(ctx: &Ctx, input: StartInstancesRequest) -> Result<StartInstancesResult, Error> {
    if input.additional_info.is_some() {
        return Err(errors::unsupported("StartInstances with AdditionalInfo"));
    }
    let starting_instances = change(ctx, input.dry_run, |tx| {
        each(tx, ctx, &input.instance_ids, |tx, instance| match instance.state {
            InstanceState::Pending | InstanceState::Running => Ok(()),
            InstanceState::Stopped => {
                if instance.wants_public_address {
                    let address = free_public_address(tx, ctx)?;
                    tx.update::<NetworkInterfaceRecord>(
                        &ctx.region,
                        &instance.network_interface_id,
                        |interface| {
                            interface.public_address = Some(address);
                        },
                    )?;
                }
                instance.state = InstanceState::Pending;
                instance.state_reason = None;
                instance.transition_reason = String::new();
                instance.launch_time = Timestamp::now();
                Ok(())
            }
            InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated => {
                Err(wrong_state(instance, "started"))
            }
        })
    })?;
    Ok(StartInstancesResult { starting_instances })
}

/// `StopInstances`
pub fn stop_instances(ctx: &Ctx, input: StopInstancesRequest) -> Result<StopInstancesResult, Error> {
    if input.hibernate == Some(true) {
        return Err(errors::unsupported("StopInstances with Hibernate"));
    }
    let by_force = input.force == Some(true) || input.skip_os_shutdown == Some(true);
    let stopping_instances = change(ctx, input.dry_run, |tx| {
        each(tx, ctx, &input.instance_ids, |_, instance| match instance.state {
            InstanceState::Running => {
                if instance.disable_api_stop {
                    return Err(protected(instance, "stopped", "disableApiStop"));
                }
                instance.state = InstanceState::Stopping;
                instance.stop_by_force = by_force;
                user_initiated(instance);
                Ok(())
            }
            InstanceState::Stopping => {
                instance.stop_by_force |= by_force;
                Ok(())
            }
            InstanceState::Stopped => Ok(()),
            InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated => {
                Err(wrong_state(instance, "stopped"))
            }
        })
    })?;
    Ok(StopInstancesResult { stopping_instances })
}

/// `TerminateInstances`
pub fn terminate_instances(
    ctx: &Ctx,
    input: TerminateInstancesRequest,
) -> Result<TerminateInstancesResult, Error> {
    let by_force = input.force == Some(true) || input.skip_os_shutdown == Some(true);
    let terminating_instances = change(ctx, input.dry_run, |tx| {
        each(tx, ctx, &input.instance_ids, |_, instance| {
            if !instance.state.lives() {
                return Ok(());
            }
            if instance.disable_api_termination {
                return Err(protected(instance, "terminated", "disableApiTermination"));
            }
            instance.state = InstanceState::ShuttingDown;
            instance.stop_by_force |= by_force;
            user_initiated(instance);
            Ok(())
        })
    })?;
    Ok(TerminateInstancesResult { terminating_instances })
}

/// `RebootInstances`
pub fn reboot_instances(ctx: &Ctx, input: RebootInstancesRequest) -> Result<(), Error> {
    change(ctx, input.dry_run, |tx| {
        each(tx, ctx, &input.instance_ids, |_, instance| match instance.state {
            InstanceState::Running => {
                instance.reboot_requested = true;
                Ok(())
            }
            // It is booting anyway.
            InstanceState::Pending => Ok(()),
            InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown
            | InstanceState::Terminated => Err(wrong_state(instance, "rebooted")),
        })?;
        Ok(())
    })
}

/// Changes all instances named, or none, and tells their states before and after.
fn each(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    ids: &[String],
    mut change: impl FnMut(&mut Tx<'_>, &mut InstanceRecord) -> Result<(), Error>,
) -> Result<Vec<InstanceStateChange>, Error> {
    if ids.is_empty() {
        return Err(errors::missing("instancesSet"));
    }
    let mut changes = Vec::new();
    for record in by_ids(tx.list::<InstanceRecord>(&ctx.region), ids, errors::INSTANCE)? {
        let mut instance = Arc::unwrap_or_clone(record);
        let before = instance.state;
        change(tx, &mut instance)?;
        changes.push(InstanceStateChange {
            instance_id: Some(instance.id.clone()),
            previous_state: Some(state(before)),
            current_state: Some(state(instance.state)),
        });
        tx.put(instance)?;
    }
    Ok(changes)
}

fn user_initiated(instance: &mut InstanceRecord) {
    instance.state_reason = Some(StateReason::new("Client.UserInitiatedShutdown", "User initiated shutdown"));
    instance.transition_reason =
        format!("User initiated ({})", Timestamp::now().strftime("%Y-%m-%d %H:%M:%S GMT"));
}

fn wrong_state(instance: &InstanceRecord, what: &str) -> Error {
    let message = format!("The instance '{}' is not in a state from which it can be {what}.", instance.id);
    Error::client("IncorrectInstanceState", message)
}

fn protected(instance: &InstanceRecord, what: &str, attribute: &str) -> Error {
    let message = format!(
        "The instance '{}' may not be {what}. Modify its '{attribute}' instance attribute and try again.",
        instance.id
    );
    Error::client("OperationNotPermitted", message)
}
