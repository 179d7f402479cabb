//! What a build is made from, as digests: two builds with the same inputs make the same image, so one of them can be
//! left out.
//!
//! What counts: the builder's options but those of [access](counted), the provisioners and post-processors that the
//! build has, the values of the variables that these name, content and permission bits of the files that they upload
//! or run, the source image (its id and when it was made), the region, and Drydock's version. Expressions count as
//! they are written: `{{timestamp}}` in an image's name does not make every build a new one.
//!
//! What does not count, because nobody can see it from outside: what a `shell-local` command reads besides its script,
//! what scripts fetch over the network, what `{{env}}` says unless a variable holds it.

mod canon;
mod counted;
mod files;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

use packer_template::config::{Direction, File, LocalCommand, Shell, ShellLocal, ShellSource};
use packer_template::{Block, BuildData, Context, Errors, Host, Variables};
use sha2::{Digest as _, Sha256};

use canon::Canon;
use files::FileFact;

use crate::amazon;
use crate::aws::Session;
use crate::build::{PlannedBuild, PlannedProvisioner};

/// A SHA-256 digest; shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why the inputs cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The template's blocks do not say what they need.
    #[error(transparent)]
    Template(#[from] Errors),
    /// A file that the build needs cannot be read.
    #[error("{block} needs {path}: {source}", path = path.display())]
    File {
        /// Where the template names it: `provisioners/0`.
        block: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The image that the build starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    /// `ami-…`
    pub id: String,
    /// When it was made, as EC2 says it. The local cloud's base image keeps its id when its recipe changes, and gets
    /// another date.
    pub created: String,
}

/// The inputs of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// Everything before the first provisioner: builder, source image, region, version.
    pub base: Digest,
    /// The provisioners that the build has, in their order.
    pub steps: Vec<StepInputs>,
    /// The post-processors.
    post: Digest,
    /// The files that the builder's and the post-processors' options name.
    other_files: BTreeSet<PathBuf>,
}

/// The inputs of one provisioner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInputs {
    /// What it is called in messages: `shell scripts/time.sh`.
    pub title: String,
    /// Everything about it.
    pub digest: Digest,
    /// The files and folders here that it uses.
    pub files: BTreeSet<PathBuf>,
}

impl Inputs {
    /// The digest of all inputs.
    pub fn digest(&self) -> Digest {
        let last = self.chain().pop().unwrap_or(self.base);
        let mut canon = Canon::new("build");
        canon.digest(last);
        canon.digest(self.post);
        canon.finish()
    }

    /// What the machine's state is made from before each provisioner, and after the last: one more than there are
    /// provisioners. Two builds whose chains begin alike are alike so far.
    pub fn chain(&self) -> Vec<Digest> {
        let mut chain = vec![self.base];
        for step in &self.steps {
            let mut canon = Canon::new("step");
            canon.digest(chain[chain.len() - 1]);
            canon.digest(step.digest);
            chain.push(canon.finish());
        }
        chain
    }

    /// All files and folders here that the build uses, without the template itself.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let of_steps = self.steps.iter().flat_map(|step| step.files.iter().cloned());
        self.other_files.iter().cloned().chain(of_steps).collect()
    }
}

/// A host without time and chance: what is rendered with it is the same every time.
pub fn frozen(host: &Host) -> Host {
    Host {
        start: jiff::Timestamp::UNIX_EPOCH,
        uuid: || "00000000-0000-0000-0000-000000000000".to_owned(),
        ..host.clone()
    }
}

/// The image that a build starts from, as EC2 has it now.
///
/// # Errors
/// When there is none, or EC2 does not answer.
pub async fn source_image(session: &Session, build: &PlannedBuild) -> Result<SourceImage, amazon::Error> {
    let image = amazon::source_image(session, &build.config.run).await?;
    Ok(SourceImage {
        id: image.image_id.unwrap_or_default(),
        created: image.creation_date.unwrap_or_default(),
    })
}

/// Reads the inputs of a planned build. `variables` are those of a [`frozen`] host. Relative paths count from the
/// context's working directory.
///
/// # Errors
/// Options that cannot be read, and files that cannot.
pub fn read(
    build: &PlannedBuild,
    context: &Context,
    variables: &Variables,
    source: &SourceImage,
    region: &str,
) -> Result<Inputs, InputsError> {
    let context = context.with_build(BuildData::placeholder(&build.name, &build.builder.block.kind));
    let reader = Reader { context: &context, variables };
    let mut other_files = BTreeSet::new();
    let base = reader.base(build, source, region, &mut other_files)?;
    let steps = build.provisioners.iter().map(|planned| reader.step(planned)).collect::<Result<_, _>>()?;
    let post = reader.post(build, &mut other_files)?;
    Ok(Inputs { base, steps, post, other_files })
}

struct Reader<'a> {
    context: &'a Context,
    variables: &'a Variables,
}

impl Reader<'_> {
    fn base(
        &self,
        build: &PlannedBuild,
        source: &SourceImage,
        region: &str,
        files: &mut BTreeSet<PathBuf>,
    ) -> Result<Digest, InputsError> {
        let block = counted::of_builder(&build.builder.block);
        let mut canon = Canon::new("base");
        for text in [env!("CARGO_PKG_VERSION"), &source.id, &source.created, region, &build.name] {
            canon.text(text);
        }
        canon.block(&block);
        canon.variables(&block, self.variables);
        if let Some(path) = &build.config.run.user_data_file {
            self.file(&mut canon, &block, path, files)?;
        }
        Ok(canon.finish())
    }

    fn step(&self, planned: &PlannedProvisioner) -> Result<StepInputs, InputsError> {
        let block = &planned.block;
        let mut canon = Canon::new("provisioner");
        canon.block(block);
        canon.variables(block, self.variables);
        let mut files = BTreeSet::new();
        for path in used(block, self.context)? {
            self.file(&mut canon, block, &path, &mut files)?;
        }
        Ok(StepInputs { title: planned.name.clone(), digest: canon.finish(), files })
    }

    fn post(&self, build: &PlannedBuild, files: &mut BTreeSet<PathBuf>) -> Result<Digest, InputsError> {
        let mut canon = Canon::new("post-processors");
        for chain in &build.post_processors {
            canon.text("chain");
            for post in chain {
                canon.block(&post.block);
                canon.variables(&post.block, self.variables);
                for path in used(&post.block, self.context)? {
                    self.file(&mut canon, &post.block, &path, files)?;
                }
            }
        }
        Ok(canon.finish())
    }

    /// Counts a file or folder, and remembers that it is used.
    fn file(
        &self,
        canon: &mut Canon,
        block: &Block,
        path: &str,
        files: &mut BTreeSet<PathBuf>,
    ) -> Result<(), InputsError> {
        let path = self.context.host.cwd.join(path);
        files.insert(path.clone());
        match files::facts(&path) {
            Ok(facts) => facts.iter().for_each(|fact| canon.fact(fact)),
            // Planning has refused what must be there: what is not is made by an earlier step.
            Err(error) if error.kind() == io::ErrorKind::NotFound => canon.text("not there yet"),
            Err(source) => return Err(InputsError::File { block: block.path.clone(), path, source }),
        }
        Ok(())
    }
}

/// The files here that a provisioner or post-processor uses.
fn used(block: &Block, context: &Context) -> Result<Vec<String>, Errors> {
    match block.kind.as_str() {
        "shell" => match Shell::decode(block, context)?.source {
            ShellSource::Inline(_) => Ok(Vec::new()),
            ShellSource::Scripts(paths) => Ok(paths),
        },
        "shell-local" => match ShellLocal::decode(block, context)?.command {
            LocalCommand::Inline(_) => Ok(Vec::new()),
            LocalCommand::Scripts(paths) => Ok(paths),
        },
        "file" => {
            let file = File::decode(block, context)?;
            Ok(if file.direction == Direction::Upload { file.sources } else { Vec::new() })
        }
        _ => Ok(Vec::new()),
    }
}

/// The digest of some bytes.
pub fn of_bytes(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;

/// Inputs out of nothing, for tests of what works with them.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub fn inputs(base: &str, steps: &[&str]) -> Inputs {
        let step = |title: &&str| StepInputs {
            title: (*title).to_owned(),
            digest: of_bytes(title.as_bytes()),
            files: BTreeSet::new(),
        };
        Inputs {
            base: of_bytes(base.as_bytes()),
            steps: steps.iter().map(step).collect(),
            post: of_bytes(b""),
            other_files: BTreeSet::new(),
        }
    }
}
