//! The builder `amazon-ebs`: an AMI from a running instance, by the EC2 API alone.
//!
//! A build is a list of [`steps`](crate::steps) over one `State`, in the order and the words of Packer 1.6.6:
//!
//! | steps | modules |
//! |---|---|
//! | look first | `prevalidate`, `source`, `network` |
//! | temporary things, each removed by its own cleanup | `key_pair`, `security_group`, `profile`, `volumes`, `instance` |
//! | work | `connect`, `provision` |
//! | the image, taken back when the build does not end well | `stop`, `deregister`, `image`, `copy`, `attributes`, `tags` |
//!
//! [`build`] takes all of them. [`boot`] takes the first three rows only: a machine of an image to look at, gone
//! afterwards. [`checkpoint`] takes an image of the instance between two provisioners, and a build may start from
//! such an image ([`Build::start_from`]).

mod api;
mod attributes;
mod boot;
pub mod checkpoint;
mod connect;
mod copy;
mod deregister;
mod devices;
mod error;
mod image;
mod instance;
mod key_pair;
mod network;
mod polling;
mod prevalidate;
mod profile;
mod provision;
mod request;
mod security_group;
mod source;
mod state;
mod stop;
mod tags;
#[cfg(test)]
mod testing;
mod volumes;

use std::collections::HashMap;

use packer_template::config::{AmazonEbs, Communicator, RunConfig};
use tokio_util::sync::CancellationToken;

pub use boot::{Boot, boot};
pub use error::Error;
pub use polling::Polling;

use crate::artifact::Artifact;
use crate::aws::Session;
use crate::provision::Provision;
use crate::steps::{Leftover, OnError, Runner, Step, Steps, Stopped};
use crate::ui::Ui;
use state::State;

/// Packer's id of this builder.
pub const BUILDER_ID: &str = "mitchellh.amazonebs";

/// Why a build stopped.
pub type BuildError = Stopped<Error>;

/// One build.
pub struct Build<'a> {
    /// The build's name, for the names of files and in the template's expressions.
    pub name: &'a str,
    /// The template's options.
    pub config: &'a AmazonEbs,
    /// The API.
    pub session: &'a Session,
    /// The environment: `SSH_AUTH_SOCK`, `AWS_MAX_ATTEMPTS`, ….
    pub env: &'a HashMap<String, String>,
    /// Identifies the run of the program, for ``{{build `PackerRunUUID`}}``.
    pub run_uuid: &'a str,
    /// `-force`: an older image of the same name is replaced.
    pub force: bool,
    /// `-debug`: pauses, and leaves the key in `ec2_NAME.pem` while it is needed.
    pub debug: bool,
    /// `-on-error`.
    pub on_error: OnError,
    /// An image that a [`checkpoint`] took, to launch instead of the source image. Expressions such as
    /// `{{ .SourceAMI }}` speak of the source image all the same.
    pub start_from: Option<&'a str>,
}

/// Builds an image. `provision` is given the connection once there is one.
///
/// Returns none when the template wants no image (`skip_create_ami`).
///
/// # Errors
/// [`Stopped::Failed`] with the step and its error, which has been shown; [`Stopped::Cancelled`]. Everything temporary
/// is gone by then, and so is an unfinished image, unless the user wanted otherwise ([`Build::on_error`]). What could
/// not be removed has been shown.
pub async fn build(
    build: &Build<'_>,
    provision: &dyn Provision,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<Option<Artifact>, BuildError> {
    let polling = Polling::new(&build.config.access.aws_polling, |name| build.env.get(name).cloned());
    let mut state = State::new(build.session, polling, build.name, build.run_uuid);
    let runner = Runner { on_error: build.on_error, debug: build.debug, keep: false, ui, cancel };
    runner.run(steps(build, provision), &mut state).await?;
    Ok(state.artifact())
}

/// Finds the image that a build would start from: `source_ami`, or what `source_ami_filter` matches now.
///
/// # Errors
/// When there is none, or several and none is asked for by `most_recent`, or EC2 does not answer.
pub async fn source_image(session: &Session, run: &RunConfig) -> Result<aws_sdk_ec2::types::Image, Error> {
    source::find(&session.ec2, run).await
}

/// Deregisters an artifact's images in all regions and deletes their snapshots: for an artifact that a post-processor
/// does not keep. Answers with what could not be removed.
pub async fn destroy(session: &Session, artifact: &Artifact, ui: &dyn Ui) -> Vec<Leftover> {
    image::destroy_all(|region| session.ec2_in(region), &artifact.amis, ui).await
}

fn steps<'a>(build: &'a Build<'a>, provision: &'a dyn Provision) -> Steps<'a, State<'a>, Error> {
    let config = build.config;
    let replace = build.force || config.ami.force_deregister;
    let mut steps: Steps<'a, State<'a>, Error> = vec![
        Box::new(prevalidate::PreValidate { config, replace }),
        Box::new(source::SourceAmi {
            run: &config.run,
            start_from: build.start_from,
            enhanced: source::Enhanced::of(&config.ami),
        }),
    ];
    let key_file = build.debug.then(|| format!("ec2_{}.pem", build.name));
    steps.extend(machine_steps(&config.run, &config.communicator, key_file));
    steps.extend(work_steps(&config.communicator, build.env, provision));
    steps.extend(image_steps(config, replace));
    steps
}

/// The steps that make a machine.
fn machine_steps<'a>(
    run: &'a RunConfig,
    communicator: &'a Communicator,
    debug_key_file: Option<String>,
) -> Vec<Box<dyn Step<State<'a>, Error> + 'a>> {
    let debug = debug_key_file.is_some();
    vec![
        Box::new(network::NetworkInfo { run }),
        Box::new(key_pair::KeyPair::new(communicator, debug_key_file)),
        Box::new(security_group::SecurityGroup::new(run, communicator)),
        Box::new(profile::InstanceProfile::new(run)),
        Box::new(volumes::CleanupVolumes { launched: &run.launch_block_device_mappings }),
        Box::new(instance::RunInstance::new(run, debug)),
    ]
}

/// The steps that use a machine.
fn work_steps<'a>(
    communicator: &'a Communicator,
    env: &'a HashMap<String, String>,
    provision: &'a dyn Provision,
) -> Vec<Box<dyn Step<State<'a>, Error> + 'a>> {
    vec![
        Box::new(connect::Connect { communicator, env }),
        Box::new(provision::Provisioning::new(communicator, provision)),
        Box::new(provision::CleanupTempKeys { communicator }),
    ]
}

/// The steps that make an image of a machine.
fn image_steps<'a>(config: &'a AmazonEbs, replace: bool) -> Vec<Box<dyn Step<State<'a>, Error> + 'a>> {
    if config.ami.skip_create_ami {
        return vec![Box::new(image::Skip)];
    }
    vec![
        Box::new(stop::StopInstance { disabled: config.run.disable_stop_instance }),
        Box::new(stop::ModifyInstance { ami: &config.ami }),
        Box::new(deregister::DeregisterOlder { ami: &config.ami, replace }),
        Box::new(image::CreateImage { ami: &config.ami }),
        Box::new(copy::CopyToRegions { ami: &config.ami }),
        Box::new(attributes::ModifyAttributes { ami: &config.ami }),
        Box::new(tags::CreateTags { ami: &config.ami }),
    ]
}
