//! The life of one instance.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use machine::{ByteRange, CONSOLE_BYTES, DriverError, MachineStatus};
use tokio::sync::watch;

use super::{RETRY, StepError, Workshop, boot, snapshot};
use crate::ec2::console;
use crate::ec2::state::{
    InstanceRecord, InstanceState, NetworkInterfaceRecord, ShutdownBehavior, StateReason, VolumeRecord,
};
use crate::ec2::volumes;
use crate::store::Tx;

/// How long an instance may take to shut down before it is killed.
const GRACE: Duration = Duration::from_secs(30);

/// The same where it is not to be asked.
const NO_GRACE: Duration = Duration::ZERO;

/// Brings an instance from state to state until it is terminated.
pub(super) async fn live(shop: Arc<Workshop>, region: String, id: String) {
    let mut changes = shop.cloud.store.changes();
    loop {
        changes.borrow_and_update();
        let Some(instance) = shop.cloud.store.get::<InstanceRecord>(&region, &id) else { return };
        let step = match instance.state {
            InstanceState::Pending => start(&shop, &instance, &mut changes).await,
            InstanceState::Running => watch_over(&shop, &instance, &mut changes).await,
            InstanceState::Stopping => stop(&shop, &instance).await,
            InstanceState::ShuttingDown => terminate(&shop, &instance).await,
            InstanceState::Stopped => {
                if changes.changed().await.is_err() {
                    return;
                }
                Ok(())
            }
            InstanceState::Terminated => return,
        };
        if let Err(error) = step {
            tracing::warn!(instance = id, state = instance.state.name(), %error, "to be tried again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Changes the instance's record if it still is in the state that the step began with.
fn move_on(
    shop: &Workshop,
    instance: &InstanceRecord,
    change: impl FnOnce(&mut Tx<'_>, &mut InstanceRecord) -> Result<(), StepError>,
) -> Result<(), StepError> {
    shop.cloud.store.write(|tx| {
        let Some(record) = tx.get::<InstanceRecord>(&instance.region, &instance.id) else { return Ok(()) };
        if record.state != instance.state {
            return Ok(());
        }
        let mut record = Arc::unwrap_or_clone(record);
        change(tx, &mut record)?;
        tx.put(record)?;
        Ok(())
    })
}

/// From pending to running, when its turn has come.
async fn start(
    shop: &Workshop,
    instance: &InstanceRecord,
    changes: &mut watch::Receiver<u64>,
) -> Result<(), StepError> {
    // What is being copied must not change under it.
    let until = (!instance.imaging).then_some(instance.launch_time);
    let permit = tokio::select! {
        permit = async {
            snapshot::copied(shop, instance, until).await?;
            Ok::<_, StepError>(shop.boots.acquire().await)
        } => permit?,
        // Terminated while it waited: look again.
        () = left(shop, instance, changes) => return Ok(()),
    };
    let is_first = shop.cloud.driver.status(&instance.id) == MachineStatus::Absent;
    let began = std::time::Instant::now();
    let booted = boot_machine(shop, instance).await;
    drop(permit);
    match booted {
        Ok(()) => {
            tracing::info!(instance = instance.id, ms = began.elapsed().as_millis(), "running");
            move_on(shop, instance, |tx, record| {
                boot::attached(tx, record)?;
                record.state = InstanceState::Running;
                record.resumes = false;
                record.imaging = false;
                Ok(())
            })
        }
        Err(error) => {
            tracing::warn!(instance = instance.id, %error, "did not boot");
            move_on(shop, instance, |_, record| {
                fail(record, is_first, &error.to_string());
                Ok(())
            })
        }
    }
}

/// An instance that could not boot is terminated, or stopped if it has run before and holds something.
fn fail(record: &mut InstanceRecord, is_first: bool, cause: &str) {
    record.state = if is_first { InstanceState::ShuttingDown } else { InstanceState::Stopping };
    record.state_reason = Some(StateReason::new("Server.InternalError", cause));
    record.transition_reason = "Server.InternalError".to_owned();
    record.stop_by_force = true;
}

/// Resolves when the instance is no longer in the state that it was in.
async fn left(shop: &Workshop, instance: &InstanceRecord, changes: &mut watch::Receiver<u64>) {
    loop {
        let now = shop.cloud.store.get::<InstanceRecord>(&instance.region, &instance.id);
        if now.is_none_or(|now| now.state != instance.state) || changes.changed().await.is_err() {
            return;
        }
    }
}

async fn boot_machine(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    let driver = &shop.cloud.driver;
    match driver.status(&instance.id) {
        // An earlier daemon booted it and was killed before it could say so.
        MachineStatus::Running { .. } => return Ok(()),
        // Nobody waits for this boot any more: begin it again.
        MachineStatus::Booting => driver.kill(&instance.id).await?,
        MachineStatus::Absent | MachineStatus::Exited => {}
    }
    let spec = boot::prepare(shop, instance).await?;
    Ok(driver.boot(&spec).await?)
}

/// Waits for the end of the machine, for a reboot to be asked for, or for another state to be wanted.
async fn watch_over(
    shop: &Workshop,
    instance: &InstanceRecord,
    changes: &mut watch::Receiver<u64>,
) -> Result<(), StepError> {
    if instance.resumes {
        return resume(shop, instance);
    }
    let exited = shop.cloud.driver.exited(&instance.id);
    tokio::pin!(exited);
    loop {
        let Some(now) = shop.cloud.store.get::<InstanceRecord>(&instance.region, &instance.id) else {
            return Ok(());
        };
        if now.state != InstanceState::Running {
            return Ok(());
        }
        if now.imaging {
            return rest_for_image(shop, &now).await;
        }
        if now.reboot_requested {
            return reboot(shop, &now).await;
        }
        tokio::select! {
            ended = &mut exited => {
                ended?;
                return ended_by_itself(shop, instance);
            }
            changed = changes.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Boots an instance again that was powered off with the whole cloud.
fn resume(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    let runs = matches!(shop.cloud.driver.status(&instance.id), MachineStatus::Running { .. });
    move_on(shop, instance, |_, record| {
        record.resumes = false;
        if !runs {
            record.state = InstanceState::Pending;
        }
        Ok(())
    })
}

/// Powers an instance off, for its volumes to be copied, and boots it again. To its users it has rebooted.
async fn rest_for_image(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    shut_down(shop, instance).await?;
    snapshot::copied(shop, instance, None).await?;
    let store = &shop.cloud.store;
    let now = store.get::<InstanceRecord>(&instance.region, &instance.id);
    // Stopped or terminated meanwhile: it is not to boot.
    let Some(now) = now.filter(|now| now.state == InstanceState::Running) else { return Ok(()) };
    let booted = boot_machine(shop, &now).await;
    move_on(shop, &now, |_, record| {
        record.imaging = false;
        record.reboot_requested = false;
        Ok(())
    })?;
    // If it does not run now, that is found when it is watched again.
    if let Err(error) = booted {
        tracing::warn!(instance = instance.id, %error, "did not boot again after its volumes were copied");
    }
    Ok(())
}

async fn reboot(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    let rebooted = shop.cloud.driver.reboot(&instance.id, GRACE).await;
    move_on(shop, instance, |_, record| {
        record.reboot_requested = false;
        Ok(())
    })?;
    // If it does not run now, that is found when it is watched again.
    if let Err(error) = rebooted {
        tracing::warn!(instance = instance.id, %error, "did not reboot");
    }
    Ok(())
}

/// Its init has ended though nobody asked EC2 for it: it powered itself off, or was killed from outside. What
/// follows is the instance's shutdown behaviour; Auto Scaling replaces it in either case, for it no longer runs.
fn ended_by_itself(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    tracing::info!(instance = instance.id, "its init has ended");
    move_on(shop, instance, |_, record| {
        record.state = match record.shutdown_behavior {
            ShutdownBehavior::Stop => InstanceState::Stopping,
            ShutdownBehavior::Terminate => InstanceState::ShuttingDown,
        };
        record.state_reason =
            Some(StateReason::new("Client.InstanceInitiatedShutdown", "Instance initiated shutdown"));
        record.transition_reason = String::new();
        Ok(())
    })
}

async fn shut_down(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    let grace = if instance.stop_by_force { NO_GRACE } else { GRACE };
    match shop.cloud.driver.shutdown(&instance.id, grace).await {
        Ok(()) | Err(DriverError::NotRunning { .. } | DriverError::Absent { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// From stopping to stopped: nothing runs, and the public address is given back.
async fn stop(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    shut_down(shop, instance).await?;
    shop.cloud.vpcs.detach(&instance.vpc_id, &instance.network_interface_id).await?;
    move_on(shop, instance, |tx, record| {
        tx.update::<NetworkInterfaceRecord>(&record.region, &record.network_interface_id, |interface| {
            interface.public_address = None;
        })?;
        record.state = InstanceState::Stopped;
        record.stop_by_force = false;
        record.reboot_requested = false;
        record.imaging = false;
        Ok(())
    })
}

/// From shutting down to terminated: nothing is left but the record and the end of the console.
async fn terminate(shop: &Workshop, instance: &InstanceRecord) -> Result<(), StepError> {
    shut_down(shop, instance).await?;
    keep_console(shop, instance);
    shop.cloud.driver.destroy(&instance.id).await?;
    snapshot::copied(shop, instance, None).await?;
    let store = &shop.cloud.store;
    let mut kept = Vec::new();
    for id in &instance.volumes {
        let Some(volume) = store.get::<VolumeRecord>(&instance.region, id) else { continue };
        if volume.attachment.as_ref().is_some_and(|attachment| attachment.delete_on_termination) {
            shop.volumes.remove(id)?;
        } else {
            // It outlives the instance, so it must exist even where the instance never booted.
            boot::make_file(shop, &volume).await?;
            kept.push(id.clone());
        }
    }
    move_on(shop, instance, |tx, record| {
        for id in &kept {
            volumes::release(tx, &record.region, id)?;
        }
        for id in record.volumes.iter().filter(|id| !kept.contains(id)) {
            tx.remove::<VolumeRecord>(&record.region, id);
        }
        give_up_interface(tx, record)?;
        record.volumes.clear();
        record.state = InstanceState::Terminated;
        record.terminated_at = Some(Timestamp::now());
        Ok(())
    })?;
    // After the record, or the VPC's reconciler would make the interface again. Should this fail, that
    // reconciler takes away what has no record.
    if let Err(error) = shop.cloud.vpcs.detach(&instance.vpc_id, &instance.network_interface_id).await {
        tracing::warn!(instance = instance.id, %error, "cannot take its network interface away yet");
    }
    Ok(())
}

fn give_up_interface(tx: &mut Tx<'_>, record: &InstanceRecord) -> Result<(), StepError> {
    let id = &record.network_interface_id;
    let Some(interface) = tx.get::<NetworkInterfaceRecord>(&record.region, id) else { return Ok(()) };
    if interface.attachment.as_ref().is_none_or(|attachment| attachment.delete_on_termination) {
        tx.remove::<NetworkInterfaceRecord>(&record.region, id);
    } else {
        tx.update::<NetworkInterfaceRecord>(&record.region, id, |interface| {
            interface.attachment = None;
            interface.public_address = None;
        })?;
    }
    Ok(())
}

/// Keeps the end of the console, which says why an instance failed. It is not worth keeping an instance for.
fn keep_console(shop: &Workshop, instance: &InstanceRecord) {
    let bytes = match shop.cloud.driver.console(&instance.id, ByteRange::Tail { max: CONSOLE_BYTES }) {
        Ok(chunk) => chunk.bytes,
        // It never booted, or its console was kept before.
        Err(DriverError::Absent { .. }) => return,
        Err(error) => {
            tracing::warn!(instance = instance.id, %error, "cannot read its console");
            return;
        }
    };
    if let Err(error) = console::keep(&shop.cloud.config.state_dir, &instance.id, &bytes) {
        tracing::warn!(instance = instance.id, %error, "cannot keep its console");
    }
}
