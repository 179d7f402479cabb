//! EBS volumes: sparse files of their full size, so that limits and snapshots are real.

mod error;
pub(crate) mod loopdev;
mod sparse;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

pub use error::VolumeError;
pub use sparse::copy_sparse;

use crate::error::OsError;
use crate::files;

/// The largest volume in GiB: gp2's limit.
pub const MAX_GIB: u32 = 16 * 1024;

const GIB: u64 = 1 << 30;

/// What a new volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Zeroes.
    Empty,
    /// An empty ext4 file system, as a root volume needs.
    Ext4 {
        /// The file system's label, at most 16 bytes.
        label: Option<String>,
    },
    /// The bytes of a snapshot (or volume) no larger than the new volume.
    CopyOf(PathBuf),
    /// The same where they are an ext4 file system, which is made to fill the new volume.
    GrownCopyOf(PathBuf),
}

/// The volumes of one local cloud: `STATE/volumes/<id>.img`.
#[derive(Debug, Clone)]
pub struct VolumeStore {
    dir: PathBuf,
}

impl VolumeStore {
    /// Opens `STATE/volumes`, making it where it is missing.
    pub fn open(state_dir: &Path) -> Result<Self, VolumeError> {
        let dir = state_dir.join("volumes");
        fs::create_dir_all(&dir).map_err(OsError::of("make", &dir))?;
        Ok(Self { dir })
    }

    /// The file of a volume (or snapshot), whether it is there or not.
    pub fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.img"))
    }

    /// Makes a volume's file, which appears whole. An existing one is left alone and is an error.
    pub async fn create(&self, id: &str, size_gib: u32, content: &Content) -> Result<PathBuf, VolumeError> {
        check(id, size_gib, content)?;
        let path = self.path(id);
        if path.exists() {
            return Err(VolumeError::Exists { id: id.to_owned() });
        }
        let partial = self.partial_path(id);
        let made = self.fill(&partial, size_gib, content).await;
        let made = made.and_then(|()| {
            fs::rename(&partial, &path).map_err(OsError::of("name", &path))?;
            Ok(())
        });
        if made.is_err() {
            files::remove_all(&partial)?;
        }
        made.map(|()| path)
    }

    /// Makes a volume's file larger. Nothing may have mounted an ext4 file system on it that is to grow with it.
    pub async fn grow(&self, id: &str, size_gib: u32, with_ext4: bool) -> Result<(), VolumeError> {
        let path = self.path(id);
        let file = OpenOptions::new().write(true).open(&path).map_err(OsError::of("open", &path))?;
        let size = u64::from(size_gib) * GIB;
        if file.metadata().map_err(OsError::of("look at", &path))?.len() < size {
            file.set_len(size).map_err(OsError::of("size", &path))?;
        }
        if with_ext4 { grow_ext4(&path).await } else { Ok(()) }
    }

    /// Removes a volume's file; one that is not there is no error.
    pub fn remove(&self, id: &str) -> Result<(), VolumeError> {
        files::remove_all(&self.partial_path(id))?;
        Ok(files::remove_all(&self.path(id))?)
    }

    /// The ids of all volumes that have a file, and of those half made by a process that was killed.
    pub fn list(&self) -> Result<Vec<String>, VolumeError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(OsError::of("list", &self.dir))? {
            let name = entry.map_err(OsError::of("list", &self.dir))?.file_name();
            let name = name.to_string_lossy();
            if let Some(id) = name.strip_suffix(".img").or_else(|| name.strip_suffix(".partial")) {
                ids.push(id.to_owned());
            }
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    fn partial_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.partial"))
    }

    async fn fill(&self, file: &Path, size_gib: u32, content: &Content) -> Result<(), VolumeError> {
        let size = u64::from(size_gib) * GIB;
        let new =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(file);
        let new = new.map_err(OsError::of("make", file))?;
        new.set_len(size).map_err(OsError::of("size", file))?;
        match content {
            Content::Empty => Ok(()),
            Content::Ext4 { label } => make_ext4(file, label.as_deref()).await,
            Content::CopyOf(source) => copy_into(source.clone(), new, file, size).await.map(drop),
            Content::GrownCopyOf(source) => {
                let length = copy_into(source.clone(), new, file, size).await?;
                if length < size { grow_ext4(file).await } else { Ok(()) }
            }
        }
    }
}

fn check(id: &str, size_gib: u32, content: &Content) -> Result<(), VolumeError> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(VolumeError::BadId { id: id.to_owned() });
    }
    if size_gib == 0 || size_gib > MAX_GIB {
        return Err(VolumeError::BadSize { size_gib });
    }
    match content {
        Content::Ext4 { label: Some(label) } if label.len() > 16 || label.starts_with('-') => {
            Err(VolumeError::BadLabel { label: label.clone() })
        }
        _ => Ok(()),
    }
}

/// Formats in about 15 ms: the file is sparse, so inode tables are zero already and the journal is only reserved.
async fn make_ext4(file: &Path, label: Option<&str>) -> Result<(), VolumeError> {
    let mut mkfs = Command::new("mkfs.ext4");
    // `discard` lets mke2fs see that the file reads as zeroes, so no kernel thread fills inode tables later.
    mkfs.args(["-q", "-F", "-m", "0", "-E", "discard"]);
    if let Some(label) = label {
        mkfs.args(["-L", label]);
    }
    let done = mkfs.arg(file).output().await.map_err(OsError::of("run mkfs.ext4 on", file))?;
    if done.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(VolumeError::Format { file: file.to_owned(), status: done.status.to_string(), output })
}

/// Makes a file system fill its file. One that was not unmounted in order is put in order first.
async fn grow_ext4(file: &Path) -> Result<(), VolumeError> {
    // e2fsck's exit status 1 says that it has corrected something, as replaying a journal does.
    run_on_ext4("e2fsck", &["-f", "-p"], file, 1).await?;
    run_on_ext4("resize2fs", &[], file, 0).await
}

async fn run_on_ext4(program: &str, arguments: &[&str], file: &Path, worst: i32) -> Result<(), VolumeError> {
    let done = Command::new(program).args(arguments).arg(file).output().await;
    let done = done.map_err(OsError::of("grow the file system in", file))?;
    if done.status.code().is_some_and(|code| code <= worst) {
        return Ok(());
    }
    let output = [done.stdout, done.stderr].concat();
    Err(VolumeError::Grow {
        program: program.to_owned(),
        file: file.to_owned(),
        status: done.status.to_string(),
        output: String::from_utf8_lossy(&output).trim().to_owned(),
    })
}

/// Copies a volume's bytes and tells how long it is.
async fn copy_into(source: PathBuf, target: File, name: &Path, size: u64) -> Result<u64, VolumeError> {
    let from = File::open(&source).map_err(OsError::of("open", &source))?;
    let length = from.metadata().map_err(OsError::of("look at", &source))?.len();
    if length > size {
        return Err(VolumeError::TooSmall { source_file: source, length, size });
    }
    let copied = tokio::task::spawn_blocking(move || copy_sparse(&from, &target)).await;
    copied
        .map_err(|e| OsError::of("copy to", name)(std::io::Error::other(e)))?
        .map_err(OsError::of("copy to", name))?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_volume() {
        let ext4 = |label: &str| Content::Ext4 { label: Some(label.to_owned()) };
        for (id, size, content, expected) in [
            ("vol-0a", 8, Content::Empty, None),
            ("vol-0a", 8, ext4("sixteen-letters-"), None),
            ("", 8, Content::Empty, Some("volume id")),
            ("../x", 8, Content::Empty, Some("volume id")),
            ("vol-0a", 0, Content::Empty, Some("0 GiB")),
            ("vol-0a", MAX_GIB + 1, Content::Empty, Some("16385 GiB")),
            ("vol-0a", 8, ext4("seventeen-letters"), Some("label")),
            ("vol-0a", 8, ext4("-n"), Some("label")),
        ] {
            let got = check(id, size, &content).map_err(|e| e.to_string());
            match expected {
                None => assert_eq!(got, Ok(()), "{id} {size} {content:?}"),
                Some(part) => assert!(got.unwrap_err().contains(part), "{id} {size} {content:?}"),
            }
        }
    }

    #[tokio::test]
    async fn makes_sparse_files_that_appear_whole() {
        let state = tempfile::tempdir().unwrap();
        let store = VolumeStore::open(state.path()).unwrap();
        let path = store.create("vol-1", 22, &Content::Empty).await.unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.len(), 22 * GIB);
        assert_eq!(std::os::unix::fs::MetadataExt::blocks(&meta), 0);
        assert!(matches!(store.create("vol-1", 1, &Content::Empty).await, Err(VolumeError::Exists { .. })));
        let copy_of = Content::CopyOf(path);
        assert!(matches!(store.create("vol-2", 21, &copy_of).await, Err(VolumeError::TooSmall { .. })));
        store.create("vol-3", 23, &copy_of).await.unwrap();
        assert_eq!(store.list().unwrap(), ["vol-1", "vol-3"]);
        store.remove("vol-1").unwrap();
        store.remove("vol-1").unwrap();
        assert_eq!(store.list().unwrap(), ["vol-3"]);
    }
}
