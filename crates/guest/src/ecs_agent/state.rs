//! What the agent remembers over restarts, in `ecs_agent_data.json`.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "ecs_agent_data.json";
/// The form of the file; a newer form is not read.
const VERSION: u32 = 1;

/// Why the state cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("cannot {verb} the state file {path}: {source}")]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a state file.
    #[error(
        "the state file {path} is not valid: {reason}; remove it to register as a new container instance"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// The cluster registered in.
    pub cluster: String,
    /// Who the instance is in the cluster; None before the first registration.
    pub container_instance_arn: Option<String>,
    /// The instance that this state is of: an image may carry another instance's.
    #[serde(rename = "EC2InstanceID")]
    pub ec2_instance_id: Option<String>,
    /// Makes a repeated registration the same one.
    pub registration_token: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: u32,
    data: State,
}

/// Reads the state in `folder`; None when there is none.
pub fn load(folder: &Path) -> Result<Option<State>, StateError> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { verb: "read", path, source }),
    };
    match serde_json::from_str::<Document>(&text) {
        Ok(document) if document.version == VERSION => Ok(Some(document.data)),
        Ok(document) => {
            Err(StateError::Malformed { path, reason: format!("its version is {}", document.version) })
        }
        Err(err) => Err(StateError::Malformed { path, reason: err.to_string() }),
    }
}

/// Replaces the state in `folder`, whole or not at all.
pub fn save(folder: &Path, state: &State) -> Result<(), StateError> {
    let document = Document { version: VERSION, data: state.clone() };
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&document)?)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE)).map(drop).map_err(|err| err.error)
    };
    write().map_err(|source| StateError::Io { verb: "write", path: folder.join(FILE), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        assert_eq!(load(&folder).unwrap(), None);
        let state =
            State { cluster: "web".into(), container_instance_arn: Some("arn".into()), ..State::default() };
        save(&folder, &state).unwrap();
        save(&folder, &state).unwrap();
        assert_eq!(load(&folder).unwrap(), Some(state));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_told_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("remove it to register"));
        std::fs::write(
            dir.path().join(FILE),
            r#"{"Version":2,"Data":{"Cluster":"","RegistrationToken":""}}"#,
        )
        .unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("its version is 2"));
    }
}
