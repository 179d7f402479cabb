//! An instance's root: an overlay of the image's layers and of a directory in the root volume.
//!
//! All mounts are made in a mount namespace that only the instance's own processes live in. The host never sees
//! them, and however the instance ends, the kernel takes them away with the last process.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::dir::InstanceDir;
use crate::error::OsError;
use crate::mounts::{escape, join_layers};

/// Where systemd-nspawn keeps locks and sockets on the host. The machine's one is hidden from the host's.
const NSPAWN_RUNTIME: &str = "/run/systemd";

/// Mounts the root volume (an ext4 file system on `device`) and, on top, the root.
pub(super) fn mount_root(dir: &InstanceDir, device: &Path, layers: &[PathBuf]) -> Result<(), OsError> {
    let volume = dir.volume();
    let flags = MsFlags::MS_NOATIME;
    // The room of deleted files goes back to the host at once: a snapshot of the volume then holds what is in use.
    mount(Some(device), &volume, Some("ext4"), flags, Some("discard"))
        .map_err(OsError::of("mount", device))?;
    let (upper, work) = (volume.join("upper"), volume.join("work"));
    for made in [&upper, &work] {
        fs::create_dir_all(made).map_err(OsError::of("make", made))?;
    }
    // With redirect_dir a directory of the image can be renamed, as on a plain file system.
    let options = format!(
        "lowerdir={},upperdir={},workdir={},redirect_dir=on,index=off",
        join_layers(layers.iter().map(PathBuf::as_path)),
        escape(&upper),
        escape(&work)
    );
    let root = dir.root();
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(OsError::of("mount the image's layers at", root))
}

/// Mounts the root of an instance that does not run, to be looked at only.
pub(super) fn mount_root_read_only(
    dir: &InstanceDir,
    device: &Path,
    layers: &[PathBuf],
) -> Result<(), OsError> {
    let volume = dir.volume();
    let flags = MsFlags::MS_RDONLY;
    mount(Some(device), &volume, Some("ext4"), flags, None::<&str>).map_err(OsError::of("mount", device))?;
    let upper = volume.join("upper");
    let all = std::iter::once(upper.as_path()).chain(layers.iter().map(PathBuf::as_path));
    let options = format!("lowerdir={}", join_layers(all));
    let root = dir.root();
    mount(Some("overlay"), &root, Some("overlay"), flags, Some(options.as_str()))
        .map_err(OsError::of("mount the image's layers at", root))
}

/// Binds the instance's network namespace below its directory and lets go of everything else of the host that must
/// not be kept alive by an instance: other network namespaces, and nspawn's runtime files.
pub(super) fn isolate(dir: &InstanceDir, netns: &Path) -> Result<(), OsError> {
    let own = dir.netns();
    mount(Some(netns), &own, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(OsError::of("bind the network namespace", netns))?;
    let list = Path::new("/proc/thread-self/mountinfo");
    let mounts = fs::read_to_string(list).map_err(OsError::of("read", list))?;
    for target in namespace_mounts(&mounts).into_iter().filter(|t| *t != own) {
        umount2(&target, MntFlags::MNT_DETACH).map_err(OsError::of("let go of", &target))?;
    }
    // Where no systemd has made the directory, nspawn would leave it behind: hide all of /run then.
    let hidden = if Path::new(NSPAWN_RUNTIME).is_dir() { NSPAWN_RUNTIME } else { "/run" };
    mount(Some("tmpfs"), hidden, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))
        .map_err(OsError::of("hide", hidden))
}

/// The mount points of namespace files (`nsfs`) in a mountinfo.
fn namespace_mounts(mountinfo: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in mountinfo.lines() {
        if let Some((mount, source)) = line.split_once(" - ")
            && source.starts_with("nsfs ")
            && let Some(target) = mount.split(' ').nth(4)
        {
            found.push(unescape(target));
        }
    }
    found
}

/// Undoes mountinfo's `\040` for the characters it cannot hold.
pub(super) fn unescape(field: &str) -> PathBuf {
    let mut text = field.to_owned();
    for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(escaped, plain);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_namespace_mounts() {
        let mounts = "\
22 1 0:4 net:[4026532] /run/netns/a\\040b rw shared:7 - nsfs nsfs rw
23 1 0:5 / /tmp rw - tmpfs tmpfs rw
24 1 0:4 net:[4026533] /state/netns/i-1 rw - nsfs nsfs rw";
        assert_eq!(namespace_mounts(mounts), [Path::new("/run/netns/a b"), Path::new("/state/netns/i-1")]);
    }
}
