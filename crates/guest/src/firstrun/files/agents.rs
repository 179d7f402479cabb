//! The log agents' files: what is shipped, where to, and through which proxy.

use super::proxies::{plain, variables};
use super::{HEADER, Wanted, block, own};
use crate::firstrun::settings::{Proxy, Settings};
use serde_json::json;
use std::fmt::Write as _;

/// A log file with the format of its times; `utc` where they are not the instance's local times.
struct Shipped {
    file: String,
    group: String,
    format: Option<String>,
    utc: bool,
}

/// The six that every container instance has: file, log group below the prefix, format.
const SIX: [(&str, &str, Option<&str>, bool); 6] = [
    ("/var/log/dmesg", "/var/log/dmesg", None, false),
    ("/var/log/messages", "/var/log/messages", Some("%b %d %H:%M:%S"), false),
    ("/var/log/docker", "/var/log/docker", Some("%Y-%m-%dT%H:%M:%S.%f"), false),
    ("/var/log/ecs/ecs-init.log*", "/var/log/ecs/ecs-init", Some("%Y-%m-%dT%H:%M:%SZ"), true),
    ("/var/log/ecs/ecs-agent.log*", "/var/log/ecs/ecs-agent", Some("%Y-%m-%dT%H:%M:%SZ"), true),
    ("/var/log/ecs/audit.log*", "/var/log/ecs/audit.log", Some("%Y-%m-%dT%H:%M:%SZ"), true),
];

fn shipped(settings: &Settings, prefix: &str) -> Vec<Shipped> {
    let six = SIX.iter().map(|(file, group, format, utc)| Shipped {
        file: (*file).to_owned(),
        group: format!("{prefix}{group}"),
        format: format.map(str::to_owned),
        utc: *utc,
    });
    let more = settings.logs.iter().map(|log| Shipped {
        file: log.file.clone(),
        group: log.group.clone(),
        format: log.datetime_format.clone(),
        utc: log.utc,
    });
    let mut shipped: Vec<Shipped> = Vec::new();
    for log in six.chain(more) {
        // What the user says of a file wins over what follows from its being one of the six.
        shipped.retain(|known| known.section() != log.section());
        shipped.push(log);
    }
    shipped
}

impl Shipped {
    /// The name of its section, of which a file may have one.
    fn section(&self) -> &str {
        self.file.trim_end_matches('*')
    }
}

/// The CloudWatch Logs agent's three files. ("CloudWatch Logs agent reference" in the CloudWatch Logs user guide.)
pub fn awslogs(
    settings: &Settings,
    prefix: &str,
    region: &str,
    current: &dyn Fn(&str) -> Option<String>,
) -> Vec<Wanted> {
    let mut conf = format!("{HEADER}[general]\nstate_file = /var/lib/awslogs/agent-state\n");
    for log in shipped(settings, prefix) {
        let section = log.section();
        // Writing to a string cannot fail.
        let _ = write!(
            conf,
            "\n[{section}]\nfile = {}\nlog_group_name = {}\nlog_stream_name = {{instance_id}}\n",
            log.file, log.group
        );
        if let Some(format) = &log.format {
            let _ = writeln!(conf, "datetime_format = {format}");
        }
        if log.utc {
            conf.push_str("time_zone = UTC\n");
        }
    }
    let cli = format!("{HEADER}[plugins]\ncwlogs = cwlogs\n[default]\nregion = {region}\n");
    let mut files = vec![
        Wanted { path: "/etc/awslogs/awslogs.conf", content: Some(conf), secret: false },
        Wanted { path: "/etc/awslogs/awscli.conf", content: Some(cli), secret: false },
    ];
    files.extend(awslogs_proxy(settings, current));
    files
}

/// `proxy.conf`, which the package brings with empty values: those mean no proxy.
fn awslogs_proxy(settings: &Settings, current: &dyn Fn(&str) -> Option<String>) -> Option<Wanted> {
    const PATH: &str = "/etc/awslogs/proxy.conf";
    let lines: Vec<String> = settings
        .proxy
        .iter()
        .flat_map(|proxy| {
            let text = plain(&variables(proxy, &["169.254.169.254"], &settings.no_proxy));
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let before = current(PATH);
    if before.is_none() && lines.is_empty() {
        return None;
    }
    let text =
        block::put(before.as_deref().unwrap_or_default(), &["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"], &lines);
    Some(Wanted {
        path: PATH,
        content: Some(text),
        secret: settings.proxy.as_ref().is_some_and(Proxy::is_secret),
    })
}

/// The CloudWatch agent's configuration, in a file of its own beside whatever it is configured for already.
/// ("Manually create or edit the CloudWatch agent configuration file" in the CloudWatch user guide.)
pub const CLOUDWATCH: &str = "/opt/aws/amazon-cloudwatch-agent/etc/firstrun.json";

/// The CloudWatch agent's `logs` section and its proxies.
pub fn cloudwatch(
    settings: &Settings,
    prefix: &str,
    region: &str,
    current: &dyn Fn(&str) -> Option<String>,
) -> Vec<Wanted> {
    let list: Vec<serde_json::Value> = shipped(settings, prefix)
        .into_iter()
        .map(|log| {
            let mut entry = json!({
                "file_path": log.file,
                "log_group_name": log.group,
                "log_stream_name": "{instance_id}",
            });
            if let Some(format) = log.format {
                entry["timestamp_format"] = format.into();
                entry["timezone"] = if log.utc { "UTC" } else { "Local" }.into();
            }
            entry
        })
        .collect();
    let document = json!({
        "agent": { "region": region },
        "logs": { "logs_collected": { "files": { "collect_list": list } } },
    });
    let mut files =
        vec![Wanted { path: CLOUDWATCH, content: Some(format!("{document:#}\n")), secret: false }];
    let secret = settings.proxy.as_ref().is_some_and(Proxy::is_secret);
    let proxy = settings.proxy.as_ref().map(|proxy| {
        let pairs = variables(proxy, &["169.254.169.254"], &settings.no_proxy);
        let keys = ["http_proxy", "https_proxy", "no_proxy"];
        let lines = keys.iter().zip(&pairs).map(|(key, (_, value))| format!("    {key} = \"{value}\"\n"));
        format!("[proxy]\n{}", lines.collect::<String>())
    });
    files.extend(own("/opt/aws/amazon-cloudwatch-agent/etc/common-config.toml", proxy, secret, current));
    files
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn awslogs_ships_the_six_and_the_users_own() {
        let files = awslogs(&settings(None), "/shop/ec2/Group", "us-east-1", &|_| None);
        let [conf, cli] = &files[..] else { panic!("{files:#?}") };
        let conf = conf.content.as_deref().unwrap();
        assert_eq!(conf.matches("\nfile = ").count(), 7);
        assert!(conf.contains(
            "[/var/log/ecs/ecs-agent.log]\nfile = /var/log/ecs/ecs-agent.log*\n\
             log_group_name = /shop/ec2/Group/var/log/ecs/ecs-agent\nlog_stream_name = {instance_id}\n\
             datetime_format = %Y-%m-%dT%H:%M:%SZ\ntime_zone = UTC\n"
        ));
        assert!(conf.ends_with("datetime_format = %Y-%m-%d %H:%M:%S,%f\ntime_zone = UTC\n"));
        assert!(cli.content.as_deref().unwrap().ends_with("[default]\nregion = us-east-1\n"));
    }

    #[test]
    fn a_file_has_one_section_and_the_users_wins() {
        let mut settings = settings(None);
        settings.logs[0].file = "/var/log/messages*".to_owned();
        settings.logs[0].group = "/own".to_owned();
        let files = awslogs(&settings, "/shop/ec2/Group", "us-east-1", &|_| None);
        let conf = files[0].content.as_deref().unwrap();
        assert_eq!(conf.matches("[/var/log/messages]").count(), 1);
        assert!(
            conf.contains("log_group_name = /own\n") && !conf.contains("Group/var/log/messages\n"),
            "{conf}"
        );
    }

    #[test]
    fn awslogs_goes_through_the_proxy_but_not_for_metadata() {
        let packaged =
            |path: &str| path.ends_with("proxy.conf").then(|| "HTTP_PROXY=\nNO_PROXY=\n".to_owned());
        let files = awslogs(&settings(Some("proxy:3128")), "/p", "us-east-1", &packaged);
        assert_eq!(
            files[2].content.as_deref().unwrap(),
            "# firstrun: begin\nHTTP_PROXY=http://proxy:3128\nHTTPS_PROXY=http://proxy:3128\n\
             NO_PROXY=169.254.169.254,.internal\n# firstrun: end\n"
        );
    }

    #[test]
    fn the_cloudwatch_agent_gets_the_same_in_its_own_words() {
        let files = cloudwatch(&settings(Some("proxy:3128")), "/shop/ec2/Group", "us-east-1", &|_| None);
        let document: serde_json::Value = serde_json::from_str(files[0].content.as_deref().unwrap()).unwrap();
        let list = &document["logs"]["logs_collected"]["files"]["collect_list"];
        assert_eq!(list.as_array().unwrap().len(), 7);
        assert_eq!(list[1]["log_group_name"], "/shop/ec2/Group/var/log/messages");
        assert_eq!(list[1]["timezone"], "Local");
        assert_eq!(list[0].get("timestamp_format"), None);
        assert!(files[1].content.as_deref().unwrap().contains("https_proxy = \"http://proxy:3128\""));
    }
}
