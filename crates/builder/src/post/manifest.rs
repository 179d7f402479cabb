//! The post-processor `manifest`: a list of what was built, as JSON, to which every run adds.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use packer_template::config::Manifest;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Run;
use crate::artifact::Artifact;

/// Why a manifest could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file could not be read, written or replaced.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and is something else.
    #[error("{} is there and is no manifest, so nothing is added to it: {source}", path.display())]
    Content {
        /// The manifest.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
}

/// The file's content, in Packer's order of fields.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    #[serde(default, deserialize_with = "null_is_empty")]
    builds: Vec<Build>,
    #[serde(default)]
    last_run_uuid: String,
}

/// What one build left.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Build {
    #[serde(default)]
    name: String,
    #[serde(default)]
    builder_type: String,
    /// Seconds since 1970; left out when the template asks for no time.
    #[serde(default, skip_serializing_if = "is_zero")]
    build_time: i64,
    /// `null` where there are none, as Packer has it.
    #[serde(default)]
    files: Option<Vec<BuildFile>>,
    #[serde(default)]
    artifact_id: String,
    #[serde(default)]
    packer_run_uuid: String,
    /// `null` where there is none, as Packer has it.
    #[serde(default)]
    custom_data: Option<BTreeMap<String, String>>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BuildFile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    size: u64,
}

/// Builds of one run end at the same time and write the same file.
static WRITING: Mutex<()> = Mutex::new(());

/// Adds the artifact to the manifest.
///
/// # Errors
/// When the file cannot be read, is no manifest, or cannot be written.
pub(super) fn write(config: &Manifest, artifact: &Artifact, run: &Run) -> Result<(), ManifestError> {
    let path = run.resolve(&config.output);
    let build = described(config, artifact, run);
    let _alone = WRITING.lock();
    let mut file = read(&path)?;
    if run.force && file.last_run_uuid != run.uuid {
        file = File::default();
    }
    file.builds.push(build);
    run.uuid.clone_into(&mut file.last_run_uuid);
    replace(&path, &file).map_err(|source| ManifestError::File { action: "write", path, source })
}

fn described(config: &Manifest, artifact: &Artifact, run: &Run) -> Build {
    let files = artifact.files.iter().map(|name| {
        let size = std::fs::metadata(run.resolve(name)).map_or(0, |found| found.len());
        let name = if config.strip_path { base_name(name) } else { name.clone() };
        BuildFile { name, size }
    });
    let files: Vec<BuildFile> = files.collect();
    Build {
        name: run.data.name.clone(),
        builder_type: run.data.builder_type.clone(),
        build_time: if config.strip_time { 0 } else { jiff::Timestamp::now().as_second() },
        files: (!files.is_empty()).then_some(files),
        artifact_id: artifact.id(),
        packer_run_uuid: run.uuid.clone(),
        custom_data: (!config.custom_data.is_empty())
            .then(|| config.custom_data.iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
    }
}

fn read(path: &Path) -> Result<File, ManifestError> {
    match std::fs::read(path) {
        Ok(content) if content.is_empty() => Ok(File::default()),
        Ok(content) => serde_json::from_slice(&content)
            .map_err(|source| ManifestError::Content { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(File::default()),
        Err(source) => Err(ManifestError::File { action: "read", path: path.to_owned(), source }),
    }
}

/// Writes beside the file and renames: a manifest is whole whenever somebody looks.
fn replace(path: &Path, file: &File) -> io::Result<()> {
    // Packer's has no line end after the last brace.
    let text = serde_json::to_vec_pretty(file)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

fn base_name(name: &str) -> String {
    Path::new(name).file_name().map_or_else(|| name.to_owned(), |base| base.to_string_lossy().into_owned())
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Packer writes `null` for a list without elements.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Build>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ami, run_in};
    use super::*;

    fn config(output: &str) -> Manifest {
        Manifest {
            output: output.to_owned(),
            strip_path: true,
            strip_time: true,
            custom_data: Default::default(),
        }
    }

    fn written(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("m.json")).unwrap()
    }

    /// What Packer 1.6.6 wrote for the same, but for ids.
    const ONE: &str = r#"{
  "builds": [
    {
      "name": "amazon-ebs",
      "builder_type": "amazon-ebs",
      "files": null,
      "artifact_id": "us-east-1:ami-0123",
      "packer_run_uuid": "run-1",
      "custom_data": null
    }
  ],
  "last_run_uuid": "run-1"
}"#;

    #[test]
    fn the_file_is_packers() {
        let folder = tempfile::tempdir().unwrap();
        write(&config("m.json"), &ami(), &run_in(folder.path(), "run-1")).unwrap();
        assert_eq!(written(folder.path()), ONE);
    }

    #[test]
    fn time_files_and_custom_data_are_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        std::fs::write(folder.path().join("out/a.bin"), "12345").unwrap();
        let artifact = Artifact { files: vec!["out/a.bin".to_owned()], ..ami() };
        let mut config = config("m.json");
        config.strip_time = false;
        config.custom_data = [("who".to_owned(), "me".to_owned())].into_iter().collect();
        write(&config, &artifact, &run_in(folder.path(), "run-1")).unwrap();
        let build = read(&folder.path().join("m.json")).unwrap().builds.remove(0);
        assert!(build.build_time > 1_700_000_000);
        assert_eq!(build.files, Some(vec![BuildFile { name: "a.bin".to_owned(), size: 5 }]));
        assert_eq!(build.custom_data, Some([("who".to_owned(), "me".to_owned())].into_iter().collect()));
    }

    #[test]
    fn runs_add_to_the_file_and_force_begins_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let uuids = |folder: &Path| -> Vec<String> {
            let file = read(&folder.join("m.json")).unwrap();
            file.builds.into_iter().map(|build| build.packer_run_uuid).collect()
        };
        for uuid in ["run-1", "run-2"] {
            write(&config("m.json"), &ami(), &run_in(folder.path(), uuid)).unwrap();
        }
        assert_eq!(uuids(folder.path()), ["run-1", "run-2"]);
        for _ in 0..2 {
            let forced = Run { force: true, ..run_in(folder.path(), "run-3") };
            write(&config("m.json"), &ami(), &forced).unwrap();
        }
        assert_eq!(uuids(folder.path()), ["run-3", "run-3"], "two builds of one run keep each other");
    }

    #[test]
    fn something_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.json"), "notes").unwrap();
        let error = write(&config("m.json"), &ami(), &run_in(folder.path(), "run-1")).unwrap_err();
        assert!(error.to_string().contains("m.json is there and is no manifest"), "{error}");
        assert_eq!(written(folder.path()), "notes");
    }
}
