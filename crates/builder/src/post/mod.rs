//! What is done with what a build made: the template's post-processors.

mod chain;
mod checksum;
mod compress;
mod manifest;

use std::path::PathBuf;
use std::sync::Arc;

use packer_template::{BuildData, config};
use tokio_util::sync::CancellationToken;

pub use chain::{ChainError, Chains, Destroy, Left};
pub use checksum::ChecksumError;
pub use compress::CompressError;
pub use manifest::ManifestError;

use crate::artifact::Artifact;
use crate::provision::shell_local;
use crate::ui::Ui;

/// The run that a post-processor belongs to.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run's identifier, the same for all its builds.
    pub uuid: String,
    /// Whether what earlier runs left is replaced (`-force`).
    pub force: bool,
    /// What relative paths count from.
    pub folder: PathBuf,
    /// What is known of the build, its name and type among it.
    pub data: Arc<BuildData>,
}

impl Run {
    fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The fields that `output` sees.
    fn names(&self) -> Vec<(&str, &str)> {
        vec![("BuildName", &self.data.name), ("BuilderType", &self.data.builder_type)]
    }
}

/// Why a post-processor failed.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Its options do not hold for this build.
    #[error("{}", .0.summary())]
    Options(#[from] packer_template::Errors),
    /// `manifest`
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// `checksum`
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// `compress`
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// `shell-local`
    #[error(transparent)]
    ShellLocal(#[from] crate::provision::ProvisionError),
    /// It ended in a way that is our own fault.
    #[error("it broke off: {0}")]
    Broken(String),
}

/// A post-processor with its options.
#[derive(Debug, Clone)]
pub enum Processor {
    /// `manifest`
    Manifest(config::Manifest),
    /// `checksum`
    Checksum(config::Checksum),
    /// `compress`
    Compress(config::Compress),
    /// `shell-local`
    ShellLocal(Box<config::ShellLocalPost>),
}

/// What came of a post-processor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Processed {
    artifact: Artifact,
    /// Whether the artifact it was given is kept when the template does not say.
    keep: bool,
    /// Whether it is kept even when the template says otherwise: it is part of the new one.
    forced: bool,
}

impl Processor {
    /// The types that there are.
    pub const KINDS: [&str; 4] = ["checksum", "compress", "manifest", "shell-local"];

    /// Reads the options of a block.
    ///
    /// # Errors
    /// Everything wrong with them, and a type that Drydock does not have.
    pub fn decode(
        block: &packer_template::Block,
        context: &packer_template::Context,
    ) -> Result<Self, packer_template::Errors> {
        match block.kind.as_str() {
            "manifest" => config::Manifest::decode(block, context).map(Self::Manifest),
            "checksum" => config::Checksum::decode(block, context).map(Self::Checksum),
            "compress" => config::Compress::decode(block, context).map(Self::Compress),
            "shell-local" => {
                config::ShellLocalPost::decode(block, context).map(|found| Self::ShellLocal(Box::new(found)))
            }
            other => Err(packer_template::Error::new(format!(
                "the post-processor '{other}' is not supported by Drydock"
            ))
            .at(&block.source, block.span)
            .path(&block.path)
            .help(format!("there are {}", Self::KINDS.join(", ")))
            .into()),
        }
    }

    async fn process(
        self,
        artifact: Artifact,
        run: &Run,
        ui: Arc<dyn Ui>,
        cancel: &CancellationToken,
    ) -> Result<Processed, PostError> {
        if let Self::ShellLocal(config) = &self {
            shell_local::run(config, &run.folder, &run.data, ui.as_ref(), cancel).await?;
            return Ok(Processed { artifact, keep: true, forced: true });
        }
        let run = run.clone();
        // Sums and archives of large files keep a thread busy for long.
        let work = tokio::task::spawn_blocking(move || self.process_files(artifact, &run, ui.as_ref()));
        work.await.map_err(|error| PostError::Broken(error.to_string()))?
    }

    fn process_files(self, artifact: Artifact, run: &Run, ui: &dyn Ui) -> Result<Processed, PostError> {
        let kept = |artifact| Processed { artifact, keep: true, forced: true };
        match self {
            Self::Manifest(config) => {
                manifest::write(&config, &artifact, run)?;
                Ok(kept(artifact))
            }
            Self::Checksum(config) => Ok(kept(checksum::run(&config, &artifact, run)?)),
            Self::Compress(config) => {
                let artifact = compress::run(&config, &artifact, run, ui)?;
                Ok(Processed { artifact, keep: false, forced: false })
            }
            Self::ShellLocal(_) => Ok(kept(artifact)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// An image, as a builder leaves it.
    pub fn ami() -> Artifact {
        Artifact {
            builder_id: "mitchellh.amazonebs".to_owned(),
            amis: [("us-east-1".to_owned(), "ami-0123".to_owned())].into(),
            description: "AMIs were created:\nus-east-1: ami-0123\n".to_owned(),
            ..Artifact::default()
        }
    }

    /// A run of the build `amazon-ebs` that works in `folder`.
    pub fn run_in(folder: &Path, uuid: &str) -> Run {
        let mut data = BuildData::placeholder("amazon-ebs", "amazon-ebs");
        data.values.insert("ID".to_owned(), "i-0123".to_owned());
        Run { uuid: uuid.to_owned(), force: false, folder: folder.to_owned(), data: Arc::new(data) }
    }
}
