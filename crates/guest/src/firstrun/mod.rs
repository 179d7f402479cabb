//! `firstrun`: makes a booted image a member of its ECS cluster.
//!
//! It writes the configuration of the ECS agent, of Docker's, the agents' and the CloudFormation helpers' proxies and of
//! the log agent; enables and starts the services; and waits until the ECS agent has joined the cluster that was asked
//! for. Run again, it changes what has changed and nothing else. It works on images with systemd, with System V scripts
//! and with Upstart, Amazon's among them.
//!
//! ```text
//! ECS_CLUSTER=web STACK_NAME=web AUTOSCALING_GROUP=Group firstrun
//! ```
//!
//! [`settings`] and [`files`] are pure; [`mod@write`], [`services`] and [`health`] are where it touches the instance, and
//! [`instance`] brings them together.

pub mod files;
pub mod health;
pub mod host;
pub mod instance;
pub mod journal;
pub mod options;
pub mod services;
pub mod settings;
pub mod write;

#[cfg(test)]
mod tests;

use self::health::METADATA;
use self::instance::{Instance, run};
use self::options::Options;
use crate::aws::http::{Client, Http};
use crate::aws::imds::Imds;
use crate::aws::proxy::ProxySettings;
use crate::aws::retry::SystemSleeper;
use crate::cfn::options::parse;
use crate::runner::SystemRunner;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the tool; returns its exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    let options: Options = match parse(args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    // Metadata and the agent are on the instance itself: no proxy is on the way to them.
    let http: Arc<dyn Http> = Arc::new(Client::new(Path::new("/"), ProxySettings::default()));
    let instance = Instance {
        root: PathBuf::from("/"),
        imds: Imds::from_variables(Arc::clone(&http), |name| std::env::var(name).ok()),
        http,
        agent_url: METADATA,
        runner: &SystemRunner,
        sleeper: &SystemSleeper,
    };
    run(&options, &instance, &mut std::io::stdout(), &mut std::io::stderr())
}
