//! What the agent remembers over restarts: how far each file has been shipped.
//!
//! `state_file` is one JSON document, replaced whole: written beside, synced, renamed over the old one. (Amazon's
//! agent keeps an SQLite database there; it is put aside like any file that is not such a document.)

use super::tail::fingerprint::{Fingerprint, Position};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The form of the document; another form is put aside.
const VERSION: u32 = 1;

/// Why the state cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} the state file {path}: {source}")]
pub struct StateError {
    /// `read`, `write` or `lock`.
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A file on disk, apart from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId {
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
}

/// How far a file has been shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Names the file while the agent runs.
    #[serde(skip)]
    pub key: u64,
    /// Where it was last seen.
    pub path: PathBuf,
    /// What it was then. Device numbers may differ after a reboot.
    pub id: FileId,
    /// Its first lines; none while they are not all there.
    pub fingerprint: Option<Fingerprint>,
    /// Everything before has been accepted by the service.
    pub position: Position,
    /// How long the file was then.
    pub size: u64,
}

/// A file that was there before the agent, in the state it had then, and is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// What it is.
    pub id: FileId,
    /// How long it is.
    pub size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
}

/// What is remembered of one section of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// The last time found in an event, in milliseconds since 1970: for the next event without one.
    #[serde(default)]
    pub last_time: Option<i64>,
    /// Its files in the order of reading.
    #[serde(default)]
    pub files: Vec<FileState>,
    /// Files left alone.
    #[serde(default)]
    pub ignored: Vec<Ignored>,
}

/// News of one section: what has been shipped since.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// The last time found in an event.
    pub last_time: Option<i64>,
    /// The files concerned.
    pub files: Vec<FileState>,
    /// The keys of all files in the order of reading.
    pub order: Vec<u64>,
}

#[derive(Deserialize)]
struct Document {
    version: u32,
    sources: BTreeMap<String, SourceState>,
}

/// A section and how it is written: of a thousand sections one changes at a time.
#[derive(Default)]
struct Kept {
    state: SourceState,
    /// In JSON, until it changes.
    text: Option<String>,
}

impl From<SourceState> for Kept {
    fn from(state: SourceState) -> Self {
        Self { state, text: None }
    }
}

/// The state, in memory and on disk. Every method may be called from any thread.
pub struct Ledger {
    path: PathBuf,
    known: Mutex<Known>,
    /// Held by whoever writes; what is the newest change on disk.
    written: Mutex<u64>,
    /// Keeps another agent from the same state.
    _lock: File,
}

#[derive(Default)]
struct Known {
    sources: BTreeMap<String, Kept>,
    /// Counts changes.
    changes: u64,
}

/// What reading the state had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAside {
    /// Where the unreadable file is now.
    pub to: PathBuf,
    /// Why it cannot be used.
    pub reason: String,
}

impl Ledger {
    /// Reads the state at `path`, or begins a new one. A file that is not a state is put aside, which is told.
    ///
    /// # Errors
    /// When the file cannot be read, or another agent uses it.
    pub fn open(path: &Path) -> Result<(Self, Option<PutAside>), StateError> {
        let failed = |verb, source| StateError { verb, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
            made.map_err(|source| failed("write", source))?;
        }
        let lock = lock_beside(path).map_err(|source| failed("lock", source))?;
        let (sources, put_aside) = match std::fs::read(path) {
            Ok(bytes) => match parse(&bytes) {
                Ok(sources) => (sources, None),
                Err(reason) => {
                    let to = put_aside(path).map_err(|source| failed("put aside", source))?;
                    (BTreeMap::new(), Some(PutAside { to, reason }))
                }
            },
            Err(err) if err.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), None),
            Err(source) => return Err(failed("read", source)),
        };
        let sources = sources.into_iter().map(|(section, state)| (section, Kept::from(state))).collect();
        let known = Mutex::new(Known { sources, changes: 0 });
        Ok((Self { path: path.to_owned(), known, written: Mutex::new(0), _lock: lock }, put_aside))
    }

    /// What is known of a section; None before its first look.
    pub fn source(&self, section: &str) -> Option<SourceState> {
        self.known().sources.get(section).map(|kept| kept.state.clone())
    }

    /// Sets what is known of a section; [`Ledger::sync`] makes it durable.
    pub fn begin(&self, section: &str, state: SourceState) {
        let mut known = self.known();
        known.sources.insert(section.to_owned(), state.into());
        known.changes += 1;
    }

    /// Notes what has been shipped; [`Ledger::sync`] makes it durable.
    pub fn note(&self, section: &str, checkpoint: &Checkpoint) {
        let mut known = self.known();
        known.changes += 1;
        let kept = known.sources.entry(section.to_owned()).or_default();
        kept.text = None;
        let state = &mut kept.state;
        if checkpoint.last_time.is_some() {
            state.last_time = checkpoint.last_time;
        }
        for file in &checkpoint.files {
            match state.files.iter_mut().find(|known| known.key == file.key) {
                Some(known) => known.clone_from(file),
                None => state.files.push(file.clone()),
            }
        }
        // Files that are not in the order have been read before those that are.
        let place = |file: &FileState| checkpoint.order.iter().position(|key| *key == file.key);
        state.files.sort_by_key(place);
    }

    /// Forgets files that are no longer there.
    pub fn forget(&self, section: &str, keys: &[u64]) {
        let mut known = self.known();
        known.changes += 1;
        if let Some(kept) = known.sources.get_mut(section) {
            kept.text = None;
            kept.state.files.retain(|file| !keys.contains(&file.key));
        }
    }

    /// Returns when everything noted before the call is on disk. Callers at the same time share one writing.
    ///
    /// # Errors
    /// When it cannot be written; what is in memory stays, and the next call tries again.
    pub fn sync(&self) -> Result<(), StateError> {
        let wanted = self.known().changes;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written >= wanted {
            return Ok(());
        }
        let (text, changes) = {
            let mut known = self.known();
            (known.document(), known.changes)
        };
        let failed = |source| StateError { verb: "write", path: self.path.clone(), source };
        let text = text.map_err(|err| failed(err.into()))?;
        replace(&self.path, &text).map_err(failed)?;
        *written = changes;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The whole document.
    fn document(&mut self) -> serde_json::Result<Vec<u8>> {
        let mut text = format!("{{\"version\":{VERSION},\"sources\":{{").into_bytes();
        for (index, (section, kept)) in self.sources.iter_mut().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, section)?;
            text.push(b':');
            let known = match kept.text.take() {
                Some(known) => known,
                None => serde_json::to_string(&kept.state)?,
            };
            text.extend_from_slice(kept.text.insert(known).as_bytes());
        }
        text.extend_from_slice(b"}}");
        Ok(text)
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, SourceState>, String> {
    if bytes.starts_with(b"SQLite format 3\0") {
        return Err("it is the database of Amazon's agent".to_owned());
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|err| err.to_string())?;
    if document.version != VERSION {
        return Err(format!("its version is {}", document.version));
    }
    Ok(document.sources)
}

/// Locks `path.lock` until the file is closed. The state file itself is replaced, so its own lock would not last.
fn lock_beside(path: &Path) -> io::Result<File> {
    let lock = File::options().create(true).append(true).open(with_suffix(path, ".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(io::Error::other("another log agent is using it")),
        Err(std::fs::TryLockError::Error(err)) => Err(err),
    }
}

fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let seconds = jiff::Timestamp::now().as_second();
    let to = with_suffix(path, &format!(".corrupt-{seconds}"));
    std::fs::rename(path, &to)?;
    Ok(to)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file whole or not at all, and returns when it is on disk.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = with_suffix(path, ".new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&new, path)?;
    // The renaming, too, must outlast a loss of power.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: u64, offset: u64) -> FileState {
        let position = Position { offset, ..Position::start() };
        let id = FileId { dev: 1, ino: key };
        FileState { key, path: "/var/log/a".into(), id, fingerprint: None, position, size: 10 }
    }

    #[test]
    fn what_is_shipped_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/agent-state");
        {
            let (ledger, _) = Ledger::open(&path).unwrap();
            assert_eq!(ledger.source("a"), None);
            ledger.begin("a", SourceState { files: vec![file(1, 0)], ..SourceState::default() });
            ledger.note(
                "a",
                &Checkpoint { last_time: Some(7), files: vec![file(1, 5), file(2, 1)], order: Vec::new() },
            );
            ledger.note("a", &Checkpoint { last_time: None, files: vec![file(3, 9)], order: vec![3, 1] });
            ledger.forget("a", &[2]);
            ledger.sync().unwrap();
        }
        let (ledger, put_aside) = Ledger::open(&path).unwrap();
        let state = ledger.source("a").unwrap();
        assert_eq!(put_aside, None);
        assert_eq!(state.last_time, Some(7));
        let offsets: Vec<u64> = state.files.iter().map(|file| file.position.offset).collect();
        assert_eq!(offsets, [9, 5]);
    }

    #[test]
    fn what_is_not_a_state_is_put_aside_and_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for (bytes, reason) in [
            (&b"{\"version\":1,\"sour"[..], "EOF"),
            (b"SQLite format 3\0...", "Amazon's agent"),
            (b"{\"version\":2,\"sources\":{}}", "version is 2"),
            (b"\0\0\0", "expected value"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let (ledger, put_aside) = Ledger::open(&path).unwrap();
            let put_aside = put_aside.unwrap();
            assert!(put_aside.reason.contains(reason), "{put_aside:?}");
            assert_eq!(std::fs::read(&put_aside.to).unwrap(), bytes);
            ledger.begin("a", SourceState::default());
            ledger.sync().unwrap();
            assert!(ledger.source("a").is_some());
        }
    }

    #[test]
    fn two_agents_do_not_share_a_state() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let first = Ledger::open(&path).unwrap();
        let refused = Ledger::open(&path).err().unwrap().to_string();
        assert!(refused.contains("another log agent"), "{refused}");
        drop(first);
        assert!(Ledger::open(&path).is_ok());
    }
}
