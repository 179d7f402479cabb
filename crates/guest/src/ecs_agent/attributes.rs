//! The attributes of a container instance.
//!
//! Only what the instance itself can do is told: what Docker offers, and the operating system. Attributes by which
//! Amazon's agent tells what it does for tasks (`task-iam-role`, `task-eni`, `execution-role-awslogs`, secrets and so
//! on) are left out, since this agent runs no tasks and ECS would place them by these.

use super::config::Config;
use super::docker::Version;
use serde_json::{Value, json};

const CAPABILITY: &str = "com.amazonaws.ecs.capability.";

/// The attributes of an instance with this Docker. Those of the configuration are for the first registration only.
pub fn all(config: &Config, docker: &Version, first: bool) -> Vec<Value> {
    let mut attributes = Vec::new();
    if first {
        attributes
            .extend(config.attributes.iter().map(|(name, value)| json!({"name": name, "value": value})));
    }
    attributes.extend(capabilities(config, docker).into_iter().map(|name| json!({"name": name})));
    attributes.push(json!({"name": "ecs.os-type", "value": "linux"}));
    attributes.push(json!({"name": "ecs.os-family", "value": "LINUX"}));
    attributes
}

fn capabilities(config: &Config, docker: &Version) -> Vec<String> {
    let mut names = Vec::new();
    let flags = [
        (config.privileged, "privileged-container"),
        (config.selinux, "selinux"),
        (config.apparmor, "apparmor"),
    ];
    names.extend(flags.iter().filter(|(on, _)| *on).map(|(_, name)| format!("{CAPABILITY}{name}")));
    names.extend(docker.supported_apis().iter().map(|api| format!("{CAPABILITY}docker-remote-api.{api}")));
    names.extend(config.logging_drivers.iter().map(|driver| format!("{CAPABILITY}logging-driver.{driver}")));
    names.push("ecs.capability.docker-plugin.local".to_owned());
    names
}
