//! The environment of a command. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use cloud::front::API_DOMAINS;

use crate::state::LocalCloud;

/// A process's environment.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// What would give a command other credentials, or another end of the wire, than the local cloud's.
const REMOVED: [&str; 21] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    // Older names of the same.
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_FILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_VAULT",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// `AWS_ENDPOINT_URL` and, per service, `AWS_ENDPOINT_URL_EC2` and the like.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// By which variables tools are told of a trust store: OpenSSL and Go, AWS's SDKs, requests, curl, Node.js, git.
pub(super) const TRUST: [&str; 6] = [
    "SSL_CERT_FILE",
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
];

/// How Packer waits for a state of AWS's, unless the user has a word in it: it looks every second instead of every 15,
/// which spares AWS's API and would be nearly all of the time that a build takes here; and no shorter in all.
const PATIENCE: [(&str, &str); 2] = [("AWS_POLL_DELAY_SECONDS", "1"), ("AWS_TIMEOUT_SECONDS", "3600")];

/// By which variables tools are told of a proxy, in lower case.
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];

/// What the environment is made from.
pub(super) struct Settings<'a> {
    pub(super) cloud: &'a LocalCloud,
    pub(super) state: &'a Path,
    /// The region that was asked for.
    pub(super) region: Option<String>,
    /// The profile that was asked for.
    pub(super) profile: Option<String>,
    /// Whether `AWS_ENDPOINT_URL` is to be set.
    pub(super) sets_endpoint: bool,
    /// The trust store's path.
    pub(super) bundle: &'a Path,
    /// The folder of the command's own files.
    pub(super) folder: &'a Path,
}

/// The environment of a command, from that of this process.
pub(super) fn environment(inherited: Variables, settings: &Settings<'_>) -> Variables {
    let region = region(&inherited, settings);
    let mut variables = inherited;
    variables.retain(|name, _| !is_removed(name));
    let bypass = bypass(&variables);
    if !PATIENCE.iter().any(|(name, _)| variables.contains_key(OsStr::new(name))) {
        variables.extend(PATIENCE.map(|(name, value)| (name.into(), value.into())));
    }
    let mut set = |name: &str, value: &OsStr| {
        variables.insert(name.into(), value.to_owned());
    };
    for name in TRUST {
        set(name, settings.bundle.as_os_str());
    }
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        set(name, region.as_ref());
    }
    set("AWS_CONFIG_FILE", settings.folder.join("aws/config").as_os_str());
    set("AWS_SHARED_CREDENTIALS_FILE", settings.folder.join("aws/credentials").as_os_str());
    set("AWS_EC2_METADATA_DISABLED", "true".as_ref());
    set("DRYDOCK_STATE", settings.state.as_os_str());
    set("DRYDOCK_ENDPOINT_URL", settings.cloud.endpoint.as_ref());
    match &settings.profile {
        // Keys in the environment would win over the profile.
        Some(profile) => set("AWS_PROFILE", profile.as_ref()),
        None => {
            set("AWS_ACCESS_KEY_ID", settings.cloud.access_key_id.as_ref());
            set("AWS_SECRET_ACCESS_KEY", settings.cloud.secret_access_key.as_ref());
        }
    }
    if settings.sets_endpoint {
        set(ENDPOINT, settings.cloud.endpoint.as_ref());
    }
    if let Some(bypass) = bypass {
        set("NO_PROXY", bypass.as_ref());
        set("no_proxy", bypass.as_ref());
    }
    variables
}

fn is_removed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    REMOVED.contains(&name) || name == ENDPOINT || name.starts_with("AWS_ENDPOINT_URL_")
}

fn region(inherited: &Variables, settings: &Settings<'_>) -> String {
    let variable = |name: &str| {
        let value = inherited.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let named = settings.region.clone().or_else(|| variable("AWS_REGION"));
    named.or_else(|| variable("AWS_DEFAULT_REGION")).unwrap_or_else(|| settings.cloud.region.clone())
}

/// The hosts that tools are not to reach through a proxy, if any is set: a proxy resolves names by itself, and finds
/// AWS.
fn bypass(variables: &Variables) -> Option<String> {
    let value = |wanted: &str| {
        let of = |(name, value): (&OsString, &OsString)| {
            let is_wanted = name.to_str()?.eq_ignore_ascii_case(wanted);
            value.to_str().filter(|value| is_wanted && !value.is_empty()).map(str::to_owned)
        };
        variables.iter().find_map(of)
    };
    PROXIES.iter().find_map(|proxy| value(proxy))?;
    let mut hosts: Vec<_> = value("no_proxy").into_iter().collect();
    hosts.extend(API_DOMAINS.map(str::to_owned));
    hosts.push("127.0.0.0/8".to_owned());
    Some(hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud() -> LocalCloud {
        LocalCloud {
            endpoint: "http://127.0.0.1:4566".into(),
            region: "us-east-1".into(),
            access_key_id: "AKIALOCAL".into(),
            secret_access_key: "secret".into(),
        }
    }

    fn made(inherited: &[(&str, &str)], change: impl FnOnce(&mut Settings<'_>)) -> BTreeMap<String, String> {
        let inherited = inherited.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let cloud = cloud();
        let mut settings = Settings {
            cloud: &cloud,
            state: Path::new("/state"),
            region: None,
            profile: None,
            sets_endpoint: false,
            bundle: Path::new("/etc/bundle.crt"),
            folder: Path::new("/state/run/exec"),
        };
        change(&mut settings);
        let made = environment(inherited, &settings).into_iter();
        made.map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap())).collect()
    }

    #[test]
    fn no_other_credentials_or_endpoints_are_left() {
        let inherited = [
            ("AWS_ACCESS_KEY_ID", "AKIAREAL"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_PROFILE", "production"),
            ("AWS_ENDPOINT_URL", "https://elsewhere"),
            ("AWS_ENDPOINT_URL_EC2", "https://elsewhere"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            ("AWS_PAGER", ""),
            ("PATH", "/bin"),
        ];
        let variables = made(&inherited, |_| ());
        assert_eq!(variables["AWS_ACCESS_KEY_ID"], "AKIALOCAL");
        assert_eq!(variables["AWS_SECRET_ACCESS_KEY"], "secret");
        assert_eq!((variables["AWS_PAGER"].as_str(), variables["PATH"].as_str()), ("", "/bin"));
        assert_eq!(variables["AWS_EC2_METADATA_DISABLED"], "true");
        assert_eq!(variables["AWS_CONFIG_FILE"], "/state/run/exec/aws/config");
        for name in TRUST {
            assert_eq!(variables[name], "/etc/bundle.crt");
        }
        for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"] {
            assert!(!variables.contains_key(name), "{name}");
        }
        assert!(!variables.values().any(|value| value.contains("REAL") || value.contains("elsewhere")));
    }

    #[test]
    fn a_profile_comes_instead_of_the_key() {
        let variables = made(&[("AWS_ACCESS_KEY_ID", "AKIAREAL")], |settings| {
            settings.profile = Some("demo".into());
        });
        assert_eq!(variables["AWS_PROFILE"], "demo");
        assert!(!variables.contains_key("AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn the_region_is_what_was_asked_for_or_what_the_user_has_or_the_clouds() {
        type Case = (&'static [(&'static str, &'static str)], Option<&'static str>, &'static str);
        let cases: [Case; 5] = [
            (&[], None, "us-east-1"),
            (&[("AWS_DEFAULT_REGION", "eu-west-1")], None, "eu-west-1"),
            (&[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_REGION", "eu-west-2")], None, "eu-west-2"),
            (&[("AWS_REGION", "")], None, "us-east-1"),
            (&[("AWS_REGION", "eu-west-2")], Some("us-west-2"), "us-west-2"),
        ];
        for (inherited, asked, expected) in cases {
            let variables = made(inherited, |settings| settings.region = asked.map(str::to_owned));
            assert_eq!(variables["AWS_REGION"], expected);
            assert_eq!(variables["AWS_DEFAULT_REGION"], expected);
        }
    }

    #[test]
    fn no_proxy_is_asked_for_aws() {
        assert!(!made(&[], |_| ()).contains_key("NO_PROXY"));
        let inherited = [("https_proxy", "http://proxy:3128"), ("NO_PROXY", "corp.example")];
        let variables = made(&inherited, |_| ());
        let hosts: Vec<_> = variables["no_proxy"].split(',').collect();
        assert_eq!(hosts[..3], ["corp.example", "amazonaws.com", "api.aws"]);
        assert_eq!(variables["NO_PROXY"], variables["no_proxy"]);
        assert_eq!(variables["https_proxy"], "http://proxy:3128", "for all other names");
    }

    #[test]
    fn packer_is_not_to_wait_for_nothing() {
        assert_eq!(made(&[], |_| ())["AWS_POLL_DELAY_SECONDS"], "1");
        let variables = made(&[("AWS_POLL_DELAY_SECONDS", "5")], |_| ());
        assert_eq!(variables["AWS_POLL_DELAY_SECONDS"], "5");
        assert!(!variables.contains_key("AWS_TIMEOUT_SECONDS"), "the user has chosen");
    }

    #[test]
    fn the_endpoint_is_set_unless_names_are_to_lead_there() {
        let variables = made(&[], |settings| settings.sets_endpoint = true);
        assert_eq!(variables["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
    }
}
