//! Copies the bytes of snapshots, and makes images available when theirs are there.
//!
//! Snapshots of one batch are of one moment: the instance that has their volumes does not run, or waits with its
//! writes while all of them are copied. A copy that a killed daemon has begun is begun again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use machine::images::{Origin, Snapshot, SnapshotState};
use machine::{MachineStatus, Stillness};

use super::{StepError, Workshop};
use crate::Cloud;
use crate::ec2::state::{InstanceRecord, InstanceState, VolumeRecord, VolumeState};

/// How often is looked whether an instance that starts or ends has done so.
const PAUSE: Duration = Duration::from_millis(25);

/// The batches of snapshots that are to be copied.
pub(super) fn pending(cloud: &Cloud) -> Result<BTreeMap<String, Vec<Snapshot>>, StepError> {
    let mut batches: BTreeMap<String, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in cloud.images.snapshots()? {
        if snapshot.state == SnapshotState::Pending {
            batches.entry(snapshot.batch.clone()).or_default().push(snapshot);
        }
    }
    Ok(batches)
}

/// Whether a volume has to stay as it is because a snapshot of it is not copied yet. Only those snapshots count that
/// were asked for up to a moment, if one is named.
pub(super) fn is_awaited(
    cloud: &Cloud,
    volume_id: &str,
    until: Option<Timestamp>,
) -> Result<bool, StepError> {
    let snapshots = cloud.images.snapshots()?;
    Ok(snapshots.iter().any(|snapshot| {
        snapshot.state == SnapshotState::Pending
            && snapshot.origin == Origin::Volume(volume_id.to_owned())
            && until.is_none_or(|until| snapshot.started <= until)
    }))
}

/// Settles what follows from the snapshots that there are: which images are available, and which files and layers
/// nobody needs any more.
pub(super) fn settle(cloud: &Cloud) -> Result<(), StepError> {
    for image in cloud.images.settle_images()? {
        tracing::info!(image, "no longer pending");
        cloud.store.touch();
    }
    let volumes = cloud.store.all::<VolumeRecord>();
    let copies: Vec<Snapshot> = pending(cloud)?.into_values().flatten().collect();
    let is_needed = |id: &str| {
        volumes.iter().any(|v| v.state == VolumeState::Creating && v.source.snapshot() == Some(id))
            || copies.iter().any(|copy| copy.origin == Origin::Snapshot(id.to_owned()))
    };
    cloud.images.sweep_snapshots(is_needed)?;
    Ok(cloud.images.sweep_layers(|| crate::in_use(&cloud.store))?)
}

/// Copies the snapshots of a batch.
pub(super) async fn work(shop: Arc<Workshop>, batch: Vec<Snapshot>) {
    let stillness = match at_rest(&shop, &batch).await {
        Ok(stillness) => stillness,
        Err(error) => return note_failure(&shop, &batch, &error),
    };
    for snapshot in &batch {
        let began = std::time::Instant::now();
        match copy(&shop, snapshot).await {
            Ok(()) => {
                let ms = began.elapsed().as_millis();
                tracing::info!(snapshot = snapshot.id, volume = snapshot.volume_id, ms, "copied");
            }
            Err(error) => note_failure(&shop, std::slice::from_ref(snapshot), &error),
        }
    }
    drop(stillness);
    shop.cloud.store.touch();
}

async fn copy(shop: &Workshop, snapshot: &Snapshot) -> Result<(), StepError> {
    let source = source(shop, snapshot);
    let (images, id) = (shop.cloud.images.clone(), snapshot.id.clone());
    let copied = tokio::task::spawn_blocking(move || images.fill_snapshot(&id, &source)).await;
    copied.map_err(|error| StepError::Ended(error.to_string()))??;
    let known = shop.cloud.images.update_snapshot(&snapshot.id, |snapshot| {
        snapshot.state = SnapshotState::Completed;
        snapshot.completed = Some(Timestamp::now());
    })?;
    // Deleted while it was copied.
    if known.is_none() {
        shop.cloud.images.forget_snapshot_file(&snapshot.id)?;
    }
    Ok(())
}

fn source(shop: &Workshop, snapshot: &Snapshot) -> PathBuf {
    match &snapshot.origin {
        Origin::Volume(id) => shop.volumes.path(id),
        Origin::Snapshot(id) => shop.cloud.images.snapshot_file(id),
    }
}

/// Says of snapshots why they could not be copied. Their images fail for it.
fn note_failure(shop: &Workshop, snapshots: &[Snapshot], error: &StepError) {
    for snapshot in snapshots {
        tracing::warn!(snapshot = snapshot.id, %error, "failed");
        let noted = shop.cloud.images.update_snapshot(&snapshot.id, |snapshot| {
            snapshot.state = SnapshotState::Failed;
            snapshot.reason = Some(error.to_string());
        });
        if let Err(error) = noted {
            tracing::error!(snapshot = snapshot.id, %error, "cannot say that it failed");
        }
    }
    shop.cloud.store.touch();
}

/// What a snapshot's source does at the moment.
enum Source {
    /// Nothing writes to it.
    AtRest,
    /// This instance may write to it.
    InUse(String),
    /// It is being made, or its instance starts or ends.
    Moving,
}

/// Waits until nothing writes to the sources of the snapshots, and keeps it so.
async fn at_rest(shop: &Workshop, batch: &[Snapshot]) -> Result<Option<Stillness>, StepError> {
    let mut changes = shop.cloud.store.changes();
    loop {
        changes.borrow_and_update();
        let mut user = None;
        let mut moving = false;
        for snapshot in batch {
            match state_of(shop, snapshot)? {
                Source::AtRest => {}
                Source::InUse(instance) => user = Some(instance),
                Source::Moving => moving = true,
            }
        }
        match user {
            None if !moving => return Ok(None),
            Some(instance) if !moving => match shop.cloud.driver.hold_still(&instance).await {
                Ok(stillness) => return Ok(Some(stillness)),
                // It ended meanwhile: look again.
                Err(machine::DriverError::NotRunning { .. } | machine::DriverError::Absent { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            None | Some(_) => {}
        }
        // The store tells of what instances are to be; what they are is asked for.
        tokio::select! {
            changed = changes.changed() => changed.map_err(|error| StepError::Ended(error.to_string()))?,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn state_of(shop: &Workshop, snapshot: &Snapshot) -> Result<Source, StepError> {
    let id = match &snapshot.origin {
        Origin::Volume(id) => id,
        Origin::Snapshot(id) => {
            let file = shop.cloud.images.snapshot_file(id);
            let is_coming =
                shop.cloud.images.snapshot(id)?.is_some_and(|s| s.state == SnapshotState::Pending);
            return Ok(if is_coming && !file.exists() { Source::Moving } else { Source::AtRest });
        }
    };
    let store = &shop.cloud.store;
    let Some(volume) = store.get::<VolumeRecord>(&snapshot.region, id) else {
        return Err(StepError::NoRecord(id.clone()));
    };
    if volume.state == VolumeState::Creating && !shop.volumes.path(id).exists() {
        return Ok(Source::Moving);
    }
    let Some(attachment) = &volume.attachment else { return Ok(Source::AtRest) };
    let Some(instance) = store.get::<InstanceRecord>(&snapshot.region, &attachment.instance_id) else {
        return Ok(Source::AtRest);
    };
    let status = shop.cloud.driver.status(&instance.id);
    Ok(use_of(&instance, status, snapshot.started))
}

/// What an instance does with its volumes, seen from a snapshot that was asked for at some time.
fn use_of(instance: &InstanceRecord, status: MachineStatus, asked: Timestamp) -> Source {
    let ended = matches!(status, MachineStatus::Exited | MachineStatus::Absent);
    match instance.state {
        InstanceState::Stopped | InstanceState::Terminated => Source::AtRest,
        // It is about to be powered off, or boots again only when this snapshot is copied.
        InstanceState::Running | InstanceState::Pending if instance.imaging => at_rest_if(ended),
        InstanceState::Running => match status {
            MachineStatus::Running { .. } => Source::InUse(instance.id.clone()),
            MachineStatus::Booting | MachineStatus::Exited | MachineStatus::Absent => Source::Moving,
        },
        // It was started after the snapshot was asked for, and waits for it.
        InstanceState::Pending => at_rest_if(ended && asked <= instance.launch_time),
        // Nothing boots it any more, and its volumes are removed only when this snapshot is copied.
        InstanceState::Stopping | InstanceState::ShuttingDown => at_rest_if(ended),
    }
}

fn at_rest_if(condition: bool) -> Source {
    if condition { Source::AtRest } else { Source::Moving }
}

/// Waits until no snapshot needs the volumes of an instance to stay as they are, and none is being made larger.
pub(super) async fn copied(
    shop: &Workshop,
    instance: &InstanceRecord,
    until: Option<Timestamp>,
) -> Result<(), StepError> {
    let mut changes = shop.cloud.store.changes();
    loop {
        changes.borrow_and_update();
        let mut awaited = false;
        for volume in &instance.volumes {
            awaited |= is_awaited(&shop.cloud, volume, until)?;
            let record = shop.cloud.store.get::<VolumeRecord>(&instance.region, volume);
            awaited |= record.is_some_and(|record| record.is_being_modified());
        }
        if !awaited || changes.changed().await.is_err() {
            return Ok(());
        }
    }
}
