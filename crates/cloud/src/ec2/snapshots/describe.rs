//! `DescribeSnapshots`

use aws_wire::Error;
use aws_wire::ec2::{DescribeSnapshotsRequest, DescribeSnapshotsResult, Snapshot as WireSnapshot};
use machine::images::{Origin, Snapshot, SnapshotState};
use machine::volumes::VolumeStore;

use super::visible;
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{PAGE, page, select, stop_dry_run, tag_set};

/// A snapshot and its tags as EC2's filters see them.
struct Row {
    snapshot: Snapshot,
    tags: Tags,
    progress: String,
}

fn row(ctx: &Ctx, snapshot: Snapshot) -> Row {
    Row { tags: tags(&snapshot), progress: progress(ctx, &snapshot), snapshot }
}

fn tags(snapshot: &Snapshot) -> Tags {
    snapshot.tags.clone().into_iter().collect()
}

const FIELDS: &[Field<Row>] = &[
    ("snapshot-id", |row, is| is(&row.snapshot.id)),
    ("volume-id", |row, is| is(&row.snapshot.volume_id)),
    ("volume-size", |row, is| is(&row.snapshot.size_gib.to_string())),
    ("description", |row, is| is(&row.snapshot.description)),
    ("status", |row, is| is(state(row.snapshot.state))),
    ("progress", |row, is| is(&row.progress)),
    ("owner-id", |row, is| is(&row.snapshot.owner)),
    ("start-time", |row, is| is(&row.snapshot.started.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())),
    ("storage-tier", |_, is| is("standard")),
    ("encrypted", |_, is| is("false")),
];

/// `DescribeSnapshots`
pub fn describe_snapshots(
    ctx: &Ctx,
    input: DescribeSnapshotsRequest,
) -> Result<DescribeSnapshotsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, Some(|row: &Row| &row.tags), &input.filters)?;
    let snapshots = visible(ctx)?;
    let asked = &input.snapshot_ids;
    let unknown = asked.iter().map(String::as_str).filter(|id| snapshots.iter().all(|s| s.id != *id));
    let unknown: Vec<&str> = unknown.collect();
    if !unknown.is_empty() {
        return Err(errors::SNAPSHOT.none_found(&unknown));
    }
    let mut rows: Vec<Row> = snapshots.into_iter().map(|snapshot| row(ctx, snapshot)).collect();
    rows.retain(|row| {
        (asked.is_empty() || asked.contains(&row.snapshot.id))
            && (input.owner_ids.is_empty() || input.owner_ids.iter().any(|owner| belongs_to(ctx, row, owner)))
            && (input.restorable_by_user_ids.is_empty()
                || input.restorable_by_user_ids.iter().any(|user| is_restorable_by(ctx, row, user)))
            && selection.accepts(row)
    });
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.snapshot.id)?;
    Ok(DescribeSnapshotsResult {
        snapshots: page.items.iter().map(|row| to_wire(ctx, &row.snapshot)).collect(),
        next_token: page.next,
    })
}

fn belongs_to(ctx: &Ctx, row: &Row, owner: &str) -> bool {
    match owner {
        "self" => row.snapshot.owner == *ctx.account,
        account => row.snapshot.owner == account,
    }
}

fn is_restorable_by(ctx: &Ctx, row: &Row, user: &str) -> bool {
    match user {
        "all" => row.snapshot.shared.all,
        "self" => row.snapshot.owner == *ctx.account,
        account => row.snapshot.owner == account || row.snapshot.shared.users.contains(account),
    }
}

fn state(state: SnapshotState) -> &'static str {
    match state {
        SnapshotState::Pending => "pending",
        SnapshotState::Completed => "completed",
        // Deleted ones are not described.
        SnapshotState::Failed | SnapshotState::Deleted => "error",
    }
}

/// How much is copied, in EC2's form.
fn progress(ctx: &Ctx, snapshot: &Snapshot) -> String {
    let images = &ctx.cloud.images;
    let percent = match (snapshot.state, &snapshot.origin) {
        (SnapshotState::Completed, _) => 100,
        (SnapshotState::Failed | SnapshotState::Deleted, _) => 0,
        (SnapshotState::Pending, Origin::Volume(id)) => VolumeStore::open(&ctx.cloud.config.state_dir)
            .map(|volumes| images.snapshot_progress(&snapshot.id, &volumes.path(id)))
            .unwrap_or_default(),
        (SnapshotState::Pending, Origin::Snapshot(id)) => {
            images.snapshot_progress(&snapshot.id, &images.snapshot_file(id))
        }
    };
    format!("{percent}%")
}

/// A snapshot as answers hold it.
pub(super) fn to_wire(ctx: &Ctx, snapshot: &Snapshot) -> WireSnapshot {
    let is_completed = snapshot.state == SnapshotState::Completed;
    let bytes = is_completed.then(|| ctx.cloud.images.snapshot_bytes(&snapshot.id)).flatten();
    WireSnapshot {
        snapshot_id: Some(snapshot.id.clone()),
        volume_id: Some(snapshot.volume_id.clone()),
        volume_size: i32::try_from(snapshot.size_gib).ok(),
        state: Some(state(snapshot.state).to_owned()),
        state_message: snapshot.reason.clone(),
        progress: Some(progress(ctx, snapshot)),
        start_time: Some(snapshot.started),
        completion_time: snapshot.completed,
        full_snapshot_size_in_bytes: bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        owner_id: Some(snapshot.owner.clone()),
        description: Some(snapshot.description.clone()),
        storage_tier: Some("standard".to_owned()),
        encrypted: Some(false),
        tags: tag_set(&tags(snapshot)),
        ..WireSnapshot::default()
    }
}
