//! Volumes that come and go while an instance runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::stat::makedev;

use super::boot::write_volume_lists;
use super::dir::{Attached, Record};
use super::{NspawnDriver, launch, leader};
use crate::driver::VolumeAttachment;
use crate::error::{DriverError, OsError};
use crate::inroot::InRoot;
use crate::volumes::loopdev::{self, LOOP_MAJOR, LoopDevice};

/// How long the keeper may take to hold a device after it was told to.
const HOLD_LIMIT: Duration = Duration::from_secs(5);

impl NspawnDriver {
    /// Makes a volume visible. Needs the instance's turn.
    pub(super) async fn attach_now(&self, id: &str, volume: &VolumeAttachment) -> Result<(), DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let refused = |reason: String| DriverError::Volume {
            id: id.to_owned(),
            volume: volume.volume_id.clone(),
            reason,
        };
        let leader = self.leader(id)?;
        let mut record = self.record(id)?;
        if let Some(reason) = launch::device_refusal(&volume.device).or_else(|| clash(&record, volume)) {
            return Err(refused(reason));
        }
        let device = LoopDevice::attach(&volume.file).map_err(os)?;
        record.spec.volumes.push(volume.clone());
        record.attached.push(Attached { volume: volume.clone(), loop_index: device.index });
        self.update_lists(id, &record)?;
        self.await_keeper(id, &device.path, true).await?;
        let root = open_root(leader).map_err(os)?;
        for node in nodes(volume, device.index) {
            let number = makedev(LOOP_MAJOR, u64::from(device.index));
            root.make_block_node(&node, 0o660, number)
                .map_err(OsError::of("make inside", node))
                .map_err(os)?;
        }
        Ok(())
    }

    /// Takes a volume away. Needs the instance's turn.
    pub(super) async fn detach_now(&self, id: &str, volume_id: &str, force: bool) -> Result<(), DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let refused = |reason: &str| DriverError::Volume {
            id: id.to_owned(),
            volume: volume_id.to_owned(),
            reason: reason.to_owned(),
        };
        let mut record = self.record(id)?;
        if record.spec.root.volume_id == volume_id {
            return Err(refused("it is the root volume"));
        }
        let position = record.attached.iter().position(|a| a.volume.volume_id == volume_id);
        let Attached { volume, loop_index } = match position {
            Some(position) => record.attached.remove(position),
            None => return Err(refused("it is not attached")),
        };
        record.spec.volumes.retain(|v| v.volume_id != volume_id);
        let Some(leader) = leader::find(&self.group(id)) else { return self.update_lists(id, &record) };
        if !force && is_mounted(&self.group(id).machine_processes(), leader, loop_index) {
            return Err(refused("the instance has it mounted"));
        }
        let root = open_root(leader).map_err(os)?;
        for node in nodes(&volume, loop_index) {
            root.remove(&node).map_err(OsError::of("remove inside", node)).map_err(os)?;
        }
        self.update_lists(id, &record)?;
        self.await_keeper(id, &loopdev::node(loop_index), false).await?;
        loopdev::clear(loop_index).map_err(os)
    }

    /// Lets the instance see a volume's new size. Needs the instance's turn.
    pub(super) fn grow_now(&self, id: &str, volume_id: &str, size_gib: u32) -> Result<(), DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let mut record = self.record(id)?;
        let specified = std::iter::once(&mut record.spec.root).chain(&mut record.spec.volumes);
        specified.filter(|v| v.volume_id == volume_id).for_each(|v| v.size_gib = size_gib);
        let mut device = None;
        for attached in record.attached.iter_mut().filter(|a| a.volume.volume_id == volume_id) {
            attached.volume.size_gib = size_gib;
            device = Some(attached.loop_index);
        }
        self.update_lists(id, &record)?;
        match device {
            Some(index) if self.runs(id) => loopdev::refresh(index).map_err(os),
            Some(_) | None => Ok(()),
        }
    }

    fn update_lists(&self, id: &str, record: &Record) -> Result<(), DriverError> {
        let dir = self.dir(id);
        let written =
            dir.write_record(record).and_then(|()| write_volume_lists(&dir, &record.spec, &record.attached));
        written.map_err(|source| DriverError::Os { id: id.to_owned(), source })
    }

    /// Tells the keeper to hold (or let go of) a device and waits until it does.
    async fn await_keeper(&self, id: &str, device: &Path, held: bool) -> Result<(), DriverError> {
        let os =
            |e| DriverError::Os { id: id.to_owned(), source: OsError::of("have the keeper hold", device)(e) };
        let group = self.group(id);
        // Without a keeper (somebody killed it alone) nothing holds or lets go.
        let Some(keeper) = group.keeper() else { return Ok(()) };
        leader::nudge_keeper(&group, keeper).map_err(os)?;
        let seen = async {
            while holds(keeper, device) != held && group.keeper() == Some(keeper) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(HOLD_LIMIT, seen).await;
        waited.map_err(|_| os(std::io::ErrorKind::TimedOut.into()))
    }
}

/// Why a volume cannot be added, if it cannot.
fn clash(record: &Record, volume: &VolumeAttachment) -> Option<String> {
    let known = || record.attached.iter().map(|a| &a.volume);
    if !volume.file.is_file() {
        return Some(format!("its file {} is missing", volume.file.display()));
    }
    if known().any(|v| v.volume_id == volume.volume_id || v.file == volume.file) {
        return Some("it is attached already".to_owned());
    }
    let names = launch::device_names(&volume.device);
    let taken =
        |v: &VolumeAttachment| launch::device_names(&v.device).iter().any(|name| names.contains(name));
    known().any(taken).then(|| format!("{} is another volume", volume.device))
}

/// The device nodes that a volume has inside.
fn nodes(volume: &VolumeAttachment, loop_index: u32) -> Vec<PathBuf> {
    let names = launch::device_names(&volume.device).into_iter().map(PathBuf::from);
    names.chain([loopdev::node(loop_index)]).collect()
}

fn open_root(leader: i32) -> Result<InRoot, OsError> {
    let path = PathBuf::from(format!("/proc/{leader}/root"));
    InRoot::open(&path).map_err(OsError::of("open", path))
}

fn holds(pid: i32, device: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == device))
}

/// Whether any process inside (containers have mounts of their own) sees the device mounted.
fn is_mounted(processes: &[i32], leader: i32, loop_index: u32) -> bool {
    let number = format!("{LOOP_MAJOR}:{loop_index}");
    processes.iter().chain([&leader]).any(|pid| {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        // The device's own node is bound into /dev: that mount is of devtmpfs and has another number.
        mounts.lines().any(|line| line.split(' ').nth(2) == Some(number.as_str()))
    })
}
