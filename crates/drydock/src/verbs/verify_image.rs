//! `drydock verify image`: boots an instance of an image and asks it whether it is as a file of checks says.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use builder::aws::Session;
use builder::ui::Ui;
use builder::verify::{Image, Instance, Machine, Verification, VerifyError};
use checks::values::Span;
use checks::{Checks, Outcome, Report, Verdict};
use console::style;
use packer_template::config::AccessConfig;

use crate::exit::{FAILED, Failure, SERVICE};
use crate::interrupt;
use crate::output::{Format, OutputArgs};
use crate::project::{Choices, Project};
use crate::target::{TargetArgs, Where};
use crate::verbs::up::image::ImagePlan;

/// Boots an instance of an image, runs a list of checks on it, and removes it again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock verify image                      the one that `drydock up` has made in this folder
  drydock verify image ami-0123456789abcdef0
  drydock verify image ami-0123456789abcdef0 --checks base.toml --junit report.xml
  drydock verify image --instance i-0123456789abcdef0 -i key.pem

Exits with 0 only if every check holds, with 255 if one does not or cannot be looked at. What can be checked
is in docs/checks.md.")]
pub struct Args {
    /// The image's id; the one made of the folder's drydock.toml or template, as it is now, when none
    #[arg(conflicts_with = "instance")]
    ami: Option<String>,
    /// The file of checks; that of the folder's drydock.toml, else checks.toml
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Write the result as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run the checks on an instance that is there already, and leave it as it is
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The private key of that instance; the keys of your SSH agent if none is given
    #[arg(long, short, value_name = "FILE", conflicts_with = "ami")]
    identity: Option<PathBuf>,
    /// The user to log in as; checks run as root, by sudo
    #[arg(long, value_name = "USER", default_value = "ec2-user")]
    ssh_username: String,
    /// How long the instance may take to let us in, and then for its boot to settle
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    timeout: Duration,
    #[command(flatten)]
    launch: Launch,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The instance that is booted.
#[derive(Debug, clap::Args)]
struct Launch {
    /// The instance's type
    #[arg(long, value_name = "TYPE", default_value = "t3.micro", conflicts_with = "instance")]
    instance_type: String,
    /// The subnet it is put in; one of the default VPC if none is given
    #[arg(long, value_name = "ID", conflicts_with = "instance")]
    subnet_id: Option<String>,
    /// The instance profile it is given
    #[arg(long, value_name = "NAME", conflicts_with = "instance")]
    iam_instance_profile: Option<String>,
    /// A file with its user data
    #[arg(long, value_name = "FILE", conflicts_with = "instance")]
    user_data: Option<PathBuf>,
    /// Leave the instance running afterwards, with its key in a file
    #[arg(long, conflicts_with = "instance")]
    keep: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    Span::try_from(text.to_owned()).map(|span| span.0)
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    if args.ami.is_none() && args.instance.is_none() {
        args.take_the_folders().await?;
    }
    let checks = read(args.checks.as_deref().unwrap_or(Path::new("checks.toml")))?;
    let machine = args.machine();
    let subject = args.ami.clone().or_else(|| args.instance.clone()).unwrap_or_default();
    if args.target.target == Where::Aws && args.instance.is_none() {
        args.target.clients_to_change(&format!("launch an instance of {subject}")).await?;
    }
    let session = Session::open(&AccessConfig::default(), &args.target.resolve().await?).await;
    let session = session.map_err(|error| Failure::config(error.to_string()))?;
    let progress = Progress { shown: args.output.output == Format::Text };
    let cancel =
        interrupt::watch(|signal| eprintln!("drydock: {signal}: cleaning up; once more ends at once"))?;
    let began = Instant::now();
    let verification = Verification {
        machine: &machine,
        username: &args.ssh_username,
        checks: &checks,
        patience: args.timeout,
        session: &session,
        env: &environment(),
    };
    let seen = builder::verify::verify(&verification, &progress, &cancel).await?;
    let mut report = Report::new(subject, &checks, seen.verdicts);
    report.took = began.elapsed();
    report.properties =
        vec![("instance".to_owned(), seen.instance.clone()), ("region".to_owned(), session.region.clone())];
    if let Some(path) = &args.junit {
        write_junit(&report, path)?;
    }
    args.output.print(&document(&report), || table(&report))?;
    if let Some(kept) = &seen.kept {
        eprintln!("{} is kept: {}\nRemove it by:\n  {}", seen.instance, kept.login, kept.remove.join("\n  "));
    }
    if report.holds() { Ok(()) } else { Err(Failure::told(FAILED)) }
}

impl Args {
    /// The checks in a file, of an image whose user is `username`.
    pub fn of_image(
        ami: String,
        checks: PathBuf,
        username: String,
        target: TargetArgs,
        output: OutputArgs,
    ) -> Self {
        Self {
            ami: Some(ami),
            checks: Some(checks),
            junit: None,
            instance: None,
            identity: None,
            ssh_username: username,
            timeout: Duration::from_secs(300),
            launch: Launch {
                instance_type: "t3.micro".to_owned(),
                subnet_id: None,
                iam_instance_profile: None,
                user_data: None,
                keep: false,
            },
            target,
            output,
        }
    }

    /// Takes the image that the folder's files have been made to, with the folder's checks.
    async fn take_the_folders(&mut self) -> Result<(), Failure> {
        let half = Project::read(&[PathBuf::from(".")], &Choices::default())?.image;
        let half = half.ok_or_else(|| {
            Failure::config(
                "which image? Name its id; this folder describes none to be made of a Packer template",
            )
        })?;
        let plan = ImagePlan::read(&half)?;
        self.target.region = self.target.region.take().or_else(|| plan.region());
        self.ami = plan.made(self.target.resolve().await?).await?;
        if self.ami.is_none() {
            return Err(Failure::config(
                "no image has been made of this folder as it is now: `drydock up` or `drydock build` makes one",
            ));
        }
        self.checks = self.checks.take().or(half.checks);
        Ok(())
    }

    fn machine(&self) -> Machine {
        match &self.instance {
            Some(id) => Machine::Existing(Instance { id: id.clone(), key_file: self.identity.clone() }),
            None => Machine::Of(Image {
                ami: self.ami.clone().unwrap_or_default(),
                instance_type: self.launch.instance_type.clone(),
                subnet_id: self.launch.subnet_id.clone(),
                iam_instance_profile: self.launch.iam_instance_profile.clone(),
                user_data_file: self.launch.user_data.clone(),
                keep_in: self.launch.keep.then(PathBuf::new),
            }),
        }
    }
}

/// The environment, without what is no text.
fn environment() -> HashMap<String, String> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

fn read(path: &Path) -> Result<Checks, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::config(format!("{name}: {error}; name a file of checks with --checks")))?;
    Checks::parse(&name, &text).map_err(|errors| {
        let count = errors.iter().count();
        let things = if count == 1 { "error" } else { "errors" };
        Failure::config(format!("{count} {things} in {name}:\n{errors}"))
    })
}

fn write_junit(report: &Report, path: &Path) -> Result<(), Failure> {
    let failed = |reason: String| Failure::failed(format!("{}: {reason}", path.display()));
    let text = report.junit().map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

fn document(report: &Report) -> serde_json::Value {
    let properties: serde_json::Map<String, serde_json::Value> =
        report.properties.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    serde_json::json!({
        "event": "verification",
        "image": report.subject,
        "verified": report.holds(),
        "properties": properties,
        "seconds": report.took.as_secs_f64(),
        "checks": report.outcomes,
    })
}

/// A line for each check, as `drydock verify` shows a stack's.
fn table(report: &Report) -> String {
    let mut text: String = report.outcomes.iter().map(line).collect();
    let (total, failed, skipped) = (report.outcomes.len(), report.failed(), report.skipped());
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    text += &match failed {
        0 => format!("{} is verified: {} checks hold{skipped}", report.subject, total - report.skipped()),
        _ => format!(
            "{} is not as it should be: {failed} of {total} checks do not hold{skipped}",
            report.subject
        ),
    };
    text
}

fn line(outcome: &Outcome) -> String {
    let mark = match outcome.verdict {
        Verdict::Held { .. } => style("✓").green(),
        Verdict::Failed { .. } => style("✗").red(),
        Verdict::Unknown { .. } => style("?").red(),
        Verdict::Skipped { .. } => style("-").dim(),
    };
    let lines = outcome.verdict.lines();
    let mut text = match lines.as_slice() {
        [only] => format!("{mark} {}: {only}\n", outcome.claim),
        several => {
            let told: String = several.iter().map(|line| format!("    {line}\n")).collect();
            format!("{mark} {}:\n{told}", outcome.claim)
        }
    };
    if let Some(why) = outcome.why.as_ref().filter(|_| outcome.verdict.fails()) {
        text += &format!("    {} {why}\n", style("why:").dim());
    }
    text
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let code = match &error {
            VerifyError::Api(_) => SERVICE,
            VerifyError::Boot(builder::amazon::Error::Api { .. }) => SERVICE,
            _ => FAILED,
        };
        // What happened on the way to a new instance has been shown when it happened.
        let message = if matches!(error, VerifyError::Boot(_)) { None } else { Some(error.to_string()) };
        Self { code, message }
    }
}

/// Tells on standard error what is being done; the result alone is on standard output.
struct Progress {
    shown: bool,
}

impl Progress {
    fn tell(&self, message: &str) {
        if self.shown {
            eprintln!("{}", style(message).for_stderr().dim());
        }
    }
}

#[async_trait]
impl Ui for Progress {
    fn say(&self, message: &str) {
        self.tell(message);
    }

    fn message(&self, message: &str) {
        self.tell(message);
    }

    fn error(&self, message: &str) {
        eprintln!("drydock: {message}");
    }

    fn machine(&self, _category: &str, _values: &[&str]) {}

    async fn ask(&self, _question: &str) -> Option<String> {
        None
    }
}
