//! A network namespace kept alive by a bind mount, so that it outlives the process that made it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use super::error::NetworkError;

/// A namespace by the file that it is mounted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetNs {
    path: PathBuf,
}

impl NetNs {
    /// The namespace at a path, whether it exists or not.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a namespace is mounted there. A file without one is what a restart of the host leaves.
    pub(super) fn exists(&self) -> bool {
        statfs(&self.path).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC)
    }

    /// Makes a new, empty namespace unless there is one; says whether it did.
    pub(super) fn ensure(&self) -> Result<bool, NetworkError> {
        if self.exists() {
            return Ok(false);
        }
        let named = || format!("make the namespace {}", self.path.display());
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(NetworkError::os(named))?;
        }
        let mut file = OpenOptions::new();
        file.write(true).create(true).truncate(false).open(&self.path).map_err(NetworkError::os(named))?;
        // Only the thread that unshares changes its namespace, and it ends with this scope.
        on_thread("make a namespace", || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::os(named))?;
            let this = Path::new("/proc/thread-self/ns/net");
            mount(Some(this), &self.path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .map_err(NetworkError::os(named))
        })?;
        Ok(true)
    }

    /// The open namespace, for handing it to the kernel.
    pub(super) fn open(&self) -> Result<File, NetworkError> {
        File::open(&self.path)
            .map_err(NetworkError::os(|| format!("open the namespace {}", self.path.display())))
    }

    /// Does some work inside the namespace. What it opens there (a socket) stays of the namespace wherever it
    /// is used afterwards; processes that it starts live there.
    pub(super) fn enter<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, NetworkError> + Send,
    ) -> Result<T, NetworkError> {
        let namespace = self.open()?;
        on_thread("work in a namespace", move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(NetworkError::os(|| format!("enter the namespace {}", self.path.display())))?;
            work()
        })
    }

    /// Lets go of the namespace; the kernel ends it when nobody uses it any more.
    pub(super) fn remove(&self) -> Result<(), NetworkError> {
        while self.exists() {
            umount2(&self.path, MntFlags::MNT_DETACH)
                .map_err(NetworkError::os(|| format!("unmount {}", self.path.display())))?;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(NetworkError::os(|| format!("remove {}", self.path.display()))(error))
            }
            _ => Ok(()),
        }
    }
}

/// Runs work on a thread of its own and waits: a thread that has changed its namespace must not be used again.
fn on_thread<T: Send>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, work)
            .map_err(NetworkError::os(|| format!("start a thread to {what}")))?;
        worker.join().unwrap_or(Err(NetworkError::Worker(what)))
    })
}

/// Writes a setting under `/proc/sys/net` of the calling thread's namespace.
pub(super) fn set_sysctl(key: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new("/proc/sys/net").join(key);
    match fs::write(&path, value) {
        // A kernel without IPv6 has nothing to turn off.
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) && key.starts_with("ipv6/") => {
            Ok(())
        }
        result => result.map_err(NetworkError::os(|| format!("set {} to {value}", path.display()))),
    }
}
