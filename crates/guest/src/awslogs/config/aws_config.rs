//! `awscli.conf`: the part of the AWS CLI's configuration that Amazon's agent runs on. ("Configuration and credential
//! file settings" in the AWS CLI user guide.)

use super::ini::{Document, Section};
use super::problem::Problems;
use crate::aws::credentials::Credentials;
use template_text::suggest::did_you_mean;

const OPTIONS: [&str; 8] = [
    "region",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "endpoint_url",
    "output",
    "cli_timestamp_format",
    "cli_pager",
];
/// Credentials that come about by asking somebody. Without them the agent would take the instance's own, which may
/// not be who it is meant to be.
const REFUSED: [&str; 8] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "credential_process",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "mfa_serial",
];

/// What the agent takes from `awscli.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// The region.
    pub region: Option<String>,
    /// The service's address, if it is not the region's.
    pub endpoint: Option<String>,
    /// Keys, if they stand there.
    pub credentials: Option<Credentials>,
}

/// Reads the file's `[default]`.
pub fn read(document: &Document, problems: &mut Problems) -> AwsConfig {
    for section in &document.sections {
        check_section(section, problems);
    }
    let Some(section) = document.section("default") else { return AwsConfig::default() };
    let value = |name: &str| {
        document.get(section, name).map(|entry| entry.value.clone()).filter(|value| !value.is_empty())
    };
    for entry in &section.entries {
        if REFUSED.contains(&entry.name.as_str()) {
            let what = format!("{} is not supported", entry.name);
            problems.fail(entry.line, what, "use the instance's role or an access key");
        } else if !OPTIONS.contains(&entry.name.as_str()) {
            let advice = did_you_mean(&entry.name, OPTIONS).unwrap_or_else(|| "it has no effect".to_owned());
            problems.warn(entry.line, format!("[default] has an unknown option {}", entry.name), advice);
        }
    }
    let credentials = match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(id), Some(secret)) => {
            Some(Credentials { token: value("aws_session_token"), ..Credentials::permanent(id, secret) })
        }
        (None, None) => None,
        _ => {
            let what = "aws_access_key_id and aws_secret_access_key come together";
            problems.fail(section.line, what, "write the other one, or remove it");
            None
        }
    };
    AwsConfig { region: value("region"), endpoint: value("endpoint_url"), credentials }
}

fn check_section(section: &Section, problems: &mut Problems) {
    match section.name.as_str() {
        "default" => {}
        "plugins" => {
            for entry in section.entries.iter().filter(|entry| entry.name != "cwlogs") {
                let what = format!("the plugin {} is not one of this agent's", entry.name);
                problems.warn(entry.line, what, "cwlogs = cwlogs is all that it needs");
            }
        }
        other => {
            let what = format!("the section [{other}] is not read");
            problems.warn(section.line, what, "the agent goes by [default]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslogs::config::ini;

    fn file(text: &str) -> (AwsConfig, Vec<String>) {
        let mut problems = Problems::default();
        let document = ini::parse(text, &mut problems);
        let config = read(&document, &mut problems);
        (config, problems.into_vec().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn region_and_keys_are_read() {
        let (config, problems) = file("[plugins]\ncwlogs = cwlogs\n[default]\nregion = us-east-1\n");
        assert_eq!(problems, [""; 0]);
        assert_eq!((config.region.as_deref(), config.credentials), (Some("us-east-1"), None));
        let (config, problems) = file(
            "[default]\nregion = \naws_access_key_id = AKIA\naws_secret_access_key = s\naws_session_token = t\n\
             endpoint_url = http://127.0.0.1:4566\n",
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(config.region, None);
        assert_eq!(config.endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        let credentials = config.credentials.unwrap();
        assert_eq!((credentials.access_key.as_str(), credentials.token.as_deref()), ("AKIA", Some("t")));
    }

    #[test]
    fn what_has_no_effect_is_told_and_what_would_mislead_is_refused() {
        let cases = [
            ("[default]\nrole_arn = x", ":2: error: role_arn is not supported"),
            (
                "[default]\nregoin = x",
                ":2: warning: [default] has an unknown option regoin; did you mean 'region'?",
            ),
            ("[default]\naws_access_key_id = x", ":1: error: aws_access_key_id and"),
            ("[profile a]\nregion = x", ":1: warning: the section [profile a] is not read"),
            ("[plugins]\nother = x", ":2: warning: the plugin other"),
        ];
        for (text, expected) in cases {
            let (_, problems) = file(text);
            assert!(problems[0].starts_with(expected), "{text}: {problems:?}");
        }
    }
}
