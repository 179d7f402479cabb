//! Files below a root directory whose symbolic links must not lead out of it.
//!
//! An image or an instance may hold any link (`/etc/resolv.conf -> ../run/…`, `x -> /`). The kernel resolves them
//! as if the directory were the root of the file system (openat2's `RESOLVE_IN_ROOT`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

use crate::driver::{ByteRange, Chunk};

/// A directory taken as the root of what is below it.
#[derive(Debug)]
pub(crate) struct InRoot(OwnedFd);

impl InRoot {
    /// Takes `dir`; `/proc/PID/root` stands for a process's root and all that is mounted there.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(openat(AT_FDCWD, dir, flags, Mode::empty())?))
    }

    /// Reads part of a regular file; `None` when there is none by that name.
    pub(crate) fn read(&self, path: &Path, range: ByteRange) -> io::Result<Option<Chunk>> {
        // Opened in two steps: opening a device or a pipe for reading could already do something.
        let found = match self.resolve(path, OFlag::O_PATH, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            found => found?,
        };
        let kind = SFlag::from_bits_truncate(fstat(&found)?.st_mode & SFlag::S_IFMT.bits());
        if kind != SFlag::S_IFREG {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let again = format!("/proc/self/fd/{}", found.as_raw_fd());
        let file = open(again.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        read_range(&mut File::from(file), range).map(Some)
    }

    /// Writes a file in place of whatever had its name, making parent directories.
    pub(crate) fn write(&self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        match unlinkat(&parent, &name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(e) => return Err(e.into()),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(mode);
        let file = openat(&parent, &name, flags, mode)?;
        // The process's umask has no say.
        fchmod(&file, mode)?;
        File::from(file).write_all(content)
    }

    /// Writes a file as [`write`](Self::write) does and gives it to the owner of its directory: what is put into a
    /// home directory belongs to who lives there.
    pub(crate) fn write_for_owner_of_directory(
        &self,
        path: &Path,
        mode: u32,
        content: &[u8],
    ) -> io::Result<()> {
        self.write(path, mode, content)?;
        let (parent, name) = self.parent_of(path)?;
        let owner = fstat(&parent)?;
        let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        fchownat(&parent, &name, Some(user), Some(group), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        // A change of owner takes set-user-ID and set-group-ID away.
        let file =
            openat(&parent, &name, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(fchmod(&file, Mode::from_bits_truncate(mode))?)
    }

    /// Adds to the end of a file, following links to it; a missing one is made, with its parent directories.
    pub(crate) fn append(&self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        match self.resolve(path, OFlag::O_WRONLY | OFlag::O_APPEND, Mode::empty()) {
            Ok(file) => File::from(file).write_all(content),
            Err(Errno::ENOENT) => self.write(path, mode, content),
            Err(e) => Err(e.into()),
        }
    }

    /// Makes a device node, making parent directories. One that is there already is replaced.
    pub(crate) fn make_block_node(&self, path: &Path, mode: u32, device: u64) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        self.remove(path)?;
        let mode = Mode::from_bits_truncate(mode);
        Ok(mknodat(&parent, &name, SFlag::S_IFBLK, mode, device)?)
    }

    /// Removes a name that is not a directory; one that is not there is no error.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        match unlinkat(&parent, &name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether something is there, links followed.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.resolve(path, OFlag::O_PATH, Mode::empty()).is_ok()
    }

    /// Opens the directory that `path` is in, making what is missing of it, and the name within it.
    fn parent_of(&self, path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
        let name = path.file_name().ok_or_else(|| invalid("the path names no file"))?;
        let mut walked = PathBuf::from(".");
        let mut dir = self.0.try_clone()?;
        for component in path.parent().unwrap_or(Path::new("")).components() {
            let part = match component {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(part) => part,
                Component::ParentDir | Component::Prefix(_) => return Err(invalid("the path has `..`")),
            };
            walked.push(part);
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
            dir = match self.resolve(&walked, flags, Mode::empty()) {
                Err(Errno::ENOENT) => {
                    mkdirat(&dir, part, Mode::from_bits_truncate(0o755))?;
                    self.resolve(&walked, flags, Mode::empty())?
                }
                found => found?,
            };
        }
        Ok((dir, name.into()))
    }

    fn resolve(&self, path: &Path, flags: OFlag, mode: Mode) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // EAGAIN: something was renamed while the kernel walked; it could not be sure and says try again.
        (0..32)
            .map(|_| openat2(self.0.as_fd(), path, how))
            .find(|opened| !matches!(opened, Err(Errno::EAGAIN)))
            .unwrap_or(Err(Errno::EAGAIN))
    }
}

/// Reads part of an open file.
pub(crate) fn read_range(file: &mut File, range: ByteRange) -> io::Result<Chunk> {
    let size = file.metadata()?.len();
    let (offset, max) = range.within(size);
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(Chunk { offset, bytes, size })
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn text(root: &InRoot, path: &str) -> Option<String> {
        let chunk = root.read(Path::new(path), ByteRange::Head { max: 100 }).unwrap()?;
        Some(String::from_utf8(chunk.bytes).unwrap())
    }

    #[test]
    fn links_stay_inside() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "outside").unwrap();
        let dir = outside.path().join("root");
        fs::create_dir_all(dir.join("etc")).unwrap();
        fs::create_dir_all(dir.join("run")).unwrap();
        symlink(outside.path().join("secret"), dir.join("absolute")).unwrap();
        symlink("../../secret", dir.join("etc/relative")).unwrap();
        symlink("/run", dir.join("var-run")).unwrap();
        let root = InRoot::open(&dir).unwrap();
        assert_eq!(text(&root, "/absolute"), None);
        assert_eq!(text(&root, "/etc/relative"), None);
        assert_eq!(text(&root, "/../secret"), None);
        root.write(Path::new("/var-run/deep/file"), 0o600, b"here").unwrap();
        assert_eq!(fs::read(dir.join("run/deep/file")).unwrap(), b"here");
        assert!(root.write(Path::new("/etc/../../x"), 0o600, b"").is_err());
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"outside");
    }

    #[test]
    fn writes_replace_links_and_appends_follow_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "one\n").unwrap();
        symlink("/target", dir.path().join("link")).unwrap();
        let root = InRoot::open(dir.path()).unwrap();
        root.append(Path::new("/link"), 0o644, b"two\n").unwrap();
        assert_eq!(text(&root, "/target").unwrap(), "one\ntwo\n");
        root.write(Path::new("/link"), 0o640, b"own").unwrap();
        assert_eq!(text(&root, "/target").unwrap(), "one\ntwo\n");
        assert_eq!(text(&root, "/link").unwrap(), "own");
        assert_eq!(fs::metadata(dir.path().join("link")).unwrap().permissions().mode() & 0o777, 0o640);
        root.append(Path::new("/a/new"), 0o644, b"new").unwrap();
        assert_eq!(text(&root, "/a/new").unwrap(), "new");
    }

    #[test]
    fn reads_the_part_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "0123456789").unwrap();
        let root = InRoot::open(dir.path()).unwrap();
        for (range, offset, expected) in [
            (ByteRange::Head { max: 3 }, 0, "012"),
            (ByteRange::Tail { max: 3 }, 7, "789"),
            (ByteRange::Tail { max: 30 }, 0, "0123456789"),
            (ByteRange::From { offset: 8, max: 30 }, 8, "89"),
            (ByteRange::From { offset: 80, max: 30 }, 10, ""),
        ] {
            let chunk = root.read(Path::new("f"), range).unwrap().unwrap();
            let expected = Chunk { offset, bytes: expected.into(), size: 10 };
            assert_eq!(chunk, expected, "{range:?}");
        }
        assert!(root.read(Path::new("/"), ByteRange::Head { max: 1 }).is_err());
    }
}
