//! A mount namespace for one command.
//!
//! Its files are in a file system in memory that only it sees. So nothing is left when the last process that uses it
//! has ended, however it ends.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::files::Covers;

/// The size of the file system of a command's files: trust stores have a quarter of a megabyte.
const OPTIONS: &str = "mode=0755,size=32m";
/// How often to try what fails only until the kernel has taken leave of the threads that ended just now.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// Why there is no namespace as it shall be.
#[derive(Debug, thiserror::Error)]
pub(super) enum NamespaceError {
    /// The system does not let this user have one.
    #[error("cannot make a namespace for the command: {0}; run drydock exec as root")]
    Unshare(#[source] io::Error),
    /// A file of the command's cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something cannot be covered.
    #[error("cannot cover {}: {source}", path.display())]
    Mount {
        /// What.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Moves this process, which must have one thread, into a namespace of its own, in which everything is covered.
pub(super) fn enter(folder: &Path, covers: &Covers) -> Result<(), NamespaceError> {
    unshare_mounts()?;
    // The host's later mounts are seen inside; those made inside are not seen on the host.
    mount_on(Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_SLAVE)?;
    memory(folder)?;
    for (name, content) in &covers.files {
        write(&folder.join(name), content)?;
    }
    for (path, name) in &covers.over {
        mount_on(path, Some(&folder.join(name)), MsFlags::MS_BIND)?;
    }
    covers.empty.iter().try_for_each(|path| memory(path))
}

fn unshare_mounts() -> Result<(), NamespaceError> {
    if geteuid().is_root() {
        return unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| NamespaceError::Unshare(errno.into()));
    }
    // Only the owner of a user namespace may mount there; the command stays who it is.
    let (user, group) = (geteuid(), getegid());
    for _ in 0..TRIES {
        match unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS) {
            Err(Errno::EINVAL) => std::thread::sleep(PAUSE),
            Err(errno) => return Err(NamespaceError::Unshare(errno.into())),
            Ok(()) => break,
        }
    }
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{user} {user} 1")),
        ("gid_map", format!("{group} {group} 1")),
    ];
    for (file, content) in maps {
        fs::write(Path::new("/proc/self").join(file), content).map_err(NamespaceError::Unshare)?;
    }
    Ok(())
}

/// Covers a directory with an empty file system in memory.
fn memory(path: &Path) -> Result<(), NamespaceError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("drydock"), path, Some("tmpfs"), flags, Some(OPTIONS)).map_err(failed(path))
}

fn mount_on(path: &Path, source: Option<&Path>, flags: MsFlags) -> Result<(), NamespaceError> {
    mount(source, path, None::<&str>, flags, None::<&str>).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(Errno) -> NamespaceError {
    move |errno| NamespaceError::Mount { path: path.to_owned(), source: errno.into() }
}

/// Writes a file that everybody may read, but for one with keys.
fn write(path: &Path, content: &str) -> Result<(), NamespaceError> {
    let written = || {
        if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
            fs::create_dir_all(parent)?;
            fs::set_permissions(parent, fs::Permissions::from_mode(0o755))?;
        }
        let mode = if path.ends_with("credentials") { 0o600 } else { 0o644 };
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        // Whatever the user's umask is.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        io::Write::write_all(&mut file, content.as_bytes())
    };
    written().map_err(|source| NamespaceError::File { path: path.to_owned(), source })
}
