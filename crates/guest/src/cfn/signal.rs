//! `cfn-signal`: tells CloudFormation how a resource's set-up ended.

use super::client::CloudFormation;
use super::log::Log;
use super::options::{CredentialOptions, EndpointOptions, IMDS_TRIES, ProxyOptions};
use super::world::{HasProxy, World, run_real};
use crate::aws::http::{HttpError, Request};
use crate::aws::retry::{Retriable, Retry, with_backoff};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{CommandFactory, Parser, ValueEnum};
use serde_json::json;
use std::ffi::OsString;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cfn-signal",
    infer_long_args = true,
    about = "Signal a CloudFormation creation policy or wait condition",
    override_usage = "cfn-signal [options] [WaitConditionHandle URL]"
)]
pub struct Options {
    #[command(flatten)]
    credentials: CredentialOptions,
    #[command(flatten)]
    proxy: ProxyOptions,
    /// If true, signal success to CloudFormation; if false, signal failure
    #[arg(short, long, default_value = "true")]
    success: Success,
    /// A unique ID to send with the signal. Default: the EC2 instance id, else the host name
    #[arg(short, long)]
    id: Option<String>,
    /// Derive success or failure from specified exit code
    #[arg(short, long, allow_negative_numbers = true)]
    exit_code: Option<i32>,
    /// The reason for success/failure (WaitConditionHandle only)
    #[arg(short, long, default_value = "", allow_hyphen_values = true)]
    reason: String,
    /// Data to include with the WaitCondition signal
    #[arg(short, long, default_value = "", allow_hyphen_values = true)]
    data: String,
    /// A CloudFormation stack
    #[arg(long)]
    stack: Option<String>,
    /// A CloudFormation logical resource ID
    #[arg(long)]
    resource: Option<String>,
    /// The CloudFormation service URL. The endpoint URL must match the region option. Use of this parameter is discouraged.
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    endpoint: EndpointOptions,
    /// The address to signal a wait condition at, plain or in base64
    #[arg(value_name = "WaitConditionHandle URL")]
    handle: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Success {
    True,
    False,
}

impl HasProxy for Options {
    fn proxy(&self) -> &ProxyOptions {
        &self.proxy
    }
}

impl Options {
    fn status(&self) -> &'static str {
        match (self.exit_code, self.success) {
            (None | Some(0), Success::True) => "SUCCESS",
            _ => "FAILURE",
        }
    }
}

/// Runs the tool; returns its exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    run_real(args, run)
}

fn run(options: &Options, world: &mut World<'_>) -> u8 {
    match signal(options, world) {
        Ok(message) => {
            if let Some(message) = message {
                let _ = writeln!(world.stdout, "{message}");
            }
            0
        }
        Err(message) => {
            let _ = writeln!(world.stderr, "{message}");
            1
        }
    }
}

fn signal(options: &Options, world: &mut World<'_>) -> Result<Option<String>, String> {
    let handle = options.handle.as_deref().filter(|handle| !handle.is_empty());
    match (handle, options.resource.as_deref()) {
        (Some(_), Some(_)) => {
            Err("Error: Cannot specify both a WaitConditionHandle URL and a logical resource id".to_owned())
        }
        (Some(handle), None) => signal_handle(options, world, handle).map(Some),
        (None, Some(resource)) => signal_resource(options, world, resource).map(|()| None),
        (None, None) => Err(with_help("Error: No WaitConditionHandle URL or logical resource id specified")),
    }
}

fn with_help(message: &str) -> String {
    format!("{message}\n{}", Options::command().render_help())
}

fn signal_resource(options: &Options, world: &mut World<'_>, resource: &str) -> Result<(), String> {
    let stack = options
        .stack
        .as_deref()
        .filter(|stack| !stack.is_empty())
        .ok_or_else(|| with_help("Error: You must specify a stack name when signaling a resource"))?;
    let (log, notice) = Log::open(&world.root, true);
    if let Some(notice) = notice {
        let _ = writeln!(world.stderr, "{notice}");
    }
    let id = unique_id(options, world);
    let status = options.status();
    let credentials =
        options.credentials.resolve(&world.imds, world.sleeper).map_err(|err| err.to_string())?;
    let client = CloudFormation::new(world, credentials, options.url.as_deref(), &options.endpoint.region);
    log.debug(format_args!(
        "Signaling resource {resource} in stack {stack} with unique ID {id} and status {status}"
    ));
    client
        .signal_resource(stack, resource, &id, status, |err, pause| {
            log.error(format_args!("{err}; retrying in {pause:?}"));
        })
        .map_err(|err| {
            log.error(&err);
            err.to_string()
        })
}

fn unique_id(options: &Options, world: &World<'_>) -> String {
    if let Some(id) = &options.id {
        return id.clone();
    }
    with_backoff(IMDS_TRIES, world.sleeper, |_, _| (), || world.imds.instance_id())
        .unwrap_or_else(|_| host_name())
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Why a wait condition's address did not take the signal.
#[derive(Debug, thiserror::Error)]
enum HandleError {
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("HTTP Error {status} : {body}")]
    Status { status: u16, body: String },
}

impl Retriable for HandleError {
    fn retry(&self) -> Retry {
        match self {
            Self::Http(_) | Self::Status { status: 404 | 408, .. } => Retry::Limited,
            Self::Status { status: 503, .. } => Retry::Forever,
            Self::Status { status, .. } if *status < 500 => Retry::Never,
            Self::Status { .. } => Retry::Limited,
        }
    }
}

fn signal_handle(options: &Options, world: &mut World<'_>, handle: &str) -> Result<String, String> {
    let url = handle_url(handle)
        .ok_or_else(|| format!("Error: Invalid WaitConditionHandle URL specified: {handle}"))?;
    let status = options.status();
    let reason = match options.reason.as_str() {
        "" if status == "FAILURE" => "Configuration failed.",
        reason => reason,
    };
    let id = unique_id(options, world);
    let body = json!({"Status": status, "Reason": reason, "Data": options.data, "UniqueId": id}).to_string();
    // The handle is a presigned S3 address, signed for a request without a content type.
    let mut request = Request::new("PUT", url).header("Content-Type", "");
    request.body = body.into_bytes();
    with_backoff(
        5,
        world.sleeper,
        |_, _| (),
        || {
            let response = world.http.send(&request)?;
            if response.is_success() {
                Ok(())
            } else {
                Err(HandleError::Status { status: response.status, body: response.text() })
            }
        },
    )
    .map_err(|err| format!("Error signaling CloudFormation: {err}"))?;
    Ok(format!("CloudFormation signaled successfully with {status}."))
}

fn handle_url(handle: &str) -> Option<String> {
    let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if is_url(handle) {
        return Some(handle.to_owned());
    }
    let decoded = String::from_utf8(STANDARD.decode(handle).ok()?).ok()?;
    is_url(&decoded).then_some(decoded)
}

#[cfg(test)]
#[path = "signal_tests.rs"]
mod tests;
