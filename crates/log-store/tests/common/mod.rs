//! What the tests share.

use std::path::Path;

use tempfile::TempDir;

/// A directory in memory where there is such a place: the tests sync thousands of times.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}
