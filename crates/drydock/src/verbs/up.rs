//! `drydock up`: everything that a directory's `drydock.toml` describes, ending with the proof.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cloud::admin::Adopt;
use cloud::admin::client::AdminClient;
use deployer::Clients;
use deployer::deploy::{self, Deployment};

use super::cloud::ensure_running;
use super::deploy::{TemplateFile, execute};
use super::{image, verify};
use crate::exit::{FAILED, Failure};
use crate::manifest::Manifest;
use crate::output::{Display, OutputArgs};
use crate::target::{TargetArgs, Where};

/// How long instances may take to join after the stack is complete.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);

/// Brings up what DIR/drydock.toml describes and verifies it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  drydock up examples/ecs-cluster

Starts the local cloud if none runs, makes the images that are missing, adopts ids, deploys the
stack and verifies that its instances are what the stack says.")]
pub struct Args {
    /// The directory
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Wait out the stack's own timeout even when its instances can no longer signal
    #[arg(long)]
    no_fail_fast: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.dir)?;
    let template = TemplateFile::read(&manifest.template())?;
    let deployment = Deployment {
        stack: manifest.stack.name.clone(),
        template: template.text.clone(),
        parameters: manifest.parameters()?,
        declared: template.declared(),
        capabilities: manifest.stack.capabilities.clone(),
        tags: manifest.stack.tags.clone(),
        disable_rollback: false,
    };
    args.target.of_state = true;
    args.target.region = args.target.region.or_else(|| manifest.stack.region.clone());
    let mut display = args.output.display(&deployment.stack);
    if args.target.target == Where::Local && args.target.endpoint_url.is_none() {
        let state = args.target.state.dir()?;
        prepare(&manifest, &state, args.target.region.clone(), display.as_mut()).await?;
    }
    let clients = args.target.clients_to_change(&format!("deploy stack {}", deployment.stack)).await?;
    let fail_fast = (!args.no_fail_fast).then_some(&template);
    if !deployed(&clients, &deployment, fail_fast, display.as_mut()).await? {
        return Err(Failure::told(FAILED));
    }
    drop(display);
    verify::show(&clients, &deployment.stack, JOIN_PATIENCE, args.output).await
}

/// Readies the local cloud: the daemon, the images, the adopted ids.
async fn prepare(
    manifest: &Manifest,
    state: &Path,
    region: Option<String>,
    display: &mut dyn Display,
) -> Result<(), Failure> {
    ensure_running(state, None, &mut |line| display.note(line)).await?;
    image::ensure(state, "ecs-base", &mut |line| display.note(line)).await?;
    for (name, section) in &manifest.image {
        image::ensure_made(state, name, section, &manifest.dir, &mut |line| display.note(line)).await?;
    }
    if !manifest.adopt.ids.is_empty() {
        let request = Adopt { region, items: manifest.adopt.ids.clone() };
        for line in AdminClient::new(state).adopt(&request).await?.lines {
            display.note(&line);
        }
    }
    Ok(())
}

/// Deploys; tells whether the stack is now as described.
async fn deployed(
    clients: &Clients,
    deployment: &Deployment,
    fail_fast: Option<&TemplateFile>,
    display: &mut dyn Display,
) -> Result<bool, Failure> {
    let Some(planned) = deploy::plan(clients, deployment).await? else {
        display.note(&format!("stack {} is up to date", deployment.stack));
        return Ok(true);
    };
    let outcome = execute(clients, deployment, &planned, fail_fast, display).await?;
    display.finish(&outcome);
    Ok(outcome.succeeded())
}
