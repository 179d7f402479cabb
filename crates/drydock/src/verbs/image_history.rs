//! `drydock image history`: how an image came about.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Image;
use builder::history::{Facts, Record, Step, Store};
use console::style;
use deployer::Clients;
use deployer::error::sdk;
use serde::Serialize;

use crate::exit::Failure;
use crate::output::OutputArgs;
use crate::target::TargetArgs;

/// What the program itself says when it begins with a step; the title has said it.
const ANNOUNCEMENTS: [&str; 3] =
    ["Provisioning with shell script: ", "Running local shell script: ", "Uploading "];

/// How many of the last lines of a step's output are shown.
const SHOWN_LINES: usize = 3;

/// Shows how an image was built: its steps, how long they took, what they said
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock image history ami-0123456789abcdef0
  drydock image history ami-0123456789abcdef0 --step 4

Facts are read from the image's tags; the output of the steps is kept on the machine that built the
image, in ~/.local/state/drydock/builds.")]
pub struct Args {
    /// The image's id
    ami: String,
    /// Print the whole output of this step, counted from 1
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is known of an image's build.
#[derive(Debug, Serialize)]
struct History {
    ami: String,
    region: String,
    /// None when the image is gone.
    name: Option<String>,
    /// What its tags say.
    facts: Option<Facts>,
    /// What is kept on this machine.
    record: Option<Record>,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let clients = args.target.clients().await?;
    let history = History::of(&clients, &args.ami).await?;
    match args.step {
        Some(number) => history.show_step(number, args.output),
        None => args.output.print(&history, || history.text()),
    }
}

impl History {
    async fn of(clients: &Clients, ami: &str) -> Result<Self, Failure> {
        let image = image(clients, ami).await?;
        let store = Store::of_user().map_err(|error| Failure::config(error.to_string()))?;
        let record = store.get(&clients.region, ami).map_err(|error| Failure::failed(error.to_string()))?;
        if image.is_none() && record.is_none() {
            return Err(Failure::failed(format!("there is no image {ami} in {}", clients.region)));
        }
        let facts = image.as_ref().and_then(|image| Facts::read(&tags(image)));
        if facts.is_none() && record.is_none() {
            return Err(Failure::failed(format!(
                "{ami} has no history: only images that `drydock build` and `drydock up` make have one, not those of \
                 Packer or of anybody else"
            )));
        }
        let name = image.map(|image| image.name.unwrap_or_default());
        Ok(Self { ami: ami.to_owned(), region: clients.region.clone(), name, facts, record })
    }

    fn show_step(&self, number: usize, output: OutputArgs) -> Result<(), Failure> {
        let Some(record) = &self.record else {
            let by = self.facts.as_ref().map(|facts| facts.by.as_str()).unwrap_or_default();
            return Err(Failure::failed(format!(
                "{} was built by {by}: the output of its steps is kept there, not here",
                self.ami
            )));
        };
        let step = number.checked_sub(1).and_then(|index| record.steps.get(index)).ok_or_else(|| {
            Failure::config(format!("--step {number}: {} has steps 1 to {}", self.ami, record.steps.len()))
        })?;
        output.print(step, || step.output.clone())
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or("(deregistered)");
        let mut text = format!("{}  {name}\n", style(&self.ami).bold());
        match (&self.record, &self.facts) {
            (Some(record), _) => text += &of_record(record),
            (None, Some(facts)) => text += &of_facts(facts),
            (None, None) => {}
        }
        text
    }
}

/// An image; none when there is none of that id.
async fn image(clients: &Clients, ami: &str) -> Result<Option<Image>, Failure> {
    match clients.ec2.describe_images().image_ids(ami).send().await {
        Ok(found) => Ok(found.images.unwrap_or_default().into_iter().next()),
        Err(error) => match sdk("DescribeImages", error) {
            error if error.code() == Some("InvalidAMIID.NotFound") => Ok(None),
            error => Err(error.into()),
        },
    }
}

fn tags(image: &Image) -> BTreeMap<String, String> {
    let tags = image.tags().iter();
    tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

fn fact(name: &str, value: &str) -> String {
    format!("{}  {value}\n", style(format!("{name:<8}")).dim())
}

fn of_record(record: &Record) -> String {
    let mut text = fact("template", &format!("{}, build {}", record.template, record.build));
    text += &fact("source", &record.source_ami);
    text += &fact(
        "built",
        &format!(
            "{} in {}, by {} on {}",
            record.started.strftime("%Y-%m-%d %H:%M:%SZ"),
            seconds(record.seconds),
            record.by,
            record.host
        ),
    );
    text += &fact("inputs", &record.inputs);
    text += &steps(&record.steps);
    text
}

fn of_facts(facts: &Facts) -> String {
    let mut text = fact("template", &facts.template);
    text += &fact("source", &facts.source_ami);
    text += &fact("built", &format!("{}, by {}", facts.built, facts.by));
    text += &fact("inputs", &facts.inputs);
    for step in facts.steps.split(" / ").filter(|step| !step.is_empty()) {
        text += &format!("  {step}\n");
    }
    text + &format!("It was not built on this machine: the output of its steps is kept by {}.\n", facts.by)
}

fn steps(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "It has no steps.\n".to_owned();
    }
    let width = steps.iter().map(|step| step.title.chars().count()).chain([20]).max().unwrap_or_default();
    let mut text =
        format!("\n{}\n", style(format!("{:>3}  {:<width$}  {:>8}  EXIT", "", "STEP", "TOOK")).dim());
    for (index, step) in steps.iter().enumerate() {
        text += &format!(
            "{:>3}  {:<width$}  {:>8}  {}\n",
            index + 1,
            step.title,
            seconds(step.seconds),
            exit(step)
        );
        let announces = |line: &&str| ANNOUNCEMENTS.iter().any(|words| line.starts_with(words));
        for line in step.end_of_output(SHOWN_LINES).into_iter().filter(|line| !announces(line)) {
            text += &format!("     {}\n", style(format!("| {}", line.trim_end())).dim());
        }
    }
    text
}

/// The code that a step ended with, if it ran a command; why it failed, if it did.
fn exit(step: &Step) -> String {
    match (&step.error, step.exit) {
        (_, Some(code)) => code.to_string(),
        (Some(error), None) => error.clone(),
        (None, None) => "-".to_owned(),
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1}s")
}
