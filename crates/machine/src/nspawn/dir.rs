//! What an instance has on the host's disk: `STATE/instances/<id>/`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::driver::{InstanceSpec, VolumeAttachment};
use crate::error::{DriverError, OsError};
use crate::files;

/// The list of control groups that the keeper joins before it does anything else.
pub(super) const KEEPER_GROUPS: &str = "keeper.cgroups";

/// The directory of one instance.
#[derive(Debug, Clone)]
pub(super) struct InstanceDir(PathBuf);

/// What a new daemon must know of an instance that another one booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What it was last booted from.
    pub spec: InstanceSpec,
    /// The volumes that it has now and their loop devices, the root volume first.
    pub attached: Vec<Attached>,
}

/// A volume and its loop device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attached {
    /// The volume.
    pub volume: VolumeAttachment,
    /// The loop device's number.
    pub loop_index: u32,
}

impl Record {
    /// Every volume's file, of the specification and of what was attached since.
    pub(super) fn volume_files(&self) -> Vec<PathBuf> {
        let spec = std::iter::once(&self.spec.root).chain(&self.spec.volumes);
        let attached = self.attached.iter().map(|a| &a.volume);
        // The kernel names files by their real path.
        spec.chain(attached).map(|v| fs::canonicalize(&v.file).unwrap_or_else(|_| v.file.clone())).collect()
    }
}

impl InstanceDir {
    pub(super) fn new(instances: &Path, id: &str) -> Self {
        Self(instances.join(id))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Where the root volume is mounted, inside the instance's own mount namespace.
    pub(super) fn volume(&self) -> PathBuf {
        self.0.join("volume")
    }

    /// Where the root is mounted, inside the instance's own mount namespace.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Where the network namespace is bound, inside the instance's own mount namespace.
    pub(super) fn netns(&self) -> PathBuf {
        self.0.join("netns")
    }

    pub(super) fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }

    /// Makes what must be there before a boot.
    pub(super) fn prepare(&self) -> Result<(), OsError> {
        for dir in [self.volume(), self.root()] {
            fs::create_dir_all(&dir).map_err(OsError::of("make", dir))?;
        }
        fs::write(self.netns(), "").map_err(OsError::of("make", self.netns()))
    }

    /// Makes a keeper that has been started but has not yet joined its control group end by itself.
    pub(super) fn disarm(&self) -> Result<(), OsError> {
        files::remove_all(&self.0.join(KEEPER_GROUPS))
    }

    pub(super) fn remove(&self) -> Result<(), OsError> {
        files::remove_all(&self.0)
    }

    pub(super) fn write_record(&self, record: &Record) -> Result<(), OsError> {
        let json = serde_json::to_vec_pretty(record).map_err(OsError::of("encode", self.record_path()))?;
        files::write_atomic(&self.record_path(), &json)
    }

    /// The record; `None` when the instance was never booted.
    pub(super) fn read_record(&self, id: &str) -> Result<Option<Record>, DriverError> {
        let path = self.record_path();
        let bytes =
            files::read_optional(&path).map_err(|source| DriverError::Os { id: id.to_owned(), source })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let record = serde_json::from_slice(&bytes);
        record.map(Some).map_err(|e| DriverError::Record { path, reason: e.to_string() })
    }

    /// Writes one of the lists that the keeper reads: entries ended by a zero byte.
    pub(super) fn write_list<S: AsRef<std::ffi::OsStr>>(
        &self,
        name: &str,
        entries: &[S],
    ) -> Result<(), OsError> {
        let mut bytes = Vec::new();
        for entry in entries {
            bytes.extend_from_slice(entry.as_ref().as_encoded_bytes());
            bytes.push(0);
        }
        let path = self.0.join(name);
        // The keeper may be reading it: it must see the old list or the new one. It need not outlive the machine.
        let partial = self.0.join(format!("{name}.new"));
        fs::write(&partial, bytes).map_err(OsError::of("write", &partial))?;
        fs::rename(&partial, &path).map_err(OsError::of("replace", path))
    }

    fn record_path(&self) -> PathBuf {
        self.0.join("instance.json")
    }
}
