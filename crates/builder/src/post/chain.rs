//! The chains of post-processors: each hands its artifact to the next, and what nobody keeps is removed.

use std::sync::Arc;

use async_trait::async_trait;
use packer_template::{Context, PostProcessor};
use tokio_util::sync::CancellationToken;

use super::{PostError, Processed, Processor, Run};
use crate::artifact::Artifact;
use crate::ui::{Targeted, Ui};

/// Removes what nobody keeps: images are deregistered, files deleted.
#[async_trait]
pub trait Destroy: Send + Sync {
    /// Removes all of an artifact.
    ///
    /// # Errors
    /// What could not be removed, and why.
    async fn destroy(&self, artifact: &Artifact) -> Result<(), String>;
}

/// What all chains of a build have in common.
pub struct Chains<'a> {
    /// What late options may refer to, with the build's data.
    pub context: &'a Context,
    /// The run.
    pub run: &'a Run,
    /// The build's voice.
    pub voice: &'a Targeted,
    /// Removes what is not kept.
    pub destroy: &'a dyn Destroy,
    /// Stops between two post-processors.
    pub cancel: &'a CancellationToken,
}

/// One that failed. The other chains ran nevertheless.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The post-processor itself.
    #[error("Post-processor failed: {name}: {error}")]
    Failed {
        /// Its name.
        name: String,
        /// Why.
        error: PostError,
    },
    /// What it was given could not be removed.
    #[error("Failed cleaning up prior artifact: {reason}; pp is {name}")]
    NotRemoved {
        /// The post-processor's name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// What is left in the end.
#[derive(Debug, Default)]
pub struct Left {
    /// The builder's artifact first (if it is kept), then those of the chains.
    pub artifacts: Vec<Artifact>,
    /// What went wrong.
    pub errors: Vec<ChainError>,
}

impl Chains<'_> {
    /// Runs all chains on the builder's artifact.
    ///
    /// The builder's artifact stays when no chain is there, when the first post-processor of any chain keeps it, and,
    /// unlike Packer's, when anything failed: an image that took minutes is not thrown away over a file that could
    /// not be written.
    pub async fn run(&self, chains: &[Vec<PostProcessor>], original: Artifact) -> Left {
        let mut left = Left::default();
        let mut keep_original = chains.is_empty();
        for chain in chains {
            match self.run_one(chain, &original, &mut left).await {
                Ok(keep) => keep_original |= keep,
                Err(error) => left.errors.push(error),
            }
        }
        if keep_original || !left.errors.is_empty() || self.cancel.is_cancelled() {
            left.artifacts.insert(0, original);
        } else if let Err(reason) = self.destroy.destroy(&original).await {
            let name = chains
                .first()
                .and_then(|chain| chain.first())
                .map_or_else(String::new, |post| post.name.clone());
            left.errors.push(ChainError::NotRemoved { name, reason });
        }
        left
    }

    /// Runs a chain; tells whether its first member keeps the builder's artifact.
    async fn run_one(
        &self,
        chain: &[PostProcessor],
        original: &Artifact,
        left: &mut Left,
    ) -> Result<bool, ChainError> {
        let mut keep_original = false;
        let mut prior = original.clone();
        for (index, post) in chain.iter().enumerate() {
            if self.cancel.is_cancelled() {
                break;
            }
            let processed = self.process(post, prior.clone()).await?;
            let keep = keeps(&processed, post.keep_input_artifact);
            if index == 0 {
                keep_original = keep;
            } else if keep {
                left.artifacts.push(prior);
            } else if let Err(reason) = self.destroy.destroy(&prior).await {
                left.errors.push(ChainError::NotRemoved { name: post.name.clone(), reason });
            }
            prior = processed.artifact;
        }
        left.artifacts.push(prior);
        Ok(keep_original)
    }

    async fn process(&self, post: &PostProcessor, artifact: Artifact) -> Result<Processed, ChainError> {
        let kind = post.block.kind.as_str();
        self.voice.say(&match post.name == kind {
            true => format!("Running post-processor: {kind}"),
            false => format!("Running post-processor: {} (type {kind})", post.name),
        });
        let voice = Arc::new(self.voice.of_post_processor(kind));
        let failed = |error| ChainError::Failed { name: post.name.clone(), error };
        let processor = Processor::decode(&post.block, self.context).map_err(|e| failed(e.into()))?;
        processor.process(artifact, self.run, voice, self.cancel).await.map_err(failed)
    }
}

/// Whether what a post-processor was given is kept: as the template says, or else as the post-processor does, unless
/// it cannot do without.
fn keeps(processed: &Processed, asked: Option<bool>) -> bool {
    match asked {
        Some(false) if processed.keep && processed.forced => true,
        Some(asked) => asked,
        None => processed.keep,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use packer_template::{Files, Host, Source, Template, VarInputs, Variables};
    use parking_lot::Mutex;

    use super::super::tests::{ami, run_in};
    use super::*;
    use crate::ui::{Colour, Text};

    /// Remembers what was to be removed.
    #[derive(Default)]
    struct Recording(Mutex<Vec<String>>);

    #[async_trait]
    impl Destroy for Recording {
        async fn destroy(&self, artifact: &Artifact) -> Result<(), String> {
            self.0.lock().push(artifact.description.clone());
            Ok(())
        }
    }

    struct NoFiles;

    impl Files for NoFiles {
        fn exists(&self, _path: &std::path::Path) -> bool {
            false
        }

        fn read(&self, _path: &std::path::Path) -> Option<String> {
            None
        }
    }

    /// Runs the chains of a template on an image and a file; tells what is left, what went wrong, what was removed.
    async fn left(post_processors: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("disk"), "content").unwrap();
        let text =
            format!(r#"{{"builders": [{{"type": "amazon-ebs"}}], "post-processors": {post_processors}}}"#);
        let template = Template::parse(&Source::new("packer.json", text)).unwrap();
        let host = Host {
            env: HashMap::new(),
            start: jiff::Timestamp::UNIX_EPOCH,
            cwd: folder.path().to_owned(),
            template: None,
            files: Arc::new(NoFiles),
            uuid: || "uuid".to_owned(),
        };
        let variables = Variables::resolve(&template, &VarInputs::default(), &host).unwrap();
        let run = run_in(folder.path(), "run-1");
        let context = Context::new(Arc::new(host), Arc::new(variables)).with_build((*run.data).clone());
        let (removed, cancel) = (Recording::default(), CancellationToken::new());
        let console = Arc::new(Text::new(std::io::sink(), false, false));
        let voice = Targeted::new(console, "amazon-ebs", Colour::Green, cancel.clone());
        let chains =
            Chains { context: &context, run: &run, voice: &voice, destroy: &removed, cancel: &cancel };
        let original = Artifact { files: vec!["disk".to_owned()], description: "image".to_owned(), ..ami() };
        let left = chains.run(&template.post_processors, original).await;
        let artifacts = left.artifacts.into_iter().map(|artifact| artifact.description).collect();
        let errors = left.errors.iter().map(ToString::to_string).collect();
        (artifacts, errors, removed.0.into_inner())
    }

    #[tokio::test]
    async fn what_nobody_keeps_is_removed() {
        let (artifacts, errors, removed) = left(r#"[{"type": "compress", "output": "a.gz"}]"#).await;
        assert_eq!(errors, [""; 0]);
        assert_eq!(artifacts, ["compressed artifacts in: a.gz"]);
        assert_eq!(removed, ["image"]);
    }

    #[tokio::test]
    async fn a_chain_hands_on_and_lists_what_is_kept() {
        let chain = r#"[["manifest", {"type": "checksum", "output": "sums"}, {"type": "compress", "output": "a.tar"}]]"#;
        let (artifacts, errors, removed) = left(chain).await;
        assert_eq!(errors, [""; 0]);
        assert_eq!(artifacts, ["image", "image", "compressed artifacts in: a.tar"]);
        assert_eq!(removed, ["Created artifact from files: disk, sums"]);
    }

    #[tokio::test]
    async fn a_failure_keeps_the_image_and_lets_other_chains_run() {
        let chains = r#"[{"type": "compress", "output": "/dev/null/a.gz"}, "manifest"]"#;
        let (artifacts, errors, removed) = left(chains).await;
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].starts_with("Post-processor failed: compress: cannot write /dev/null/a.gz"),
            "{errors:?}"
        );
        assert_eq!(artifacts, ["image", "image"]);
        assert_eq!(removed, [""; 0]);
    }

    #[test]
    fn what_is_part_of_the_new_artifact_is_kept_whatever_is_asked() {
        let cases = [
            // keeps by itself, is forced, asked, kept
            (true, true, None, true),
            (true, true, Some(false), true),
            (true, false, Some(false), false),
            (false, false, None, false),
            (false, false, Some(true), true),
            (false, true, Some(false), false),
        ];
        for (keep, forced, asked, expected) in cases {
            let processed = Processed { artifact: Artifact::default(), keep, forced };
            assert_eq!(keeps(&processed, asked), expected, "{keep} {forced} {asked:?}");
        }
    }
}
