//! `drydock inspect`: what a Packer template consists of.

use std::fmt::Write;

use builder::ui::{Console, Kind, Line, MachineReadable};
use packer_template::{Template, Variable};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{Format, OutputArgs};
use crate::template::{self, TemplateArgs};

/// Shows the variables, builders and provisioners of a Packer template
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock inspect packer.json
  drydock inspect --output json packer.json

Packer's options are taken with one dash or two. The defaults of sensitive variables are not shown.")]
pub struct Args {
    #[command(flatten)]
    template: TemplateArgs,
    /// Write Packer's comma-separated records
    #[arg(long)]
    machine_readable: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What Packer says at the end.
const NOTE: &str = "\nNote: If your build names contain user variables or template\n\
functions such as 'timestamp', these are processed at build time,\n\
and therefore only show in their raw form here.";

/// What stands for a sensitive variable's default.
const HIDDEN: &str = "<sensitive>";

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let source = template::read(&args.template.template)?;
    let template = Template::parse_syntax(&source).map_err(template::invalid)?;
    if args.output.output == Format::Json {
        return args.output.print(&Report::new(&template), String::new);
    }
    let spoken = speak(&template);
    if args.machine_readable {
        let console = MachineReadable::new(std::io::stdout());
        for word in spoken {
            match word {
                Word::Say(text) => console.show(Line::general(Kind::Say, &text)),
                Word::Record(category, values) => {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    console.record("", category, &values);
                }
            }
        }
        return Ok(());
    }
    let mut text = String::new();
    for word in &spoken {
        if let Word::Say(line) = word {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
    }
    args.output.print(&(), || text)
}

/// A piece of Packer's output: a line, or a record that only `-machine-readable` shows.
enum Word {
    Say(String),
    Record(&'static str, Vec<String>),
}

/// What Packer 1.6.6 says about a template, in its order.
fn speak(template: &Template) -> Vec<Word> {
    let mut words = Vec::new();
    let mut say = |text: String| words.push(Word::Say(text));
    say("Packer Inspect: JSON mode".to_owned());
    if let Some(description) = template.description.as_ref().filter(|text| !text.is_empty()) {
        say("Description:\n".to_owned());
        say(format!("{description}\n"));
    }
    variables(template, &mut words);
    words.push(Word::Say(String::new()));
    builders(template, &mut words);
    words.push(Word::Say(String::new()));
    words.push(Word::Say("Provisioners:\n".to_owned()));
    if template.provisioners.is_empty() {
        words.push(Word::Say("  <No provisioners>".to_owned()));
    }
    for provisioner in &template.provisioners {
        let kind = &provisioner.block.kind;
        words.push(Word::Record("template-provisioner", vec![kind.clone()]));
        words.push(Word::Say(format!("  {kind}")));
    }
    words.push(Word::Say(NOTE.to_owned()));
    words
}

fn variables(template: &Template, words: &mut Vec<Word>) {
    if template.variables.is_empty() {
        words.push(Word::Say("Variables:\n".to_owned()));
        words.push(Word::Say("  <No variables>".to_owned()));
        return;
    }
    let mut sorted: Vec<&Variable> = template.variables.values().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let (required, optional): (Vec<&Variable>, Vec<&Variable>) =
        sorted.iter().partition(|variable| variable.default.is_none());
    if !required.is_empty() {
        words.push(Word::Say("Required variables:\n".to_owned()));
    }
    for variable in &required {
        let shown = if variable.sensitive { HIDDEN } else { "" };
        let values = vec![variable.name.clone(), shown.to_owned(), "1".to_owned()];
        words.push(Word::Record("template-variable", values));
        words.push(Word::Say(format!("  {}", variable.name)));
    }
    if !required.is_empty() {
        words.push(Word::Say(String::new()));
    }
    words.push(Word::Say("Optional variables and their defaults:\n".to_owned()));
    let width = sorted.iter().map(|variable| variable.name.len()).max().unwrap_or(0);
    for variable in &optional {
        let (name, shown) = (&variable.name, shown(variable).unwrap_or_default());
        words.push(Word::Record("template-variable", vec![name.clone(), shown.to_owned(), "0".to_owned()]));
        words.push(Word::Say(format!("  {name:width$} = {shown}")));
    }
}

/// A variable's default, unless it is sensitive.
fn shown(variable: &Variable) -> Option<&str> {
    let default = variable.default.as_deref()?;
    Some(if variable.sensitive { HIDDEN } else { default })
}

fn builders(template: &Template, words: &mut Vec<Word>) {
    words.push(Word::Say("Builders:\n".to_owned()));
    if template.builders.is_empty() {
        words.push(Word::Say("  <No builders>".to_owned()));
    }
    let mut sorted: Vec<_> = template.builders.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let width = sorted.iter().map(|builder| builder.name.len()).max().unwrap_or(0);
    for builder in sorted {
        let (name, kind) = (&builder.name, &builder.block.kind);
        words.push(Word::Record("template-builder", vec![name.clone(), kind.clone()]));
        let line = format!("  {name:width$}");
        words.push(Word::Say(if name == kind { line } else { format!("{line} ({kind})") }));
    }
}

/// `--output json`
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_packer_version: Option<&'a str>,
    variables: Vec<VariableItem<'a>>,
    builders: Vec<Named<'a>>,
    provisioners: Vec<&'a str>,
    /// Chains.
    post_processors: Vec<Vec<Named<'a>>>,
}

#[derive(Debug, Serialize)]
struct VariableItem<'a> {
    name: &'a str,
    required: bool,
    sensitive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> Report<'a> {
    fn new(template: &'a Template) -> Self {
        let variables = template.variables.values().map(|variable| VariableItem {
            name: &variable.name,
            required: variable.default.is_none(),
            sensitive: variable.sensitive,
            default: shown(variable),
        });
        let builders = template.builders.iter();
        let chains = template.post_processors.iter().map(|chain| {
            chain.iter().map(|post| Named { name: &post.name, kind: &post.block.kind }).collect()
        });
        Self {
            description: template.description.as_deref(),
            min_packer_version: template.min_packer_version.as_deref(),
            variables: variables.collect(),
            builders: builders
                .map(|builder| Named { name: &builder.name, kind: &builder.block.kind })
                .collect(),
            provisioners: template.provisioners.iter().map(|found| found.block.kind.as_str()).collect(),
            post_processors: chains.collect(),
        }
    }
}
