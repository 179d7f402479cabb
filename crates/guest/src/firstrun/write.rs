//! Brings files into the wanted state: whole, at once, with the right owner and mode.

use super::files::Wanted;
use nix::unistd::{Gid, Uid, fchown};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file whose text or mode is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, as seen inside the instance.
    pub path: &'static str,
    /// What it holds; none when it is not there.
    pub before: Option<String>,
    /// What it should hold; none when it should go.
    pub after: Option<String>,
    mode_before: u32,
    mode: u32,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {source}")]
pub struct FileError {
    verb: &'static str,
    path: String,
    source: io::Error,
}

fn failed<'p>(verb: &'static str, path: &'p str) -> impl FnOnce(io::Error) -> FileError + 'p {
    move |source| FileError { verb, path: path.to_owned(), source }
}

/// The text of a file under `root`; none when it is not there.
///
/// # Errors
/// When it cannot be read or is not text: then it is not edited either.
pub fn read(root: &Path, path: &str) -> Result<Option<String>, FileError> {
    match fs::read_to_string(inside(root, path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

impl Change {
    /// What must be done to make a file as wanted; none when it is so already.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(root: &Path, wanted: Wanted) -> Result<Option<Self>, FileError> {
        let path = wanted.path;
        let before = read(root, path)?;
        let mode_before = match fs::metadata(inside(root, path)) {
            Ok(found) => found.permissions().mode() & 0o7777,
            Err(_) => 0o644,
        };
        let mode = if wanted.secret { mode_before & 0o700 } else { mode_before };
        let same = before == wanted.content && (before.is_none() || mode == mode_before);
        Ok((!same).then_some(Self { path, before, after: wanted.content, mode_before, mode }))
    }

    /// Makes the file as wanted: written beside and renamed, so that no reader and no crash meets half of it.
    ///
    /// # Errors
    /// When it cannot be written; the file is then as it was.
    pub fn apply(&self, root: &Path) -> Result<(), FileError> {
        let target = inside(root, self.path);
        match &self.after {
            None => fs::remove_file(&target).map_err(failed("remove", self.path)),
            Some(text) => self.write(&target, text).map_err(failed("write", self.path)),
        }
    }

    fn write(&self, target: &Path, text: &str) -> io::Result<()> {
        // A link stays a link: the file behind it is replaced.
        let target = match fs::canonicalize(target) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => target.to_owned(),
            Err(error) => return Err(error),
        };
        let folder = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut beside = NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        beside.as_file().set_permissions(Permissions::from_mode(self.mode))?;
        if let Ok(owner) = fs::metadata(&target) {
            fchown(beside.as_file(), Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?;
        }
        beside.as_file().sync_all()?;
        beside.persist(&target).map_err(|error| error.error)?;
        Ok(())
    }

    /// The change as a unified diff.
    pub fn diff(&self) -> String {
        let (before, after) = (self.before.as_deref().unwrap_or(""), self.after.as_deref().unwrap_or(""));
        let name = |text: &Option<String>| if text.is_some() { self.path } else { "/dev/null" };
        let mut out = similar::TextDiff::from_lines(before, after)
            .unified_diff()
            .header(name(&self.before), name(&self.after))
            .to_string();
        if self.before.is_some() && self.mode != self.mode_before {
            out.push_str(&format!("mode of {}: {:04o} -> {:04o}\n", self.path, self.mode_before, self.mode));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(content: Option<&str>, secret: bool) -> Wanted {
        Wanted { path: "/etc/x/conf", content: content.map(str::to_owned), secret }
    }

    fn mode(root: &Path) -> u32 {
        fs::metadata(root.join("etc/x/conf")).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_made_changed_kept_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let made = Change::of(root, wanted(Some("a\n"), false)).unwrap().unwrap();
        assert!(made.diff().starts_with("--- /dev/null\n+++ /etc/x/conf\n"), "{}", made.diff());
        made.apply(root).unwrap();
        assert_eq!((read(root, "/etc/x/conf").unwrap().as_deref(), mode(root)), (Some("a\n"), 0o644));
        assert_eq!(Change::of(root, wanted(Some("a\n"), false)).unwrap(), None);

        fs::set_permissions(root.join("etc/x/conf"), Permissions::from_mode(0o640)).unwrap();
        Change::of(root, wanted(Some("b\n"), false)).unwrap().unwrap().apply(root).unwrap();
        assert_eq!(mode(root), 0o640, "a file's own mode is kept");
        let secret = Change::of(root, wanted(Some("b\n"), true)).unwrap().unwrap();
        assert_eq!(secret.diff(), "mode of /etc/x/conf: 0640 -> 0600\n");
        secret.apply(root).unwrap();
        assert_eq!(mode(root), 0o600);

        Change::of(root, wanted(None, false)).unwrap().unwrap().apply(root).unwrap();
        assert_eq!(read(root, "/etc/x/conf").unwrap(), None);
        assert_eq!(Change::of(root, wanted(None, false)).unwrap(), None);
        assert_eq!(fs::read_dir(root.join("etc/x")).unwrap().count(), 0, "nothing is left beside it");
    }

    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/x")).unwrap();
        fs::write(dir.path().join("etc/x/real"), "a\n").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("etc/x/conf")).unwrap();
        Change::of(dir.path(), wanted(Some("b\n"), false)).unwrap().unwrap().apply(dir.path()).unwrap();
        assert!(fs::symlink_metadata(dir.path().join("etc/x/conf")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(dir.path().join("etc/x/real")).unwrap(), "b\n");
    }

    #[test]
    fn what_is_not_text_is_not_edited() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/x")).unwrap();
        fs::write(dir.path().join("etc/x/conf"), [0xff, 0xfe]).unwrap();
        let error = Change::of(dir.path(), wanted(Some("b\n"), false)).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /etc/x/conf: "), "{error}");
    }
}
