//! The system a tool runs in, gathered so that a whole tool runs in a test.

use super::options::{ProxyOptions, parse};
use crate::aws::http::{Client, Http};
use crate::aws::imds::Imds;
use crate::aws::proxy::ProxySettings;
use crate::aws::retry::{Sleeper, SystemSleeper};
use clap::Parser;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything outside the process that a tool touches.
pub struct World<'a> {
    /// Where the file system begins: `/`, or a folder in tests.
    pub root: PathBuf,
    /// Sends requests.
    pub http: Arc<dyn Http>,
    /// The instance's metadata.
    pub imds: Imds,
    /// Waits between tries.
    pub sleeper: &'a dyn Sleeper,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Standard output.
    pub stdout: &'a mut (dyn Write + Send),
    /// Standard error.
    pub stderr: &'a mut (dyn Write + Send),
}

/// Parses the arguments, builds the real [`World`] and runs `tool` in it. Returns the exit code.
pub fn run_real<O: Parser + HasProxy>(
    args: Vec<OsString>,
    tool: impl FnOnce(&O, &mut World<'_>) -> u8,
) -> u8 {
    let options: O = match parse(args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let variable = |name: &str| std::env::var(name).ok();
    let root = PathBuf::from("/");
    let proxies = options.proxy().over(ProxySettings::from_variables(variable).or_instances(&root));
    let http: Arc<dyn Http> = Arc::new(Client::new(&root, proxies));
    let mut world = World {
        root,
        imds: Imds::from_variables(Arc::clone(&http), variable),
        http,
        sleeper: &SystemSleeper,
        stdin: &mut std::io::stdin(),
        stdout: &mut std::io::stdout(),
        stderr: &mut std::io::stderr(),
    };
    tool(&options, &mut world)
}

/// Options that name proxies.
pub trait HasProxy {
    /// The proxy options.
    fn proxy(&self) -> &ProxyOptions;
}
