//! `firstrun`'s command line, variables and file, brought together. A flag wins over a variable, a variable over the
//! file.

use super::settings::{self, HEALTH_TIMEOUT, LogAgentChoice, LogFile, Settings, Unfit};
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the configuration file is looked for when none is named.
pub const CONFIG: &str = "/etc/drydock/firstrun.toml";

/// Configures a container instance, starts its services and waits until it has joined its ECS cluster
#[derive(Debug, Parser)]
#[command(
    name = "firstrun",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  ECS_CLUSTER=web STACK_NAME=web AUTOSCALING_GROUP=Group AWS_DEFAULT_REGION=eu-west-1 firstrun
  firstrun --cluster web --log-agent none --ecs-attribute rack=a --dry-run
  firstrun check --cluster web --log-agent none

Exit status: 0 done (check: everything is as configured), 1 not so, 2 wrong use or configuration."
)]
pub struct Options {
    /// What else than configuring is asked for.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub given: Given,
    /// Change nothing and start nothing; print how each file would change
    #[arg(long)]
    pub dry_run: bool,
}

/// What else than configuring can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Change nothing; report what is not as configured
    Check(Given),
}

/// The settings on the command line and in variables.
#[derive(Debug, Default, Clone, Args)]
pub struct Given {
    /// A TOML file of the same settings [default: /etc/drydock/firstrun.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The ECS cluster to join
    #[arg(long, env = "ECS_CLUSTER", value_name = "NAME")]
    pub cluster: Option<String>,
    /// The stack that the log groups are named after
    #[arg(long, env = "STACK_NAME", value_name = "NAME")]
    pub stack: Option<String>,
    /// The group of instances that the log groups are named after
    #[arg(long, env = "AUTOSCALING_GROUP", value_name = "NAME")]
    pub group: Option<String>,
    /// The region of the log groups [default: the instance's]
    #[arg(long, env = "AWS_DEFAULT_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// The HTTP proxy on the way to AWS
    #[arg(long, env = "PROXY_URL", value_name = "URL", hide_env_values = true)]
    pub proxy: Option<String>,
    /// A host, domain or network that is reached without the proxy
    #[arg(long, value_name = "HOST")]
    pub no_proxy: Vec<String>,
    /// An attribute of the container instance
    #[arg(long, value_name = "NAME=VALUE")]
    pub ecs_attribute: Vec<String>,
    /// Memory that ECS leaves alone
    #[arg(long, value_name = "MIB")]
    pub reserved_memory: Option<u32>,
    /// A setting of the ECS agent
    #[arg(long, value_name = "NAME=VALUE")]
    pub ecs_config: Vec<String>,
    /// Another log file to ship, with the format of its times
    #[arg(long, value_name = "FILE[=FORMAT]")]
    pub log: Vec<String>,
    /// The log agent to configure [default: the one that is installed]
    #[arg(long, value_enum)]
    pub log_agent: Option<LogAgentChoice>,
    /// How long the ECS agent may take to join [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub health_timeout: Option<String>,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    cluster: Option<String>,
    stack: Option<String>,
    group: Option<String>,
    region: Option<String>,
    proxy: Option<String>,
    no_proxy: Vec<String>,
    ecs_attributes: BTreeMap<String, String>,
    reserved_memory: Option<u32>,
    ecs_config: BTreeMap<String, String>,
    log: Vec<LogEntry>,
    log_agent: Option<LogAgentChoice>,
    health_timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LogEntry {
    file: String,
    group: Option<String>,
    datetime_format: Option<String>,
    time_zone: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration file is not understood.
    #[error("{path}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A setting that must be there is not.
    #[error("{0} is needed: set {1} or give {2}")]
    Missing(&'static str, &'static str, &'static str),
    /// A value cannot be used.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Something is not `NAME=VALUE`.
    #[error("{0} {1:?} is not NAME=VALUE")]
    NotAPair(&'static str, String),
    /// A time is not understood.
    #[error("--health-timeout {0:?} is not a time, such as 90s or 5m")]
    NotATime(String),
    /// The region is not given and the instance does not tell.
    #[error("the region is needed: set AWS_DEFAULT_REGION or give --region (instance metadata: {0})")]
    NoRegion(String),
}

impl Given {
    /// Settings of these options, over the configuration file's. `ships_logs` tells whether a log agent will be
    /// configured; `instance_region` asks the instance for its region.
    ///
    /// # Errors
    /// When something is missing or cannot be written safely.
    pub fn settings(
        &self,
        root: &Path,
        ships_logs: impl FnOnce(LogAgentChoice) -> bool,
        instance_region: impl FnOnce() -> Result<String, String>,
    ) -> Result<Settings, OptionsError> {
        let file = self.read_file(root)?;
        let pick = |flag: &Option<String>, filed: Option<String>| {
            flag.clone().filter(|value| !value.is_empty()).or(filed).filter(|value| !value.is_empty())
        };
        let cluster = pick(&self.cluster, file.cluster).ok_or(OptionsError::Missing(
            "the cluster",
            "ECS_CLUSTER",
            "--cluster",
        ))?;
        let cluster = settings::cluster("ECS_CLUSTER", &cluster)?;
        let log_agent = self.log_agent.or(file.log_agent).unwrap_or_default();
        let (mut log_prefix, mut region) = (None, None);
        if ships_logs(log_agent) {
            let stack = pick(&self.stack, file.stack).ok_or(OptionsError::Missing(
                "the stack's name",
                "STACK_NAME",
                "--stack (or --log-agent none)",
            ))?;
            let group = pick(&self.group, file.group).ok_or(OptionsError::Missing(
                "the group's name",
                "AUTOSCALING_GROUP",
                "--group (or --log-agent none)",
            ))?;
            let stack = settings::log_group_part("STACK_NAME", &stack)?;
            let group = settings::log_group_part("AUTOSCALING_GROUP", &group)?;
            log_prefix = Some(format!("/{stack}/ec2/{group}"));
            let name = match pick(&self.region, file.region) {
                Some(region) => region,
                None => instance_region().map_err(OptionsError::NoRegion)?,
            };
            region = Some(settings::region("AWS_DEFAULT_REGION", &name)?);
        }
        let proxy = pick(&self.proxy, file.proxy);
        let no_proxy = self.no_proxy.iter().chain(&file.no_proxy);
        let mut logs = Vec::new();
        for entry in file.log {
            logs.push(log_file(entry, log_prefix.as_deref())?);
        }
        for text in &self.log {
            let (path, format) = match text.split_once('=') {
                Some((path, format)) => (path, Some(format.to_owned())),
                None => (text.as_str(), None),
            };
            let entry =
                LogEntry { file: path.to_owned(), group: None, datetime_format: format, time_zone: None };
            logs.push(log_file(entry, log_prefix.as_deref())?);
        }
        Ok(Settings {
            cluster,
            region,
            log_prefix,
            proxy: proxy.map(|proxy| settings::proxy("PROXY_URL", &proxy)).transpose()?,
            no_proxy: no_proxy
                .map(|host| settings::direct_host("--no-proxy", host))
                .collect::<Result<_, _>>()?,
            attributes: merged(
                "--ecs-attribute",
                file.ecs_attributes,
                &self.ecs_attribute,
                settings::attribute,
            )?,
            reserved_memory: self.reserved_memory.or(file.reserved_memory),
            ecs_config: merged("--ecs-config", file.ecs_config, &self.ecs_config, settings::agent_setting)?,
            logs,
            log_agent,
            health_timeout: match self.health_timeout.clone().or(file.health_timeout) {
                Some(text) => duration(&text).ok_or(OptionsError::NotATime(text))?,
                None => HEALTH_TIMEOUT,
            },
        })
    }

    fn read_file(&self, root: &Path) -> Result<File, OptionsError> {
        let default = root.join(CONFIG.trim_start_matches('/'));
        let path = self.config.clone().unwrap_or(default);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.config.is_none() => {
                return Ok(File::default());
            }
            Err(source) => return Err(OptionsError::Unreadable { path, source }),
        };
        toml::from_str(&text).map_err(|source| OptionsError::Config { path, source })
    }
}

/// The file's pairs, then those of the command line, each one checked.
fn merged(
    name: &'static str,
    mut pairs: BTreeMap<String, String>,
    given: &[String],
    check: impl Fn(&str, &str, &str) -> Result<(), Unfit>,
) -> Result<BTreeMap<String, String>, OptionsError> {
    for text in given {
        let (key, value) = text.split_once('=').ok_or_else(|| OptionsError::NotAPair(name, text.clone()))?;
        pairs.insert(key.to_owned(), value.to_owned());
    }
    for (key, value) in &pairs {
        check(name, key, value)?;
    }
    Ok(pairs)
}

/// A log file whose group, unless it is named, is the instance's prefix and the file's path without its pattern.
fn log_file(entry: LogEntry, prefix: Option<&str>) -> Result<LogFile, OptionsError> {
    let file = settings::log_path("log", &entry.file)?;
    let group = match (&entry.group, prefix) {
        (Some(group), _) => group.clone(),
        (None, Some(prefix)) => format!("{prefix}{}", without_pattern(&file)),
        (None, None) => return Err(OptionsError::Missing("a log agent for --log", "nothing", "--log-agent")),
    };
    let format = entry.datetime_format.map(|format| settings::datetime_format("log", &format)).transpose()?;
    let utc = match entry.time_zone.as_deref() {
        None | Some("LOCAL") => false,
        Some("UTC") => true,
        Some(other) => {
            let name = "time-zone of a log".to_owned();
            return Err(Unfit { name, reason: "is neither UTC nor LOCAL", value: other.to_owned() }.into());
        }
    };
    Ok(LogFile { group: settings::log_group_part("log group", &group)?, file, datetime_format: format, utc })
}

/// A path up to its first wildcard: `/var/log/app/*.log` becomes `/var/log/app`.
fn without_pattern(path: &str) -> &str {
    path.split(['*', '?']).next().unwrap_or(path).trim_end_matches(['/', '.'])
}

/// A time such as `90s`, `5m` or plain seconds.
fn duration(text: &str) -> Option<Duration> {
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<jiff::SignedDuration>().ok()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(given: &Given, root: &Path) -> Result<Settings, OptionsError> {
        given.settings(root, |choice| choice != LogAgentChoice::None, || Ok("eu-west-1".to_owned()))
    }

    fn full() -> Given {
        let text = |text: &str| Some(text.to_owned());
        Given { cluster: text("web"), stack: text("shop"), group: text("Group"), ..Given::default() }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_empty_is_not_given() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        std::fs::write(
            &path,
            "cluster = 'filed'\nproxy = 'proxy:3128'\nhealth-timeout = '90s'\nno-proxy = ['.internal']\n\
             [ecs-attributes]\nrack = 'a'\nzone = 'z'\n[[log]]\nfile = '/var/log/app/*.log'\ntime-zone = 'UTC'\n",
        )
        .unwrap();
        let given = Given {
            config: Some(path),
            proxy: Some(String::new()),
            ecs_attribute: vec!["rack=b".to_owned()],
            no_proxy: vec!["10.0.0.0/8".to_owned()],
            ..full()
        };
        let settings = settings(&given, dir.path()).unwrap();
        assert_eq!((settings.cluster.as_str(), settings.region.as_deref()), ("web", Some("eu-west-1")));
        assert_eq!(settings.log_prefix.as_deref(), Some("/shop/ec2/Group"));
        assert_eq!(settings.proxy.unwrap().url(), "http://proxy:3128");
        assert_eq!(settings.no_proxy, ["10.0.0.0/8", ".internal"]);
        assert_eq!(settings.attributes["rack"], "b");
        assert_eq!(settings.attributes["zone"], "z");
        assert_eq!(settings.health_timeout, Duration::from_secs(90));
        assert_eq!(settings.logs[0].group, "/shop/ec2/Group/var/log/app");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let said = |given: Given| settings(&given, dir.path()).unwrap_err().to_string();
        assert_eq!(said(Given::default()), "the cluster is needed: set ECS_CLUSTER or give --cluster");
        let cluster = Given { cluster: Some("web".to_owned()), ..Given::default() };
        assert!(said(cluster).ends_with("set STACK_NAME or give --stack (or --log-agent none)"));
        assert_eq!(
            said(Given { ecs_config: vec!["x".to_owned()], ..full() }),
            "--ecs-config \"x\" is not NAME=VALUE"
        );
        assert!(said(Given { health_timeout: Some("soon".to_owned()), ..full() }).contains("not a time"));
        let missing = Given { config: Some("/nonexistent".into()), ..full() };
        assert!(said(missing).starts_with("cannot read /nonexistent: "));
        let path = dir.path().join("bad.toml");
        std::fs::write(&path, "clutser = 'web'\n").unwrap();
        let told = said(Given { config: Some(path), ..full() });
        assert!(told.contains("clutser") && told.contains("line 1"), "{told}");
    }

    #[test]
    fn without_a_log_agent_neither_stack_nor_region_is_asked_for() {
        let given = Given {
            cluster: Some("web".to_owned()),
            log_agent: Some(LogAgentChoice::None),
            ..Given::default()
        };
        let region = || panic!("the region is not needed");
        let settings = given.settings(Path::new("/nonexistent"), |_| false, region).unwrap();
        assert_eq!((settings.region, settings.log_prefix), (None, None));
    }

    #[test]
    fn times_are_seconds_or_have_units() {
        for (text, seconds) in
            [("90", Some(90)), ("90s", Some(90)), ("5m", Some(300)), ("-1s", None), ("soon", None)]
        {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
