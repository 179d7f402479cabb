//! A local directory as a series of steps: into directories, files, and out again.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    vec,
};

/// Permission bits, without the file's type.
pub(super) const PERMISSIONS: u32 = 0o7777;

/// One step through a directory.
pub(super) enum Step {
    /// A directory begins.
    Enter(Item),
    /// A regular file.
    File(Item),
    /// The directory that began last ends.
    Leave,
}

/// A file or directory. Symbolic links are followed, as in Packer: this is what they lead to.
pub(super) struct Item {
    /// The name in its directory.
    pub name: OsString,
    /// Where it is.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    identity: (u64, u64),
    directory: bool,
}

/// A file or directory that cannot be copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkError {
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is neither a file nor a directory")]
    Special { path: PathBuf },
    #[error("{path} leads back to a directory that it is in")]
    Loop { path: PathBuf },
}

impl From<WalkError> for std::io::Error {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Read { source, .. } => source,
            other => Self::other(other.to_string()),
        }
    }
}

impl WalkError {
    /// The file that it is about.
    pub fn path(&self) -> String {
        match self {
            Self::Read { path, .. } | Self::Special { path } | Self::Loop { path } => {
                path.display().to_string()
            }
        }
    }
}

/// Goes through a directory in order of names.
pub(super) struct Walk {
    open: Vec<Directory>,
}

struct Directory {
    identity: (u64, u64),
    rest: vec::IntoIter<Item>,
}

impl Walk {
    /// The content of a directory; with `whole`, the directory itself around it.
    pub fn new(root: &Path, whole: bool) -> Result<Self, WalkError> {
        let item = look(root.to_owned(), root.file_name().unwrap_or_default().to_owned())?;
        if whole {
            // A path that ends in `..` has no name of its own.
            let real =
                fs::canonicalize(root).map_err(|source| WalkError::Read { path: root.to_owned(), source })?;
            let name = root.file_name().or(real.file_name()).unwrap_or_default().to_owned();
            let around = Directory { identity: (0, 0), rest: vec![Item { name, ..item }].into_iter() };
            return Ok(Self { open: vec![around] });
        }
        Ok(Self { open: vec![enter(&item)?] })
    }

    /// The next step; none at the end.
    pub fn step(&mut self) -> Result<Option<Step>, WalkError> {
        let Some(current) = self.open.last_mut() else { return Ok(None) };
        let Some(item) = current.rest.next() else {
            self.open.pop();
            return Ok((!self.open.is_empty()).then_some(Step::Leave));
        };
        if !item.directory {
            return Ok(Some(Step::File(item)));
        }
        if self.open.iter().any(|directory| directory.identity == item.identity) {
            return Err(WalkError::Loop { path: item.path });
        }
        self.open.push(enter(&item)?);
        Ok(Some(Step::Enter(item)))
    }
}

fn enter(item: &Item) -> Result<Directory, WalkError> {
    let unreadable = |source| WalkError::Read { path: item.path.clone(), source };
    let mut items = fs::read_dir(&item.path)
        .map_err(unreadable)?
        .map(|entry| {
            let entry = entry.map_err(unreadable)?;
            look(entry.path(), entry.file_name())
        })
        .collect::<Result<Vec<_>, _>>()?;
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Directory { identity: item.identity, rest: items.into_iter() })
}

fn look(path: PathBuf, name: OsString) -> Result<Item, WalkError> {
    let metadata: Metadata =
        fs::metadata(&path).map_err(|source| WalkError::Read { path: path.clone(), source })?;
    // Opening a pipe would wait for somebody to write to it.
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(WalkError::Special { path });
    }
    Ok(Item {
        name,
        path,
        mode: metadata.permissions().mode() & PERMISSIONS,
        identity: (metadata.dev(), metadata.ino()),
        directory: metadata.is_dir(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn steps(root: &Path, whole: bool) -> Result<Vec<String>, WalkError> {
        let mut walk = Walk::new(root, whole)?;
        let mut steps = Vec::new();
        while let Some(step) = walk.step()? {
            steps.push(match step {
                Step::Enter(item) => format!("{}/", item.name.display()),
                Step::File(item) => item.name.display().to_string(),
                Step::Leave => "..".to_owned(),
            });
        }
        Ok(steps)
    }

    #[test]
    fn a_directory_is_walked_in_order_and_links_are_followed() {
        let temp = tempfile::tempdir().expect("a directory");
        let root = temp.path().join("root");
        fs::create_dir_all(root.join("b/empty")).expect("directories");
        fs::write(root.join("b/file"), "").expect("a file");
        fs::write(root.join("a"), "").expect("a file");
        symlink(root.join("b"), root.join("c")).expect("a link");
        let content = ["a", "b/", "empty/", "..", "file", "..", "c/", "empty/", "..", "file", ".."];
        assert_eq!(steps(&root, false).expect("steps"), content);
        let whole = [&["root/"][..], &content, &[".."]].concat();
        assert_eq!(steps(&root, true).expect("steps"), whole);
        let dotted = root.join("b/..");
        assert_eq!(steps(&dotted, true).expect("steps"), whole);
    }

    #[test]
    fn loops_pipes_and_dead_links_are_errors() {
        let temp = tempfile::tempdir().expect("a directory");
        let inner = temp.path().join("inner");
        fs::create_dir(&inner).expect("a directory");
        symlink("..", inner.join("up")).expect("a link");
        assert!(
            matches!(steps(temp.path(), true), Err(WalkError::Loop { path }) if path == inner.join("up"))
        );
        fs::remove_file(inner.join("up")).expect("removed");
        symlink("nowhere", inner.join("dead")).expect("a link");
        assert!(
            matches!(steps(temp.path(), true), Err(WalkError::Read { path, .. }) if path == inner.join("dead"))
        );
        fs::remove_file(inner.join("dead")).expect("removed");
        let _socket = std::os::unix::net::UnixListener::bind(inner.join("socket")).expect("a socket");
        assert!(matches!(steps(temp.path(), true), Err(WalkError::Special { .. })));
    }
}
