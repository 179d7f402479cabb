//! Enabling and starting the services, in the order that they need each other, by whatever starts services here.

use super::host::{Host, Init, LogAgent};
use crate::runner::{Runner, Spec};
use std::collections::BTreeSet;

/// A service and how it is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// `systemctl`.
    Systemd,
    /// `service` and `chkconfig`.
    SysVInit,
    /// `initctl`; its jobs start at boot without being enabled.
    Upstart,
    /// The CloudWatch agent's own control program.
    CloudwatchCtl,
}

/// One service that is to run, now and at each boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// How it is driven.
    pub manager: Manager,
    /// Whether a configuration of its has changed, so that it must start anew if it runs.
    pub changed: bool,
    /// Whether its start is only asked for. The ECS agent's unit may wait for the end of user data, which this is a
    /// part of; whether it came up is seen by its health.
    pub in_background: bool,
}

/// Why a service is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A program could not be started.
    #[error("cannot run {command}: {source}")]
    Unrunnable {
        /// The command line.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{command} failed with exit code {code}{}", said(output))]
    Failed {
        /// The command line.
        command: String,
        /// Its exit code.
        code: i32,
        /// What it printed.
        output: String,
    },
}

fn said(output: &str) -> String {
    match output.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// The services in the order of their start. `changed` holds the paths of the files that changed.
pub fn wanted(host: &Host, log_agent: Option<LogAgent>, changed: &BTreeSet<&str>) -> Vec<Service> {
    let touched = |parts: &[&str]| changed.iter().any(|path| parts.iter().any(|part| path.contains(part)));
    let (general, ecs) = match host.init {
        Init::Systemd => (Manager::Systemd, Manager::Systemd),
        Init::Upstart => (Manager::SysVInit, Manager::Upstart),
        Init::SysVInit => (Manager::SysVInit, Manager::SysVInit),
    };
    let log = log_agent.map(|agent| match agent {
        LogAgent::Awslogs => Service {
            name: host.awslogs_service,
            manager: general,
            changed: touched(&["/awslogs/"]),
            in_background: false,
        },
        LogAgent::Cloudwatch => Service {
            name: "amazon-cloudwatch-agent",
            manager: Manager::CloudwatchCtl,
            changed: touched(&["/amazon-cloudwatch-agent/"]),
            in_background: false,
        },
    });
    let docker = Service {
        name: "docker",
        manager: general,
        changed: touched(&["/docker.service.d/", "/sysconfig/docker"]),
        in_background: false,
    };
    let ecs = Service {
        name: "ecs",
        manager: ecs,
        changed: touched(&["/etc/ecs/", "/ecs.service.d/", "/init/ecs."]),
        in_background: true,
    };
    log.into_iter().chain([docker, ecs]).collect()
}

/// Makes systemd read changed units; other inits read them at each start.
///
/// # Errors
/// When it does not.
pub fn reload(host: &Host, changed: &BTreeSet<&str>, runner: &dyn Runner) -> Result<(), ServiceError> {
    if host.init == Init::Systemd && changed.iter().any(|path| path.starts_with("/etc/systemd/")) {
        must(runner, &["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

/// What was done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It ran already and nothing about it changed.
    Nothing,
    /// It did not run.
    Started,
    /// It ran with an older configuration.
    Restarted,
}

impl Service {
    /// Enables the service and makes it run with its present configuration.
    ///
    /// # Errors
    /// When a program fails.
    pub fn ensure(&self, runner: &dyn Runner) -> Result<Done, ServiceError> {
        if let Some(enable) = self.enable() {
            must(runner, &enable)?;
        }
        let running = self.is_running(runner)?;
        if running && !self.changed {
            return Ok(Done::Nothing);
        }
        must(runner, &self.control(running))?;
        Ok(if running { Done::Restarted } else { Done::Started })
    }

    /// Whether the service runs.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub fn is_running(&self, runner: &dyn Runner) -> Result<bool, ServiceError> {
        match self.manager {
            Manager::Systemd => {
                let (code, state) = run(runner, &["systemctl", "is-active", self.name])?;
                // A service that is starting has read its configuration already, or is about to: the ECS agent's takes
                // seconds.
                Ok(code == 0 || state.trim() == "activating")
            }
            Manager::SysVInit => Ok(run(runner, &["service", self.name, "status"])?.0 == 0),
            Manager::Upstart => {
                Ok(run(runner, &["initctl", "status", self.name])?.1.contains("start/running"))
            }
            Manager::CloudwatchCtl => {
                Ok(run(runner, &[CLOUDWATCH_CTL, "-a", "status"])?.1.contains("\"running\""))
            }
        }
    }

    /// Whether the service has ended for good, so that waiting for it is in vain. Only systemd knows.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub fn has_failed(&self, runner: &dyn Runner) -> Result<bool, ServiceError> {
        match self.manager {
            Manager::Systemd => Ok(run(runner, &["systemctl", "is-failed", "--quiet", self.name])?.0 == 0),
            _ => Ok(false),
        }
    }

    fn enable(&self) -> Option<Vec<&'static str>> {
        match self.manager {
            Manager::Systemd => Some(vec!["systemctl", "enable", "--quiet", self.name]),
            Manager::SysVInit => Some(vec!["chkconfig", self.name, "on"]),
            // Jobs name the events that start them; the control program enables what it starts.
            Manager::Upstart | Manager::CloudwatchCtl => None,
        }
    }

    fn control(&self, running: bool) -> Vec<&'static str> {
        let word = if running { "restart" } else { "start" };
        match self.manager {
            Manager::Systemd if self.in_background => vec!["systemctl", word, "--no-block", self.name],
            Manager::Systemd => vec!["systemctl", word, self.name],
            Manager::SysVInit => vec!["service", self.name, word],
            // `restart` would keep the job's old definition, its override included.
            Manager::Upstart if running => vec!["sh", "-c", "initctl stop ecs && initctl start ecs"],
            Manager::Upstart => vec!["initctl", word, self.name],
            Manager::CloudwatchCtl => {
                vec![CLOUDWATCH_CTL, "-a", "append-config", "-m", "ec2", "-s", "-c", CLOUDWATCH_CONFIG]
            }
        }
    }
}

const CLOUDWATCH_CTL: &str = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl";
const CLOUDWATCH_CONFIG: &str = "file:/opt/aws/amazon-cloudwatch-agent/etc/firstrun.json";

fn run(runner: &dyn Runner, argv: &[&str]) -> Result<(i32, String), ServiceError> {
    runner
        .output(&Spec::new(argv))
        .map_err(|source| ServiceError::Unrunnable { command: argv.join(" "), source })
}

fn must(runner: &dyn Runner, argv: &[&str]) -> Result<(), ServiceError> {
    match run(runner, argv)? {
        (0, _) => Ok(()),
        (code, output) => Err(ServiceError::Failed { command: argv.join(" "), code, output }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io;

    /// Remembers command lines; those that `answers` names by their beginning give its code and output, others succeed.
    #[derive(Default)]
    pub struct Script {
        pub answers: Vec<(&'static str, i32, &'static str)>,
        pub ran: RefCell<Vec<String>>,
    }

    impl Runner for Script {
        fn run(&self, spec: &Spec, on_line: &mut dyn FnMut(&str)) -> io::Result<i32> {
            let line = spec.argv.join(" ");
            let answer = self.answers.iter().find(|(begin, ..)| line.starts_with(begin));
            self.ran.borrow_mut().push(line);
            let Some((_, code, output)) = answer else { return Ok(0) };
            on_line(output);
            Ok(*code)
        }
    }

    fn host(init: Init) -> Host {
        Host { init, awslogs: true, awslogs_service: "awslogsd", cloudwatch: false, cfn_hup: false }
    }

    fn all(init: Init, agent: Option<LogAgent>, changed: &[&str], script: &Script) -> Vec<Done> {
        let changed = changed.iter().copied().collect();
        reload(&host(init), &changed, script).unwrap();
        wanted(&host(init), agent, &changed).iter().map(|service| service.ensure(script).unwrap()).collect()
    }

    #[test]
    fn systemd_restarts_what_changed_and_does_not_wait_for_the_agent() {
        let script =
            Script { answers: vec![("systemctl is-active ecs", 3, "inactive")], ..Script::default() };
        let changed = ["/etc/systemd/system/docker.service.d/http-proxy.conf", "/etc/ecs/ecs.config"];
        let done = all(Init::Systemd, Some(LogAgent::Awslogs), &changed, &script);
        assert_eq!(done, [Done::Nothing, Done::Restarted, Done::Started]);
        assert_eq!(
            *script.ran.borrow(),
            [
                "systemctl daemon-reload",
                "systemctl enable --quiet awslogsd",
                "systemctl is-active awslogsd",
                "systemctl enable --quiet docker",
                "systemctl is-active docker",
                "systemctl restart docker",
                "systemctl enable --quiet ecs",
                "systemctl is-active ecs",
                "systemctl start --no-block ecs",
            ]
        );
    }

    #[test]
    fn a_service_that_is_starting_with_an_older_configuration_is_restarted() {
        let script =
            Script { answers: vec![("systemctl is-active ecs", 3, "activating")], ..Script::default() };
        let done = all(Init::Systemd, None, &["/etc/ecs/ecs.config"], &script);
        assert_eq!(done, [Done::Nothing, Done::Restarted]);
        assert_eq!(script.ran.borrow().last().map(String::as_str), Some("systemctl restart --no-block ecs"));
    }

    #[test]
    fn amazon_linux_1_has_scripts_and_one_job() {
        let answers = vec![
            ("service docker status", 3, "docker is stopped"),
            ("initctl status ecs", 0, "ecs start/running, process 7"),
        ];
        let script = Script { answers, ..Script::default() };
        let done = all(Init::Upstart, None, &["/etc/ecs/ecs.config"], &script);
        assert_eq!(done, [Done::Started, Done::Restarted]);
        let ran = script.ran.borrow();
        assert_eq!(ran[..3], ["chkconfig docker on", "service docker status", "service docker start"]);
        assert_eq!(ran[4], "sh -c initctl stop ecs && initctl start ecs");
    }

    #[test]
    fn a_second_run_touches_nothing() {
        let script = Script::default();
        let done = all(Init::Systemd, Some(LogAgent::Awslogs), &[], &script);
        assert_eq!(done, [Done::Nothing; 3]);
        assert!(!script.ran.borrow().iter().any(|line| line.contains("start")), "{:?}", script.ran);
    }

    #[test]
    fn a_failed_start_tells_command_code_and_output() {
        let answers = vec![("service docker status", 3, ""), ("service docker start", 1, "no space left")];
        let script = Script { answers, ..Script::default() };
        let services = wanted(&host(Init::SysVInit), None, &BTreeSet::new());
        let error = services[0].ensure(&script).unwrap_err().to_string();
        assert_eq!(error, "service docker start failed with exit code 1: no space left");
    }
}
