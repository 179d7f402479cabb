//! `cfn-init`: applies a resource's `AWS::CloudFormation::Init` metadata to the instance.

pub mod accounts;
pub mod archives;
pub mod authentication;
pub mod build;
pub mod commands;
pub mod console;
pub mod download;
pub mod error;
pub mod files;
pub mod metadata;
pub mod model;
pub mod mustache;
pub mod packages;
pub mod services;
pub mod sources;
pub mod values;
pub mod versions;

#[cfg(test)]
mod tests;

use self::build::Build;
use self::console::Console;
use self::error::BuildError;
use self::model::Model;
use super::log::{Log, centered};
use super::options::{CredentialOptions, EndpointOptions, ProxyOptions};
use super::world::{HasProxy, World, run_real};
use crate::runner::{Runner, SystemRunner};
use clap::Parser;
use serde_json::Value;
use std::ffi::OsString;

/// The key that holds what this tool applies.
pub const INIT_KEY: &str = "AWS::CloudFormation::Init";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cfn-init",
    infer_long_args = true,
    about = "Apply a CloudFormation resource's AWS::CloudFormation::Init metadata",
    override_usage = "cfn-init [options]\n  or:  cfn-init [options] <filename>\n  or:  cat <filename> | cfn-init [options] -"
)]
pub struct Options {
    #[command(flatten)]
    credentials: CredentialOptions,
    #[command(flatten)]
    proxy: ProxyOptions,
    /// A CloudFormation stack
    #[arg(short, long)]
    stack: Option<String>,
    /// A CloudFormation logical resource ID
    #[arg(short, long)]
    resource: Option<String>,
    /// An optional list of configSets, separated by commas
    #[arg(short, long, default_value = "default")]
    configsets: String,
    /// The CloudFormation service URL. The endpoint URL must match the region option. Use of this parameter is discouraged.
    #[arg(short, long)]
    url: Option<String>,
    #[command(flatten)]
    endpoint: EndpointOptions,
    /// Enables verbose logging, and says on standard error what is being run
    #[arg(short, long)]
    verbose: bool,
    /// A file of metadata to apply in place of a stack resource's, or - for standard input
    #[arg(value_name = "FILENAME")]
    files: Vec<String>,
}

impl HasProxy for Options {
    fn proxy(&self) -> &ProxyOptions {
        &self.proxy
    }
}

/// Runs the tool; returns its exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    run_real(args, |options, world| run(options, world, &SystemRunner))
}

fn run(options: &Options, world: &mut World<'_>, runner: &dyn Runner) -> u8 {
    let (log, notice) = Log::open(&world.root, options.verbose);
    if let Some(notice) = notice {
        let _ = writeln!(world.stderr, "{notice}");
    }
    let (metadata, source) = match metadata::obtain(options, world, &log) {
        Ok(found) => found,
        Err(message) => {
            log.error(&message);
            let _ = writeln!(world.stderr, "{message}");
            return 1;
        }
    };
    if let Err(err) = metadata::store(&world.root, &metadata) {
        let message =
            format!("Could not write /var/lib/cfn-init/data/metadata.json to store metadata: {err}");
        log.error(&message);
        let _ = writeln!(world.stderr, "{message}");
    }
    if metadata.get(INIT_KEY).is_none_or(values::is_falsy) {
        let _ = writeln!(world.stderr, "Could not find '{INIT_KEY}' key in {source}.");
        return 0;
    }
    let outcome = apply(options, world, runner, &log, &metadata);
    report(options, world, &log, outcome)
}

fn apply(
    options: &Options,
    world: &mut World<'_>,
    runner: &dyn Runner,
    log: &Log,
    metadata: &Value,
) -> Result<(), BuildError> {
    log.info(centered("Starting build"));
    let model = Model::parse(metadata)?;
    let console = Console::new(options.verbose, &mut *world.stderr);
    let config_sets: Vec<&str> = options.configsets.split(',').collect();
    let build = Build {
        root: &world.root,
        http: &*world.http,
        sleeper: world.sleeper,
        runner,
        log,
        console: &console,
        authentication: &model.authentication,
    };
    build.run(&model, &config_sets)
}

fn report(options: &Options, world: &mut World<'_>, log: &Log, outcome: Result<(), BuildError>) -> u8 {
    let Err(err) = outcome else {
        log.info(centered("Build complete"));
        return 0;
    };
    log.error(centered("BUILD FAILED!"));
    log.error(format_args!("Unhandled exception during build: {err}"));
    let _ = writeln!(world.stderr, "Error occurred during build: {err}");
    if let BuildError::CommandFailed { name, code, output } = &err {
        let _ = writeln!(world.stderr, "Command {name} exited with code {code}");
        if options.verbose {
            for line in output {
                let _ = writeln!(world.stderr, "\t{line}");
            }
        }
    }
    1
}
