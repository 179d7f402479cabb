//! Keeps container instances in step with their EC2 instances, and forgets what is long gone.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::state::{ClusterRecord, ContainerInstanceRecord, MEMORY};
use crate::Cloud;
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::store::{Store, StoreError};

/// How often it looks although nothing was changed: for what only time changes.
const INTERVAL: Duration = Duration::from_secs(60);

/// Keeps ECS's records true, until the daemon ends.
pub async fn run(cloud: Arc<Cloud>) {
    let mut changes = cloud.store.changes();
    loop {
        changes.mark_unchanged();
        if let Err(error) = settle(&cloud.store, Timestamp::now()) {
            tracing::error!(%error, "ECS's records could not be brought up to date");
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// What is to be done with a container instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Deregister,
    Disconnect,
    Forget,
}

/// Brings all records up to date. Writes only what changes, for every write wakes it again.
pub(super) fn settle(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let steps: Vec<_> = store
        .all::<ContainerInstanceRecord>()
        .into_iter()
        .filter_map(|record| step(store, &record, now).map(|step| (record, step)))
        .collect();
    let clusters: Vec<_> = store
        .all::<ClusterRecord>()
        .into_iter()
        .filter(|cluster| cluster.inactive_since.is_some_and(|since| long_ago(since, now)))
        .collect();
    if steps.is_empty() && clusters.is_empty() {
        return Ok(());
    }
    store.write(|tx| {
        for (record, step) in steps {
            // It may have been changed since it was looked at: then the next round decides.
            if tx.get::<ContainerInstanceRecord>(&record.region, &record.id).as_deref() != Some(&*record) {
                continue;
            }
            let mut changed = (*record).clone();
            match step {
                Step::Deregister => changed.deregister(now),
                Step::Disconnect => changed.connect(None),
                Step::Forget => {
                    tx.remove::<ContainerInstanceRecord>(&record.region, &record.id);
                    continue;
                }
            }
            tracing::info!(container_instance = %record.id, instance = %record.ec2_instance_id, ?step, "ECS");
            tx.put(changed)?;
        }
        for cluster in clusters {
            if tx.get::<ClusterRecord>(&cluster.region, &cluster.id).as_deref() == Some(&*cluster) {
                tx.remove::<ClusterRecord>(&cluster.region, &cluster.id);
            }
        }
        Ok(())
    })
}

fn long_ago(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= MEMORY
}

fn step(store: &Store, record: &ContainerInstanceRecord, now: Timestamp) -> Option<Step> {
    if let Some(since) = record.inactive_since {
        return long_ago(since, now).then_some(Step::Forget);
    }
    let instance = store.get::<InstanceRecord>(&record.region, &record.ec2_instance_id);
    match instance.map_or(InstanceState::Terminated, |instance| instance.state) {
        InstanceState::Terminated => Some(Step::Deregister),
        InstanceState::Stopped if record.session.is_some() => Some(Step::Disconnect),
        // A session that an earlier run of the daemon left behind. The agent connects again by itself.
        _ if record.session.is_some() && !record.agent_connected() => Some(Step::Disconnect),
        InstanceState::Pending
        | InstanceState::Running
        | InstanceState::ShuttingDown
        | InstanceState::Stopping
        | InstanceState::Stopped => None,
    }
}
