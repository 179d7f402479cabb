//! `common-config.toml`: the CloudWatch agent's proxy.

use crate::aws::proxy::ProxySettings;
use crate::awslogs::config::problem::Problems;

/// Reads the file.
pub fn read(text: &str, problems: &mut Problems) -> ProxySettings {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            problems.fail(line, format!("this is not TOML: {}", error.message()), "");
            return ProxySettings::default();
        }
    };
    let mut variables = Vec::new();
    for (section, value) in &table {
        let Some(options) = value.as_table() else {
            problems.warn(None, format!("{section} is not a section"), "it has no effect");
            continue;
        };
        for (name, value) in options {
            let text = value.as_str().unwrap_or_default();
            match (section.as_str(), name.as_str()) {
                ("proxy", "http_proxy" | "https_proxy" | "no_proxy") => {
                    variables.push((name.to_ascii_uppercase(), text.to_owned()));
                }
                ("credentials", _) => {
                    let advice = "use the instance's role, or an access key in awscli.conf";
                    problems.fail(None, format!("{name} of [credentials] is not supported"), advice);
                }
                ("ssl", "ca_bundle_path") => {
                    let advice = "the agent trusts what the instance trusts; add the certificate there";
                    problems.warn(None, "ca_bundle_path of [ssl] has no effect", advice);
                }
                _ => problems.warn(None, format!("{name} of [{section}] is unknown"), "it has no effect"),
            }
        }
    }
    let variable =
        |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    ProxySettings::from_variables(variable)
}
