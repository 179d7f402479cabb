//! The way from a specification to a running init.

use std::ffi::OsString;
use std::time::Duration;

use tokio::process::Child;

use super::cgroup::{Cgroup, Limits};
use super::dir::{Attached, InstanceDir, KEEPER_GROUPS, Record};
use super::leader::Request;
use super::notify::Notices;
use super::{NspawnDriver, birth, launch, leader, notify, rootfs, signal_error};
use crate::driver::{ByteRange, InstanceSpec};
use crate::error::{BootError, DriverError, OsError};
use crate::inroot::read_range;
use crate::mounts::in_own_mounts;
use crate::volumes::loopdev::{self, LoopDevice};

/// How long an init may take to start. It is nothing but mounts and an exec, even on a busy host.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long the step from nspawn's notice to the init's own program may take.
const EXEC_LIMIT: Duration = Duration::from_secs(5);

/// How much of a console an error quotes, in bytes.
const QUOTED_CONSOLE: u64 = 600;

/// Says that an instance boots, until dropped.
struct BootingMark<'a>(&'a NspawnDriver, &'a str);

impl Drop for BootingMark<'_> {
    fn drop(&mut self) {
        self.0.0.booting.lock().remove(self.1);
    }
}

impl NspawnDriver {
    /// Boots an instance that does not run. Needs its turn.
    pub(super) async fn boot_now(&self, spec: &InstanceSpec) -> Result<(), BootError> {
        self.0.booting.lock().insert(spec.id.clone());
        let _mark = BootingMark(self, &spec.id);
        let begun = std::time::Instant::now();
        let booted = self.boot_or_fail(spec).await;
        match booted {
            Ok(()) => {
                tracing::info!(instance = spec.id, ms = begun.elapsed().as_millis(), "init runs");
                Ok(())
            }
            Err(failure) => {
                // What the failed attempt left must not stand in the next one's way; its console stays.
                if let Err(error) = self.end(&spec.id).await {
                    tracing::warn!(instance = spec.id, %error, "cannot clean up after a failed boot");
                }
                Err(failure)
            }
        }
    }

    async fn boot_or_fail(&self, spec: &InstanceSpec) -> Result<(), BootError> {
        let os = |source| BootError::Os { id: spec.id.clone(), source };
        let (dir, group) = (self.dir(&spec.id), self.group(&spec.id));
        dir.prepare().map_err(os)?;
        self.await_volumes(spec, &dir).await?;
        group.create(Limits { memory_mib: spec.memory_mib, cpus: spec.cpus }).map_err(os)?;
        // Held open until the keeper holds them: see `LoopDevice`.
        let (_devices, attached) = attach_all(spec).map_err(os)?;
        dir.write_record(&Record { spec: spec.clone(), attached: attached.clone() }).map_err(os)?;
        write_lists(&dir, &group, spec, &attached).map_err(os)?;
        let notices = Notices::listen(&self.0.name, &spec.id)
            .map_err(OsError::of("listen to", dir.path()))
            .map_err(os)?;
        let keeper = self.start(spec, dir.clone(), &attached).await.map_err(os)?;
        self.await_init(spec, &dir, &group, notices, keeper).await
    }

    /// Waits until no former boot's devices have the volumes any more.
    async fn await_volumes(&self, spec: &InstanceSpec, dir: &InstanceDir) -> Result<(), BootError> {
        let mut files = Record { spec: spec.clone(), attached: Vec::new() }.volume_files();
        // A damaged record is replaced by this boot.
        if let Ok(Some(former)) = dir.read_record(&spec.id) {
            files.extend(former.volume_files());
        }
        let released = loopdev::released(|file| files.iter().any(|f| f == file)).await;
        released.map_err(|source| BootError::Os { id: spec.id.clone(), source })
    }

    async fn start(
        &self,
        spec: &InstanceSpec,
        dir: InstanceDir,
        attached: &[Attached],
    ) -> Result<Child, OsError> {
        let root = loopdev::node(attached.first().map_or(0, |a| a.loop_index));
        let address = notify::address(&self.0.name, &spec.id);
        let spec = spec.clone();
        in_own_mounts(move || {
            rootfs::mount_root(&dir, &root, &spec.image_layers)?;
            birth::inject(&dir, &spec)?;
            rootfs::isolate(&dir, &spec.netns)?;
            launch::start_keeper(&dir, &address)
        })
        .await
    }

    async fn await_init(
        &self,
        spec: &InstanceSpec,
        dir: &InstanceDir,
        group: &Cgroup,
        notices: Notices,
        mut keeper: Child,
    ) -> Result<(), BootError> {
        let id = spec.id.clone();
        let os =
            |source| BootError::Os { id: id.clone(), source: OsError::of("await the init of", &id)(source) };
        tokio::select! {
            started = notices.started() => started.map_err(os)?,
            ended = keeper.wait() => {
                let _status = ended.map_err(os)?;
                return Err(BootError::Died { id, console: last_words(dir) });
            }
            () = tokio::time::sleep(START_LIMIT) => {
                return Err(BootError::Timeout { id, limit: START_LIMIT, console: last_words(dir) });
            }
        }
        // It is our child as long as we live: take note of its end, or it stays in the process table.
        tokio::spawn(async move { keeper.wait().await });
        match await_leader(group).await {
            true => Ok(()),
            false => Err(BootError::Died { id, console: last_words(dir) }),
        }
    }

    /// Asks the instance to reboot and says whether it did within `grace`. Needs its turn.
    pub(super) async fn reboots_by_itself(&self, id: &str, grace: Duration) -> Result<bool, DriverError> {
        let group = self.group(id);
        let notices = Notices::listen(&self.0.name, id).map_err(|e| signal_error(id, e))?;
        let reboots = async {
            if !leader::ask(&group, Request::Reboot).await.map_err(|e| signal_error(id, e))? {
                return Ok(false);
            }
            tokio::select! {
                started = notices.started() => {
                    started.map_err(|e| signal_error(id, e))?;
                    Ok(await_leader(&group).await)
                }
                ended = group.emptied() => {
                    ended.map_err(|source| DriverError::Os { id: id.to_owned(), source })?;
                    Ok(false)
                }
            }
        };
        tokio::time::timeout(grace, reboots).await.unwrap_or(Ok(false))
    }
}

/// Waits for the moment between nspawn's notice and its exec of the init: microseconds, but not none.
async fn await_leader(group: &Cgroup) -> bool {
    let found = async {
        while leader::find(group).is_none() && group.populated() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(EXEC_LIMIT, found).await.is_ok() && leader::find(group).is_some()
}

fn attach_all(spec: &InstanceSpec) -> Result<(Vec<LoopDevice>, Vec<Attached>), OsError> {
    let (mut devices, mut attached) = (Vec::new(), Vec::new());
    for volume in std::iter::once(&spec.root).chain(&spec.volumes) {
        let device = LoopDevice::attach(&volume.file)?;
        attached.push(Attached { volume: volume.clone(), loop_index: device.index });
        devices.push(device);
    }
    Ok((devices, attached))
}

/// Writes what the keeper reads.
fn write_lists(
    dir: &InstanceDir,
    group: &Cgroup,
    spec: &InstanceSpec,
    attached: &[Attached],
) -> Result<(), OsError> {
    dir.write_list(KEEPER_GROUPS, &group.keeper_files())?;
    dir.write_list("machine.cgroups", &group.machine_files())?;
    write_volume_lists(dir, spec, attached)
}

/// Writes those of the keeper's lists that change with the volumes.
pub(super) fn write_volume_lists(
    dir: &InstanceDir,
    spec: &InstanceSpec,
    attached: &[Attached],
) -> Result<(), OsError> {
    let held: Vec<OsString> = attached.iter().map(|a| loopdev::node(a.loop_index).into()).collect();
    dir.write_list("held", &held)?;
    dir.write_list("nspawn.args", &launch::nspawn_arguments(dir, spec, attached))
}

fn last_words(dir: &InstanceDir) -> String {
    let read = std::fs::File::open(dir.console())
        .and_then(|mut file| read_range(&mut file, ByteRange::Tail { max: QUOTED_CONSOLE }));
    readable(&read.unwrap_or_default().bytes)
}

fn readable(bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes).trim() {
        "" => "(nothing)".to_owned(),
        text => text.replace('\r', ""),
    }
}
