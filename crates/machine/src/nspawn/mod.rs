//! The real driver: each instance is a systemd-nspawn machine.
//!
//! An instance is a control group (its processes), a directory `STATE/instances/<id>` (its record and console), and
//! a root volume (its bytes). The daemon holds nothing else of it: a new daemon finds the group, and so its
//! processes, by the instance's id, and what it mounts is visible to its own processes only. See `rootfs` for the
//! root, `keeper.sh` for what runs the machine while no daemon does.

mod attach;
mod birth;
mod boot;
mod cgroup;
mod dir;
mod exec;
mod launch;
mod leader;
mod notify;
mod rootfs;
mod still;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;

use cgroup::{Cgroup, Forest, Hierarchies};
use dir::{InstanceDir, Record};
use leader::Request;

use crate::driver::{
    ByteRange, Chunk, Driver, ExecOutcome, ExecRequest, InstanceSpec, Leftover, MachineStatus, Stillness,
    VolumeAttachment,
};
use crate::error::{BootError, DriverError, OsError};
use crate::files;
use crate::inroot::{InRoot, read_range};
use crate::mounts::in_own_mounts;
use crate::volumes::loopdev::{self, LoopDevice};

/// How long killed processes may take to go.
const DEATH_LIMIT: Duration = Duration::from_secs(30);

/// How long volumes may be busy before it is looked again whether something runs.
const RELEASE_ROUND: Duration = Duration::from_millis(300);

/// Boots instances with systemd-nspawn. Cheap to clone; clones are the same driver.
#[derive(Debug, Clone)]
pub struct NspawnDriver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: PathBuf,
    instances: PathBuf,
    /// Names everything that this state directory has outside of itself.
    name: String,
    forest: Forest,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    booting: Mutex<HashSet<String>>,
}

impl NspawnDriver {
    /// Opens the driver on a state directory, with whatever instances another daemon left running there.
    pub fn open(state_dir: &Path) -> Result<Self, DriverError> {
        let own = |source| DriverError::Os { id: "*".to_owned(), source };
        let instances = state_dir.join("instances");
        std::fs::create_dir_all(&instances).map_err(OsError::of("make", &instances)).map_err(own)?;
        // The kernel names files by their real path, and one directory must have one name.
        let state = state_dir.canonicalize().map_err(OsError::of("find", state_dir)).map_err(own)?;
        if let Some(hidden) = ["/run", "/proc", "/sys", "/dev"].iter().find(|d| state.starts_with(d)) {
            let unfit = io::Error::other(format!("instances cannot be kept below {hidden}"));
            return Err(own(OsError::of("use", &state)(unfit)));
        }
        let hierarchies = Hierarchies::discover().map_err(own)?.ok_or_else(|| {
            let none =
                io::Error::other("no cgroup2 file system is mounted; mount one, such as at /sys/fs/cgroup");
            own(OsError::of("use cgroups of", "/sys/fs/cgroup")(none))
        })?;
        let name = files::state_mark(&state);
        let forest = Forest::new(hierarchies, name.clone());
        let (turns, booting) = Default::default();
        let instances = state.join("instances");
        Ok(Self(Arc::new(Shared { state, instances, name, forest, turns, booting })))
    }

    fn dir(&self, id: &str) -> InstanceDir {
        InstanceDir::new(&self.0.instances, id)
    }

    fn group(&self, id: &str) -> Cgroup {
        self.0.forest.group(id)
    }

    /// Waits for the right to change an instance: one at a time.
    async fn turn(&self, id: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self.0.turns.lock().entry(id.to_owned()).or_default().clone();
        turn.lock_owned().await
    }

    fn record(&self, id: &str) -> Result<Record, DriverError> {
        // An id names a directory: it must not be able to name another one.
        let absent = || DriverError::Absent { id: id.to_owned() };
        if !is_instance_name(id) {
            return Err(absent());
        }
        self.dir(id).read_record(id)?.ok_or_else(absent)
    }

    fn leader(&self, id: &str) -> Result<i32, DriverError> {
        self.record(id)?;
        leader::find(&self.group(id)).ok_or_else(|| DriverError::NotRunning { id: id.to_owned() })
    }

    /// Kills what runs, waits until nothing does and nothing of the instance is in use, and removes its control
    /// groups: an instance that does not run has nothing on the host but its files. Needs the turn.
    async fn end(&self, id: &str) -> Result<(), DriverError> {
        self.end_processes(id).await?;
        self.group(id).remove().await.map_err(|source| DriverError::Os { id: id.to_owned(), source })
    }

    async fn end_processes(&self, id: &str) -> Result<(), DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let group = self.group(id);
        self.dir(id).disarm().map_err(os)?;
        let begun = Instant::now();
        loop {
            group.kill().map_err(os)?;
            let left = DEATH_LIMIT.saturating_sub(begun.elapsed());
            tokio::time::timeout(left, group.emptied())
                .await
                .map_err(|_| DriverError::WontDie { id: id.to_owned(), waited: DEATH_LIMIT })?
                .map_err(os)?;
            // A daemon may have been killed between starting a keeper and the keeper's joining its group: it holds
            // the volumes, unseen, and is killed once it has joined.
            match tokio::time::timeout(RELEASE_ROUND, self.release_volumes(id)).await {
                Err(_) if begun.elapsed() < DEATH_LIMIT => {}
                Err(_) => return self.release_volumes(id).await,
                Ok(released) => return released,
            }
        }
    }

    /// Waits until the kernel has let go of the volumes of an instance that does not run.
    async fn release_volumes(&self, id: &str) -> Result<(), DriverError> {
        let Some(record) = self.dir(id).read_record(id)? else { return Ok(()) };
        let files = record.volume_files();
        let released = loopdev::released(|file| files.iter().any(|f| f == file)).await;
        released.map_err(|source| DriverError::Os { id: id.to_owned(), source })
    }

    async fn read_at_rest(
        &self,
        id: &str,
        path: &Path,
        range: ByteRange,
    ) -> Result<Option<Chunk>, DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        let _turn = self.turn(id).await;
        // It may have been booted while we waited.
        if let Some(pid) = leader::find(&self.group(id)) {
            return read_running(pid, path, range).map_err(os);
        }
        let (record, dir) = (self.record(id)?, self.dir(id));
        self.release_volumes(id).await?;
        let device = LoopDevice::attach(&record.spec.root.file).map_err(os)?;
        let (node, path) = (device.path.clone(), path.to_owned());
        let read = in_own_mounts(move || {
            rootfs::mount_root_read_only(&dir, &node, &record.spec.image_layers)?;
            let root = InRoot::open(&dir.root()).map_err(OsError::of("open", dir.root()))?;
            root.read(&path, range).map_err(OsError::of("read", path))
        });
        let read = read.await.map_err(os);
        drop(device);
        self.release_volumes(id).await?;
        read
    }
}

#[async_trait]
impl Driver for NspawnDriver {
    async fn boot(&self, spec: &InstanceSpec) -> Result<(), BootError> {
        let id = spec.id.clone();
        if let Some(reason) = launch::refusal(spec) {
            return Err(BootError::Spec { id, reason });
        }
        let _turn = self.turn(&id).await;
        if self.group(&id).populated() {
            return Err(BootError::AlreadyRunning { id });
        }
        self.boot_now(spec).await
    }

    async fn shutdown(&self, id: &str, grace: Duration) -> Result<(), DriverError> {
        self.record(id)?;
        let _turn = self.turn(id).await;
        let group = self.group(id);
        if !grace.is_zero() && self.runs(id) {
            self.trim(id)?;
        }
        let asked_to_end = async {
            match leader::ask(&group, Request::PowerOff).await {
                Ok(true) => {
                    group.emptied().await.map_err(|source| DriverError::Os { id: id.to_owned(), source })
                }
                Ok(false) => Ok(()),
                Err(e) => Err(signal_error(id, e)),
            }
        };
        // Out of time, it is killed.
        if let Ok(ended) = tokio::time::timeout(grace, asked_to_end).await {
            ended?;
        }
        self.end(id).await
    }

    async fn reboot(&self, id: &str, grace: Duration) -> Result<(), DriverError> {
        let record = self.record(id)?;
        let _turn = self.turn(id).await;
        if !self.group(id).populated() {
            return Err(DriverError::NotRunning { id: id.to_owned() });
        }
        if self.reboots_by_itself(id, grace).await? {
            return Ok(());
        }
        self.end(id).await?;
        Ok(self.boot_now(&record.spec).await?)
    }

    async fn kill(&self, id: &str) -> Result<(), DriverError> {
        self.record(id)?;
        // At once, also while another operation has the turn: that one then sees the end.
        self.group(id).kill().map_err(|source| DriverError::Os { id: id.to_owned(), source })?;
        let _turn = self.turn(id).await;
        self.end(id).await
    }

    async fn destroy(&self, id: &str) -> Result<(), DriverError> {
        if !is_instance_name(id) {
            return Ok(());
        }
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        self.group(id).kill().map_err(os)?;
        let turn = self.turn(id).await;
        self.end(id).await?;
        self.dir(id).remove().map_err(os)?;
        drop(turn);
        self.0.turns.lock().remove(id);
        Ok(())
    }

    fn status(&self, id: &str) -> MachineStatus {
        if !is_instance_name(id) {
            return MachineStatus::Absent;
        }
        let group = self.group(id);
        if let Some(leader_pid) = leader::find(&group) {
            MachineStatus::Running { leader_pid }
        } else if self.0.booting.lock().contains(id) || group.populated() {
            MachineStatus::Booting
        } else if self.dir(id).exists() {
            MachineStatus::Exited
        } else {
            MachineStatus::Absent
        }
    }

    async fn exited(&self, id: &str) -> Result<(), DriverError> {
        let os = |source| DriverError::Os { id: id.to_owned(), source };
        if !is_instance_name(id) {
            return Ok(());
        }
        loop {
            self.group(id).emptied().await.map_err(os)?;
            // A boot or reboot under way is no end: see what becomes of it.
            let _turn = self.turn(id).await;
            if !self.group(id).populated() {
                return Ok(());
            }
        }
    }

    fn console(&self, id: &str, range: ByteRange) -> Result<Chunk, DriverError> {
        self.record(id)?;
        let path = self.dir(id).console();
        let os = |e| DriverError::Os { id: id.to_owned(), source: OsError::of("read", &path)(e) };
        match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Chunk::default()),
            opened => opened.and_then(|mut file| read_range(&mut file, range)).map_err(os),
        }
    }

    async fn exec(&self, id: &str, request: ExecRequest) -> Result<ExecOutcome, DriverError> {
        let leader = self.leader(id)?;
        exec::run(id, &self.group(id), leader, request).await
    }

    async fn read_file(&self, id: &str, path: &Path, range: ByteRange) -> Result<Option<Chunk>, DriverError> {
        self.record(id)?;
        match leader::find(&self.group(id)) {
            Some(pid) => {
                read_running(pid, path, range).map_err(|source| DriverError::Os { id: id.to_owned(), source })
            }
            None => self.read_at_rest(id, path, range).await,
        }
    }

    async fn attach_volume(&self, id: &str, volume: &VolumeAttachment) -> Result<(), DriverError> {
        let _turn = self.turn(id).await;
        self.attach_now(id, volume).await
    }

    async fn detach_volume(&self, id: &str, volume_id: &str, force: bool) -> Result<(), DriverError> {
        let _turn = self.turn(id).await;
        self.detach_now(id, volume_id, force).await
    }

    async fn grow_volume(&self, id: &str, volume_id: &str, size_gib: u32) -> Result<(), DriverError> {
        let _turn = self.turn(id).await;
        self.grow_now(id, volume_id, size_gib)
    }

    async fn hold_still(&self, id: &str) -> Result<Stillness, DriverError> {
        self.hold_still_now(id).await
    }

    fn instances(&self) -> Result<Vec<String>, DriverError> {
        sweep::directories(&self.0.instances).map_err(|source| DriverError::Os { id: "*".to_owned(), source })
    }

    fn leftovers(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        self.find_leftovers(keep)
    }

    async fn sweep(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        self.remove_leftovers(keep).await
    }
}

/// Reads below the root of a running instance's init, with all that is mounted there.
fn read_running(pid: i32, path: &Path, range: ByteRange) -> Result<Option<Chunk>, OsError> {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let root = InRoot::open(&root).map_err(OsError::of("open", &root))?;
    root.read(path, range).map_err(OsError::of("read", path))
}

fn signal_error(id: &str, source: io::Error) -> DriverError {
    DriverError::Os { id: id.to_owned(), source: OsError::of("signal the init of", id)(source) }
}

/// Whether an id can name a directory and a control group of its own, and nothing else.
fn is_instance_name(id: &str) -> bool {
    !id.is_empty() && !id.starts_with('-') && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
