//! Reading the whole configuration.

use super::aws_config::{self, AwsConfig};
use super::awslogs_conf::{self, GENERAL};
use super::ini::{self, Document};
use super::names::Names;
use super::problem::{Problem, Problems};
use super::settings::Settings;
use super::{cloudwatch, proxy_conf};
use crate::aws::proxy::ProxySettings;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where Amazon's packages put the configuration of the CloudWatch Logs agent.
pub const CONFIG: &str = "/etc/awslogs/awslogs.conf";
/// More sections beside it.
pub const ADDITIONAL: &str = "/etc/awslogs/config";
/// Region and credentials.
pub const AWS_CONFIG: &str = "/etc/awslogs/awscli.conf";
/// The proxy.
pub const PROXY: &str = "/etc/awslogs/proxy.conf";
/// Where the CloudWatch agent's configuration is.
pub const CLOUDWATCH: &str = "/opt/aws/amazon-cloudwatch-agent/etc";
/// The agent's own log.
pub const LOG_FILE: &str = "/var/log/awslogs.log";

/// The files that make up a configuration. Only the first must be there.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Sources {
    /// awslogs.conf, or the CloudWatch agent's JSON, or the folder that it is in
    #[arg(long = "config", alias = "config-file", value_name = "PATH", default_value = CONFIG)]
    pub config: PathBuf,
    /// A folder of more sections of awslogs.conf
    #[arg(long, value_name = "DIR", default_value = ADDITIONAL)]
    pub additional_configs_dir: PathBuf,
    /// Region and credentials, in the AWS CLI's form
    #[arg(long, value_name = "FILE", default_value = AWS_CONFIG)]
    pub aws_config: PathBuf,
    /// HTTP_PROXY, HTTPS_PROXY and NO_PROXY
    #[arg(long, value_name = "FILE", default_value = PROXY)]
    pub proxy: PathBuf,
}

/// A configuration and what is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// What the agent is to do; none when it cannot start.
    pub settings: Option<Settings>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

/// Reads the configuration. `names` puts the instance's values into names of groups and streams.
pub fn load(sources: &Sources, names: &dyn Names) -> Loaded {
    let mut problems = Problems::default();
    let is_json = sources.config.extension() == Some(OsStr::new("json")) || sources.config.is_dir();
    let mut settings = if is_json {
        cloudwatch::load(&sources.config, names, &mut problems)
    } else {
        awslogs(sources, names, &mut problems)
    };
    let aws = optional(&sources.aws_config, &mut problems)
        .map(|text| aws_config::read(&ini::parse(&text, &mut problems), &mut problems))
        .unwrap_or_default();
    let proxy = optional(&sources.proxy, &mut problems).map(|text| proxy_conf::read(&text, &mut problems));
    complete(&mut settings, aws, proxy);
    if settings.streams.is_empty() && !problems.are_fatal() {
        problems.in_file(&sources.config);
        problems.warn(None, "there is no file to ship", "write a section for each file");
    }
    let settings = (!problems.are_fatal()).then_some(settings);
    Loaded { settings, problems: problems.into_vec() }
}

/// What the main configuration says goes before what these two say.
fn complete(settings: &mut Settings, aws: AwsConfig, proxy: Option<ProxySettings>) {
    settings.region = settings.region.take().or(aws.region);
    settings.endpoint = settings.endpoint.take().or(aws.endpoint);
    settings.credentials = aws.credentials;
    if settings.proxy == ProxySettings::default() {
        settings.proxy = proxy.unwrap_or_default();
    }
}

fn awslogs(sources: &Sources, names: &dyn Names, problems: &mut Problems) -> Settings {
    let main = required(&sources.config, problems);
    let document = main.as_deref().map_or_else(Document::default, |text| ini::parse(text, problems));
    // A file that cannot be read says nothing about its sections.
    let (general, mut streams) = if main.is_some() {
        (awslogs_conf::general(&document, problems), awslogs_conf::streams(&document, names, problems))
    } else {
        (awslogs_conf::general(&ini::parse("[general]", problems), problems), Vec::new())
    };
    let mut known: Vec<String> = document.sections.iter().map(|section| section.name.clone()).collect();
    for file in additional(&sources.additional_configs_dir) {
        let Some(text) = optional(&file, problems) else { continue };
        let mut document = ini::parse(&text, problems);
        document.sections.retain(|section| {
            let is_new = !known.contains(&section.name);
            if !is_new || section.name == GENERAL {
                let what = format!("[{}] is in a file that was read before", section.name);
                problems.warn(section.line, what, "this one is passed over");
            }
            is_new
        });
        known.extend(document.sections.iter().map(|section| section.name.clone()));
        streams.extend(awslogs_conf::streams(&document, names, problems));
    }
    Settings {
        state_file: general.state_file,
        gzip: general.gzip,
        queue_size: general.queue_size,
        region: None,
        endpoint: None,
        credentials: None,
        proxy: ProxySettings::default(),
        log_file: PathBuf::from(LOG_FILE),
        streams,
    }
}

/// The files of a folder in the order of their names. Amazon's agent takes them in whatever order the folder has them.
fn additional(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The text of a file that must be there; what comes next is about it.
pub(super) fn required(file: &Path, problems: &mut Problems) -> Option<String> {
    problems.in_file(file);
    read(file, problems).unwrap_or_else(|| {
        problems.fail(None, "there is no such file", "name the configuration with --config");
        None
    })
}

/// The text of a file, if it is there; what comes next is about it.
pub(super) fn optional(file: &Path, problems: &mut Problems) -> Option<String> {
    problems.in_file(file);
    read(file, problems).flatten()
}

/// None without the file; nothing in it when it cannot be read, which is a problem.
fn read(file: &Path, problems: &mut Problems) -> Option<Option<String>> {
    let error = match std::fs::read(file).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(Some(text)),
        Ok(Err(error)) => error.to_string(),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    problems.fail(None, format!("the file cannot be read: {error}"), "");
    Some(None)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
