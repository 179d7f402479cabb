//! Mounts that the host does not see.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::error::OsError;

/// Runs `job` on a thread that has its own copy of the host's mounts. What the thread mounts, and processes that it
/// starts see, lasts as long as the thread and those processes.
pub(crate) async fn in_own_mounts<T, F>(job: F) -> Result<T, OsError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, OsError> + Send + 'static,
{
    let (answer, answered) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let here = Path::new("/proc/self/ns/mnt");
    // A thread of its own and not one of the runtime's: it can never go back to the host's mounts.
    std::thread::Builder::new()
        .name("mounts".to_owned())
        .spawn(move || {
            let _entered = runtime.enter();
            let done = leave_host_mounts().and_then(|()| job());
            // The asker may have given up; then nobody is there to tell.
            let _ = answer.send(done);
        })
        .map_err(OsError::of("start a thread in", here))?;
    answered
        .await
        .map_err(|_| OsError::of("prepare mounts in", here)(io::Error::other("the thread ended")))?
}

/// Enters a new mount namespace whose mounts do not reach the host, while the host's unmounts reach it.
fn leave_host_mounts() -> Result<(), OsError> {
    let root = Path::new("/");
    unshare(CloneFlags::CLONE_NEWNS).map_err(OsError::of("leave the mounts of", root))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, root, None::<&str>, flags, None::<&str>)
        .map_err(OsError::of("detach the mounts of", root))
}

/// A list of directories in overlay's options.
pub(crate) fn join_layers<'a>(layers: impl Iterator<Item = &'a Path>) -> String {
    layers.map(escape).collect::<Vec<_>>().join(":")
}

/// Quotes what means something in overlay's options.
pub(crate) fn escape(path: &Path) -> String {
    let mut quoted = String::new();
    for character in path.to_string_lossy().chars() {
        if matches!(character, ':' | ',' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_overlay_options() {
        for (path, expected) in [("/a/b", "/a/b"), ("/a:b,c", "/a\\:b\\,c"), ("/a\\b", "/a\\\\b")] {
            assert_eq!(escape(Path::new(path)), expected);
        }
        assert_eq!(join_layers([Path::new("/x:"), Path::new("/y")].into_iter()), "/x\\::/y");
    }
}
