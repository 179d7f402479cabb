//! Makes instances and volumes what their records say, and their records what is true of them.
//!
//! Every instance that is not gone has a task of its own (`instance::live`), which brings it from one state
//! to the next; volumes get a task when there is something to do. All of them begin from the records, so a
//! daemon that was killed carries on where it was, with the machines that still run.

mod boot;
mod instance;
mod snapshot;
mod volume;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use machine::volumes::{VolumeError, VolumeStore};
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};

use super::console;
use super::state::{InstanceRecord, InstanceState, VolumeRecord};
use crate::Cloud;
use crate::store::StoreError;

/// How long a terminated instance is still described: about as long as on EC2.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// How often is looked for what only time brings about.
const ROUND: Duration = Duration::from_secs(30);

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What the tasks share.
struct Workshop {
    cloud: Arc<Cloud>,
    volumes: VolumeStore,
    /// Boots are bound by processors: more at once would only be slower each.
    boots: Semaphore,
}

/// Runs until it is dropped; the machines go on.
///
/// # Errors
/// When the directory of volumes cannot be used.
pub async fn run(cloud: Arc<Cloud>) -> Result<(), VolumeError> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let shop = Arc::new(Workshop {
        volumes: VolumeStore::open(&cloud.config.state_dir)?,
        boots: Semaphore::new(at_once),
        cloud,
    });
    let mut changes = shop.cloud.store.changes();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut busy: HashMap<String, Id> = HashMap::new();
    // The version of the images that all work has been done for.
    let mut seen = None;
    loop {
        changes.borrow_and_update();
        for instance in shop.cloud.store.all::<InstanceRecord>() {
            if instance.state != InstanceState::Terminated && !busy.contains_key(&instance.id) {
                let task = instance::live(Arc::clone(&shop), instance.region.clone(), instance.id.clone());
                busy.insert(instance.id.clone(), tasks.spawn(task).id());
            }
        }
        for volume in shop.cloud.store.all::<VolumeRecord>() {
            if volume::has_work(&shop.cloud, &volume) && !busy.contains_key(&volume.id) {
                let task = volume::work(Arc::clone(&shop), volume.region.clone(), volume.id.clone());
                busy.insert(volume.id.clone(), tasks.spawn(task).id());
            }
        }
        if let Err(error) = begin_snapshots(&shop, &mut tasks, &mut busy, &mut seen) {
            tracing::warn!(%error, "cannot look after images and snapshots");
        }
        if let Err(error) = forget_terminated(&shop.cloud, Timestamp::now()) {
            tracing::warn!(%error, "cannot forget terminated instances");
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            Some(ended) = tasks.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => {
                        tracing::error!(%error, "a task of the EC2 reconciler failed and is begun again");
                        error.id()
                    }
                };
                busy.retain(|_, task| *task != id);
                seen = None;
            }
            // Other processes change the images as well.
            () = tokio::time::sleep(ROUND) => seen = None,
        }
    }
}

/// Begins to copy snapshots that nobody copies yet. Reading their records takes files, so it is done only when there
/// may be something new: when the images' version is another one than was `seen`.
fn begin_snapshots(
    shop: &Arc<Workshop>,
    tasks: &mut JoinSet<()>,
    busy: &mut HashMap<String, Id>,
    seen: &mut Option<u64>,
) -> Result<(), StepError> {
    let version = shop.cloud.images.version();
    if *seen == Some(version) {
        return Ok(());
    }
    snapshot::settle(&shop.cloud)?;
    for (id, batch) in snapshot::pending(&shop.cloud)? {
        busy.entry(id).or_insert_with(|| tasks.spawn(snapshot::work(Arc::clone(shop), batch)).id());
    }
    *seen = Some(version);
    Ok(())
}

/// Removes the records of instances that were terminated long ago.
fn forget_terminated(cloud: &Cloud, now: Timestamp) -> Result<(), StoreError> {
    for instance in cloud.store.all::<InstanceRecord>() {
        let is_old = instance.terminated_at.is_some_and(|at| now.duration_since(at) > REMEMBERED);
        if instance.state == InstanceState::Terminated && is_old {
            if let Err(error) = console::forget(&cloud.config.state_dir, &instance.id) {
                tracing::warn!(instance = instance.id, %error, "cannot remove a kept console");
            }
            cloud.store.write::<_, StoreError>(|tx| {
                tx.remove::<InstanceRecord>(&instance.region, &instance.id);
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Notes that the running instances are about to be powered off with the cloud, so that they boot again with
/// it. Whoever stops the cloud calls it when the reconciler no longer runs and before it stops the machines.
///
/// # Errors
/// When the store fails.
pub fn note_power_off(cloud: &Cloud) -> Result<(), StoreError> {
    for instance in cloud.store.all::<InstanceRecord>() {
        if instance.state == InstanceState::Running {
            cloud.store.write::<_, StoreError>(|tx| {
                tx.update::<InstanceRecord>(&instance.region, &instance.id, |instance| {
                    instance.resumes = true
                })?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Why a step of an instance's or volume's life failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Api(#[from] aws_wire::Error),
    #[error(transparent)]
    Driver(#[from] machine::DriverError),
    #[error(transparent)]
    Boot(#[from] machine::BootError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    Network(#[from] crate::vpc::VpcError),
    #[error(transparent)]
    Image(#[from] machine::images::ImageError),
    #[error("the image {0} is gone")]
    NoImage(String),
    #[error("{0} is gone")]
    NoRecord(String),
    #[error("the work was broken off: {0}")]
    Ended(String),
}
