//! `/etc/ecs/ecs.config`: which cluster the agent joins, and how. It is read as Docker reads an environment file: one
//! `NAME=VALUE` a line, nothing quoted. ("Amazon ECS container agent configuration" in the ECS developer guide.)

use super::{Wanted, block};
use crate::firstrun::settings::Settings;

const PATH: &str = "/etc/ecs/ecs.config";

/// Where the agent goes without the proxy besides: instance metadata, task credentials and Docker's socket.
/// ("HTTP proxy configuration for Amazon ECS Linux container instances".)
pub const NO_PROXY: [&str; 3] = ["169.254.169.254", "169.254.170.2", "/var/run/docker.sock"];

/// The agent's settings, with those that somebody else wrote kept.
pub fn config(settings: &Settings, current: &dyn Fn(&str) -> Option<String>) -> Wanted {
    let mut lines = vec![format!("ECS_CLUSTER={}", settings.cluster)];
    let mut names = vec!["ECS_CLUSTER", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    if !settings.attributes.is_empty() {
        names.push("ECS_INSTANCE_ATTRIBUTES");
        lines.push(format!("ECS_INSTANCE_ATTRIBUTES={}", json(settings)));
    }
    if let Some(memory) = settings.reserved_memory {
        names.push("ECS_RESERVED_MEMORY");
        lines.push(format!("ECS_RESERVED_MEMORY={memory}"));
    }
    if let Some(proxy) = &settings.proxy {
        lines.push(format!("HTTP_PROXY={}", proxy.url()));
        lines.push(format!("HTTPS_PROXY={}", proxy.url()));
        let direct = NO_PROXY.iter().map(|host| (*host).to_owned());
        lines.push(format!(
            "NO_PROXY={}",
            direct.chain(settings.no_proxy.clone()).collect::<Vec<_>>().join(",")
        ));
    }
    for (name, value) in &settings.ecs_config {
        // The user's own setting wins over what follows from the others.
        lines.retain(|line| line.split_once('=').is_none_or(|(set, _)| set != name));
        names.push(name);
        lines.push(format!("{name}={value}"));
    }
    let text = block::put(&current(PATH).unwrap_or_default(), &names, &lines);
    Wanted { path: PATH, content: Some(text), secret: settings.proxy.as_ref().is_some_and(|p| p.is_secret()) }
}

fn json(settings: &Settings) -> String {
    let pairs = settings.attributes.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn the_agent_is_told_its_cluster_and_keeps_what_others_said() {
        let current = |_: &str| Some("ECS_CLUSTER=default\nECS_LOGFILE=/log\n".to_owned());
        let written = config(&settings(Some("http://proxy:3128")), &current).content.unwrap();
        assert_eq!(
            written,
            "ECS_LOGFILE=/log\n# firstrun: begin\nECS_CLUSTER=web\nECS_INSTANCE_ATTRIBUTES={\"rack\":\"a b\"}\n\
             ECS_RESERVED_MEMORY=64\nHTTP_PROXY=http://proxy:3128\nHTTPS_PROXY=http://proxy:3128\n\
             NO_PROXY=169.254.169.254,169.254.170.2,/var/run/docker.sock,.internal\nECS_LOGLEVEL=debug\n\
             # firstrun: end\n"
        );
    }

    #[test]
    fn the_users_own_setting_wins() {
        let mut settings = settings(None);
        settings.ecs_config = [("ECS_RESERVED_MEMORY".to_owned(), "7".to_owned())].into();
        let written = config(&settings, &|_| None).content.unwrap();
        assert_eq!(written.matches("ECS_RESERVED_MEMORY").count(), 1);
        assert!(written.contains("ECS_RESERVED_MEMORY=7\n"), "{written}");
    }
}
