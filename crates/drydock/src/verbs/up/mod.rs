//! `drydock up`: everything that a folder describes, image and stack, ending with the proof.

mod adopt;
mod capabilities;
pub mod image;
mod outdated;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deployer::Clients;
use deployer::deploy::{self, Deployment};

use super::cloud::ensure_running;
use super::deploy::{TemplateFile, execute};
use super::verify;
use crate::exit::{FAILED, Failure};
use crate::output::{Display, Notes, OutputArgs};
use crate::project::{Choices, Foreign, Project, StackHalf};
use crate::target::{TargetArgs, Where};
use image::{Amis, ImagePlan, Setting};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that SIGINT ended, as shells tell it.
const INTERRUPTED: i32 = 130;

/// How long instances may take to join after the stack is complete.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);

/// Brings up what one or two folders describe: the image, then the stack that uses it; and verifies it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock up examples/ecs-cluster
  drydock up packer-ecs todobackend-aws --stack-name todobackend

Starts the local cloud if none runs, builds the image of the Packer template unless that was done
with the same inputs before, deploys the stack with that image and verifies that its instances are
what the stack says. What is to be done is in DIR/drydock.toml, or found by looking: a Packer template
is a JSON file with \"builders\", a stack's is one with \"Resources\", its parameters are in NAME.cfg.
Ids that files name and the local cloud does not know, it adopts.")]
pub struct Args {
    /// The folders: one with a drydock.toml, or one of the image and one of the stack
    #[arg(value_name = "DIR", default_value = ".", num_args = 1..=2)]
    dirs: Vec<PathBuf>,
    #[command(flatten)]
    choices: Choices,
    /// Build the image even when one with the same inputs is there
    #[arg(long)]
    rebuild: bool,
    /// Wait out the stack's own timeout even when its instances can no longer signal
    #[arg(long)]
    no_fail_fast: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let project = Project::read(&args.dirs, &args.choices)?;
    Up::new(args, &project)?.run(project).await
}

/// A run of the verb.
struct Up {
    target: TargetArgs,
    output: OutputArgs,
    notes: Notes,
    image: Option<ImagePlan>,
    rebuild: bool,
    fail_fast: bool,
}

impl Up {
    /// Reads the image's template as well, so that everything that is wrong is told before anything is started.
    fn new(args: Args, project: &Project) -> Result<Self, Failure> {
        let mut target = args.target;
        target.of_state = true;
        // The image's folder becomes the working directory.
        target.state.state = target.state.dir()?;
        let image = project.image.as_ref().map(ImagePlan::read).transpose()?;
        target.region = target
            .region
            .or_else(|| project.stack.as_ref()?.region.clone())
            .or_else(|| image.as_ref()?.region());
        let notes = args.output.notes();
        Ok(Self {
            target,
            output: args.output,
            notes,
            image,
            rebuild: args.rebuild,
            fail_fast: !args.no_fail_fast,
        })
    }

    /// Whether the cloud is ours to start and to fill.
    fn is_local(&self) -> bool {
        self.target.target == Where::Local && self.target.endpoint_url.is_none()
    }

    async fn run(self, mut project: Project) -> Result<(), Failure> {
        if self.is_local() {
            prepare(&project, &self.target, &self.notes).await?;
        }
        let clients = self.target.clients_to_change(&what(&project)).await?;
        if self.is_local() {
            self.adopt(&clients, &project).await?;
        }
        if let Some(stack) = project.stack.as_mut().filter(|_| !project.described) {
            capabilities::settle(&clients, self.target.target, stack, &self.notes).await?;
        }
        let mut given = None;
        if let Some(image) = &self.image {
            let amis = self.make_image(image, &clients, &project).await?;
            if let Some(stack) = &mut project.stack {
                let ami = give_image(stack, &amis, &clients.region)?;
                self.notes.note(&format!("stack {} gets {ami}", stack.name));
                given = Some(ami);
            }
        }
        match &project.stack {
            Some(stack) => self.deploy(&clients, stack, given.as_deref()).await,
            None => Ok(()),
        }
    }

    /// Adopts the ids that the files name and this cloud does not know. A `drydock.toml` says itself what the stack
    /// needs.
    async fn adopt(&self, clients: &Clients, project: &Project) -> Result<(), Failure> {
        let mut foreign = self.image.as_ref().map(ImagePlan::foreign).unwrap_or_default();
        if let Some(stack) = project.stack.as_ref().filter(|_| !project.described) {
            let mut parameters = stack.parameters.clone();
            if let Some(image) = &stack.image_parameter {
                // It is going to be another one.
                parameters.insert(image.clone(), String::new());
            }
            foreign.add(Foreign::of(stack.template.template(), &parameters));
        }
        adopt::unknown(&self.target.state.dir()?, clients, &foreign, &self.notes).await
    }

    /// Builds the image, if need be, and checks it, if there are checks. Ctrl-C cleans up as long as this lasts.
    async fn make_image(
        &self,
        image: &ImagePlan,
        clients: &Clients,
        project: &Project,
    ) -> Result<Amis, Failure> {
        let building = Arc::new(AtomicBool::new(true));
        let cancel = interrupt(building.clone())?;
        let context = Setting { notes: &self.notes, output: self.output, cancel: &cancel };
        let amis = image.make(self.target.resolve().await?, self.rebuild, &context).await?;
        let checks = project.image.as_ref().and_then(|half| half.checks.as_deref());
        if let (Some(checks), Some(ami)) = (checks, amis.get(&clients.region)) {
            image.check(clients, ami, checks, &self.target, &context).await?;
        }
        building.store(false, Ordering::Relaxed);
        Ok(amis)
    }

    /// Deploys and verifies; `image` is the one that the stack was given.
    async fn deploy(&self, clients: &Clients, stack: &StackHalf, image: Option<&str>) -> Result<(), Failure> {
        let deployment = deployment(stack);
        let mut display = self.output.display(&stack.name);
        let fail_fast = self.fail_fast.then_some(&stack.template);
        if !deployed(clients, &deployment, fail_fast, display.as_mut()).await? {
            return Err(Failure::told(FAILED));
        }
        drop(display);
        if let Some(image) = image {
            outdated::tell(clients, &stack.name, image, &self.notes).await?;
        }
        verify::show(clients, &deployment.stack, JOIN_PATIENCE, self.output).await
    }
}

/// Watches for Ctrl-C: while an image is built, the first one lets the build clean up. Afterwards it ends the program
/// at once, as it does by default.
fn interrupt(building: Arc<AtomicBool>) -> std::io::Result<CancellationToken> {
    crate::interrupt::watch(move |signal| {
        if !building.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        eprintln!("drydock: {signal}: cleaning up; once more ends at once");
    })
}

/// Puts the image of the stack's region into its parameter.
fn give_image(stack: &mut StackHalf, amis: &Amis, region: &str) -> Result<String, Failure> {
    let ami = amis.get(region).ok_or_else(|| {
        let regions: Vec<&str> = amis.keys().map(String::as_str).collect();
        Failure::config(format!(
            "stack {} goes to {region}, and the image is in {}: name {region} in the template's ami_regions, or \
             deploy there with --region",
            stack.name,
            regions.join(", ")
        ))
    })?;
    if let Some(parameter) = &stack.image_parameter {
        stack.parameters.insert(parameter.clone(), ami.clone());
    }
    Ok(ami.clone())
}

/// What the user is asked about on AWS.
fn what(project: &Project) -> String {
    match (&project.image, &project.stack) {
        (Some(_), Some(stack)) => format!("build an image and deploy stack {}", stack.name),
        (None, Some(stack)) => format!("deploy stack {}", stack.name),
        (_, None) => "build an image".to_owned(),
    }
}

fn deployment(stack: &StackHalf) -> Deployment {
    Deployment {
        stack: stack.name.clone(),
        template: stack.template.text.clone(),
        parameters: stack.parameters.clone(),
        declared: stack.template.declared(),
        capabilities: stack.capabilities.clone(),
        tags: stack.tags.clone(),
        disable_rollback: false,
    }
}

/// Readies the local cloud: the daemon, the images, the adopted ids.
async fn prepare(project: &Project, target: &TargetArgs, notes: &Notes) -> Result<(), Failure> {
    let state = &target.state.dir()?;
    ensure_running(state, None, &mut |line| notes.note(line)).await?;
    super::image::ensure(state, "ecs-base", &mut |line| notes.note(line)).await?;
    for (name, section) in &project.images {
        super::image::ensure_made(state, name, section, &project.dir, &mut |line| notes.note(line)).await?;
    }
    adopt::named(state, target.region.clone(), &project.adopt, notes).await
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
