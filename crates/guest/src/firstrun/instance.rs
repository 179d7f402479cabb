//! One run on one instance: the files, the services, the wait, in this order.

use super::files;
use super::health::{Health, NotJoined, Seen};
use super::host::Host;
use super::journal::Journal;
use super::options::{Command, Given, Options, OptionsError};
use super::services::{self, Done, Service, ServiceError};
use super::settings::Settings;
use super::write::{self, Change, FileError};
use crate::aws::http::Http;
use crate::aws::imds::Imds;
use crate::aws::retry::Sleeper;
use crate::runner::Runner;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Exit codes.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;

/// Why the instance could not be set up.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    NotJoined(#[from] NotJoined),
    #[error("not everything is as configured")]
    NotAsConfigured,
}

/// The instance, gathered so that a whole run takes place in a test.
pub struct Instance<'a> {
    /// Where the file system begins.
    pub root: PathBuf,
    /// Asks the agent.
    pub http: Arc<dyn Http>,
    /// Tells the region.
    pub imds: Imds,
    /// Where the agent tells about itself.
    pub agent_url: &'a str,
    /// Drives the services.
    pub runner: &'a dyn Runner,
    /// Waits.
    pub sleeper: &'a dyn Sleeper,
}

/// Does what `options` ask for; returns the exit code.
pub fn run(options: &Options, instance: &Instance<'_>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let host = Host::look(&instance.root);
    let result = match &options.command {
        Some(Command::Check(given)) => instance
            .settings(given, &host)
            .and_then(|settings| instance.check(&settings, &host, &mut Journal::quiet(out))),
        None => instance.settings(&options.given, &host).and_then(|settings| {
            if options.dry_run {
                instance.show(&settings, &host, &mut Journal::quiet(out))
            } else {
                instance.configure(&settings, &host, &mut Journal::open(&instance.root, out))
            }
        }),
    };
    match result {
        Ok(()) => DONE,
        Err(error) => {
            let _ = writeln!(err, "firstrun: {error}");
            if matches!(error, Error::Options(_)) { WRONG_USE } else { FAILED }
        }
    }
}

impl Instance<'_> {
    fn settings(&self, given: &Given, host: &Host) -> Result<Settings, Error> {
        let region = || self.imds.identity().map(|found| found.region).map_err(|error| error.to_string());
        Ok(given.settings(&self.root, |choice| host.log_agent(choice).is_some(), region)?)
    }

    /// The files that are not as they should be.
    fn changes(&self, settings: &Settings, host: &Host) -> Result<Vec<Change>, Error> {
        let problem = RefCell::new(None);
        let current = |path: &str| match write::read(&self.root, path) {
            Ok(text) => text,
            Err(error) => {
                problem.borrow_mut().get_or_insert(error);
                None
            }
        };
        let wanted = files::wanted(settings, host, &current);
        if let Some(error) = problem.take() {
            return Err(error.into());
        }
        let mut changes = Vec::new();
        for file in wanted {
            changes.extend(Change::of(&self.root, file)?);
        }
        Ok(changes)
    }

    fn configure(&self, settings: &Settings, host: &Host, journal: &mut Journal<'_>) -> Result<(), Error> {
        let done = self.configured(settings, host, journal);
        if let Err(error) = &done {
            journal.say("failed", &[], &error.to_string());
        }
        done
    }

    fn configured(&self, settings: &Settings, host: &Host, journal: &mut Journal<'_>) -> Result<(), Error> {
        let changes = self.changes(settings, host)?;
        for ready in write::prepare(&changes, &self.root)? {
            let change = ready.change;
            ready.put()?;
            let (event, verb) = match change.after {
                Some(_) => ("file-written", "wrote"),
                None => ("file-removed", "removed"),
            };
            journal.say(event, &[("path", change.path)], &format!("{verb} {}", change.path));
        }
        let changed: BTreeSet<&str> = changes.iter().map(|change| change.path).collect();
        services::reload(host, &changed, self.runner)?;
        let services = services::wanted(host, host.log_agent(settings.log_agent), &changed);
        for service in &services {
            let (event, text) = match service.ensure(self.runner)? {
                Done::Nothing => ("service-running", "runs"),
                Done::Started => ("service-started", "started"),
                Done::Restarted => ("service-restarted", "restarted"),
            };
            journal.say(event, &[("service", service.name)], &format!("service {} {text}", service.name));
        }
        self.wait(settings, services.last(), journal)
    }

    fn wait(
        &self,
        settings: &Settings,
        agent: Option<&Service>,
        journal: &mut Journal<'_>,
    ) -> Result<(), Error> {
        let Some(agent) = agent else { return Ok(()) };
        let cluster = &settings.cluster;
        journal.say(
            "waiting",
            &[("cluster", cluster)],
            &format!("waiting for the ECS agent to join {cluster}"),
        );
        let arn = self.health(settings, agent).wait(settings.health_timeout)?;
        let text = format!("the ECS agent has joined {cluster} as {arn}");
        journal.say("joined", &[("cluster", cluster), ("container_instance", &arn)], &text);
        Ok(())
    }

    fn health<'h>(&'h self, settings: &'h Settings, agent: &'h Service) -> Health<'h> {
        Health {
            root: &self.root,
            http: &*self.http,
            url: self.agent_url,
            runner: self.runner,
            sleeper: self.sleeper,
            agent,
            cluster: &settings.cluster,
        }
    }

    fn show(&self, settings: &Settings, host: &Host, journal: &mut Journal<'_>) -> Result<(), Error> {
        let changes = self.changes(settings, host)?;
        for change in &changes {
            let diff = change.diff();
            journal.raw(&settings.proxy.as_ref().map_or_else(|| diff.clone(), |proxy| proxy.redact(&diff)));
        }
        let text = format!("{} files would change; nothing was written", changes.len());
        journal.say("dry-run", &[], &text);
        Ok(())
    }

    /// Reports every file, service and the membership.
    fn check(&self, settings: &Settings, host: &Host, journal: &mut Journal<'_>) -> Result<(), Error> {
        let mut right = true;
        let mut tell = |good: bool, text: String| {
            right &= good;
            journal.say("check", &[], &format!("{} {text}", if good { "ok" } else { "NOT OK" }));
        };
        let changes = self.changes(settings, host)?;
        for change in &changes {
            let how = match (&change.before, &change.after) {
                (None, _) => "is not there",
                (_, None) => "should not be there",
                _ => "is not as configured",
            };
            tell(false, format!("{} {how}", change.path));
        }
        if changes.is_empty() {
            tell(true, "files are as configured".to_owned());
        }
        let services = services::wanted(host, host.log_agent(settings.log_agent), &BTreeSet::new());
        for service in &services {
            let running = service.is_running(self.runner)?;
            let text = if running { "runs" } else { "does not run" };
            tell(running, format!("service {} {text}", service.name));
        }
        if let Some(agent) = services.last() {
            let health = self.health(settings, agent);
            let seen = health.look();
            match &seen {
                Seen::Joined { container_instance } => {
                    tell(true, format!("the ECS agent is in {} as {container_instance}", settings.cluster));
                }
                _ => tell(
                    false,
                    format!(
                        "the ECS agent is not in {}: {}",
                        settings.cluster,
                        health.causes(&seen).join("; ")
                    ),
                ),
            }
        }
        if right { Ok(()) } else { Err(Error::NotAsConfigured) }
    }
}
