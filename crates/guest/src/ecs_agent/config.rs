//! The agent's configuration, with Amazon's names and defaults.

use super::log::Level;
use super::settings::{ConfigError, Settings};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The cluster that is used, and made if need be, when none is configured.
pub const DEFAULT_CLUSTER: &str = "default";
/// SSH, Docker's two ports and the agent's own two.
const RESERVED_PORTS: [u16; 5] = [22, 2375, 2376, 51678, 51679];
const DEFAULT_DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// Settings with a meaning for this agent.
const USED: [&str; 21] = [
    "ECS_CLUSTER",
    "ECS_INSTANCE_ATTRIBUTES",
    "ECS_CONTAINER_INSTANCE_TAGS",
    "ECS_DATADIR",
    "ECS_LOGFILE",
    "ECS_LOGLEVEL",
    "ECS_CHECKPOINT",
    "ECS_BACKEND_HOST",
    "ECS_RESERVED_MEMORY",
    "ECS_RESERVED_PORTS",
    "ECS_RESERVED_PORTS_UDP",
    "ECS_AVAILABLE_LOGGING_DRIVERS",
    "ECS_DISABLE_PRIVILEGED",
    "ECS_SELINUX_CAPABLE",
    "ECS_APPARMOR_CAPABLE",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// The agent's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The cluster named; None means the default, which is made if it is not there.
    pub cluster: Option<String>,
    /// Attributes that the first registration adds.
    pub attributes: BTreeMap<String, String>,
    /// Tags of the container instance.
    pub tags: BTreeMap<String, String>,
    /// Where the state is kept, on the instance.
    pub data_dir: PathBuf,
    /// Whether the state is kept.
    pub checkpoint: bool,
    /// A log file beside standard output, on the instance.
    pub log_file: Option<PathBuf>,
    /// The least grave level that is logged.
    pub log_level: Level,
    /// The ECS endpoint, when it is not the region's.
    pub backend: Option<String>,
    /// The region, when it is not the instance's.
    pub region: Option<String>,
    /// Memory that is not for tasks, in MiB.
    pub reserved_memory: u64,
    /// TCP ports that are not for tasks.
    pub reserved_ports: Vec<u16>,
    /// UDP ports that are not for tasks.
    pub reserved_ports_udp: Vec<u16>,
    /// Docker's log drivers that tasks may use.
    pub logging_drivers: Vec<String>,
    /// Whether privileged containers are allowed.
    pub privileged: bool,
    /// Whether SELinux is in use.
    pub selinux: bool,
    /// Whether AppArmor is in use.
    pub apparmor: bool,
    /// Docker's socket.
    pub docker_socket: PathBuf,
    /// `ECS_` settings in the file that mean nothing here.
    pub unused: Vec<String>,
    /// The raw settings, for credentials and proxies.
    pub settings: Settings,
}

impl Config {
    /// Reads the settings; a value of the wrong form is an error that names it.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let flag = |name| settings.get(name).map(|value| parse_bool(name, &value)).transpose();
        Ok(Self {
            cluster: settings.get("ECS_CLUSTER").map(|name| name.trim().to_owned()),
            attributes: json(settings, "ECS_INSTANCE_ATTRIBUTES")?.unwrap_or_default(),
            tags: json(settings, "ECS_CONTAINER_INSTANCE_TAGS")?.unwrap_or_default(),
            data_dir: on_instance(&settings.get("ECS_DATADIR").unwrap_or_else(|| "/data".to_owned())),
            checkpoint: flag("ECS_CHECKPOINT")?.unwrap_or(true),
            log_file: settings.get("ECS_LOGFILE").map(|path| on_instance(&path)),
            log_level: settings.get("ECS_LOGLEVEL").map_or(Level::Info, |level| Level::from_name(&level)),
            backend: settings.get("ECS_BACKEND_HOST").map(|host| with_scheme(&host)),
            region: settings.get("AWS_DEFAULT_REGION"),
            reserved_memory: json(settings, "ECS_RESERVED_MEMORY")?.unwrap_or(0),
            reserved_ports: json(settings, "ECS_RESERVED_PORTS")?.unwrap_or_else(|| RESERVED_PORTS.to_vec()),
            reserved_ports_udp: json(settings, "ECS_RESERVED_PORTS_UDP")?.unwrap_or_default(),
            logging_drivers: json(settings, "ECS_AVAILABLE_LOGGING_DRIVERS")?
                .unwrap_or_else(|| vec!["json-file".to_owned(), "none".to_owned()]),
            privileged: !flag("ECS_DISABLE_PRIVILEGED")?.unwrap_or(false),
            selinux: flag("ECS_SELINUX_CAPABLE")?.unwrap_or(false),
            apparmor: flag("ECS_APPARMOR_CAPABLE")?.unwrap_or(false),
            docker_socket: docker_socket(settings)?,
            unused: settings
                .names()
                .filter(|name| name.starts_with("ECS_") && !USED.contains(name))
                .map(str::to_owned)
                .collect(),
            settings: settings.clone(),
        })
    }

    /// The cluster to register in.
    pub fn cluster_or_default(&self) -> &str {
        self.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER)
    }
}

fn json<T: DeserializeOwned>(settings: &Settings, name: &str) -> Result<Option<T>, ConfigError> {
    let Some(value) = settings.get(name) else { return Ok(None) };
    serde_json::from_str(&value).map(Some).map_err(|err| ConfigError::Invalid {
        name: name.to_owned(),
        reason: err.to_string(),
        value,
    })
}

/// What Go's `strconv.ParseBool` takes.
fn parse_bool(name: &str, value: &str) -> Result<bool, ConfigError> {
    match value.trim() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(ConfigError::Invalid {
            name: name.to_owned(),
            value: value.to_owned(),
            reason: "it must be true or false".to_owned(),
        }),
    }
}

/// Amazon's agent runs in a container where `/data` and `/log` are the instance's folders; this one does not.
fn on_instance(path: &str) -> PathBuf {
    let mapped =
        [("/data", "/var/lib/ecs/data"), ("/log", "/var/log/ecs")].iter().find_map(|(inside, outside)| {
            let rest = path.strip_prefix(inside)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{outside}{rest}"))
        });
    PathBuf::from(mapped.unwrap_or_else(|| path.to_owned()))
}

fn with_scheme(host: &str) -> String {
    let host = host.trim_end_matches('/');
    if host.contains("://") { host.to_owned() } else { format!("https://{host}") }
}

fn docker_socket(settings: &Settings) -> Result<PathBuf, ConfigError> {
    let Some(host) = settings.get("DOCKER_HOST") else { return Ok(PathBuf::from(DEFAULT_DOCKER_SOCKET)) };
    match host.strip_prefix("unix://") {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(ConfigError::Invalid {
            name: "DOCKER_HOST".to_owned(),
            value: host,
            reason: "only unix:// sockets are supported".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(pairs: &'static [(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        let settings = Settings::load(Path::new("/nonexistent"), move |name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        Config::from_settings(&settings.unwrap())
    }

    #[test]
    fn defaults_are_amazons() {
        let config = config(&[]).unwrap();
        assert_eq!((config.cluster.as_deref(), config.cluster_or_default()), (None, "default"));
        assert_eq!(config.data_dir, PathBuf::from("/var/lib/ecs/data"));
        assert_eq!(config.reserved_ports, [22, 2375, 2376, 51678, 51679]);
        assert_eq!(config.docker_socket, PathBuf::from("/var/run/docker.sock"));
        assert!(config.checkpoint && config.privileged && config.log_file.is_none());
    }

    #[test]
    fn settings_are_read() {
        let config = config(&[
            ("ECS_CLUSTER", "web"),
            ("ECS_INSTANCE_ATTRIBUTES", r#"{"stack": "blue"}"#),
            ("ECS_LOGFILE", "/log/ecs-agent.log"),
            ("ECS_DATADIR", "/database"),
            ("ECS_BACKEND_HOST", "localhost:4566/"),
            ("ECS_RESERVED_MEMORY", "256"),
            ("ECS_RESERVED_PORTS", "[80]"),
            ("ECS_CHECKPOINT", "false"),
            ("DOCKER_HOST", "unix:///run/d.sock"),
        ])
        .unwrap();
        assert_eq!(config.cluster_or_default(), "web");
        assert_eq!(config.attributes["stack"], "blue");
        assert_eq!(config.log_file, Some(PathBuf::from("/var/log/ecs/ecs-agent.log")));
        assert_eq!(config.data_dir, PathBuf::from("/database"));
        assert_eq!(config.backend.as_deref(), Some("https://localhost:4566"));
        assert_eq!((config.reserved_memory, config.reserved_ports.as_slice()), (256, &[80][..]));
        assert!(!config.checkpoint);
        assert_eq!(config.docker_socket, PathBuf::from("/run/d.sock"));
    }

    #[test]
    fn wrong_values_are_named() {
        for (pairs, name) in [
            (&[("ECS_INSTANCE_ATTRIBUTES", "blue")][..], "ECS_INSTANCE_ATTRIBUTES"),
            (&[("ECS_RESERVED_PORTS", "[99999]")], "ECS_RESERVED_PORTS"),
            (&[("ECS_CHECKPOINT", "maybe")], "ECS_CHECKPOINT"),
            (&[("DOCKER_HOST", "tcp://x")], "DOCKER_HOST"),
        ] {
            let err = config(pairs).unwrap_err().to_string();
            assert!(err.starts_with(&format!("{name} is not valid: ")), "{err}");
        }
    }
}
