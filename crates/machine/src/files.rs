//! Files that appear whole, and the name that a state directory goes by.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::OsError;

/// Writes `content` to `path` so that a reader, or a crash, sees the old file or the new one and nothing between.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), OsError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(dir).map_err(OsError::of("make a file in", dir))?;
    beside.write_all(content).map_err(OsError::of("write", beside.path()))?;
    beside.as_file().sync_all().map_err(OsError::of("sync", beside.path()))?;
    beside.persist(path).map_err(|e| OsError::of("replace", path)(e.error))?;
    sync_dir(dir)
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), OsError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(OsError::of("sync", dir))
}

/// Reads a file; `None` when there is none.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, OsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(OsError::of("read", path)(e)),
    }
}

/// Removes a file or a whole directory; one that is not there is no error.
pub(crate) fn remove_all(path: &Path) -> Result<(), OsError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(OsError::of("remove", path)(e)),
        _ => Ok(()),
    }
}

/// What is made outside of a state directory for its cloud (control groups, a table of the packet filter) has this
/// name. It comes from the directory's real path, for one directory must have one name.
pub(crate) fn state_mark(state_dir: &Path) -> String {
    format!("drydock-{}", hex::encode(state_digest(state_dir)))
}

/// The beginning of the digest of a state directory's real path.
pub(crate) fn state_digest(state_dir: &Path) -> [u8; 4] {
    let real = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    let [a, b, c, d, ..] = Sha256::digest(real.as_os_str().as_encoded_bytes()).0;
    [a, b, c, d]
}
