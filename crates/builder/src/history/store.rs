//! Where records are kept: `REGION/AMI.json` in a directory of the user's.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Record;

/// The records of images built on this machine.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// Why a record cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("the history of builds, {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("the history of builds, {path}, is damaged: {source}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is nowhere to keep it.
    #[error("there is nowhere to keep the history of builds: set XDG_STATE_HOME or HOME")]
    NoHome,
}

impl Store {
    /// The user's store: `$XDG_STATE_HOME/drydock/builds`, by default `~/.local/state/drydock/builds`.
    ///
    /// # Errors
    /// When the environment names no home.
    pub fn of_user() -> Result<Self, StoreError> {
        let path = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = path("XDG_STATE_HOME").or_else(|| Some(path("HOME")?.join(".local/state")));
        Ok(Self::at(&state.ok_or(StoreError::NoHome)?.join("drydock/builds")))
    }

    /// A store in a directory, which is made when the first record is put.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Keeps a record. It appears whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, record: &Record) -> Result<PathBuf, StoreError> {
        let path = self.path(&record.region, &record.ami);
        let text = serde_json::to_vec_pretty(record)
            .map_err(|source| StoreError::Damaged { path: path.clone(), source })?;
        let partial = path.with_extension("partial");
        let write = || -> io::Result<()> {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            let mut file = fs::File::create(&partial)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(|source| StoreError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// The record of an image; none when it was not built on this machine.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, region: &str, ami: &str) -> Result<Option<Record>, StoreError> {
        let path = self.path(region, ami);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|source| StoreError::Damaged { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }

    fn path(&self, region: &str, ami: &str) -> PathBuf {
        // Names come from outside and must not lead out of the directory.
        let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        self.dir.join(plain(region)).join(format!("{}.json", plain(ami)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::step;

    #[test]
    fn what_is_put_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(&dir.path().join("builds"));
        let record = Record {
            ami: "ami-0123456789abcdef0".into(),
            region: "us-east-1".into(),
            template: "/p.json".into(),
            build: "amazon-ebs".into(),
            source_ami: "ami-5e414e24".into(),
            inputs: "00".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            seconds: 2.0,
            by: "drydock".into(),
            host: "here".into(),
            steps: vec![step("shell", "é\n")],
        };
        assert_eq!(store.get("us-east-1", &record.ami).unwrap(), None);
        let path = store.put(&record).unwrap();
        assert_eq!(store.get("us-east-1", &record.ami).unwrap(), Some(record.clone()));
        assert_eq!(store.get("eu-west-1", &record.ami).unwrap(), None);
        fs::write(&path, "{").unwrap();
        let error = store.get("us-east-1", &record.ami).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("ami-0123456789abcdef0.json"), "{error}");
        assert_eq!(store.get("..", "../../secret").unwrap(), None);
    }
}
