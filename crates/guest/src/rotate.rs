//! Log files that do not grow for ever.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Opens `path` for appending, creating it and its folder. A file that has reached `max_bytes` is first renamed
/// to `path.1`, the one before to `path.2`, and so on up to `keep`.
pub fn open_rotated(path: &Path, max_bytes: u64, keep: u32) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() >= max_bytes) {
        for generation in (1..keep).rev() {
            rename_if_there(&numbered(path, generation), &numbered(path, generation + 1))?;
        }
        rename_if_there(path, &numbered(path, 1))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o644).open(path)
}

fn numbered(path: &Path, generation: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{generation}"));
    PathBuf::from(name)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_full_file_makes_room_and_keeps_the_last_generations() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/log");
        for text in ["first", "second", "third", "fourth"] {
            write!(open_rotated(&path, 5, 2).unwrap(), "{text}").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "fourth");
        assert_eq!(std::fs::read_to_string(numbered(&path, 1)).unwrap(), "third");
        assert_eq!(std::fs::read_to_string(numbered(&path, 2)).unwrap(), "second");
        assert!(!numbered(&path, 3).exists());
    }
}
