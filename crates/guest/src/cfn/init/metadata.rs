//! Where the metadata comes from, and the copy kept of it.

use super::super::client::CloudFormation;
use super::super::get_metadata::pretty;
use super::super::log::Log;
use super::super::world::World;
use super::Options;
use super::values::is_falsy;
use clap::CommandFactory;
use serde_json::Value;
use std::io;
use std::path::Path;

/// The metadata, and what it is called in messages.
pub fn obtain(options: &Options, world: &mut World<'_>, log: &Log) -> Result<(Value, String), String> {
    let stack_named = options.stack.is_some() || options.resource.is_some();
    match (options.files.as_slice(), &options.stack, &options.resource) {
        ([], Some(stack), Some(resource)) => {
            let metadata = from_stack(options, world, log, stack, resource)?;
            Ok((metadata, format!("metadata for {resource}")))
        }
        ([], None, None) => Err(with_help(
            "Error: You must specify an input source for metadata: a stack name and logical resource id, or a file",
        )),
        ([], _, _) => Err(with_help("Error: You must specify both a stack name and logical resource id")),
        ([one], _, _) if !stack_named => {
            if one == "-" {
                let read = io::read_to_string(&mut world.stdin);
                let text = read.map_err(|err| format!("Unknown error reading metadata from stdin: {err}"))?;
                Ok((decode(&text, "stdin")?, "stdin input".to_owned()))
            } else {
                let text = std::fs::read_to_string(one).map_err(|err| format!("{one}: {err}"))?;
                Ok((decode(&text, one)?, one.clone()))
            }
        }
        _ => Err(with_help("Error: You cannot specify more than one input source for metadata")),
    }
}

fn with_help(message: &str) -> String {
    format!("{message}\n{}", Options::command().render_help())
}

fn decode(text: &str, source: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|err| format!("Error decoding JSON from {source}: {err}"))
}

fn from_stack(
    options: &Options,
    world: &World<'_>,
    log: &Log,
    stack: &str,
    resource: &str,
) -> Result<Value, String> {
    let credentials =
        options.credentials.resolve(&world.imds, world.sleeper).map_err(|err| err.to_string())?;
    let client = CloudFormation::new(world, credentials, options.url.as_deref(), &options.endpoint.region);
    log.debug(format_args!("Describing resource {resource} in stack {stack}"));
    let detail = client
        .describe_stack_resource(stack, resource, |err, pause| {
            log.error(format_args!("{err}; retrying in {pause:?}"));
        })
        .map_err(|err| err.to_string())?;
    let name = detail.logical_resource_id;
    detail
        .metadata
        .filter(|metadata| !is_falsy(metadata))
        .ok_or_else(|| format!("Error: {name} does not specify any metadata"))
}

/// Keeps the metadata in `/var/lib/cfn-init/data/metadata.json`, for its owner alone: it may hold secrets.
pub fn store(root: &Path, metadata: &Value) -> io::Result<()> {
    let folder = root.join("var/lib/cfn-init/data");
    std::fs::create_dir_all(&folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    io::Write::write_all(&mut file, pretty(metadata).as_bytes())?;
    file.persist(folder.join("metadata.json")).map(drop).map_err(|err| err.error)
}
