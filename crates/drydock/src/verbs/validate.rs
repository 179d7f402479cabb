//! `drydock validate`: everything that is wrong with a Packer template, in one go.

use std::sync::Arc;

use builder::build::{Plan, PlanError};
use builder::selection::Names;
use packer_template::{Collector, Context, Error, Errors, Source, Template, Variables};
use serde::Serialize;

use crate::exit::{self, Failure};
use crate::output::{Format, OutputArgs};
use crate::template::{self, TemplateArgs};

/// Checks a Packer template and says everything that is wrong with it, with the line
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock validate packer.json
  drydock validate -var-file=production.json -only=amazon-ebs packer.json

Packer's options are taken with one dash or two. Exits with 0 when the template holds and with 1 when it
does not. Files that the template names are looked for from the working directory, as Packer does.")]
pub struct Args {
    #[command(flatten)]
    template: TemplateArgs,
    /// Look at the structure only: not at variables, options and what they refer to
    #[arg(long)]
    syntax_only: bool,
    /// Builds to check, and no others
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Builds and post-processors not to check
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    except: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    errors: Option<Errors>,
    warnings: Vec<String>,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let source = template::read(&args.template.template)?;
    let found = match args.syntax_only {
        true => Findings { errors: Template::parse_syntax(&source).err(), warnings: Vec::new() },
        false => args.examine(&source)?,
    };
    let done = match args.syntax_only {
        true => "Syntax-only check passed. Everything looks okay.",
        false => "Template validated successfully.",
    };
    if args.output.output == Format::Json {
        args.output.print(&Report::new(&found), String::new)?;
    } else {
        for warning in &found.warnings {
            eprintln!("warning: {warning}");
        }
        match &found.errors {
            Some(errors) => eprintln!("{errors}\n\n{}", count(errors.count())),
            None => args.output.print(&(), || done.to_owned())?,
        }
    }
    if found.errors.is_some() { Err(Failure::told(exit::PACKER)) } else { Ok(()) }
}

fn count(errors: usize) -> String {
    match errors {
        1 => "The template does not hold: 1 error.".to_owned(),
        errors => format!("The template does not hold: {errors} errors."),
    }
}

impl Args {
    /// Goes as far as one can with what is wrong: structure, variables and options are all looked at.
    fn examine(&self, source: &Source) -> Result<Findings, Failure> {
        let mut errors = Collector::default();
        let (template, found) = Template::parse_leniently(source);
        errors.extend(found.into_iter().flatten());
        let mut warnings = Vec::new();
        if let Some(template) = template {
            let host = Arc::new(template::host(&self.template.template)?);
            let inputs = self.template.inputs()?;
            let (variables, found) = Variables::resolve_leniently(&template, &inputs, &host);
            errors.extend(found.into_iter().flatten());
            let context = Context::new(host, Arc::new(variables));
            let names = self.names(&template, &context, &mut warnings);
            match Plan::new(&template, &context, &names) {
                Ok(plan) => warnings.extend(plan.warnings),
                Err(PlanError::Template(found)) => errors.extend(found),
                Err(PlanError::UnknownBuild(unknown)) => errors.push(Error::new(unknown.to_string())),
            }
        }
        Ok(Findings { errors: errors.into_result(()).err(), warnings })
    }

    /// `-only` and `-except`. A name that no build has is no error to Packer, which then checks nothing; so it is told.
    fn names(&self, template: &Template, context: &Context, warnings: &mut Vec<String>) -> Names {
        let builds = template.build_names(context).unwrap_or_default();
        let is_build = |name: &String| builds.iter().any(|(build, _)| build == name);
        for name in self.only.iter().filter(|name| !is_build(name)) {
            warnings.push(format!("-only names '{name}', which is no build of the template"));
        }
        let only: Vec<String> = self.only.iter().filter(|name| is_build(name)).cloned().collect();
        let mut except = self.except.clone();
        if only.is_empty() && !self.only.is_empty() {
            except.extend(builds.iter().map(|(name, _)| name.clone()));
        }
        Names { only, except }
    }
}

/// `--output json`
#[derive(Debug, Serialize)]
struct Report<'a> {
    valid: bool,
    errors: Vec<Item<'a>>,
    warnings: &'a [String],
}

/// An error in it.
#[derive(Debug, Serialize)]
struct Item<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn new(found: &'a Findings) -> Self {
        let errors = found.errors.iter().flat_map(Errors::iter).map(|error| Item {
            message: &error.message,
            file: error.place.as_ref().map(|place| place.source.name()),
            line: error.place.as_ref().map(|place| place.span.line),
            column: error.place.as_ref().map(|place| place.span.column),
            path: &error.path,
            help: error.help.as_deref(),
        });
        Self { valid: found.errors.is_none(), errors: errors.collect(), warnings: &found.warnings }
    }
}
