//! The ECS agent: registers the instance in a cluster and keeps its session with the agent communication service.
//!
//! Protocol, files, log lines and exit codes follow Amazon's `amazon-ecs-agent`. Settings come from
//! `/etc/ecs/ecs.config`, one `KEY=VALUE` a line:
//!
//! ```text
//! ECS_CLUSTER=web
//! ECS_INSTANCE_ATTRIBUTES={"stack": "blue"}
//! HTTPS_PROXY=
//! ```
//!
//! Limits: tasks are refused by name, and no telemetry is sent.

pub mod api;
pub mod attributes;
pub mod config;
pub mod docker;
pub mod introspection;
pub mod log;
pub mod register;
pub mod resources;
pub mod run;
pub mod session;
pub mod settings;
pub mod state;
pub mod stop;

#[cfg(test)]
mod tests;

use self::config::Config;
use self::log::{AgentLog, Level};
use self::run::{Agent, Outcome};
use self::settings::Settings;
use self::stop::Stop;
use crate::aws::http::{Client, Http};
use crate::aws::imds::Imds;
use crate::aws::proxy::ProxySettings;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The agent's version, as it tells ECS.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The agent's build, as it tells ECS; Amazon's is the short hash of a commit.
pub const HASH: &str = "drydock";

/// Exit codes, with Amazon's meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Ended as asked.
    Success = 0,
    /// Failed in a way that a restart may mend.
    Error = 1,
    /// Failed in a way that a restart will not mend.
    Terminal = 5,
}

/// How long a stop may take before the process ends whatever it is waiting for. The state file is always whole.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Runs the agent until a signal or a terminal failure; returns the exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    if args.iter().skip(1).any(|arg| arg == "-version" || arg == "--version") {
        // Nobody listens to a closed standard output.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{}\n", version_line()).as_bytes());
        return ExitCode::Success as u8;
    }
    start(Path::new("/")) as u8
}

/// How the agent names itself.
pub fn version_line() -> String {
    format!("Drydock ECS Agent - v{VERSION} ({HASH})")
}

fn start(root: &Path) -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::load(root, variable);
    let config = match settings.and_then(|settings| Config::from_settings(&settings)) {
        Ok(config) => config,
        Err(err) => {
            AgentLog::stdout(Level::Info).critical(format_args!("Error loading config: {err}"), &[]);
            return ExitCode::Terminal;
        }
    };
    let log = AgentLog::open(root, &config);
    log.info("Loading configuration", &[]);
    for name in &config.unused {
        log.warn("Ignoring a setting that this agent does not use", &[("name", name)]);
    }
    let stop = Arc::new(Stop::default());
    if let Err(err) = stop_on_signals(&stop) {
        log.critical(format_args!("Cannot handle signals: {err}"), &[]);
        return ExitCode::Error;
    }
    let outcome = run_agent(root, config, &log, &stop);
    log.info("Exiting", &[("code", &(outcome as u8).to_string())]);
    outcome
}

fn run_agent(root: &Path, config: Config, log: &AgentLog, stop: &Stop) -> ExitCode {
    let settings = config.settings.clone();
    let variable = |name: &str| settings.get(name);
    let proxies = ProxySettings::from_variables(variable);
    let http: Arc<dyn Http> = Arc::new(Client::new(root, proxies.clone()));
    let imds = Imds::from_variables(Arc::clone(&http), variable);
    let agent = Agent {
        root: PathBuf::from(root),
        config: &config,
        http: &*http,
        imds: &imds,
        introspection_port: introspection::PORT,
        proxies,
        log,
        stop,
    };
    match agent.run() {
        Ok(Outcome::Stopped) => ExitCode::Success,
        Err(err) => {
            log.critical(&err, &[]);
            if err.is_terminal() { ExitCode::Terminal } else { ExitCode::Error }
        }
    }
}

/// SIGTERM and SIGINT end the agent, at the latest after [`STOP_GRACE`].
fn stop_on_signals(stop: &Arc<Stop>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let stop = Arc::clone(stop);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            stop.trigger();
            std::thread::sleep(STOP_GRACE);
            std::process::exit(ExitCode::Success as i32);
        }
    })?;
    Ok(())
}
