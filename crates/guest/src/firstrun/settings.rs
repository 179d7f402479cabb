//! What `firstrun` is to make of an instance: values that have been checked, so that they can be written into any
//! of the configuration files without becoming something else there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How long the ECS agent may take to join its cluster when nothing else is said.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(300);

/// Everything that `firstrun` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The ECS cluster to join.
    pub cluster: String,
    /// The region of the log groups; none where no log agent is configured.
    pub region: Option<String>,
    /// The first part of the log groups' names: `/STACK/ec2/GROUP`; none where no log agent is configured.
    pub log_prefix: Option<String>,
    /// The HTTP proxy on the way to AWS.
    pub proxy: Option<Proxy>,
    /// Hosts, domains and networks reached without it, beside those that every instance needs.
    pub no_proxy: Vec<String>,
    /// Attributes of the container instance.
    pub attributes: BTreeMap<String, String>,
    /// Memory in MiB that ECS leaves alone.
    pub reserved_memory: Option<u32>,
    /// More settings of the ECS agent.
    pub ecs_config: BTreeMap<String, String>,
    /// Log files beside the six that every container instance has.
    pub logs: Vec<LogFile>,
    /// Which log agent is configured.
    pub log_agent: LogAgentChoice,
    /// How long the agent may take to join.
    pub health_timeout: Duration,
}

/// Which log agent is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogAgentChoice {
    /// The one that is installed
    #[default]
    Auto,
    /// The CloudWatch Logs agent (awslogs)
    Awslogs,
    /// The CloudWatch agent
    Cloudwatch,
    /// None
    None,
}

/// A proxy's address. Its password is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(String);

impl Proxy {
    /// As it is written into configuration files.
    pub fn url(&self) -> &str {
        &self.0
    }

    /// Whether the address holds a user's name or password.
    pub fn is_secret(&self) -> bool {
        self.user_info().is_some()
    }

    fn user_info(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        rest.rsplit_once('@').map(|(user, _)| user)
    }

    /// `text` without this proxy's user and password.
    pub fn redact(&self, text: &str) -> String {
        match self.user_info() {
            Some(user) => text.replace(&format!("{user}@"), "***@"),
            None => text.to_owned(),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.redact(&self.0))
    }
}

/// A log file that is shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// A path, or a pattern of paths.
    pub file: String,
    /// The log group.
    pub group: String,
    /// How times are written in it, in `strftime`'s notation.
    pub datetime_format: Option<String>,
    /// The zone of these times.
    pub utc: bool,
}

/// A value that would become something else in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {reason}; its value is {value:?}")]
pub struct Unfit {
    /// The setting, as the user knows it.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
    /// The value, shown with its control characters escaped.
    pub value: String,
}

fn check(name: &str, value: &str, fit: bool, reason: &'static str) -> Result<String, Unfit> {
    if fit {
        Ok(value.to_owned())
    } else {
        Err(Unfit { name: name.to_owned(), reason, value: value.to_owned() })
    }
}

fn made_of(value: &str, more: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// A cluster's name or ARN. (CreateCluster: letters, numbers, hyphens, underscores, up to 255.)
pub fn cluster(name: &str, value: &str) -> Result<String, Unfit> {
    let fit = (1..=255).contains(&value.len()) && made_of(value, "-_:/");
    check(name, value, fit, "is not a cluster's name: up to 255 letters, digits, hyphens and underscores")
}

/// A part of a log group's name. (CreateLogGroup: letters, digits, `_ - / . #`.)
pub fn log_group_part(name: &str, value: &str) -> Result<String, Unfit> {
    let fit = (1..=512).contains(&value.len()) && made_of(value, "_-/.#");
    check(name, value, fit, "cannot be part of a log group's name: letters, digits and _ - / . # are allowed")
}

/// A region's name.
pub fn region(name: &str, value: &str) -> Result<String, Unfit> {
    let fit = value.split('-').count() >= 3 && made_of(value, "-") && value.len() <= 32;
    check(name, value, fit, "is not a region's name, such as eu-west-1")
}

/// A proxy: `http://[USER:PASSWORD@]HOST:PORT`; without a scheme it is HTTP's.
pub fn proxy(name: &str, value: &str) -> Result<Proxy, Unfit> {
    const REASON: &str = "is not a proxy's address, such as http://proxy.internal:3128";
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // What a URL's user information may hold unescaped: nothing that any of the files gives a meaning to, but `%`.
    let fit = !bare.is_empty()
        && made_of(bare, if bare == host { ".-" } else { ":" })
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && made_of(user, "-._~%!*+=:,&");
    check(name, &url, fit, REASON).map(|url| Proxy(url.trim_end_matches('/').to_owned()))
}

/// A host, domain or network that is reached without the proxy.
pub fn direct_host(name: &str, value: &str) -> Result<String, Unfit> {
    let fit = !value.is_empty() && made_of(value, ".-:/*[]");
    check(name, value, fit, "is not a host, domain or network")
}

/// An attribute's name and value. (ECS, Attribute: letters, digits and `- _ . /`, up to 128; the value also `@ : \` and
/// inner spaces.)
pub fn attribute(name: &str, key: &str, value: &str) -> Result<(), Unfit> {
    let fit = (1..=128).contains(&key.len()) && made_of(key, "-_./");
    check(name, key, fit, "is not an attribute's name: up to 128 letters, digits and - _ . /")?;
    let fit = value.len() <= 128 && made_of(value, "-_./@:\\ ") && value.trim() == value;
    check(
        name,
        value,
        fit,
        "is not an attribute's value: up to 128 letters, digits, inner spaces and - _ . / @ : \\",
    )?;
    Ok(())
}

/// A setting of the ECS agent. The file has one `NAME=VALUE` a line and no quoting, so a value is one line.
pub fn agent_setting(name: &str, key: &str, value: &str) -> Result<(), Unfit> {
    let fit = key.starts_with(|c: char| c.is_ascii_uppercase())
        && key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    check(name, key, fit, "is not a setting's name: capital letters, digits and underscores")?;
    check(name, value, one_line(value), "must be a single line")?;
    Ok(())
}

/// A path or pattern of a log file.
pub fn log_path(name: &str, value: &str) -> Result<String, Unfit> {
    let fit = value.starts_with('/') && one_line(value) && !value.contains(['[', ']', '"', '\\']);
    check(name, value, fit, "is not an absolute path on one line without quotes and brackets")
}

/// A format of times.
pub fn datetime_format(name: &str, value: &str) -> Result<String, Unfit> {
    check(name, value, !value.is_empty() && one_line(value), "must be a single line")
}

fn one_line(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_values_pass_and_hostile_ones_are_named() {
        assert_eq!(cluster("ECS_CLUSTER", "web-1_a").as_deref(), Ok("web-1_a"));
        for bad in ["", "two words", "a\nECS_BACKEND_HOST=evil", "a;b", "$(id)", "ü"] {
            assert!(cluster("ECS_CLUSTER", bad).is_err(), "{bad:?}");
        }
        for good in ["us-east-1", "us-gov-west-1", "ap-southeast-2"] {
            assert!(region("r", good).is_ok(), "{good}");
        }
        for bad in ["", "us", "us-east", "us east-1-", "us-east-1\n[x]"] {
            assert!(region("r", bad).is_err(), "{bad:?}");
        }
        assert!(log_group_part("STACK_NAME", "my-stack").is_ok());
        assert!(log_group_part("STACK_NAME", "a]\n[b").is_err());
        assert!(agent_setting("--ecs-config", "ECS_LOGLEVEL", "debug, \"quoted\"").is_ok());
        assert!(agent_setting("--ecs-config", "lower", "x").is_err());
        assert!(agent_setting("--ecs-config", "A", "x\ny").is_err());
        assert!(attribute("--ecs-attribute", "rack", "a b").is_ok());
        assert!(attribute("--ecs-attribute", "rack", " a").is_err());
        assert!(attribute("--ecs-attribute", "ra ck", "a").is_err());
    }

    #[test]
    fn proxies_are_addresses_and_keep_their_secret() {
        for (given, written) in [
            ("proxy:3128", "http://proxy:3128"),
            ("http://10.0.0.5:3128/", "http://10.0.0.5:3128"),
            ("https://u:p%40s@proxy.internal:8443", "https://u:p%40s@proxy.internal:8443"),
            ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
            ("http://proxy", "http://proxy"),
        ] {
            assert_eq!(proxy("PROXY_URL", given).unwrap().url(), written);
        }
        for bad in [
            "",
            "ftp://a:1",
            "http://",
            "http://a b:1",
            "http://a:0",
            "http://a:b",
            "http://a:1\nX=1",
            "http://\"a\":1",
            "http://$(id):1",
            "http://a:1/path",
        ] {
            assert!(proxy("PROXY_URL", bad).is_err(), "{bad:?}");
        }
        let secret = proxy("PROXY_URL", "http://me:pass@proxy:3128").unwrap();
        assert!(secret.is_secret());
        assert_eq!(secret.redact("to http://me:pass@proxy:3128 now"), "to http://***@proxy:3128 now");
        assert_eq!(format!("{secret:?}"), "Proxy(http://***@proxy:3128)");
        assert!(!proxy("PROXY_URL", "proxy:1").unwrap().is_secret());
    }

    #[test]
    fn an_error_shows_the_value_on_one_line() {
        let error = cluster("ECS_CLUSTER", "a\nb").unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            error.starts_with("ECS_CLUSTER is not a cluster's name") && error.ends_with("\"a\\nb\""),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn what_passes_is_one_line_without_shells_characters(text in "\\PC*|[a-z:/@.$`\"' \n-]{0,30}") {
            if let Ok(proxy) = proxy("p", &text) {
                prop_assert!(!proxy.url().contains(['\n', '"', '\'', '`', '$', ' ', ';']), "{:?}", proxy.url());
            }
            for value in [cluster("c", &text), region("r", &text), log_group_part("l", &text)].into_iter().flatten() {
                prop_assert!(!value.contains(['\n', '"', '\'', '`', '$', ' ', ';', '[']), "{value:?}");
            }
        }
    }
}
