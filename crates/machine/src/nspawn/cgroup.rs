//! One control group per instance, in every hierarchy of the host.
//!
//! The group is how an instance's processes are found: whatever they fork stays in it, numbers that the kernel
//! uses again do not come into it, and one write kills them all. Version 2 has the list (`cgroup.procs`), the kill
//! (`cgroup.kill`) and the notice of the end (`cgroup.events`), also where it is mounted beside version 1 with no
//! controllers of its own. Version 1 hierarchies hold the limits there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::Interest;

use crate::error::OsError;
use crate::sys;

/// Where the supervising shell is.
const KEEPER: &str = "keeper";
/// Where systemd-nspawn and everything inside the instance is.
const MACHINE: &str = "machine";
/// Where commands run from outside are.
const EXEC: &str = "exec";

/// The period that version 1 and 2 count processor time by, in microseconds (the kernel's default).
const CPU_PERIOD_US: u64 = 100_000;

/// How long an emptied group may still be busy.
const REMOVE_ATTEMPTS: u32 = 50;

/// The cgroup hierarchies of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// Where version 2 is mounted.
    unified: PathBuf,
    /// Where version 1 hierarchies are mounted, with their options (controllers).
    legacy: Vec<(PathBuf, Vec<String>)>,
}

impl Hierarchies {
    /// Finds what is mounted.
    pub(super) fn discover() -> Result<Option<Self>, OsError> {
        let path = Path::new("/proc/self/mountinfo");
        Ok(Self::parse(&fs::read_to_string(path).map_err(OsError::of("read", path))?))
    }

    /// Reads a mountinfo; `None` when version 2 is mounted nowhere.
    fn parse(mountinfo: &str) -> Option<Self> {
        let mut unified = None;
        let mut legacy: Vec<(PathBuf, Vec<String>)> = Vec::new();
        for line in mountinfo.lines() {
            let Some((mount, source)) = line.split_once(" - ") else { continue };
            let mut mount = mount.split(' ').skip(3);
            let (Some("/"), Some(target)) = (mount.next(), mount.next()) else { continue };
            let mut source = source.split(' ');
            let (kind, options) = (source.next(), source.nth(1).unwrap_or_default());
            let controllers: Vec<String> = options.split(',').skip(1).map(str::to_owned).collect();
            match kind {
                Some("cgroup2") if unified.is_none() => unified = Some(PathBuf::from(target)),
                Some("cgroup") if !legacy.iter().any(|(_, known)| *known == controllers) => {
                    legacy.push((target.into(), controllers));
                }
                _ => {}
            }
        }
        Some(Self { unified: unified?, legacy })
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.unified).chain(self.legacy.iter().map(|(mount, _)| mount))
    }

    fn legacy_with(&self, controller: &str) -> Option<&Path> {
        let found = self.legacy.iter().find(|(_, controllers)| controllers.iter().any(|c| c == controller));
        found.map(|(mount, _)| mount.as_path())
    }
}

/// The control groups of all instances of one state directory.
#[derive(Debug, Clone)]
pub(super) struct Forest {
    hierarchies: Hierarchies,
    name: String,
}

impl Forest {
    /// Names the groups after `name`, which no other state directory has.
    pub(super) fn new(hierarchies: Hierarchies, name: String) -> Self {
        Self { hierarchies, name }
    }

    /// The group of an instance, whether it is there or not.
    pub(super) fn group(&self, instance: &str) -> Cgroup {
        Cgroup { forest: self.clone(), path: Path::new(&self.name).join(instance) }
    }

    /// The instances that have a group in some hierarchy.
    pub(super) fn instances(&self) -> Result<Vec<String>, OsError> {
        let mut names = Vec::new();
        for mount in self.hierarchies.all() {
            names.extend(
                subgroups(&mount.join(&self.name))?
                    .iter()
                    .filter_map(|p| p.file_name().and_then(|n| n.to_str()).map(str::to_owned)),
            );
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Removes the groups that held the instances' groups, if none is left.
    pub(super) fn remove_if_empty(&self) {
        for mount in self.hierarchies.all() {
            // Busy while another instance lives, and gone already elsewhere: both are as they should be.
            let _ = fs::remove_dir(mount.join(&self.name));
        }
    }
}

/// Upper limits for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub memory_mib: Option<u64>,
    pub cpus: Option<u32>,
}

/// The control group of one instance.
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    forest: Forest,
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group in every hierarchy and sets its limits.
    pub(super) fn create(&self, limits: Limits) -> Result<(), OsError> {
        let unified = self.unified();
        enable_controllers(&self.forest.hierarchies.unified, &self.path);
        for leaf in [KEEPER, MACHINE, EXEC] {
            make_dir(&unified.join(leaf))?;
        }
        for (mount, controllers) in &self.forest.hierarchies.legacy {
            make_dir(&mount.join(&self.path))?;
            if controllers.iter().any(|c| c == "cpuset") {
                inherit_cpuset(mount, &self.path)?;
            }
        }
        self.limit(limits)
    }

    /// The files that a process of the supervising shell's kind writes its id to.
    pub(super) fn keeper_files(&self) -> Vec<PathBuf> {
        self.join_files(KEEPER)
    }

    /// The files that systemd-nspawn's process writes its id to.
    pub(super) fn machine_files(&self) -> Vec<PathBuf> {
        self.join_files(MACHINE)
    }

    /// Makes a group for one command run from outside and returns the files that its process writes its id to.
    pub(super) fn exec_group(&self, name: &str) -> Result<(ExecGroup, Vec<PathBuf>), OsError> {
        let leaf = Path::new(EXEC).join(name);
        let dir = self.unified().join(&leaf);
        make_dir(&dir)?;
        Ok((ExecGroup { dir, kept: false }, self.join_files(&leaf)))
    }

    /// The process ids of the whole instance, the supervising shell included.
    pub(super) fn processes(&self) -> Vec<i32> {
        processes_below(&self.unified())
    }

    /// The process id of the supervising shell.
    pub(super) fn keeper(&self) -> Option<i32> {
        processes_of(&self.unified().join(KEEPER)).first().copied()
    }

    /// The processes inside the machine, most likely candidates for its init first.
    pub(super) fn machine_processes(&self) -> Vec<i32> {
        let machine = self.unified().join(MACHINE);
        // systemd as init moves itself here; nspawn has made `payload`.
        let mut found = processes_of(&machine.join("payload/init.scope"));
        if found.is_empty() {
            found = processes_below(&machine);
        }
        found
    }

    /// Whether any process is left.
    pub(super) fn populated(&self) -> bool {
        fs::read_to_string(self.events()).is_ok_and(|events| is_populated(&events))
    }

    /// Resolves when no process is left. The kernel wakes us; nothing is polled.
    pub(super) async fn emptied(&self) -> Result<(), OsError> {
        let path = self.events();
        let file = match fs::File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(OsError::of("open", &path))?,
        };
        let watched = sys::watch_priority(file).map_err(OsError::of("watch", &path))?;
        loop {
            // Reading arms the kernel's next notice, so it comes before waiting.
            match read_again(watched.get_ref()) {
                Ok(events) if is_populated(&events) => {}
                Ok(_) => return Ok(()),
                // The group was removed.
                Err(e) if e.raw_os_error() == Some(nix::libc::ENODEV) => return Ok(()),
                Err(e) => return Err(OsError::of("read", &path)(e)),
            }
            let mut ready = watched.ready(Interest::PRIORITY).await.map_err(OsError::of("watch", &path))?;
            ready.clear_ready();
        }
    }

    /// Kills every process at once.
    pub(super) fn kill(&self) -> Result<(), OsError> {
        self.thaw();
        write_existing(&self.unified().join("cgroup.kill"), "1")
    }

    /// Removes the group from every hierarchy. Its processes are gone already.
    pub(super) async fn remove(&self) -> Result<(), OsError> {
        for dir in self.directories() {
            remove_tree(&dir).await?;
        }
        self.forest.remove_if_empty();
        Ok(())
    }

    /// The group's directories that are there.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.forest.hierarchies.all().map(|mount| mount.join(&self.path)).filter(|d| d.exists()).collect()
    }

    /// A process that Docker has paused (version 1 freezer) does not die before it is thawed.
    fn thaw(&self) {
        let Some(freezer) = self.forest.hierarchies.legacy_with("freezer") else { return };
        let mut groups = vec![freezer.join(&self.path)];
        while let Some(group) = groups.pop() {
            // A group that goes while we look has nothing left to thaw.
            let _ = fs::write(group.join("freezer.state"), "THAWED");
            groups.extend(subgroups(&group).unwrap_or_default());
        }
    }

    fn limit(&self, limits: Limits) -> Result<(), OsError> {
        let hierarchies = &self.forest.hierarchies;
        if let Some(bytes) = limits.memory_mib.map(|mib| (mib << 20).to_string()) {
            let file = match hierarchies.legacy_with("memory") {
                Some(mount) => mount.join(&self.path).join("memory.limit_in_bytes"),
                None => self.unified().join("memory.max"),
            };
            write(&file, &bytes)?;
        }
        if let Some(quota) = limits.cpus.map(|cpus| u64::from(cpus) * CPU_PERIOD_US) {
            match hierarchies.legacy_with("cpu") {
                Some(mount) => write(&mount.join(&self.path).join("cpu.cfs_quota_us"), &quota.to_string())?,
                None => write(&self.unified().join("cpu.max"), &format!("{quota} {CPU_PERIOD_US}"))?,
            }
        }
        Ok(())
    }

    fn unified(&self) -> PathBuf {
        self.forest.hierarchies.unified.join(&self.path)
    }

    fn events(&self) -> PathBuf {
        self.unified().join("cgroup.events")
    }

    fn join_files(&self, leaf: impl AsRef<Path>) -> Vec<PathBuf> {
        let legacy = self.forest.hierarchies.legacy.iter().map(|(mount, _)| mount.join(&self.path));
        std::iter::once(self.unified().join(leaf)).chain(legacy).map(|dir| dir.join("cgroup.procs")).collect()
    }
}

/// The group of one command run from outside. Dropped before the command's end, it kills everything in it.
#[derive(Debug)]
pub(super) struct ExecGroup {
    dir: PathBuf,
    kept: bool,
}

impl ExecGroup {
    /// The command has ended; what it left running stays until its instance goes.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for ExecGroup {
    fn drop(&mut self) {
        if !self.kept {
            // The only way to fail is that the group is gone, and with it the command.
            let _ = fs::write(self.dir.join("cgroup.kill"), "1");
        }
        // Busy when something still runs in it; it then goes with its instance.
        let _ = fs::remove_dir(&self.dir);
    }
}

/// Lets version 2 controllers work on the group, as far as the host has any there.
fn enable_controllers(mount: &Path, path: &Path) {
    let Ok(available) = fs::read_to_string(mount.join("cgroup.controllers")) else { return };
    let wanted: Vec<String> = available.split_whitespace().map(|c| format!("+{c}")).collect();
    let mut group = mount.to_owned();
    for part in path.parent().unwrap_or(Path::new("")).components() {
        // Those that cannot be enabled show when a limit that needs them is set.
        for controller in &wanted {
            let _ = fs::write(group.join("cgroup.subtree_control"), controller);
        }
        group.push(part);
        let _ = fs::create_dir(&group);
    }
    for controller in &wanted {
        let _ = fs::write(group.join("cgroup.subtree_control"), controller);
    }
}

/// A new version 1 cpuset is empty and takes no process until it has processors and memory nodes.
fn inherit_cpuset(mount: &Path, path: &Path) -> Result<(), OsError> {
    let mut group = mount.to_owned();
    for part in path.components() {
        let parent = group.clone();
        group.push(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let from = parent.join(file);
            let value = fs::read_to_string(&from).map_err(OsError::of("read", &from))?;
            write(&group.join(file), value.trim())?;
        }
    }
    Ok(())
}

fn make_dir(path: &Path) -> Result<(), OsError> {
    fs::create_dir_all(path).map_err(OsError::of("make the cgroup", path))
}

fn write(path: &Path, value: &str) -> Result<(), OsError> {
    fs::write(path, value).map_err(OsError::of("set", path))
}

fn write_existing(path: &Path, value: &str) -> Result<(), OsError> {
    match fs::write(path, value) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(OsError::of("set", path)),
    }
}

fn read_again(file: &fs::File) -> io::Result<String> {
    let mut buffer = [0; 256];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
}

fn is_populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

fn processes_of(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // A process of another pid namespace than ours shows as 0.
    list.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}

fn processes_below(group: &Path) -> Vec<i32> {
    let mut found = processes_of(group);
    for sub in subgroups(group).unwrap_or_default() {
        found.extend(processes_below(&sub));
    }
    found
}

fn subgroups(group: &Path) -> Result<Vec<PathBuf>, OsError> {
    let entries = match fs::read_dir(group) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(OsError::of("list", group))?,
    };
    Ok(entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect())
}

async fn remove_tree(group: &Path) -> Result<(), OsError> {
    for sub in subgroups(group)? {
        Box::pin(remove_tree(&sub)).await?;
    }
    let mut attempt = 0;
    loop {
        match fs::remove_dir(group) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            // The last process has been reaped but the kernel has not yet taken it off the books.
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && attempt < REMOVE_ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
            }
            removed => return removed.map_err(OsError::of("remove the cgroup", group)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hierarchies_on_every_kind_of_host() {
        let v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let hybrid = "\
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:29 / /elsewhere rw - cgroup cgroup rw,cpu,cpuacct
35 30 0:30 /some/container /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 30 0:31 / /tmp rw - tmpfs tmpfs rw";
        let only = Hierarchies::parse(v2).unwrap();
        assert_eq!((only.unified, only.legacy), (PathBuf::from("/sys/fs/cgroup"), vec![]));
        let both = Hierarchies::parse(hybrid).unwrap();
        assert_eq!(both.unified, Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(both.legacy.len(), 2);
        assert_eq!(both.legacy_with("cpuacct"), Some(Path::new("/sys/fs/cgroup/cpu,cpuacct")));
        assert_eq!(both.legacy_with("memory"), None);
        assert_eq!(Hierarchies::parse("36 30 0:31 / /tmp rw - tmpfs tmpfs rw"), None);
    }

    #[test]
    fn reads_events() {
        assert!(is_populated("populated 1\nfrozen 0\n"));
        assert!(!is_populated("populated 0\nfrozen 1\n"));
        assert!(!is_populated(""));
    }
}
