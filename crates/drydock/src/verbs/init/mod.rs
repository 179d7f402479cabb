//! `drydock init`: writes a repository with an image, a stack and their parameters, after asking or by options.

mod ask;
mod given;

use std::io::IsTerminal;
use std::path::Path;

use console::style;
use serde_json::json;

use crate::exit::Failure;
use crate::init::answers::Answers;
use crate::init::skeleton;
use crate::init::write::{WriteError, look, write};
use crate::output::{Format, OutputArgs};
use ask::Prompts;
use given::Given;

/// Writes a repository with an image, a stack and their parameters, which `drydock up` brings up
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock init shop && cd shop && drydock up
  drydock init shop --region eu-west-1 --time-zone Europe/Berlin --yes
  drydock init shop --environment test --environment live --desired-count live=3

Asks on a terminal for what no option says; elsewhere, and with --yes, takes the defaults. A value
that begins with ENVIRONMENT= is for that environment, another one for all. The repository is
written to ./NAME, which must not be there or be empty.")]
pub struct Args {
    /// The repository's name, and its stack's
    name: Option<String>,
    #[command(flatten)]
    given: Given,
    /// Do not ask; take the defaults
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    // What the options say wrongly is told before the first question.
    args.given.check(args.name.as_deref())?;
    if let Some(name) = &args.name {
        look(Path::new(name))?;
    }
    let answers = match args.asks() {
        true => ask::answers(args.name.as_deref(), &args.given, &mut Prompts::new())?,
        false => args.given.answers(args.name.as_deref().ok_or_else(nameless)?),
    };
    let files = skeleton::files(&answers).map_err(|error| Failure::failed(error.to_string()))?;
    write(Path::new(&answers.name), &files)?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let environments: Vec<&str> = answers.environments.iter().map(|of| of.name.as_str()).collect();
    let document = json!({
        "event": "init", "name": answers.name, "environments": environments, "files": paths,
    });
    args.output.print(&document, || next(&answers, paths.len()))
}

impl Args {
    /// Whether somebody is there to be asked.
    fn asks(&self) -> bool {
        !self.yes
            && self.output.output == Format::Text
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }
}

fn nameless() -> Failure {
    Failure::config("the repository needs a name: drydock init NAME")
}

/// What to do next.
fn next(answers: &Answers, files: usize) -> String {
    let name = &answers.name;
    let commands = [
        (format!("cd {name}"), ""),
        ("drydock up".to_owned(), "builds and checks the image, deploys the stack, verifies it"),
        ("drydock logs --follow".to_owned(), "what the instances say"),
        ("drydock down".to_owned(), "deletes the stack"),
    ];
    let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let mut text =
        format!("{} {name}: {files} files; README.md says why each is as it is\n\n", style("wrote").green());
    for (command, purpose) in commands {
        let line = format!("  {command:width$}  {}", style(purpose).dim());
        text += line.trim_end();
        text.push('\n');
    }
    if let [_, other, ..] = &answers.environments[..] {
        text += &format!(
            "\nThe environment {0} is a stack of its own:\n\n  drydock up --parameter-file {0}.cfg --stack-name {name}-{0}\n",
            other.name
        );
    }
    text
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Taken { .. } => Self::config(error.to_string()),
            WriteError::Failed { .. } => Self::failed(error.to_string()),
        }
    }
}
