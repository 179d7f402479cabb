//! A repository comes about as a whole: it is written beside its place and then renamed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::skeleton::File;

/// How many names of files in the way are told.
const SHOWN: usize = 5;

/// Why a repository was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something is there already.
    #[error("{}: {there}; give the repository another name", .path.display())]
    Taken {
        /// The place of the repository.
        path: PathBuf,
        /// What is there.
        there: String,
    },
    /// A file or folder could not be made.
    #[error("{}: {source}; nothing was left there", .path.display())]
    Failed {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl WriteError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Failed { path, source }
    }
}

/// Looks whether a repository can be written to `place`, which may be an empty folder.
///
/// # Errors
/// When something is there.
pub fn look(place: &Path) -> Result<(), WriteError> {
    let taken = |there: String| Err(WriteError::Taken { path: place.to_owned(), there });
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WriteError::at(place)(error)),
        Ok(found) if !found.is_dir() => taken("there is something else of this name".to_owned()),
        Ok(_) => {
            let mut names = Vec::new();
            for entry in fs::read_dir(place).map_err(WriteError::at(place))? {
                names.push(entry.map_err(WriteError::at(place))?.file_name().to_string_lossy().into_owned());
            }
            if names.is_empty() {
                Ok(())
            } else {
                taken(format!("the folder is not empty ({})", shown(names)))
            }
        }
    }
}

fn shown(mut names: Vec<String>) -> String {
    names.sort();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let mut text = names.join(", ");
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

/// Writes a repository to `place`, all of it or nothing.
///
/// # Errors
/// When something is there, or the disk refuses.
pub fn write(place: &Path, files: &[File]) -> Result<(), WriteError> {
    look(place)?;
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Removed with all that is in it, whatever comes.
    let beside = tempfile::Builder::new().prefix(".drydock-init-").tempdir_in(parent);
    let beside = beside.map_err(WriteError::at(parent))?;
    let made = beside.path().join("made");
    folder(&made)?;
    for file in files {
        write_file(&made, file)?;
    }
    // Of folders, rename(2) replaces an empty one only: whoever put something there meanwhile keeps it.
    fs::rename(&made, place).map_err(WriteError::at(place))
}

fn write_file(root: &Path, file: &File) -> Result<(), WriteError> {
    let path = root.join(&file.path);
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    let mut opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(file.mode)
        .open(&path)
        .map_err(WriteError::at(&path))?;
    opened.write_all(file.text.as_bytes()).map_err(WriteError::at(&path))
}

/// Makes a folder as the user's umask has it.
fn folder(path: &Path) -> Result<(), WriteError> {
    fs::DirBuilder::new().recursive(true).mode(0o777).create(path).map_err(WriteError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn files() -> Vec<File> {
        let file = |path: &str, mode| File { path: path.to_owned(), mode, text: format!("{path}\n") };
        vec![file("README.md", 0o644), file("scripts/a.sh", 0o755)]
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_repository_is_written_also_into_an_empty_folder() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("empty")).unwrap();
        for name in ["new", "empty"] {
            let place = root.path().join(name);
            write(&place, &files()).unwrap();
            assert_eq!(names(&place), ["README.md", "scripts"]);
            let script = place.join("scripts/a.sh");
            assert_eq!(fs::read_to_string(&script).unwrap(), "scripts/a.sh\n");
            assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0o111);
        }
        assert_eq!(names(root.path()), ["empty", "new"], "nothing else is left");
    }

    #[test]
    fn what_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        let full = root.path().join("full");
        fs::create_dir(&full).unwrap();
        for name in ["1", "2", "3", "4", "5", "6", "7"] {
            fs::write(full.join(name), "").unwrap();
        }
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
        for (name, words) in [
            ("full", "not empty (1, 2, 3, 4, 5 and 2 more)"),
            ("file", "something else"),
            ("link", "something else"),
        ] {
            let error = write(&root.path().join(name), &files()).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(name), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(names(root.path()), ["file", "full", "link"]);
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut twice = files();
        twice.extend(files());
        let place = root.path().join("new");
        assert!(write(&place, &twice).unwrap_err().to_string().contains("nothing was left there"));
        assert_eq!(names(root.path()), Vec::<String>::new());
        assert!(write(&root.path().join("nowhere/new"), &files()).is_err());
    }
}
