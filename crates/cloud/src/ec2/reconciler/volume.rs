//! What there is to do about single volumes: making, removing, attaching to and detaching from running
//! instances. Those of booting and ending instances are part of those instances' lives.

use std::sync::Arc;

use machine::VolumeAttachment as MachineAttachment;

use super::{RETRY, StepError, Workshop, boot, snapshot};
use crate::Cloud;
use crate::ec2::state::{AttachmentState, InstanceRecord, InstanceState, VolumeRecord, VolumeState};
use crate::ec2::volumes;

/// What is to be done about a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Create,
    Remove,
    Attach,
    Detach { force: bool },
    Modify,
}

fn work_on(cloud: &Cloud, volume: &VolumeRecord) -> Option<Work> {
    life_of(cloud, volume).or_else(|| {
        let is_there = matches!(volume.state, VolumeState::Available | VolumeState::InUse);
        (volume.is_being_modified() && is_there && is_free(cloud, volume)).then_some(Work::Modify)
    })
}

/// What brings a volume to the next state of its life.
fn life_of(cloud: &Cloud, volume: &VolumeRecord) -> Option<Work> {
    match (volume.state, &volume.attachment) {
        (VolumeState::Creating, None) => Some(Work::Create),
        (VolumeState::Deleting, _) => is_free(cloud, volume).then_some(Work::Remove),
        (VolumeState::InUse, Some(attachment)) => {
            let instance = cloud.store.get::<InstanceRecord>(&volume.region, &attachment.instance_id)?;
            if instance.state != InstanceState::Running {
                return None;
            }
            match attachment.state {
                AttachmentState::Attaching => is_free(cloud, volume).then_some(Work::Attach),
                AttachmentState::Detaching { force } => Some(Work::Detach { force }),
                AttachmentState::Attached => None,
            }
        }
        (VolumeState::Creating | VolumeState::Available | VolumeState::InUse | VolumeState::Error, _) => None,
    }
}

/// Whether no snapshot needs the volume to stay as it is.
fn is_free(cloud: &Cloud, volume: &VolumeRecord) -> bool {
    // What cannot be found out is tried again in a while.
    snapshot::is_awaited(cloud, &volume.id, None).is_ok_and(|awaited| !awaited)
}

/// Whether there is something to do about a volume.
pub(super) fn has_work(cloud: &Cloud, volume: &VolumeRecord) -> bool {
    work_on(cloud, volume).is_some()
}

/// Does what there is to do about a volume.
pub(super) async fn work(shop: Arc<Workshop>, region: String, id: String) {
    let Some(volume) = shop.cloud.store.get::<VolumeRecord>(&region, &id) else { return };
    let Some(work) = work_on(&shop.cloud, &volume) else { return };
    if let Err(error) = carry_out(&shop, &volume, work).await {
        tracing::warn!(volume = id, ?work, %error, "failed");
        // A volume that is mounted inside stays `detaching` and goes when it is unmounted, as on EC2; the
        // reconciler comes back to it after this task.
        tokio::time::sleep(RETRY).await;
    }
}

async fn carry_out(shop: &Workshop, volume: &VolumeRecord, work: Work) -> Result<(), StepError> {
    let (region, id) = (volume.region.as_str(), volume.id.as_str());
    let store = &shop.cloud.store;
    match work {
        Work::Create => {
            let made = boot::make_file(shop, volume).await;
            let state = if made.is_ok() { VolumeState::Available } else { VolumeState::Error };
            store.write::<_, StepError>(|tx| {
                tx.update::<VolumeRecord>(region, id, |volume| {
                    if volume.state == VolumeState::Creating {
                        volume.state = state;
                    }
                })?;
                Ok(())
            })?;
            made.map(|_| ())
        }
        Work::Remove => {
            shop.volumes.remove(id)?;
            store.write::<_, StepError>(|tx| {
                tx.remove::<VolumeRecord>(region, id);
                Ok(())
            })
        }
        Work::Attach => attach(shop, volume).await,
        Work::Modify => modify(shop, volume).await,
        Work::Detach { force } => {
            let instance_id = owner(volume)?;
            shop.cloud.driver.detach_volume(&instance_id, id, force).await?;
            store.write(|tx| Ok(volumes::release(tx, region, id)?))
        }
    }
}

/// Makes a volume what a modification asks for. The file is made larger first: whoever finds the modification undone
/// does it again.
async fn modify(shop: &Workshop, volume: &VolumeRecord) -> Result<(), StepError> {
    let Some(modification) = &volume.modification else { return Ok(()) };
    let target = modification.target.clone();
    if target.size_gib > modification.original.size_gib {
        // A root volume's instance is stopped, or waits to start: see `modify_volume` and `boot`.
        shop.volumes.grow(&volume.id, target.size_gib, volume.layers.is_some()).await?;
        if let Some(attachment) = &volume.attachment {
            match shop.cloud.driver.grow_volume(&attachment.instance_id, &volume.id, target.size_gib).await {
                Ok(()) | Err(machine::DriverError::Absent { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    shop.cloud.store.write::<_, StepError>(|tx| {
        tx.update::<VolumeRecord>(&volume.region, &volume.id, |volume| {
            volume.size_gib = target.size_gib;
            volume.volume_type = target.volume_type;
            volume.iops = target.iops;
            volume.throughput = target.throughput;
            if let Some(modification) = &mut volume.modification {
                modification.end_time = Some(jiff::Timestamp::now());
            }
        })?;
        Ok(())
    })
}

fn owner(volume: &VolumeRecord) -> Result<String, StepError> {
    let attachment = volume.attachment.as_ref().ok_or_else(|| StepError::NoRecord(volume.id.clone()))?;
    Ok(attachment.instance_id.clone())
}

async fn attach(shop: &Workshop, volume: &VolumeRecord) -> Result<(), StepError> {
    let attachment = volume.attachment.as_ref().ok_or_else(|| StepError::NoRecord(volume.id.clone()))?;
    let wanted = MachineAttachment {
        volume_id: volume.id.clone(),
        device: attachment.device.clone(),
        file: shop.volumes.path(&volume.id),
        size_gib: volume.size_gib,
    };
    let attached = shop.cloud.driver.attach_volume(&attachment.instance_id, &wanted).await;
    shop.cloud.store.write::<_, StepError>(|tx| {
        if attached.is_err() {
            return Ok(volumes::release(tx, &volume.region, &volume.id)?);
        }
        tx.update::<VolumeRecord>(&volume.region, &volume.id, |volume| {
            if let Some(attachment) = &mut volume.attachment {
                attachment.state = AttachmentState::Attached;
            }
        })?;
        Ok(())
    })?;
    Ok(attached?)
}
