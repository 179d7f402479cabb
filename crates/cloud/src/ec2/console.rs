//! Consoles of instances that are gone: kept as long as the instance is described, for they say why it failed.

use std::io;
use std::path::{Path, PathBuf};

fn path(state_dir: &Path, instance_id: &str) -> PathBuf {
    state_dir.join("consoles").join(format!("{instance_id}.log"))
}

/// Keeps the end of a console.
///
/// # Errors
/// When it cannot be written.
pub fn keep(state_dir: &Path, instance_id: &str, bytes: &[u8]) -> io::Result<()> {
    let path = path(state_dir, instance_id);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, bytes)
}

/// What was kept of a console, if anything was.
///
/// # Errors
/// When it cannot be read.
pub fn kept(state_dir: &Path, instance_id: &str) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path(state_dir, instance_id)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Forgets a console; one that was not kept is no error.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(state_dir: &Path, instance_id: &str) -> io::Result<()> {
    match std::fs::remove_file(path(state_dir, instance_id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
