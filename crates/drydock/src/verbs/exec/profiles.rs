//! The user's AWS profiles, as a command may see them: regions, roles and habits are theirs, credentials the local
//! cloud's. Tools that read their profile's role or region so find them (`aws configure get role_arn`), and can do
//! nothing to the account behind the real one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::environment::Variables;
use crate::state::LocalCloud;

/// Settings that say neither who calls nor what is called. Where credentials come from (keys, `credential_process`,
/// single sign-on, one-time passwords) is left out, as are endpoints and proxies.
const KEPT: [&str; 13] = [
    "region",
    "output",
    "role_arn",
    "role_session_name",
    "source_profile",
    "duration_seconds",
    "cli_pager",
    "cli_auto_prompt",
    "cli_timestamp_format",
    "cli_binary_format",
    "retry_mode",
    "max_attempts",
    "parameter_validation",
];
const DEFAULT: &str = "default";

/// Profiles by name, each with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profiles {
    settings: BTreeMap<String, BTreeMap<String, String>>,
    origin: PathBuf,
    access_key_id: String,
    secret_access_key: String,
}

impl Profiles {
    /// The profiles of a user's environment. Files that are not there, or are not understood, have none.
    pub(super) fn of(variables: &Variables, account: &str, cloud: &LocalCloud) -> Self {
        let file = |variable: &str, name: &str| {
            let named = variables.get(OsStr::new(variable)).map(PathBuf::from);
            let home =
                || variables.get(OsStr::new("HOME")).map(|home| Path::new(home).join(".aws").join(name));
            named.or_else(home).unwrap_or_default()
        };
        let origin = file("AWS_CONFIG_FILE", "config");
        let config = fs::read_to_string(&origin).unwrap_or_default();
        let credentials =
            fs::read_to_string(file("AWS_SHARED_CREDENTIALS_FILE", "credentials")).unwrap_or_default();
        Self {
            settings: settings(&config, &credentials, account),
            origin,
            access_key_id: cloud.access_key_id.clone(),
            secret_access_key: cloud.secret_access_key.clone(),
        }
    }

    /// Whether there is a profile of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// The file that profiles were looked for in.
    pub(super) fn origin(&self) -> std::path::Display<'_> {
        self.origin.display()
    }

    /// The configuration file of the command.
    pub(super) fn config(&self) -> String {
        let mut text = String::from("# Made by drydock exec from the user's own, without credentials.\n");
        for (name, settings) in &self.settings {
            let kind = if name == DEFAULT { "" } else { "profile " };
            let _ = writeln!(text, "[{kind}{name}]");
            for (key, value) in settings {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }

    /// The credentials file of the command: the local account's key for each profile that has no role to assume.
    pub(super) fn credentials(&self) -> String {
        let mut text = String::from("# Made by drydock exec: the key of the local cloud's account.\n");
        for (name, settings) in &self.settings {
            if !settings.contains_key("role_arn") {
                let (id, secret) = (&self.access_key_id, &self.secret_access_key);
                let _ =
                    writeln!(text, "[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}");
            }
        }
        text
    }
}

/// The settings of all profiles that two files name; `default` is always among them.
fn settings(config: &str, credentials: &str, account: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut profiles = BTreeMap::from([(DEFAULT.to_owned(), BTreeMap::new())]);
    for (text, prefix) in [(config, "profile "), (credentials, "")] {
        let mut current = None;
        for line in text.lines() {
            if let Some(section) = line.strip_prefix('[') {
                current = profile_name(section, prefix);
                if let Some(name) = &current {
                    profiles.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&current, setting(line)) {
                let value = if key == "role_arn" { in_account(value, account) } else { value.to_owned() };
                profiles.entry(name.clone()).or_default().insert(key.to_owned(), value);
            }
        }
    }
    for settings in profiles.values_mut() {
        // Its credentials came from elsewhere: a machine's role, single sign-on.
        if settings.contains_key("role_arn") {
            settings.entry("source_profile".to_owned()).or_insert_with(|| DEFAULT.to_owned());
        }
    }
    profiles
}

/// The profile that a section is of: in the configuration file `[profile NAME]` and `[default]`, in the credentials
/// file `[NAME]`. Other sections are none.
fn profile_name(section: &str, prefix: &str) -> Option<String> {
    let section = section.split(']').next()?.trim();
    let name = match section.strip_prefix(prefix) {
        Some(name) => name.trim(),
        None if section == DEFAULT => section,
        None => return None,
    };
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// A setting that is kept. Lines that are indented belong to one that has parts, none of which is.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim_end();
    KEPT.contains(&key).then(|| (key, value.trim()))
}

/// A role's ARN in the local account: there is only one.
fn in_account(arn: &str, account: &str) -> String {
    let mut parts: Vec<_> = arn.splitn(6, ':').collect();
    if let [_, _, "iam", _, owner, _] = parts.as_mut_slice() {
        *owner = account;
    }
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]
region = eu-west-1
[profile demo]
source_profile = me
role_arn = arn:aws:iam::385605022855:role/admin
role_session_name=justin
region = us-east-1
mfa_serial = arn:aws:iam::385605022855:mfa/justin
endpoint_url = https://elsewhere
s3 =
  max_concurrent_requests = 20
[profile machine]
role_arn = arn:aws:iam::385605022855:role/ops
credential_source = Ec2InstanceMetadata
[profile sso]
sso_session = corp
region = us-west-2
[sso-session corp]
sso_region = us-east-1
region = nowhere
";
    const CREDENTIALS: &str = "[me]
aws_access_key_id = AKIAREAL
aws_secret_access_key = real
";

    fn profiles() -> Profiles {
        Profiles {
            settings: settings(CONFIG, CREDENTIALS, "123456789012"),
            origin: "/home/me/.aws/config".into(),
            access_key_id: "AKIALOCAL".into(),
            secret_access_key: "local".into(),
        }
    }

    #[test]
    fn a_profile_keeps_its_region_and_role() {
        assert_eq!(
            profiles().config().lines().skip(1).collect::<Vec<_>>().join("\n"),
            "[default]
region = eu-west-1
[profile demo]
region = us-east-1
role_arn = arn:aws:iam::123456789012:role/admin
role_session_name = justin
source_profile = me
[profile machine]
role_arn = arn:aws:iam::123456789012:role/ops
source_profile = default
[profile me]
[profile sso]
region = us-west-2"
        );
    }

    #[test]
    fn credentials_are_the_local_clouds() {
        let text = profiles().credentials();
        assert!(!text.contains("REAL") && !text.contains("real"));
        for name in ["default", "me", "sso"] {
            assert!(text.contains(&format!("[{name}]\naws_access_key_id = AKIALOCAL\n")), "{name}");
        }
        assert!(!text.contains("[demo]") && !text.contains("[machine]"), "they assume their roles");
    }

    #[test]
    fn profiles_are_known_by_name() {
        assert!(["default", "demo", "me", "sso"].iter().all(|name| profiles().has(name)));
        assert!(!profiles().has("corp") && !profiles().has("sso-session corp"));
    }
}
