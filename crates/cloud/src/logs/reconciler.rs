//! Removes the events of what was deleted, and those that are older than their group keeps them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_wire::Error;
use log_store::GroupId;
use tokio::time::Instant;

use super::state::{GroupRecord, Removal};
use super::{errors, time};
use crate::Cloud;

/// How often it looks although nothing was changed: for what only time changes.
const INTERVAL: Duration = Duration::from_secs(60);

/// Keeps the events' store as the records say, until the daemon ends.
pub async fn run(cloud: Arc<Cloud>) {
    let mut changes = cloud.store.changes();
    let mut expired = Expired::default();
    let mut next_look = Instant::now();
    loop {
        changes.mark_unchanged();
        if Instant::now() >= next_look {
            expired.clear();
            next_look = Instant::now() + INTERVAL;
        }
        let (on, so_far) = (Arc::clone(&cloud), std::mem::take(&mut expired));
        let settled = tokio::task::spawn_blocking(move || settle(&on, so_far)).await;
        match settled
            .map_err(|error| error.to_string())
            .and_then(|settled| settled.map_err(|e| e.to_string()))
        {
            Ok(so_far) => expired = so_far,
            Err(error) => tracing::error!(error, "log events that are to go stay for now"),
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep_until(next_look) => {}
        }
    }
}

/// The retention that each group's events were last removed by.
type Expired = HashMap<GroupId, i32>;

/// Removes what is to go; groups whose retention has not changed since `expired` are left to the next time.
pub(super) fn settle(cloud: &Cloud, mut expired: Expired) -> Result<Expired, Error> {
    let events = &cloud.logs.events;
    for removal in cloud.store.all::<Removal>() {
        match removal.stream {
            Some(stream) => events.delete_stream(removal.group, stream),
            None => events.delete_group(removal.group),
        }
        .map_err(errors::events)?;
        cloud.store.write::<_, Error>(|tx| Ok(tx.remove::<Removal>(&removal.region, &removal.id)))?;
    }
    for group in cloud.store.all::<GroupRecord>() {
        let Some(days) = group.retention_days else {
            expired.remove(&group.number);
            continue;
        };
        if expired.insert(group.number, days) != Some(days)
            && let Some(before) = time::expiry(Some(days), time::now())
        {
            events.expire(group.number, before).map_err(errors::events)?;
        }
    }
    Ok(expired)
}
