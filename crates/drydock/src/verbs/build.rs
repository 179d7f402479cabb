//! `drydock build`: machine images from a Packer template.

use std::io::{Stdout, stdout};
use std::sync::Arc;

use aws_clients::{Identity, Target};
use builder::aws::Session;
use builder::build::{self, Outcome, Plan, Settings};
use builder::selection::Names;
use builder::steps::OnError;
use builder::ui::{Console, JsonLines, Kind, Line, MachineReadable, Text};
use serde::Serialize;

use super::watch;
use crate::exit::{self, Failure};
use crate::interrupt;
use crate::ledger::Ledger;
use crate::output::{self, Format, OutputArgs};
use crate::target::{TargetArgs, Where};
use crate::template::{self, TemplateArgs};

/// Builds machine images as a Packer template describes them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock build packer.json
  drydock build -var timezone=Europe/Paris -only=amazon-ebs packer.json
  drydock build --target aws packer.json
  drydock build --watch packer.json

Packer's options are taken with one dash or two. Exits with 0 when every build succeeded, and with 1,
as Packer does, when one failed, when the template does not hold, or after Ctrl-C, which cleans up;
pressed twice it does not.")]
pub struct Args {
    #[command(flatten)]
    template: TemplateArgs,
    /// Builds to run, and no others
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Builds and post-processors to leave out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    except: Vec<String>,
    /// How many builds run at once; 0 for all of them
    #[arg(long, value_name = "N", default_value_t = 0)]
    parallel_builds: usize,
    /// What to do when a step fails: clean up, leave everything as it is, or ask
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    on_error: Choice,
    /// Build again, from the step that changed, whenever the template or one of its files is saved; makes no
    /// image. Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["force", "debug", "on_error", "machine_readable"])]
    watch: bool,
    #[command(flatten)]
    switches: Switches,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Packer's switches.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Switches {
    /// Replace images and manifests of the same name
    #[arg(long)]
    force: bool,
    /// Stop after every step until enter is pressed; builds run one after the other
    #[arg(long)]
    debug: bool,
    /// Give each build a colour, true or false (by default on a terminal)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    color: Option<bool>,
    /// Put the time before each line
    #[arg(long)]
    timestamp_ui: bool,
    /// Write Packer's comma-separated records
    #[arg(long)]
    machine_readable: bool,
}

/// `-on-error`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Choice {
    #[default]
    Cleanup,
    Abort,
    Ask,
}

impl From<Choice> for OnError {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Cleanup => Self::Cleanup,
            Choice::Abort => Self::Abort,
            Choice::Ask => Self::Ask,
        }
    }
}

/// Runs the verb. Whatever fails, the exit code is Packer's.
pub async fn run(args: Args) -> Result<(), Failure> {
    carry_out(args).await.map_err(|failure| Failure { code: exit::PACKER, ..failure })
}

async fn carry_out(args: Args) -> Result<(), Failure> {
    let loaded = args.template.load()?;
    let names = Names { only: args.only.clone(), except: args.except.clone() };
    let plan = Plan::new(&loaded.template, &loaded.context, &names).map_err(template::invalid)?;
    let settings = Arc::new(args.settings(&plan).await?);
    if args.watch {
        return args.watch(names, settings).await;
    }
    let screen = Screen::new(args.output, args.switches);
    let console = screen.console();
    let teller = console.clone();
    let cancel = interrupt::watch(move |signal| {
        let text = format!("Cancelling build after receiving {signal}");
        teller.show(Line::general(Kind::Error, &text));
    })?;
    for warning in &plan.warnings {
        console.show(Line::general(Kind::Say, &format!("Warning: {warning}")));
    }
    let ledger = Ledger::begin(&plan, &loaded, &settings.target).await;
    let outcome = build::run(&Arc::new(plan), &settings, console.clone(), &cancel).await;
    ledger.keep(&outcome, console.as_ref()).await;
    screen.finish(&outcome);
    if outcome.succeeded() { Ok(()) } else { Err(Failure::told(exit::PACKER)) }
}

impl Args {
    /// Watches until Ctrl-C, which is how a watch is meant to end.
    async fn watch(self, names: Names, settings: Arc<Settings>) -> Result<(), Failure> {
        let cancel = interrupt::watch(|_signal| {})?;
        watch::run(self.template, names, settings.as_ref().clone(), self.output.output, cancel).await
    }

    async fn settings(&self, plan: &Plan) -> Result<Settings, Failure> {
        let target = self.target.resolve().await?;
        if self.target.target == Where::Aws {
            self.confirm(plan, &target).await?;
        }
        Ok(Settings {
            force: self.switches.force,
            on_error: self.on_error.into(),
            debug: self.switches.debug,
            parallel: (self.parallel_builds > 0).then_some(self.parallel_builds),
            uuid: uuid::Uuid::new_v4().to_string(),
            folder: plan.context.host.cwd.clone(),
            env: plan.context.host.env.clone(),
            target,
            hooks: None,
        })
    }

    /// Shows whose accounts the builds work in, as their own credentials tell, and asks once.
    async fn confirm(&self, plan: &Plan, target: &Target) -> Result<(), Failure> {
        let mut accounts: Vec<Identity> = Vec::new();
        for build in &plan.builds {
            let session = Session::open(&build.config.access, target).await;
            let session = session.map_err(|error| Failure::config(format!("{}: {error}", build.name)))?;
            let account = session.caller().await.map_err(|error| Failure::failed(error.to_string()))?;
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        let names: Vec<&str> = plan.builds.iter().map(|build| build.name.as_str()).collect();
        self.target.confirm_in(&accounts, &format!("build {}", names.join(", ")))
    }
}

/// Where the run is shown.
enum Screen {
    Text(Arc<Text<Stdout>>),
    Machine(Arc<MachineReadable<Stdout>>),
    Json(Arc<JsonLines<Stdout>>),
}

impl Screen {
    fn new(output: OutputArgs, switches: Switches) -> Self {
        if output.output == Format::Json {
            return Self::Json(Arc::new(JsonLines::new(stdout())));
        }
        if switches.machine_readable {
            return Self::Machine(Arc::new(MachineReadable::new(stdout())));
        }
        Self::Text(Arc::new(Text::new(stdout(), coloured(switches.color), switches.timestamp_ui)))
    }

    fn console(&self) -> Arc<dyn Console> {
        match self {
            Self::Text(console) => console.clone(),
            Self::Machine(console) => console.clone(),
            Self::Json(console) => console.clone(),
        }
    }

    /// The closing summary, or the outcome as one object.
    fn finish(&self, outcome: &Outcome) {
        #[derive(Serialize)]
        struct Last<'a> {
            event: &'static str,
            succeeded: bool,
            #[serde(flatten)]
            outcome: &'a Outcome,
        }
        match self {
            Self::Json(lines) => {
                lines.line(&Last { event: "outcome", succeeded: outcome.succeeded(), outcome });
            }
            _ => outcome.tell(self.console().as_ref()),
        }
    }
}

/// Colours are for terminals, unless the user says something else on the command line or in the environment.
fn coloured(asked: Option<bool>) -> bool {
    let forbidden = std::env::var_os("PACKER_NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden && asked.unwrap_or_else(output::coloured)
}
