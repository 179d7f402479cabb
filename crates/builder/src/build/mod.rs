//! A whole run: every build of a template, side by side, from validation to the closing summary.
//!
//! ```text
//! Plan::new(template, context, names)   checks everything and starts nothing
//!   → run(plan, settings, console, cancel)   builds, post-processes, cleans up
//!     → Outcome   per build: artifacts or error, and a record of each step
//!       → Outcome::tell(console)   Packer's closing summary
//! ```

mod one;
mod outcome;
mod plan;
mod provisioning;
mod remove;
mod step;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use outcome::{BuildOutcome, Outcome, StepRecord};
pub use plan::{Plan, PlanError, PlannedBuild, PlannedProvisioner};

use crate::aws;
use crate::communicator::Communicator;
use crate::steps::OnError;
use crate::ui::{Colour, Console, Kind, Line, Redacting, Targeted};

/// How a run is carried out: what Packer's options say, and where.
#[derive(Clone)]
pub struct Settings {
    /// `-force`: images and files of the same name are replaced.
    pub force: bool,
    /// `-on-error`
    pub on_error: OnError,
    /// `-debug`: one build at a time, with a stop after every step.
    pub debug: bool,
    /// `-parallel-builds`; none for all at once.
    pub parallel: Option<usize>,
    /// The run's identifier, `PackerRunUUID`.
    pub uuid: String,
    /// What relative paths of scripts and outputs count from.
    pub folder: PathBuf,
    /// The environment: what SSH agents and waiting times are set by.
    pub env: HashMap<String, String>,
    /// The other end of the API.
    pub target: aws::Target,
    /// Told of each step; for builds that can be taken up again later.
    pub hooks: Option<Arc<dyn Hooks>>,
}

/// A caller's part in a build, between its steps.
#[async_trait::async_trait]
pub trait Hooks: Send + Sync {
    /// How many provisioners of the build at its beginning are skipped, because the image it starts from has them.
    fn skip(&self, _build: &str) -> usize {
        0
    }

    /// The image to start from in place of the template's.
    fn source_ami(&self, _build: &str) -> Option<String> {
        None
    }

    /// Called when the machine is reached, before the first provisioner that is not skipped.
    async fn before_provisioners(&self, _build: &PlannedBuild) {}

    /// Called after each provisioner that succeeded, with the machine still running and connected.
    ///
    /// # Errors
    /// A reason to let the build fail.
    async fn after_provisioner(
        &self,
        build: &PlannedBuild,
        index: usize,
        data: &packer_template::BuildData,
        communicator: &dyn Communicator,
    ) -> Result<(), String>;

    /// Called when a provisioner has failed, before anything is cleaned up.
    async fn provisioner_failed(&self, _build: &PlannedBuild, _reason: &str) {}
}

/// Runs all builds of a plan. The first cancellation lets each clean up and end.
pub async fn run(
    plan: &Arc<Plan>,
    settings: &Arc<Settings>,
    console: Arc<dyn Console>,
    cancel: &CancellationToken,
) -> Outcome {
    let console: Arc<dyn Console> = Arc::new(Redacting::new(console, plan.secrets.clone()));
    let started = Instant::now();
    let voices = voices(plan, &console, cancel);
    introduce(&voices, console.as_ref(), settings.debug);
    let limit = if settings.debug { 1 } else { settings.parallel.unwrap_or(Semaphore::MAX_PERMITS) };
    let places = Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS)));
    let mut running = JoinSet::new();
    for (index, voice) in voices.into_iter().enumerate() {
        let (plan, settings, cancel) = (plan.clone(), settings.clone(), cancel.clone());
        // Places are given in the order in which they were asked for: the builds start in order of name.
        let place = places.clone().acquire_owned();
        running.spawn(async move {
            let _place = tokio::select! {
                place = place => place,
                () = cancel.cancelled() => return None,
            };
            Some((index, one::run(&plan, index, &settings, voice, &cancel).await))
        });
    }
    let mut ended = Vec::new();
    while let Some(done) = running.join_next().await {
        match done {
            Ok(found) => ended.extend(found),
            // A panic in a build must not look like a build that was never asked for.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    ended.sort_by_key(|(index, _)| *index);
    let builds = ended.into_iter().map(|(_, build)| build).collect();
    Outcome { builds, cancelled: cancel.is_cancelled(), took: started.elapsed() }
}

fn voices(plan: &Plan, console: &Arc<dyn Console>, cancel: &CancellationToken) -> Vec<Targeted> {
    let builds = plan.builds.iter().enumerate();
    builds
        .map(|(index, build)| {
            Targeted::new(console.clone(), &build.name, Colour::of_build(index), cancel.clone())
        })
        .collect()
}

/// Says which build has which colour.
fn introduce(voices: &[Targeted], console: &dyn Console, debug: bool) {
    if debug {
        console.show(Line::general(Kind::Say, "Debug mode enabled. Builds will not be parallelized."));
    }
    if !console.is_coloured() || voices.is_empty() {
        return;
    }
    for voice in voices {
        voice.introduce();
    }
    console.show(Line::general(Kind::Say, ""));
}
