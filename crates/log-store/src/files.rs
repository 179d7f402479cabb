//! The files of a store: their names, and what it takes that a name survives a crash.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The names in a store's directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Layout {
        Layout { dir: dir.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("LOCK")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.dir.join("MANIFEST")
    }

    pub(crate) fn wal_dir(&self) -> PathBuf {
        self.dir.join("wal")
    }

    pub(crate) fn segment_dir(&self) -> PathBuf {
        self.dir.join("segments")
    }

    pub(crate) fn wal(&self, number: u64) -> PathBuf {
        self.wal_dir().join(format!("{number:010}.wal"))
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.segment_dir().join(format!("{number:010}.seg"))
    }

    pub(crate) fn make(&self) -> Result<(), StoreError> {
        for dir in [self.wal_dir(), self.segment_dir()] {
            fs::create_dir_all(&dir).map_err(StoreError::io("make the directory", &dir))?;
        }
        sync_dir(&self.dir)
    }
}

/// The numbered files of a directory with this ending, in order.
pub(crate) fn numbered(dir: &Path, ending: &str) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
        let name = entry.map_err(StoreError::io("list", dir))?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(ending)?.strip_suffix('.'));
        numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes names that were added to or taken from a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("sync the directory", dir))
}

/// Writes a file beside and puts it in place, so that either the old or the new one is found, whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(StoreError::io("write", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file that is not needed any more; one that is not there is as good.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
