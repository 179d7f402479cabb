//! Files as inputs: what they hold and which permission bits they have.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Digest, of_bytes};

/// A file that a build uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// Its path below what the template names; empty for that itself.
    pub name: String,
    /// Its permission bits.
    pub mode: u32,
    /// What it holds.
    pub content: Digest,
}

/// The facts about a file, or about all files below a folder in order of their names. Links to files are followed, as
/// an upload follows them; of a link to a folder counts where it leads, so that no circle is walked.
///
/// # Errors
/// When something cannot be read.
pub(super) fn facts(path: &Path) -> io::Result<Vec<FileFact>> {
    let mut found = Vec::new();
    if fs::metadata(path)?.is_dir() {
        walk(path, "", &mut found)?;
    } else {
        found.push(of_file(path, String::new())?);
    }
    Ok(found)
}

fn of_file(path: &Path, name: String) -> io::Result<FileFact> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    Ok(FileFact { name, mode, content: of_bytes(&fs::read(path)?) })
}

fn walk(dir: &Path, prefix: &str, found: &mut Vec<FileFact>) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        let is_link = entry.file_type()?.is_symlink();
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() && is_link => found.push(of_link(&path, name)?),
            Ok(meta) if meta.is_dir() => {
                let mode = meta.permissions().mode() & 0o7777;
                found.push(FileFact { name: format!("{name}/"), mode, content: of_bytes(b"") });
                walk(&path, &name, found)?;
            }
            Ok(_) => found.push(of_file(&path, name)?),
            // A link to nowhere is a fact, too.
            Err(error) if is_link && error.kind() == io::ErrorKind::NotFound => {
                found.push(of_link(&path, name)?)
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn of_link(path: &Path, name: String) -> io::Result<FileFact> {
    let target = fs::read_link(path)?;
    Ok(FileFact {
        name: format!("{name}@"),
        mode: 0,
        content: of_bytes(target.as_os_str().as_encoded_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_modes_and_names_count() {
        let dir = tempfile::tempdir().unwrap();
        let (script, folder) = (dir.path().join("a.sh"), dir.path().join("tree"));
        fs::write(&script, "echo").unwrap();
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/file"), "x").unwrap();
        std::os::unix::fs::symlink("..", folder.join("up")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("lost")).unwrap();
        let (file, tree) = (facts(&script).unwrap(), facts(&folder).unwrap());
        let names: Vec<&str> = tree.iter().map(|fact| fact.name.as_str()).collect();
        assert_eq!(names, ["/lost@", "/sub/", "/sub/file", "/up@"]);
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(facts(&script).unwrap(), file);
        fs::rename(folder.join("sub/file"), folder.join("sub/other")).unwrap();
        assert_ne!(facts(&folder).unwrap(), tree);
        assert!(facts(&dir.path().join("none")).is_err());
    }
}
