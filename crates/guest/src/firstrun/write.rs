//! Brings files into the wanted state: whole, at once, with the right owner and mode.

use super::files::{HEADER, Wanted};
use nix::unistd::{Gid, Uid, fchown};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::resume_unwind;
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
            Err(_) if wanted.secret => 0o600,
            Err(_) => 0o644,
        };
        let is_own = before.as_ref().is_some_and(|text| text.starts_with(HEADER));
        let mode = match (wanted.secret, is_own) {
            (true, _) => mode_before & 0o700,
            // It was for root alone because of a secret that it held.
            (false, true) if mode_before == 0o600 => 0o644,
            (false, _) => mode_before,
        };
        let same = before == wanted.content && (before.is_none() || mode == mode_before);
        Ok((!same).then_some(Self { path, before, after: wanted.content, mode_before, mode }))
    }

    /// Writes the new text beside the file, down to the disk; [`Ready::put`] then needs only a rename, so that no reader
    /// and no crash meets half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self, root: &Path) -> Result<Ready<'_>, FileError> {
        let target = inside(root, self.path);
        let beside = match &self.after {
            None => None,
            Some(text) => Some(self.write(&target, text).map_err(failed("write", self.path))?),
        };
        Ok(Ready { change: self, target, beside })
    }

    fn write(&self, target: &Path, text: &str) -> io::Result<(NamedTempFile, PathBuf)> {
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
        Ok((beside, target))
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

/// A change that needs only to be put into its place.
#[derive(Debug)]
pub struct Ready<'c> {
    /// The change.
    pub change: &'c Change,
    target: PathBuf,
    beside: Option<(NamedTempFile, PathBuf)>,
}

impl Ready<'_> {
    /// Makes the file as wanted.
    ///
    /// # Errors
    /// When that fails; the file is then as it was.
    pub fn put(self) -> Result<(), FileError> {
        let path = self.change.path;
        match self.beside {
            None => fs::remove_file(&self.target).map_err(failed("remove", path)),
            Some((beside, target)) => match beside.persist(target) {
                Ok(_) => Ok(()),
                Err(error) => Err(failed("write", path)(error.error)),
            },
        }
    }
}

/// Prepares all changes at once: a disk takes as long to make ten files safe as one, if it is told of all.
///
/// # Errors
/// When one cannot be written; none of the files has changed then.
pub fn prepare<'c>(changes: &'c [Change], root: &Path) -> Result<Vec<Ready<'c>>, FileError> {
    std::thread::scope(|scope| {
        let writers: Vec<_> = changes.iter().map(|change| scope.spawn(|| change.prepare(root))).collect();
        let done =
            writers.into_iter().map(|writer| writer.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.collect()
    })
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
        made.prepare(root).unwrap().put().unwrap();
        assert_eq!((read(root, "/etc/x/conf").unwrap().as_deref(), mode(root)), (Some("a\n"), 0o644));
        assert_eq!(Change::of(root, wanted(Some("a\n"), false)).unwrap(), None);

        fs::set_permissions(root.join("etc/x/conf"), Permissions::from_mode(0o640)).unwrap();
        Change::of(root, wanted(Some("b\n"), false)).unwrap().unwrap().prepare(root).unwrap().put().unwrap();
        assert_eq!(mode(root), 0o640, "a file's own mode is kept");
        let secret = Change::of(root, wanted(Some("b\n"), true)).unwrap().unwrap();
        assert_eq!(secret.diff(), "mode of /etc/x/conf: 0640 -> 0600\n");
        secret.prepare(root).unwrap().put().unwrap();
        assert_eq!(mode(root), 0o600);

        Change::of(root, wanted(None, false)).unwrap().unwrap().prepare(root).unwrap().put().unwrap();
        assert_eq!(read(root, "/etc/x/conf").unwrap(), None);
        assert_eq!(Change::of(root, wanted(None, false)).unwrap(), None);
        assert_eq!(fs::read_dir(root.join("etc/x")).unwrap().count(), 0, "nothing is left beside it");
    }

    #[test]
    fn when_one_file_cannot_be_written_none_changes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("in-the-way"), "").unwrap();
        let good = Change::of(dir.path(), wanted(Some("a\n"), false)).unwrap().unwrap();
        let bad = Change { path: "/in-the-way/conf", ..good.clone() };
        let error = prepare(&[good, bad], dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /in-the-way/conf: "), "{error}");
        assert_eq!(read(dir.path(), "/etc/x/conf").unwrap(), None);
        assert_eq!(fs::read_dir(dir.path().join("etc/x")).unwrap().count(), 0, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_secret_any_more_may_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let own = format!("{HEADER}a\n");
        for (secret, expected) in [(true, 0o600), (false, 0o644)] {
            let change = Change::of(dir.path(), wanted(Some(&own), secret)).unwrap().unwrap();
            change.prepare(dir.path()).unwrap().put().unwrap();
            assert_eq!(mode(dir.path()), expected);
        }
    }

    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/x")).unwrap();
        fs::write(dir.path().join("etc/x/real"), "a\n").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("etc/x/conf")).unwrap();
        Change::of(dir.path(), wanted(Some("b\n"), false))
            .unwrap()
            .unwrap()
            .prepare(dir.path())
            .unwrap()
            .put()
            .unwrap();
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
