//! The CloudWatch agent's configuration: the `logs` section of its JSON, and what else decides about it. ("Manually
//! create or edit the CloudWatch agent configuration file" in the CloudWatch user guide.)

mod common;
mod entry;
mod json;

use self::json::{Node, Object};
use super::awslogs_conf::STATE_FILE;
use super::load::{LOG_FILE, optional, required};
use super::names::Names;
use super::problem::Problems;
use super::settings::{LogStreamSettings, Settings};
use crate::aws::proxy::ProxySettings;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of configurations that the agent's control program was given one by one.
const PARTS: &str = "amazon-cloudwatch-agent.d";
/// How often the agent sends what it has, unless told otherwise.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
const QUEUE_SIZE: usize = 10;
/// The state file in a folder that was named for it.
const STATE_NAME: &str = "agent-state";

const METRICS: &str = "this agent ships logs alone";
const ENTITY: &str = "this agent tells the service nothing about whose logs they are";

/// Reads a configuration: `path` is a JSON file, or the folder with the agent's files.
pub fn load(path: &Path, names: &dyn Names, problems: &mut Problems) -> Settings {
    let (files, folder) = files(path);
    problems.in_file(path);
    if files.is_empty() {
        problems.fail(None, "there is no configuration of the CloudWatch agent in this folder", "");
    }
    let mut whole = Whole::default();
    for file in &files {
        let Some(text) = required(file, problems) else { continue };
        let Some(root) = json::parse(&text, problems) else { continue };
        whole.read(&root, names, problems);
    }
    let common = optional(&folder.join("common-config.toml"), problems);
    let proxy = common.map(|text| common::read(&text, problems)).unwrap_or_default();
    whole.settings(proxy)
}

/// The files of a configuration, and the folder that they are in.
fn files(path: &Path) -> (Vec<PathBuf>, PathBuf) {
    let (mut files, folder) = if path.is_dir() {
        (listed(path, |file| file.extension() == Some(OsStr::new("json"))), path.to_owned())
    } else {
        (vec![path.to_owned()], path.parent().unwrap_or(Path::new("/")).to_owned())
    };
    // A part that is being written has another name until it is whole.
    files.extend(listed(&folder.join(PARTS), |file| file.extension() != Some(OsStr::new("tmp"))));
    (files, folder)
}

fn listed(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file() && wanted(path)).collect();
    files.sort();
    files
}

/// What all files say together.
#[derive(Default)]
struct Whole {
    region: Option<String>,
    endpoint: Option<String>,
    log_file: Option<String>,
    state_folder: Option<String>,
    streams: Vec<LogStreamSettings>,
}

impl Whole {
    fn settings(self, proxy: ProxySettings) -> Settings {
        Settings {
            state_file: self
                .state_folder
                .map_or(PathBuf::from(STATE_FILE), |it| Path::new(&it).join(STATE_NAME)),
            gzip: true,
            queue_size: QUEUE_SIZE,
            region: self.region,
            endpoint: self.endpoint,
            credentials: None,
            proxy,
            log_file: PathBuf::from(self.log_file.as_deref().unwrap_or(LOG_FILE)),
            streams: self.streams,
        }
    }

    fn read(&mut self, root: &Node, names: &dyn Names, problems: &mut Problems) {
        let Some(mut root) = Object::new("the configuration", root, problems) else { return };
        let others = [("metrics", METRICS), ("traces", METRICS), ("opentelemetry", METRICS)];
        root.name_unknown(&["agent", "logs"], &others);
        if let Some(agent) = root.object("agent", "agent") {
            self.agent(agent);
        }
        if let Some(logs) = root.object("logs", "logs") {
            self.logs(logs, names);
        }
    }

    fn agent(&mut self, mut agent: Object<'_, '_>) {
        let known = [
            "region",
            "logfile",
            "credentials",
            "metrics_collection_interval",
            "debug",
            "quiet",
            "aws_sdk_log_level",
            "omit_hostname",
            "user_agent",
            "internal",
            "region_type",
        ];
        let without_effect = [
            ("run_as_user", "the agent runs as the user that its service runs as"),
            ("use_dualstack_endpoint", "name the address in logs.endpoint_override"),
            ("service.name", ENTITY),
            ("deployment.environment", ENTITY),
        ];
        agent.name_unknown(&known, &without_effect);
        refuse_role(&mut agent);
        keep(&mut self.region, &mut agent, "region");
        keep(&mut self.log_file, &mut agent, "logfile");
    }

    fn logs(&mut self, mut logs: Object<'_, '_>, names: &dyn Names) {
        let known =
            ["logs_collected", "log_stream_name", "force_flush_interval", "endpoint_override", "credentials"];
        let without_effect = [
            ("metrics_collected", METRICS),
            ("concurrency", "each stream is sent in order, and the streams beside each other"),
            ("service.name", ENTITY),
            ("deployment.environment", ENTITY),
        ];
        logs.name_unknown(&known, &without_effect);
        refuse_role(&mut logs);
        keep(&mut self.endpoint, &mut logs, "endpoint_override");
        let stream_name = logs.text("log_stream_name").map(|(name, _)| name);
        let flush_interval = match logs.number("force_flush_interval") {
            Some((seconds, _)) if (1..=172_800).contains(&seconds) => {
                Duration::from_secs(seconds.unsigned_abs())
            }
            Some((seconds, line)) => {
                let what = format!("logs.force_flush_interval = {seconds} is not between 1 and 172800");
                logs.problems.warn(line, what, "5 is used");
                FLUSH_INTERVAL
            }
            None => FLUSH_INTERVAL,
        };
        let Some(mut collected) = logs.object("logs_collected", "logs.logs_collected") else { return };
        let without_effect = [
            ("windows_events", "this agent runs on Linux"),
            ("journald", "let the journal write a file, and collect that"),
        ];
        collected.name_unknown(&["files"], &without_effect);
        let Some(mut files) = collected.object("files", "logs.logs_collected.files") else { return };
        files.name_unknown(&["collect_list", "file_state_folder"], &[]);
        keep(&mut self.state_folder, &mut files, "file_state_folder");
        let shared = entry::Shared { stream_name, flush_interval, names };
        for node in files.list("collect_list") {
            let Some(object) = Object::new("collect_list", node, files.problems) else { continue };
            if let Some(mut stream) = entry::read(object, &shared) {
                stream.section = self.unique(stream.section);
                self.streams.push(stream);
            }
        }
    }

    /// The second entry of a file must not share what is remembered of the first.
    fn unique(&self, section: String) -> String {
        let taken = |name: &str| self.streams.iter().any(|stream| stream.section == name);
        if !taken(&section) {
            return section;
        }
        let mut number = 2;
        while taken(&format!("{section} #{number}")) {
            number += 1;
        }
        format!("{section} #{number}")
    }
}

/// Takes a member over; two files must not disagree about it.
fn keep(known: &mut Option<String>, object: &mut Object<'_, '_>, name: &str) {
    let Some((text, line)) = object.text(name).filter(|(text, _)| !text.is_empty()) else { return };
    match known {
        Some(known) if known != text => {
            let what = format!("{name} is {text} here and {known} in a file that was read before");
            object.problems.fail(line, what, "let one file say it");
        }
        _ => *known = Some(text.to_owned()),
    }
}

fn refuse_role(object: &mut Object<'_, '_>) {
    if let Some(entry) = object.get("credentials") {
        let advice = "use the instance's role, or an access key in awscli.conf";
        object.problems.fail(entry.line, "credentials.role_arn is not supported", advice);
    }
}

#[cfg(test)]
mod tests;
