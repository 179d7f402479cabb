//! Files whose changes are noticed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long it must be quiet before a change counts as over: editors write a file in several goes, and tools write
/// several files.
const QUIET: Duration = Duration::from_millis(50);

/// Watches files, and folders with all that is in them.
///
/// What is watched is the folder that a file is in: editors put a new file in the old one's place, and a watch on the
/// file itself would go with the old one.
pub(super) struct Watcher {
    watcher: RecommendedWatcher,
    changes: UnboundedReceiver<PathBuf>,
    watched: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
    /// What has changed and has not been told: a wait that is given up loses nothing.
    pending: BTreeSet<PathBuf>,
}

impl Watcher {
    pub fn new() -> Result<Self, notify::Error> {
        let (sender, changes) = unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            let Ok(event) = event else { return };
            // Reading is no change, and we read ourselves.
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for path in event.paths {
                // Nobody listens any more when the watch is at its end.
                let _ = sender.send(path);
            }
        })?;
        Ok(Self {
            watcher,
            changes,
            watched: BTreeSet::new(),
            files: BTreeSet::new(),
            pending: BTreeSet::new(),
        })
    }

    /// Sets which files and folders count from now on.
    ///
    /// # Errors
    /// When a folder cannot be watched. A file that is not there yet is watched for.
    pub fn set(&mut self, files: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        for file in &files {
            let (folder, mode) = if file.is_dir() {
                (file.clone(), RecursiveMode::Recursive)
            } else {
                (folder_of(file), RecursiveMode::NonRecursive)
            };
            if folder.is_dir() && self.watched.insert(folder.clone()) {
                self.watcher.watch(&folder, mode)?;
            }
        }
        self.files = files;
        Ok(())
    }

    /// How many files and folders count.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Waits for changes, and until they are over; answers with the files and folders that they are about. Giving up
    /// the wait loses no change.
    pub async fn changed(&mut self) -> BTreeSet<PathBuf> {
        loop {
            let next = if self.pending.is_empty() {
                self.changes.recv().await
            } else {
                match tokio::time::timeout(QUIET, self.changes.recv()).await {
                    Ok(next) => next,
                    Err(_quiet) => return std::mem::take(&mut self.pending),
                }
            };
            match next {
                Some(path) => self.pending.extend(about(&self.files, &path)),
                // The sender lives as long as the watcher.
                None => std::future::pending().await,
            }
        }
    }
}

/// The folder that a file is in.
fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

/// The watched file that an event is about: itself, or the folder that it is in.
fn about(files: &BTreeSet<PathBuf>, path: &Path) -> Option<PathBuf> {
    files.iter().find(|file| path == file.as_path() || path.starts_with(file)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn saving_is_noticed_in_every_way_that_editors_have() {
        let dir = tempfile::tempdir().unwrap();
        let (script, folder) = (dir.path().join("a.sh"), dir.path().join("files"));
        fs::write(&script, "1").unwrap();
        fs::write(dir.path().join("other"), "1").unwrap();
        fs::create_dir(&folder).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.set(BTreeSet::from([script.clone(), folder.clone()])).unwrap();
        let noticed = async |watcher: &mut Watcher| {
            tokio::time::timeout(Duration::from_secs(10), watcher.changed()).await.unwrap()
        };
        fs::write(&script, "2").unwrap();
        assert_eq!(noticed(&mut watcher).await, BTreeSet::from([script.clone()]));
        fs::write(dir.path().join(".a.sh.swp"), "3").unwrap();
        fs::rename(dir.path().join(".a.sh.swp"), &script).unwrap();
        assert_eq!(noticed(&mut watcher).await, BTreeSet::from([script.clone()]));
        fs::write(folder.join("new"), "1").unwrap();
        assert_eq!(noticed(&mut watcher).await, BTreeSet::from([folder.clone()]));
        // What is not watched, and reading, is no change.
        fs::write(dir.path().join("other"), "2").unwrap();
        fs::read(&script).unwrap();
        let none = tokio::time::timeout(Duration::from_millis(200), watcher.changed()).await;
        assert!(none.is_err(), "{none:?}");
    }
}
