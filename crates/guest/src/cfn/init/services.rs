//! The `services` section: services enabled, running, and restarted when what they depend on has changed.

use super::build::Build;
use super::error::{BuildError, IoContext};
use super::values::{Members, is_true, object, texts};
use crate::runner::Spec;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the sections before this one changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Packages installed, by manager.
    pub packages: BTreeMap<String, Vec<String>>,
    /// Groups created.
    pub groups: Vec<String>,
    /// Users created or changed.
    pub users: Vec<String>,
    /// Folders unpacked into.
    pub sources: Vec<String>,
    /// Files changed.
    pub files: Vec<String>,
    /// Commands that ran.
    pub commands: Vec<String>,
}

/// Brings the services into the state asked for.
pub fn apply(build: &Build<'_>, section: &Members, changes: &Changes) -> Result<(), BuildError> {
    if section.is_empty() {
        build.log.debug("No services specified");
    }
    for (manager, services) in section {
        let manager: &dyn Manager = match manager.as_str() {
            "sysvinit" => &SysVInit,
            "systemd" => &Systemd,
            "windows" => return Err(BuildError::Unsupported("The service manager windows".to_owned())),
            other => {
                build.log.warning(format_args!("Unsupported service manager: {other}"));
                continue;
            }
        };
        for (name, properties) in object(services, "services of a service manager")? {
            apply_one(build, manager, name, object(properties, &format!("service {name}"))?, changes)?;
        }
    }
    Ok(())
}

fn apply_one(
    build: &Build<'_>,
    manager: &dyn Manager,
    name: &str,
    properties: &Members,
    changes: &Changes,
) -> Result<(), BuildError> {
    match properties.get("enabled") {
        Some(enabled) => enable(build, manager, name, is_true(enabled))?,
        None => build.log.debug(format_args!("Not modifying enabled state of service {name}")),
    }
    if must_restart(properties, changes) {
        build.log.debug(format_args!("Restarting {name} due to change detected in dependency"));
        return act(build, manager, name, Action::Restart);
    }
    let Some(ensure_running) = properties.get("ensureRunning") else {
        build.log.debug(format_args!("Not modifying running state of service {name}"));
        return Ok(());
    };
    match (is_true(ensure_running), is_running(build, manager, name)?) {
        (true, false) => act(build, manager, name, Action::Start),
        (false, true) => act(build, manager, name, Action::Stop),
        (true, true) | (false, false) => {
            build.log.debug(format_args!("No need to modify running state of service {name}"));
            Ok(())
        }
    }
}

fn must_restart(properties: &Members, changes: &Changes) -> bool {
    let lists = [
        ("files", &changes.files),
        ("sources", &changes.sources),
        ("groups", &changes.groups),
        ("users", &changes.users),
        ("commands", &changes.commands),
    ];
    let names = |value: &Value| texts(value).unwrap_or_default();
    let listed = lists.iter().any(|(key, changed)| {
        properties.get(*key).is_some_and(|watched| names(watched).iter().any(|name| changed.contains(name)))
    });
    let packaged = properties.get("packages").and_then(Value::as_object).is_some_and(|managers| {
        managers.iter().any(|(manager, watched)| {
            let changed = changes.packages.get(manager).map_or(&[][..], Vec::as_slice);
            names(watched).iter().any(|name| changed.contains(name))
        })
    });
    listed || packaged
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Start,
    Stop,
    Restart,
}

impl Action {
    /// The command's word, and the past tense for the log.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Start => ("start", "Started"),
            Self::Stop => ("stop", "Stopped"),
            Self::Restart => ("restart", "Restarted"),
        }
    }
}

/// How a service manager is driven.
trait Manager {
    /// `start`, `stop`, `restart` or `status` of a service.
    fn control(&self, build: &Build<'_>, name: &str, word: &str) -> Vec<String>;
    /// Turning a service on or off at boot; None where there is no program for it.
    fn enable(&self, build: &Build<'_>, name: &str, enabled: bool) -> Option<Vec<String>>;
    /// The word that asks whether a service runs.
    fn status_word(&self) -> &'static str;
}

struct SysVInit;

impl Manager for SysVInit {
    fn control(&self, build: &Build<'_>, name: &str, word: &str) -> Vec<String> {
        let service =
            ["/sbin/service", "/usr/sbin/service"].into_iter().find(|path| build.path(path).exists());
        match service {
            Some(service) => words(&[service, name, word]),
            None => words(&[&format!("/etc/init.d/{name}"), word]),
        }
    }

    fn enable(&self, build: &Build<'_>, name: &str, enabled: bool) -> Option<Vec<String>> {
        let exists = |path: &str| build.path(path).exists();
        if exists("/sbin/chkconfig") {
            Some(words(&["/sbin/chkconfig", name, if enabled { "on" } else { "off" }]))
        } else if exists("/usr/sbin/update-rc.d") {
            Some(words(&["/usr/sbin/update-rc.d", name, if enabled { "enable" } else { "disable" }]))
        } else {
            None
        }
    }

    fn status_word(&self) -> &'static str {
        "status"
    }
}

struct Systemd;

impl Manager for Systemd {
    fn control(&self, _: &Build<'_>, name: &str, word: &str) -> Vec<String> {
        words(&["systemctl", word, name])
    }

    fn enable(&self, _: &Build<'_>, name: &str, enabled: bool) -> Option<Vec<String>> {
        Some(words(&["systemctl", if enabled { "enable" } else { "disable" }, name]))
    }

    fn status_word(&self) -> &'static str {
        "is-active"
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn run(build: &Build<'_>, argv: Vec<String>) -> Result<(i32, String), BuildError> {
    let line = argv.join(" ");
    build.runner.output(&Spec { argv, ..Spec::default() }).during(|| format!("cannot run {line}"))
}

fn is_running(build: &Build<'_>, manager: &dyn Manager, name: &str) -> Result<bool, BuildError> {
    Ok(run(build, manager.control(build, name, manager.status_word()))?.0 == 0)
}

fn act(build: &Build<'_>, manager: &dyn Manager, name: &str, action: Action) -> Result<(), BuildError> {
    let (word, past) = action.words();
    build.console.say(format_args!("service {name}: {word}"));
    let (code, output) = run(build, manager.control(build, name, word))?;
    if code != 0 {
        build.log.error(format_args!("Could not {word} service {name}; return code was {code}"));
        build.log.debug(format_args!("Service output: {output}"));
        return Err(BuildError::Tool(format!("Could not {word} {name}")));
    }
    build.log.info(format_args!("{past} {name} successfully"));
    Ok(())
}

fn enable(build: &Build<'_>, manager: &dyn Manager, name: &str, enabled: bool) -> Result<(), BuildError> {
    let verb = if enabled { "enable" } else { "disable" };
    let Some(argv) = manager.enable(build, name, enabled) else {
        build
            .log
            .error(format_args!("Could not {verb} {name}, as chkconfig and update-rc.d were not available"));
        return Ok(());
    };
    let (code, output) = run(build, argv)?;
    if code != 0 {
        build.log.error(format_args!("Could not {verb} service {name}: error {code}. Output: {output}"));
        return Err(BuildError::ToolFailed { message: format!("Could not {verb} service {name}"), code });
    }
    build.log.info(format_args!("{verb}d service {name}"));
    Ok(())
}
