//! Snapshots: a volume's bytes at one moment, from which images and volumes are made.
//!
//! A snapshot is a record `STATE/images/snapshots/<id>.json` and, once it is completed, a sparse file beside it with the
//! volume's bytes. They live with the images and not with the instances, for an image that was made of an instance
//! stands on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ImageError;
use super::record::{Image, ImageState};
use super::store::ImageStore;
use crate::error::OsError;
use crate::files;
use crate::volumes::copy_sparse;

/// A snapshot, as `DescribeSnapshots` shows it, and where its bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The snapshot id (`snap-…`).
    pub id: String,
    /// The one region that sees it.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// The volume that it was taken of, or EC2's placeholder `vol-ffffffff` for a copy.
    pub volume_id: String,
    /// The volume's size in GiB.
    pub size_gib: u32,
    /// What it is, in a sentence.
    pub description: String,
    /// When it was asked for.
    pub started: jiff::Timestamp,
    /// When it was completed.
    pub completed: Option<jiff::Timestamp>,
    /// Where it is in its life.
    pub state: SnapshotState,
    /// Why it failed.
    pub reason: Option<String>,
    /// What its bytes are copied from.
    pub origin: Origin,
    /// What it was taken together with: snapshots of one batch are of one moment.
    pub batch: String,
    /// The layers that the volume's file system lies over, if it is a root volume: its bytes alone are no system.
    pub layers: Option<Vec<PathBuf>>,
    /// Who else may make volumes of it.
    pub shared: Shared,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Where a snapshot is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    /// Its bytes are being copied.
    Pending,
    /// Its bytes are there.
    Completed,
    /// Its bytes could not be copied.
    Failed,
    /// It is deleted; its file goes when no volume is being made of it any more.
    Deleted,
}

/// What a snapshot's bytes are copied from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The volume of this id.
    Volume(String),
    /// The snapshot of this id, in whatever region.
    Snapshot(String),
}

/// Who may use something, beside its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Everybody.
    pub all: bool,
    /// These accounts.
    pub users: BTreeSet<String>,
}

impl ImageStore {
    /// All snapshots but deleted ones, by id.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, ImageError> {
        let mut snapshots = self.snapshots_ever()?;
        snapshots.retain(|snapshot| snapshot.state != SnapshotState::Deleted);
        Ok(snapshots)
    }

    /// The snapshot with this id, unless it is deleted.
    pub fn snapshot(&self, id: &str) -> Result<Option<Snapshot>, ImageError> {
        // An id names a file: refuse anything that could name another one.
        if !is_snapshot_id(id) {
            return Ok(None);
        }
        let found = read_record(&self.snapshot_record_path(id))?;
        Ok(found.filter(|snapshot| snapshot.state != SnapshotState::Deleted))
    }

    /// The file with a completed snapshot's bytes. It is there for as long as a volume is being made of the snapshot,
    /// also when that is deleted meanwhile.
    pub fn snapshot_file(&self, id: &str) -> PathBuf {
        self.snapshots_dir().join(format!("{id}.img"))
    }

    /// Writes a snapshot's record, new or changed.
    pub fn put_snapshot(&self, snapshot: &Snapshot) -> Result<(), ImageError> {
        let path = self.snapshot_record_path(&snapshot.id);
        let json = serde_json::to_vec_pretty(snapshot)
            .map_err(|e| ImageError::Record { path: path.clone(), reason: e.to_string() })?;
        files::write_atomic(&path, &json)?;
        self.touched();
        Ok(())
    }

    /// Writes several new snapshots.
    pub fn put_snapshots(&self, snapshots: &[Snapshot]) -> Result<(), ImageError> {
        let _lock = self.lock_records()?;
        snapshots.iter().try_for_each(|snapshot| self.put_snapshot(snapshot))
    }

    /// Writes a new image and the snapshots that it is made of. Should the process be killed between two of them, the
    /// image lacks a snapshot, and [`Self::settle_images`] removes what there is.
    pub fn put_with_snapshots(&self, image: &Image, snapshots: &[Snapshot]) -> Result<(), ImageError> {
        let _lock = self.lock_records()?;
        self.put(image)?;
        snapshots.iter().try_for_each(|snapshot| self.put_snapshot(snapshot))
    }

    /// Makes those pending images available whose snapshots are all completed, and those failed one of whose has.
    /// Gives the ids of those that are pending no longer.
    pub fn settle_images(&self) -> Result<Vec<String>, ImageError> {
        let _lock = self.lock_records()?;
        let mut settled = Vec::new();
        for mut image in self.list()?.into_iter().filter(|image| image.state == ImageState::Pending) {
            let ids = image.block_devices.iter().filter_map(|device| device.snapshot.as_deref());
            let found = ids.map(|id| self.snapshot(id)).collect::<Result<Vec<_>, _>>()?;
            match fate(&found) {
                Fate::Undecided => continue,
                Fate::Available => image.state = ImageState::Available,
                Fate::Failed(reason) => {
                    image.state = ImageState::Failed;
                    image.reason = Some(reason);
                }
                Fate::NeverMade => {
                    files::remove_all(&self.record_path(&image.id))?;
                    for snapshot in found.into_iter().flatten().filter(|s| s.batch == image.id) {
                        self.put_snapshot(&Snapshot { state: SnapshotState::Deleted, ..snapshot })?;
                    }
                    settled.push(image.id);
                    continue;
                }
            }
            self.put(&image)?;
            settled.push(image.id);
        }
        Ok(settled)
    }

    /// Changes the record of a snapshot; `None` when there is none (any more).
    pub fn update_snapshot(
        &self,
        id: &str,
        change: impl FnOnce(&mut Snapshot),
    ) -> Result<Option<Snapshot>, ImageError> {
        let _lock = self.lock_records()?;
        let Some(mut snapshot) = self.snapshot(id)? else { return Ok(None) };
        change(&mut snapshot);
        self.put_snapshot(&snapshot)?;
        Ok(Some(snapshot))
    }

    /// Copies what is in use of `source` to the snapshot's file, which appears whole. One that is there already was
    /// finished by a process that was killed before it could say so, and is kept. Blocks while it copies.
    pub fn fill_snapshot(&self, id: &str, source: &Path) -> Result<(), ImageError> {
        let file = self.snapshot_file(id);
        if file.exists() {
            return Ok(());
        }
        let partial = self.partial_snapshot(id);
        let copied = copy(source, &partial)
            .and_then(|()| fs::rename(&partial, &file).map_err(OsError::of("name", &file)))
            .and_then(|()| files::sync_dir(&self.snapshots_dir()));
        if copied.is_err() {
            files::remove_all(&partial)?;
        }
        Ok(copied?)
    }

    /// How many bytes a completed snapshot's file takes on disk.
    pub fn snapshot_bytes(&self, id: &str) -> Option<u64> {
        allocated(&self.snapshot_file(id))
    }

    /// How much of `source` a pending snapshot has copied, in percent: less than 100, for the last is its completion.
    pub fn snapshot_progress(&self, id: &str, source: &Path) -> u64 {
        let (Some(done), Some(all)) = (allocated(&self.partial_snapshot(id)), allocated(source)) else {
            return 0;
        };
        (done * 100 / all.max(1)).min(99)
    }

    /// Removes the file of a snapshot that was deleted, record and all, while it was copied.
    pub fn forget_snapshot_file(&self, id: &str) -> Result<(), ImageError> {
        let _lock = self.lock_records()?;
        if !self.snapshot_record_path(id).exists() {
            files::remove_all(&self.snapshot_file(id))?;
        }
        Ok(())
    }

    /// Deletes a snapshot. Its file stays while `in_use` says so; [`Self::sweep_snapshots`] removes it later.
    pub fn delete_snapshot(&self, id: &str) -> Result<(), ImageError> {
        self.update_snapshot(id, |snapshot| snapshot.state = SnapshotState::Deleted).map(drop)
    }

    /// Removes the records and files of deleted snapshots but those that are still `needed`.
    pub fn sweep_snapshots(&self, needed: impl Fn(&str) -> bool) -> Result<(), ImageError> {
        let deleted = self.snapshots_ever()?.into_iter().filter(|s| s.state == SnapshotState::Deleted);
        for snapshot in deleted.filter(|snapshot| !needed(&snapshot.id)) {
            files::remove_all(&self.partial_snapshot(&snapshot.id))?;
            files::remove_all(&self.snapshot_file(&snapshot.id))?;
            files::remove_all(&self.snapshot_record_path(&snapshot.id))?;
        }
        Ok(())
    }

    /// All snapshots, deleted ones whose files are still there as well, by id.
    pub(super) fn snapshots_ever(&self) -> Result<Vec<Snapshot>, ImageError> {
        let dir = self.snapshots_dir();
        let mut snapshots = Vec::new();
        for entry in fs::read_dir(&dir).map_err(OsError::of("list", &dir))? {
            let path = entry.map_err(OsError::of("list", &dir))?.path();
            if path.extension().is_some_and(|e| e == "json")
                && let Some(snapshot) = read_record(&path)?
            {
                snapshots.push(snapshot);
            }
        }
        snapshots.sort_by(|a: &Snapshot, b| a.id.cmp(&b.id));
        Ok(snapshots)
    }

    fn snapshot_record_path(&self, id: &str) -> PathBuf {
        self.snapshots_dir().join(format!("{id}.json"))
    }

    fn partial_snapshot(&self, id: &str) -> PathBuf {
        self.snapshots_dir().join(format!("{id}.partial"))
    }
}

/// What becomes of a pending image.
enum Fate {
    Undecided,
    Available,
    Failed(String),
    /// Whoever made it was killed before it was whole, and nobody was told of it.
    NeverMade,
}

fn fate(snapshots: &[Option<Snapshot>]) -> Fate {
    if snapshots.iter().any(Option::is_none) {
        return Fate::NeverMade;
    }
    let all = || snapshots.iter().flatten();
    if let Some(failed) = all().find(|snapshot| snapshot.state == SnapshotState::Failed) {
        let reason = failed.reason.clone().unwrap_or_default();
        return Fate::Failed(format!("The snapshot {} failed: {reason}", failed.id));
    }
    match all().all(|snapshot| snapshot.state == SnapshotState::Completed) {
        true => Fate::Available,
        false => Fate::Undecided,
    }
}

fn read_record(path: &Path) -> Result<Option<Snapshot>, ImageError> {
    let Some(bytes) = files::read_optional(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| ImageError::Record { path: path.to_owned(), reason: e.to_string() })
}

fn copy(source: &Path, target: &Path) -> Result<(), OsError> {
    let from = File::open(source).map_err(OsError::of("open", source))?;
    // What a killed process left half copied is thrown away: a hole there must be a hole here.
    let to = File::create(target).map_err(OsError::of("make", target))?;
    copy_sparse(&from, &to).and_then(|()| to.sync_all()).map_err(OsError::of("copy to", target))
}

fn allocated(file: &Path) -> Option<u64> {
    fs::metadata(file).ok().map(|meta| meta.blocks() * 512)
}

/// Whether `id` has the form of a snapshot id, old (8 digits) or new (17).
pub fn is_snapshot_id(id: &str) -> bool {
    id.strip_prefix("snap-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn snapshot(id: &str) -> Snapshot {
        Snapshot {
            id: id.into(),
            region: "us-east-1".into(),
            owner: "123456789012".into(),
            volume_id: "vol-1".into(),
            size_gib: 1,
            description: String::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            completed: None,
            state: SnapshotState::Pending,
            reason: None,
            origin: Origin::Volume("vol-1".into()),
            batch: id.into(),
            layers: None,
            shared: Shared::default(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn holds_what_was_in_use_and_nothing_more() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let volume = state.path().join("volume");
        let file = File::create(&volume).unwrap();
        file.set_len(20 << 30).unwrap();
        file.write_all_at(b"data", 7 << 30).unwrap();
        store.put_snapshot(&snapshot("snap-0000000a")).unwrap();
        // Half a copy of a killed process.
        let partial = state.path().join("images/snapshots/snap-0000000a.partial");
        fs::write(&partial, vec![1; 4096]).unwrap();
        store.fill_snapshot("snap-0000000a", &volume).unwrap();
        let bytes = store.snapshot_bytes("snap-0000000a").unwrap();
        assert!((1..1 << 20).contains(&bytes), "{bytes}");
        let copy = store.snapshot_file("snap-0000000a");
        assert_eq!(fs::metadata(&copy).unwrap().len(), 20 << 30);
        assert!(!partial.exists());
        // Done is done: the volume may have changed since.
        fs::remove_file(&volume).unwrap();
        store.fill_snapshot("snap-0000000a", &volume).unwrap();
        assert!(store.fill_snapshot("snap-0000000b", &volume).is_err());
    }

    #[test]
    fn a_deleted_snapshots_file_stays_while_it_is_needed() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let volume = state.path().join("volume");
        fs::write(&volume, "x").unwrap();
        store.put_snapshot(&snapshot("snap-0000000a")).unwrap();
        store.fill_snapshot("snap-0000000a", &volume).unwrap();
        store.delete_snapshot("snap-0000000a").unwrap();
        assert_eq!(store.snapshot("snap-0000000a").unwrap(), None);
        assert_eq!(store.snapshots().unwrap(), []);
        store.sweep_snapshots(|id| id == "snap-0000000a").unwrap();
        assert!(store.snapshot_file("snap-0000000a").exists());
        store.sweep_snapshots(|_| false).unwrap();
        assert!(!store.snapshot_file("snap-0000000a").exists());
        assert_eq!(store.snapshots_ever().unwrap(), []);
    }

    #[test]
    fn ids() {
        for (id, good) in [("snap-0000000a", true), ("snap-0123456789abcdef0", true), ("snap-../a", false)] {
            assert_eq!(is_snapshot_id(id), good, "{id}");
        }
    }
}
