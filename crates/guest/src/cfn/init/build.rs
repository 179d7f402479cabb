//! Runs config sets: each config's sections in Amazon's order.

use super::super::log::{Level, Log, rule};
use super::authentication::Authentication;
use super::console::Console;
use super::error::BuildError;
use super::model::{Config, Model};
use super::services::Changes;
use super::{accounts, commands, files, packages, services, sources};
use crate::aws::http::Http;
use crate::aws::retry::Sleeper;
use crate::runner::Runner;
use std::path::{Path, PathBuf};

/// What the steps of a build share.
pub struct Build<'a> {
    /// Where the file system begins.
    pub root: &'a Path,
    /// Downloads.
    pub http: &'a dyn Http,
    /// Waits between tries of a download.
    pub sleeper: &'a dyn Sleeper,
    /// Runs programs.
    pub runner: &'a dyn Runner,
    /// The log files.
    pub log: &'a Log,
    /// Says which step is running.
    pub console: &'a Console<'a>,
    /// Who to be when downloading.
    pub authentication: &'a Authentication,
}

impl Build<'_> {
    /// Runs the named config sets in order; stops at the first failure.
    pub fn run(&self, model: &Model, config_sets: &[&str]) -> Result<(), BuildError> {
        self.log.info(format_args!("Running configSets: {}", config_sets.join(", ")));
        for set in config_sets {
            let configs = model.config_set(set)?;
            self.log.info(format_args!("Running configSet {set}"));
            self.log.command(Level::Info, rule('*'));
            self.log.command(Level::Info, format_args!("ConfigSet {set}"));
            for config in configs {
                self.run_config(set, config)?;
            }
        }
        self.log.info("ConfigSets completed");
        Ok(())
    }

    fn run_config(&self, set: &str, config: &Config) -> Result<(), BuildError> {
        let name = &config.name;
        self.log.info(format_args!("Running config {name}"));
        self.log.command(Level::Info, rule('+'));
        self.log.command(Level::Info, format_args!("Config {name}"));
        self.console.say(format_args!("running config {name} of configSet {set}"));
        for key in config.unknown_sections() {
            self.log.warning(format_args!("Config {name} has an unknown key, which is ignored: {key}"));
        }
        self.run_sections(config).inspect_err(|err| {
            self.log.error(format_args!("Error encountered during build of {name}: {err}"))
        })
    }

    fn run_sections(&self, config: &Config) -> Result<(), BuildError> {
        let changes = Changes {
            packages: packages::apply(self, config.section("packages")?)?,
            groups: accounts::apply_groups(self, config.section("groups")?)?,
            users: accounts::apply_users(self, config.section("users")?)?,
            sources: sources::apply(self, config.section("sources")?)?,
            files: files::apply(self, config.section("files")?)?,
            commands: commands::apply(self, config.section("commands")?)?,
        };
        services::apply(self, config.section("services")?, &changes)
    }

    /// Where an absolute path of the metadata is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
