//! Holding the file systems of a running instance still, so that its volumes can be copied as they are at one moment.
//!
//! Each file system that lies on one of the instance's volumes, wherever it is mounted, is frozen: everything is written
//! out and whoever wants to write waits. Should this process be killed meanwhile, nobody would ever thaw them; so each
//! has a guard, a small process that thaws it as soon as the pipe from here ends, however it ends.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;

use super::dir::Record;
use super::{NspawnDriver, leader};
use crate::driver::Stillness;
use crate::error::{DriverError, OsError};
use crate::sys;
use crate::volumes::loopdev::{self, LOOP_MAJOR};

/// A guard's program: it waits for the end of its input and thaws the file system that its output stands for.
const GUARD: &str = "cat > /dev/null; exec fsfreeze --unfreeze /proc/self/fd/1 2> /dev/null";

/// What a guard may see of the daemon's environment: nothing but this.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A frozen file system; it is thawed when this is dropped.
struct Frozen {
    directory: File,
    guard: Child,
}

impl Frozen {
    /// Freezes the file system at `path`. One that cannot be frozen (such as FAT) is only written out, which is all that
    /// can be had of it while it is in use.
    fn freeze(path: &Path) -> Result<Self, OsError> {
        let directory = File::open(path).map_err(OsError::of("open", path))?;
        let guard = guard(&directory).map_err(OsError::of("guard", path))?;
        // From here on the drop thaws.
        let frozen = Self { directory, guard };
        match sys::freeze(&frozen.directory) {
            // EBUSY: a process that was killed has frozen it, and its guard was killed with it.
            Ok(()) | Err(Errno::EBUSY) => Ok(frozen),
            Err(Errno::EOPNOTSUPP) => {
                nix::unistd::syncfs(&frozen.directory).map_err(OsError::of("sync", path))?;
                Ok(frozen)
            }
            Err(e) => Err(OsError::of("freeze", path)(e)),
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        match sys::thaw(&self.directory) {
            // It is not frozen, for it could not be.
            Ok(()) | Err(Errno::EINVAL | Errno::EOPNOTSUPP) => {}
            Err(error) => tracing::error!(%error, "cannot thaw a file system"),
        }
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            tracing::warn!(%error, "the guard of a frozen file system did not end");
        }
    }
}

fn guard(directory: &File) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD])
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(directory.try_clone()?)
        .stderr(Stdio::null())
        // The terminal's Ctrl-C is not meant for it.
        .process_group(0)
        .spawn()
}

impl NspawnDriver {
    /// Freezes what an instance has mounted of its volumes. Keeps the instance's turn.
    pub(super) async fn hold_still_now(&self, id: &str) -> Result<Stillness, DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let turn = self.turn(id).await;
        let leader = self.leader(id)?;
        let record = self.record(id)?;
        let places = self.mounted_volumes(id, leader, &record).map_err(os)?;
        let devices: Vec<PathBuf> = record.attached.iter().map(|a| loopdev::node(a.loop_index)).collect();
        let frozen = tokio::task::spawn_blocking(move || {
            let frozen = places.iter().map(|path| Frozen::freeze(path)).collect::<Result<Vec<_>, _>>()?;
            // What was written to a device past any file system.
            devices.iter().try_for_each(|device| {
                File::open(device).and_then(|d| d.sync_all()).map_err(OsError::of("sync", device))
            })?;
            Ok(frozen)
        });
        let frozen =
            frozen.await.map_err(|e| os(OsError::of("freeze the volumes of", id)(io::Error::other(e))))?;
        Ok(Stillness::new((frozen.map_err(os)?, turn)))
    }

    /// Gives the room of deleted files back to the host, as far as the instance's volumes are mounted. What cannot be
    /// trimmed is not.
    pub(super) fn trim(&self, id: &str) -> Result<(), DriverError> {
        let (leader, record) = (self.leader(id)?, self.record(id)?);
        let places = self.mounted_volumes(id, leader, &record);
        for path in places.map_err(|source| DriverError::Os { id: id.to_owned(), source })? {
            let trimmed = File::open(&path).and_then(|directory| Ok(sys::trim(&directory)?));
            if let Err(error) = trimmed {
                tracing::debug!(instance = id, path = %path.display(), %error, "cannot trim");
            }
        }
        Ok(())
    }

    /// One place, as this process can open it, where each mounted file system on the instance's volumes is mounted.
    fn mounted_volumes(&self, id: &str, leader: i32, record: &Record) -> Result<Vec<PathBuf>, OsError> {
        let devices: BTreeSet<String> =
            record.attached.iter().map(|a| format!("{LOOP_MAJOR}:{}", a.loop_index)).collect();
        let group = self.group(id);
        let mut found = BTreeSet::new();
        let mut places = Vec::new();
        // The keeper sees the root volume, the init what fstab mounts, containers what they alone have mounted.
        for pid in group.keeper().into_iter().chain([leader]).chain(group.machine_processes()) {
            let list = PathBuf::from(format!("/proc/{pid}/mountinfo"));
            // A process may end at any time.
            let Ok(mounts) = fs::read_to_string(&list) else { continue };
            for (device, target) in mounts_of(&mounts, &devices) {
                if found.insert(device) {
                    let mut place = PathBuf::from(format!("/proc/{pid}/root"));
                    place.push(target.strip_prefix("/").unwrap_or(&target));
                    places.push(place);
                }
            }
        }
        Ok(places)
    }

    /// Whether an init runs; what it has mounted is then known by [`Self::mounted_volumes`].
    pub(super) fn runs(&self, id: &str) -> bool {
        leader::find(&self.group(id)).is_some()
    }
}

/// The mounts of these devices (`7:3`) in a mountinfo: device and mount point.
fn mounts_of(mountinfo: &str, devices: &BTreeSet<String>) -> Vec<(String, PathBuf)> {
    let fields = mountinfo.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .filter_map(|fields| {
            let device = devices.get(*fields.get(2)?)?;
            Some((device.clone(), super::rootfs::unescape(fields.get(4)?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mounts_of_devices() {
        let mounts = "\
30 1 7:3 / /state/instances/i-1/volume rw - ext4 /dev/loop3 rw
31 1 0:44 / / rw - overlay overlay rw
32 1 7:30 / /other rw - ext4 /dev/loop30 rw
33 1 7:4 /sub /data\\040two rw - ext4 /dev/loop4 rw";
        let devices = BTreeSet::from(["7:3".to_owned(), "7:4".to_owned()]);
        let found = mounts_of(mounts, &devices);
        assert_eq!(
            found,
            [
                ("7:3".to_owned(), PathBuf::from("/state/instances/i-1/volume")),
                ("7:4".to_owned(), PathBuf::from("/data two")),
            ]
        );
    }
}
