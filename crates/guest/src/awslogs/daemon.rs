//! `awslogs-agent`: the log agent as a service.
//!
//! SIGHUP reads the configuration anew, SIGTERM and SIGINT send what has been read and end.

use super::check;
use super::config::{Instance, Loaded, Names, Settings, Severity, Sources, load};
use super::engine::{Control, Engine};
use super::log::AgentLog;
use super::ship::cloudwatch::{CloudWatch, SIGNING_NAME, TARGET};
use super::state::Ledger;
use super::status::{Status, Totals};
use crate::aws::credentials::{CredentialProvider, Credentials, DefaultProvider};
use crate::aws::domain;
use crate::aws::http::{Client, Http};
use crate::aws::imds::{Imds, ImdsError};
use crate::aws::json::JsonService;
use crate::aws::proxy::ProxySettings;
use clap::Parser;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where `awslogs-agent status` asks.
const SOCKET: &str = "/run/awslogs.sock";
/// How long the agent may take to end. What has not been sent by then is read again at the next start.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// How long a question for the status waits.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);
/// The pause before the region is asked for again.
const REGION_PAUSE: Duration = Duration::from_secs(2);

/// Ships log files to CloudWatch Logs.
#[derive(Debug, Parser)]
#[command(name = "awslogs-agent", version)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sources: Sources,
    /// Where `awslogs-agent status` asks
    #[arg(long, value_name = "PATH", default_value = SOCKET, global = true)]
    socket: PathBuf,
    /// Where the agent's own log goes; `-` is standard error
    #[arg(long, value_name = "PATH")]
    log_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Reads the configuration and says what would be shipped where
    Check,
    /// Shows what a running agent has shipped and how far it is behind
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Why the agent cannot work.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error("the configuration cannot be used")]
    Config,
    #[error(transparent)]
    State(#[from] super::state::StateError),
    #[error("cannot handle signals: {0}")]
    Signals(#[source] io::Error),
    #[error("no agent answers at {socket}: {source}")]
    NoAgent { socket: PathBuf, source: io::Error },
    #[error("the agent's answer is not a status: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Runs the agent; returns the exit code.
pub fn main(args: Vec<OsString>) -> u8 {
    let options = match Options::try_parse_from(args) {
        Ok(options) => options,
        Err(err) => {
            // Nobody listens to a closed stream.
            let _ = err.print();
            return u8::try_from(err.exit_code()).unwrap_or(2);
        }
    };
    if matches!(options.command, Some(Command::Check)) {
        let imds = Imds::from_variables(direct(), |name| std::env::var(name).ok());
        let instance = Instance::new(Path::new("/"), Arc::new(imds));
        // Nobody reads a closed stream.
        return check::run(&options.sources, &instance, &mut io::stdout(), &mut io::stderr())
            .unwrap_or(check::WRONG);
    }
    let done = match &options.command {
        Some(Command::Status { json }) => show_status(&options.socket, *json),
        Some(Command::Check) | None => serve(&options),
    };
    match done {
        Ok(()) => 0,
        Err(err) => {
            let _ = writeln!(io::stderr(), "awslogs-agent: {err}");
            1
        }
    }
}

/// The metadata service is reached without a proxy.
fn direct() -> Arc<dyn Http> {
    Arc::new(Client::new(Path::new("/"), ProxySettings::default()))
}

fn serve(options: &Options) -> Result<(), DaemonError> {
    let variable = |name: &str| std::env::var(name).ok();
    let imds = Arc::new(Imds::from_variables(direct(), variable));
    let instance = Instance::new(Path::new("/"), Arc::clone(&imds));
    let loaded = load(&options.sources, &instance);
    let log = match (&options.log_file, &loaded.settings) {
        (Some(path), _) if path.as_os_str() == "-" => AgentLog::stderr(),
        (Some(path), _) => AgentLog::open(path),
        (None, Some(settings)) => AgentLog::open(&settings.log_file),
        (None, None) => AgentLog::stderr(),
    };
    let mut settings = usable(loaded, &log).ok_or(DaemonError::Config)?;
    let (ledger, put_aside) = Ledger::open(&settings.state_file).inspect_err(|err| log.error(err))?;
    if let Some(aside) = put_aside {
        log.error(format_args!(
            "{} is not a state of this agent ({}); it is {} now, and files are read as if seen for the first time",
            settings.state_file.display(),
            aside.reason,
            aside.to.display()
        ));
    }
    raise_file_limit(&log);
    let signals = Signals::new([SIGHUP, SIGTERM, SIGINT]).map_err(DaemonError::Signals)?;
    let control = Control::default();
    control.follow(std::mem::take(&mut settings.streams));
    let daemon = Daemon { options, instance: &instance, imds: &imds, ledger: &ledger, log: &log, control };
    daemon.run(settings, signals);
    Ok(())
}

/// The settings, unless they are unusable. Whatever is wrong is told.
fn usable(loaded: Loaded, log: &AgentLog) -> Option<Settings> {
    for problem in &loaded.problems {
        match problem.severity {
            Severity::Warning => log.warning(problem),
            Severity::Section | Severity::Fatal => {
                log.error(problem);
                let _ = writeln!(io::stderr(), "{problem}");
            }
        }
    }
    loaded.settings
}

struct Daemon<'a> {
    options: &'a Options,
    instance: &'a Instance,
    imds: &'a Imds,
    ledger: &'a Ledger,
    log: &'a AgentLog,
    control: Control,
}

impl Daemon<'_> {
    fn run(&self, settings: Settings, mut signals: Signals) {
        let totals = Totals::default();
        let http = Client::new(Path::new("/"), settings.proxy.clone());
        let role = DefaultProvider::new(|name| std::env::var(name).ok(), self.imds);
        let credentials = Provider { configured: settings.credentials.clone(), role };
        self.log.info("Starting");
        std::thread::scope(|scope| {
            scope.spawn(|| self.handle(&mut signals));
            self.listen();
            notify(&[NotifyState::Ready], self.log);
            let Some(region) = self.region(&settings) else { return };
            let endpoint = endpoint(&settings, &region);
            self.log.info(format_args!("Shipping to {endpoint}"));
            let service = JsonService {
                http: &http,
                credentials: &credentials,
                region,
                endpoint,
                signing_name: SIGNING_NAME,
                target: TARGET,
            };
            let sink = CloudWatch::new(service, settings.gzip);
            let engine = Engine {
                sink: &sink,
                ledger: self.ledger,
                log: self.log,
                totals: &totals,
                queue_size: settings.queue_size,
            };
            engine.run(&self.control);
            self.end(0);
        });
    }

    /// Ends the process: threads that wait for a signal or a question have nothing to clean up.
    fn end(&self, code: i32) -> ! {
        if let Err(err) = self.ledger.sync() {
            self.log.error(err);
        }
        // A socket that is left behind is replaced by the next agent.
        let _ = std::fs::remove_file(&self.options.socket);
        self.log.info("Ended");
        std::process::exit(code)
    }

    fn handle(&self, signals: &mut Signals) {
        for signal in signals.forever() {
            if signal == SIGHUP {
                self.reload();
                continue;
            }
            notify(&[NotifyState::Stopping], self.log);
            self.control.stop();
            std::thread::sleep(STOP_GRACE);
            self.log.warning("Not everything could be sent; it will be at the next start");
            self.end(0);
        }
    }

    fn reload(&self) {
        self.log.info("Reading the configuration anew");
        match NotifyState::monotonic_usec_now() {
            Ok(time) => notify(&[NotifyState::Reloading, time], self.log),
            Err(err) => self.log.warning(format_args!("cannot tell the time to the service manager: {err}")),
        }
        match usable(load(&self.options.sources, self.instance), self.log) {
            Some(settings) => self.control.follow(settings.streams),
            None => self.log.error("The configuration cannot be used; the former one stays"),
        }
        notify(&[NotifyState::Ready], self.log);
    }

    /// The region; asked of the instance until it answers when nothing else says it. None when the agent is to end.
    fn region(&self, settings: &Settings) -> Option<String> {
        let variable = || std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION")).ok();
        if let Some(region) = settings.region.clone().or_else(variable).filter(|region| !region.is_empty()) {
            return Some(region);
        }
        loop {
            match self.instance.region() {
                Some(region) => return Some(region),
                None => {
                    self.log.warning("No region is configured, and the instance does not tell its own yet")
                }
            }
            std::thread::sleep(REGION_PAUSE);
        }
    }

    /// Answers questions for the status.
    fn listen(&self) {
        let socket = self.options.socket.clone();
        let _ = std::fs::remove_file(&socket);
        let listener = match UnixListener::bind(&socket) {
            Ok(listener) => listener,
            Err(err) => {
                return self.log.warning(format_args!(
                    "cannot listen at {}: {err}; `awslogs-agent status` will not work",
                    socket.display()
                ));
            }
        };
        let control = self.control.clone();
        let answering = std::thread::Builder::new().name("status".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever asked may have gone.
                let _ = answer(stream, &control);
            }
        });
        if let Err(err) = answering {
            self.log.warning(format_args!("cannot answer questions for the status: {err}"));
        }
    }
}

fn answer(mut stream: UnixStream, control: &Control) -> io::Result<()> {
    let Some(status) = control.status(STATUS_PATIENCE) else { return Ok(()) };
    stream.write_all(&serde_json::to_vec(&status)?)
}

fn show_status(socket: &Path, json: bool) -> Result<(), DaemonError> {
    let ask = || -> io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(STATUS_PATIENCE * 2))?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|source| DaemonError::NoAgent { socket: socket.to_owned(), source })?;
    let status: Status = serde_json::from_str(&text)?;
    let shown = if json { text + "\n" } else { status.table() };
    // Nobody reads a closed standard output.
    let _ = io::stdout().write_all(shown.as_bytes());
    Ok(())
}

/// Keys from the configuration, or else those of the environment or the instance's role.
struct Provider<'a> {
    configured: Option<Credentials>,
    role: DefaultProvider<'a>,
}

impl CredentialProvider for Provider<'_> {
    fn credentials(&self) -> Result<Credentials, ImdsError> {
        match &self.configured {
            Some(credentials) => Ok(credentials.clone()),
            None => self.role.credentials(),
        }
    }
}

/// The service's address: the configuration's, the environment's, or the region's own.
fn endpoint(settings: &Settings, region: &str) -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    settings
        .endpoint
        .clone()
        .or_else(|| variable("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"))
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .map_or_else(
            || format!("https://logs.{region}.{}", domain(region)),
            |url| url.trim_end_matches('/').to_owned(),
        )
}

fn notify(state: &[NotifyState<'_>], log: &AgentLog) {
    if let Err(err) = sd_notify::notify(state) {
        log.warning(format_args!("cannot tell the service manager: {err}"));
    }
}

/// As many open files as the system allows: each file followed is one.
fn raise_file_limit(log: &AgentLog) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(err) = raised {
        log.warning(format_args!("cannot raise the limit of open files: {err}"));
    }
}
