//! What an instance finds in its root at its first boot: its own name, and the files that it is born with.
//!
//! The root volume may be a copy of another instance's, who was born with files of its own. What that one was given
//! and still has is replaced; whatever else is in those files stays, as a line that an image build added to
//! `/etc/hosts`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dir::InstanceDir;
use crate::driver::{ByteRange, InjectedFile, InstanceSpec};
use crate::error::OsError;
use crate::files;
use crate::inroot::InRoot;

/// A file of the root volume that only the host sees, beside the overlay's directories.
const BIRTH: &str = "birth.json";

/// What identifies a machine to systemd. Empty, it is given a new one when it boots (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";

/// The longest file that something is put into.
const MAX_BYTES: u64 = 16 << 20;

/// Which instance a root volume belongs to and what it was born with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Birth {
    instance: String,
    given: Vec<Given>,
}

/// A file as it was given to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    path: PathBuf,
    content: Vec<u8>,
}

/// Writes the files that an instance is born with, once in its life. Its host name is one of them: systemd would
/// otherwise go by the image's.
pub(super) fn inject(dir: &InstanceDir, spec: &InstanceSpec) -> Result<(), OsError> {
    let record = dir.volume().join(BIRTH);
    let parent = read(&record)?;
    if parent.as_ref().is_some_and(|birth| birth.instance == spec.id) {
        return Ok(());
    }
    let root = InRoot::open(&dir.root()).map_err(OsError::of("open", dir.root()))?;
    if parent.is_some() {
        forget_machine_id(&root)?;
    }
    let given_before = parent.unwrap_or_default().given;
    let name = InjectedFile {
        path: PathBuf::from("/etc/hostname"),
        mode: 0o644,
        content: format!("{}\n", spec.hostname).into_bytes(),
        append: false,
    };
    let mut birth = Birth { instance: spec.id.clone(), given: Vec::new() };
    for file in std::iter::once(&name).chain(&spec.files) {
        let before = given_before.iter().find(|given| given.path == file.path);
        give(&root, file, before.map(|given| given.content.as_slice()))?;
        birth.given.push(Given { path: file.path.clone(), content: file.content.clone() });
    }
    let json = serde_json::to_vec(&birth).map_err(OsError::of("encode", &record))?;
    files::write_atomic(&record, &json)
}

fn read(record: &Path) -> Result<Option<Birth>, OsError> {
    let Some(bytes) = files::read_optional(record)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(OsError::of("understand", record))
}

fn give(root: &InRoot, file: &InjectedFile, before: Option<&[u8]>) -> Result<(), OsError> {
    let path = &file.path;
    let failed = |e| OsError::of("write into the root:", path)(e);
    if let Some(before) = before.filter(|before| !before.is_empty())
        && let Some(now) = root.read(path, ByteRange::Head { max: MAX_BYTES }).map_err(failed)?
        && let Some(exchanged) = exchange(&now.bytes, before, &file.content)
    {
        return root.write(path, file.mode, &exchanged).map_err(failed);
    }
    match file.append {
        true => root.append(path, file.mode, &file.content),
        false => root.write(path, file.mode, &file.content),
    }
    .map_err(failed)
}

/// `text` with the first `old` in it replaced by `new`; none if it has no `old`.
fn exchange(text: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let at = text.windows(old.len()).position(|window| window == old)?;
    let (before, rest) = text.split_at(at);
    Some([before, new, rest.get(old.len()..)?].concat())
}

/// Makes systemd find a new id for the machine. A root without systemd has no such file.
fn forget_machine_id(root: &InRoot) -> Result<(), OsError> {
    let path = Path::new(MACHINE_ID);
    if !root.exists(path) {
        return Ok(());
    }
    root.write(path, 0o444, b"").map_err(OsError::of("empty", path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::driver::VolumeAttachment;

    fn file(path: &str, content: &str, append: bool) -> InjectedFile {
        InjectedFile { path: path.into(), mode: 0o644, content: content.into(), append }
    }

    fn spec(id: &str, files: Vec<InjectedFile>) -> InstanceSpec {
        let root = VolumeAttachment {
            volume_id: "vol-1".into(),
            device: "/dev/xvda".into(),
            file: "/f".into(),
            size_gib: 8,
        };
        InstanceSpec {
            id: id.into(),
            hostname: format!("host-of-{id}"),
            image_layers: vec![],
            root,
            volumes: vec![],
            netns: "/n".into(),
            files,
            memory_mib: None,
            cpus: None,
        }
    }

    fn files_of(address: &str) -> Vec<InjectedFile> {
        vec![file("/etc/hosts", &format!("{address} me\n"), false), file("/etc/bundle", "OUR CA\n", true)]
    }

    #[test]
    fn a_copy_gets_an_identity_of_its_own_and_keeps_what_was_added() {
        let state = tempfile::tempdir().unwrap();
        let dir = InstanceDir::new(state.path(), "i-1");
        dir.prepare().unwrap();
        let etc = dir.root().join("etc");
        fs::create_dir_all(&etc).unwrap();
        fs::write(etc.join("bundle"), "OTHERS\n").unwrap();
        fs::write(etc.join("machine-id"), "").unwrap();
        let text = |name: &str| fs::read_to_string(etc.join(name)).unwrap();

        inject(&dir, &spec("i-1", files_of("10.0.0.1"))).unwrap();
        assert_eq!((text("hostname"), text("hosts")), ("host-of-i-1\n".into(), "10.0.0.1 me\n".into()));
        assert_eq!(text("bundle"), "OTHERS\nOUR CA\n");
        fs::write(etc.join("machine-id"), "0123\n").unwrap();
        fs::write(etc.join("hosts"), "10.0.0.1 me\n10.9.9.9 added\n").unwrap();

        // The same instance again: all is as it left it.
        inject(&dir, &spec("i-1", files_of("10.0.0.7"))).unwrap();
        assert_eq!(
            (text("hosts"), text("machine-id")),
            ("10.0.0.1 me\n10.9.9.9 added\n".into(), "0123\n".into())
        );

        // Another one of its volume.
        inject(&dir, &spec("i-2", files_of("10.0.0.2"))).unwrap();
        assert_eq!(text("hostname"), "host-of-i-2\n");
        assert_eq!(text("hosts"), "10.0.0.2 me\n10.9.9.9 added\n");
        assert_eq!(text("bundle"), "OTHERS\nOUR CA\n", "the authority is the same and there once");
        assert_eq!(text("machine-id"), "");

        // One whose parent threw its name away.
        fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").unwrap();
        inject(&dir, &spec("i-3", files_of("10.0.0.3"))).unwrap();
        assert_eq!(text("hosts"), "10.0.0.3 me\n");
    }

    #[test]
    fn exchanges_the_first() {
        assert_eq!(exchange(b"abcabc", b"bc", b"X").as_deref(), Some(b"aXabc".as_slice()));
        assert_eq!(exchange(b"abc", b"abc", b"").as_deref(), Some(b"".as_slice()));
        assert_eq!(exchange(b"abc", b"abcd", b"X"), None);
        assert_eq!(exchange(b"", b"a", b"X"), None);
    }
}
