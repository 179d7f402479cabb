//! One build: the builder with its provisioners, then the post-processors.

use std::sync::Arc;
use std::time::Instant;

use packer_template::{BuildData, Context};
use tokio_util::sync::CancellationToken;

use super::provisioning::Provisioning;
use super::remove::Remover;
use super::{BuildOutcome, Plan, PlannedBuild, Settings};
use crate::amazon;
use crate::artifact::Artifact;
use crate::aws::Session;
use crate::post::{ChainError, Chains, Run};
use crate::ui::took::took;
use crate::ui::{Kind, Targeted};

/// Runs the plan's build at `index` to its end and tells how it went.
pub(super) async fn run(
    plan: &Plan,
    index: usize,
    settings: &Settings,
    voice: Targeted,
    cancel: &CancellationToken,
) -> BuildOutcome {
    let started = Instant::now();
    let build = &plan.builds[index];
    let provisioning = Provisioning::new(plan, build, settings, &voice, cancel);
    let (artifacts, error) = match make(build, settings, &provisioning, &voice, cancel).await {
        Ok(Some(made)) => post_process(build, &plan.context, settings, made, &voice, cancel).await,
        Ok(None) => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let error = error.map(|error| plan.secrets.redact(&error));
    let time = took(started.elapsed());
    match &error {
        Some(error) => {
            voice.sentence(Kind::Error, &format!("Build '{}' errored after {time}: {error}", build.name));
        }
        None => voice.sentence(Kind::Say, &format!("Build '{}' finished after {time}.", build.name)),
    }
    BuildOutcome {
        name: build.name.clone(),
        builder_type: build.builder.block.kind.clone(),
        artifacts,
        error,
        steps: provisioning.into_records(),
        took: started.elapsed(),
    }
}

/// What a builder made, and what is known of how.
struct Made {
    artifact: Artifact,
    data: BuildData,
    session: Session,
}

/// Lets the builder make its image. None when the template wants none.
async fn make(
    build: &PlannedBuild,
    settings: &Settings,
    provisioning: &Provisioning<'_>,
    voice: &Targeted,
    cancel: &CancellationToken,
) -> Result<Option<Made>, String> {
    let session =
        Session::open(&build.config.access, &settings.target).await.map_err(|error| error.to_string())?;
    let start_from = settings.hooks.as_ref().and_then(|hooks| hooks.source_ami(&build.name));
    let builder = amazon::Build {
        name: &build.name,
        config: &build.config,
        session: &session,
        env: &settings.env,
        run_uuid: &settings.uuid,
        force: settings.force,
        debug: settings.debug,
        on_error: settings.on_error,
        start_from: start_from.as_deref(),
    };
    let artifact = amazon::build(&builder, provisioning, voice, cancel).await;
    let data = provisioning.data().unwrap_or_else(|| BuildData {
        name: build.name.clone(),
        builder_type: build.builder.block.kind.clone(),
        ..BuildData::default()
    });
    match artifact {
        Ok(artifact) => Ok(artifact.map(|artifact| Made { artifact, data, session })),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the post-processors. What they could not do is the build's error; what is there is kept.
async fn post_process(
    build: &PlannedBuild,
    context: &Context,
    settings: &Settings,
    made: Made,
    voice: &Targeted,
    cancel: &CancellationToken,
) -> (Vec<Artifact>, Option<String>) {
    let run = Run {
        uuid: settings.uuid.clone(),
        force: settings.force,
        folder: settings.folder.clone(),
        data: Arc::new(made.data.clone()),
    };
    let chains = Chains {
        context: &context.with_build(made.data),
        run: &run,
        voice,
        destroy: &Remover { session: &made.session, folder: &settings.folder },
        cancel,
    };
    let left = chains.run(&build.post_processors, made.artifact).await;
    let error = (!left.errors.is_empty()).then(|| list(&left.errors));
    (left.artifacts, error)
}

/// Several errors in Packer's form.
fn list(errors: &[ChainError]) -> String {
    let items: Vec<String> = errors.iter().map(|error| format!("* {error}")).collect();
    format!("{} error(s) occurred:\n\n{}", errors.len(), items.join("\n"))
}
