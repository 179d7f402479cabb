//! `cfn-get-metadata`: prints a resource's metadata, or the value at a key in it.

use super::client::CloudFormation;
use super::log::Log;
use super::options::{CredentialOptions, EndpointOptions, ProxyOptions};
use super::world::{HasProxy, World, run_real};
use clap::{CommandFactory, Parser};
use serde_json::Value;
use std::ffi::OsString;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cfn-get-metadata",
    infer_long_args = true,
    about = "Print a CloudFormation resource's metadata"
)]
pub struct Options {
    #[command(flatten)]
    credentials: CredentialOptions,
    #[command(flatten)]
    proxy: ProxyOptions,
    /// A CloudFormation stack
    #[arg(short, long)]
    stack: Option<String>,
    /// A CloudFormation logical resource ID
    #[arg(short, long)]
    resource: Option<String>,
    /// Retrieve the value at KEY in the Metadata object; must be in dotted object notation (parent.child.leaf)
    #[arg(short, long)]
    key: Option<String>,
    /// The CloudFormation service URL. The endpoint URL must match the region option. Use of this parameter is discouraged.
    #[arg(short, long)]
    url: Option<String>,
    #[command(flatten)]
    endpoint: EndpointOptions,
    /// Enables verbose logging
    #[arg(short, long)]
    verbose: bool,
}

impl HasProxy for Options {
    fn proxy(&self) -> &ProxyOptions {
        &self.proxy
    }
}

/// Runs the tool; returns its exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    run_real(args, run)
}

fn run(options: &Options, world: &mut World<'_>) -> u8 {
    match metadata(options, world) {
        Ok(text) => match writeln!(world.stdout, "{text}") {
            Ok(()) => 0,
            Err(_) => 1,
        },
        Err(message) => {
            let _ = writeln!(world.stderr, "{message}");
            1
        }
    }
}

fn metadata(options: &Options, world: &mut World<'_>) -> Result<String, String> {
    let (Some(stack), Some(resource)) = (&options.stack, &options.resource) else {
        let help = Options::command().render_help();
        return Err(format!("Error: You must specify both a stack name and logical resource id\n{help}"));
    };
    let (log, notice) = Log::open(&world.root, options.verbose);
    if let Some(notice) = notice {
        let _ = writeln!(world.stderr, "{notice}");
    }
    let credentials =
        options.credentials.resolve(&world.imds, world.sleeper).map_err(|err| err.to_string())?;
    let client = CloudFormation::new(world, credentials, options.url.as_deref(), &options.endpoint.region);
    log.debug(format_args!("Describing resource {resource} in stack {stack}"));
    let detail = client
        .describe_stack_resource(stack, resource, |err, pause| {
            log.error(format_args!("{err}; retrying in {pause:?}"))
        })
        .map_err(|err| err.to_string())?;
    let name = detail.logical_resource_id;
    let metadata = detail
        .metadata
        .filter(|metadata| !is_empty(metadata))
        .ok_or_else(|| format!("Error: {name} does not specify any metadata"))?;
    let found = match &options.key {
        None => &metadata,
        Some(key) => at_key(&metadata, key)
            .filter(|value| !is_empty(value))
            .ok_or_else(|| format!("Error: {key} is not present in the metadata for {name}"))?,
    };
    Ok(match found {
        Value::String(text) => text.clone(),
        other => pretty(other),
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// JSON indented by four blanks.
pub(super) fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}

/// The value at a path of names joined by dots; `\.` is a dot within a name.
fn at_key<'v>(metadata: &'v Value, key: &str) -> Option<&'v Value> {
    let mut names = vec![String::new()];
    let mut characters = key.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'.') => {
                characters.next();
                names.last_mut()?.push('.');
            }
            '.' => names.push(String::new()),
            other => names.last_mut()?.push(other),
        }
    }
    names.iter().try_fold(metadata, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_walk_by_dots_and_escaped_dots_stay() {
        let metadata = json!({"a": {"b": {"c": "leaf"}, "x.y": 7}});
        assert_eq!(at_key(&metadata, "a.b.c"), Some(&json!("leaf")));
        assert_eq!(at_key(&metadata, r"a.x\.y"), Some(&json!(7)));
        assert_eq!(at_key(&metadata, "a.z"), None);
    }

    #[test]
    fn json_is_indented_by_four() {
        assert_eq!(pretty(&json!({"a": [1]})), "{\n    \"a\": [\n        1\n    ]\n}");
    }
}
