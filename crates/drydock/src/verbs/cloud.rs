//! `drydock cloud`: the local cloud's daemon.

use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cloud::admin::client::{AdminClient, AdminError};
use cloud::admin::{Adopt, Status};
use cloud::daemon::Daemon;

use crate::exit::Failure;
use crate::output::OutputArgs;
use crate::prompt;
use crate::state::{StateArgs, local_cloud};

/// Starts, stops and administers the local cloud
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock cloud start --listen 127.0.0.1:4566
  eval $(drydock cloud env); aws ec2 describe-images --owners amazon
  drydock cloud adopt vpc-f8233a80 subnet-a5d3ecee ami-ec957491=ecs-base key-pair/admin
  drydock cloud stop")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Starts the daemon
    Start(Start),
    /// Stops the daemon and its machines; the state stays, and the machines boot again with the next start
    Stop(Plain),
    /// Tells how the daemon is
    Status(Looking),
    /// Prints the environment for AWS clients: eval $(drydock cloud env)
    Env(Looking),
    /// Stops the daemon and forgets everything but the images
    Reset(Reset),
    /// Takes on ids of somebody's AWS account
    Adopt(AdoptArgs),
    /// Runs the daemon in the foreground
    Run(Start),
}

#[derive(Debug, clap::Args)]
struct Start {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, clap::Args)]
struct Looking {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct Reset {
    /// Forget the images too
    #[arg(long)]
    images: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, clap::Args)]
struct AdoptArgs {
    /// vpc-…, subnet-…, sg-…, ami-…=IMAGE, key-pair/NAME
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The region; the cloud's own when none
    #[arg(long, env = "AWS_REGION")]
    region: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Start(args) => {
            let state = args.state.dir()?;
            ensure_stopped(&state).await?;
            ensure_running(&state, Some(args.listen), &mut |line| eprintln!("{line}")).await
        }
        Verb::Stop(args) => stop(&args.state.dir()?).await,
        Verb::Status(args) => status(args).await,
        Verb::Env(args) => env(args).await,
        Verb::Reset(args) => reset(&args).await,
        Verb::Adopt(args) => adopt(args).await,
        Verb::Run(args) => foreground(args).await,
    }
}

async fn foreground(args: Start) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DRYDOCK_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,hickory_server=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let config = cloud::Config::new(args.state.dir()?);
    Ok(Daemon::open(config, args.listen).await?.run().await?)
}

async fn ensure_stopped(state: &Path) -> Result<(), Failure> {
    match AdminClient::new(state).status().await {
        Err(AdminError::NotRunning { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(status) => Err(Failure::failed(format!(
            "a local cloud is already running on {} at {} (process {})",
            state.display(),
            status.endpoint,
            status.pid
        ))),
    }
}

/// Starts the daemon of a state directory unless it runs.
pub async fn ensure_running(
    state: &Path,
    listen: Option<SocketAddr>,
    say: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let admin = AdminClient::new(state);
    if admin.status().await.is_ok() {
        return Ok(());
    }
    let problems = machine::preflight::preflight();
    if !problems.is_empty() {
        return Err(Failure::config(cloud::AssemblyError::Host(problems).to_string()));
    }
    let log = log_file(state)?;
    let mut child = spawn(state, listen, &log)?;
    let started = Instant::now();
    loop {
        if let Ok(status) = admin.status().await {
            let took = started.elapsed().as_millis();
            say(&format!("local cloud at {} (process {}, ready in {took} ms)", status.endpoint, status.pid));
            return Ok(());
        }
        if let Some(exit) = child.try_wait()? {
            return Err(Failure::failed(format!("the local cloud did not start ({exit}): {}", log.since()?)));
        }
        if started.elapsed() > Duration::from_secs(30) {
            return Err(Failure::failed(format!(
                "the local cloud is not ready after 30 s; see {}",
                log.path.display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The daemon's log, and where it stood before this start.
struct Log {
    path: PathBuf,
    from: u64,
}

impl Log {
    /// What has been written since.
    fn since(&self) -> Result<String, Failure> {
        let mut file = fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(last_words(&text).to_owned())
    }
}

/// What a program that ended said last: the message that it ended with, which may have several lines, or everything.
fn last_words(text: &str) -> &str {
    let prefix = "drydock: ";
    let at =
        text.rfind(&format!("\n{prefix}")).map(|at| at + 1).or_else(|| text.starts_with(prefix).then_some(0));
    at.map_or(text, |at| &text[at + prefix.len()..]).trim()
}

fn log_file(state: &Path) -> Result<Log, Failure> {
    let path = state.join("log/daemon.log");
    let failed = |error: std::io::Error| Failure::config(format!("{}: {error}", path.display()));
    // Keys and instances' disks come to live here: only for the owner.
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(state.join("log")).map_err(failed)?;
    let from = fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0);
    Ok(Log { path, from })
}

/// Starts the daemon in a session of its own, so that it outlives the terminal.
fn spawn(state: &Path, listen: Option<SocketAddr>, log: &Log) -> Result<Child, Failure> {
    let file = OpenOptions::new().create(true).append(true).open(&log.path)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["cloud", "run", "--state"]).arg(state);
    if let Some(listen) = listen {
        command.args(["--listen", &listen.to_string()]);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
    Ok(command.spawn()?)
}

async fn stop(state: &Path) -> Result<(), Failure> {
    let admin = AdminClient::new(state);
    let status = admin.status().await?;
    admin.stop().await?;
    // The daemon holds the lock until it has put everything away.
    let lock = fs::File::open(state.join("run/lock"))?;
    let started = Instant::now();
    while lock.try_lock().is_err() {
        if started.elapsed() > Duration::from_secs(120) {
            return Err(Failure::failed(format!(
                "process {} has not ended within two minutes; see {}",
                status.pid,
                state.join("log/daemon.log").display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn status(args: Looking) -> Result<(), Failure> {
    let state = args.state.dir()?;
    let status = AdminClient::new(&state).status().await?;
    args.output.print(&status, || status_text(&status, &state))
}

fn status_text(status: &Status, state: &Path) -> String {
    let instances = if status.instances.is_empty() {
        "none".to_owned()
    } else {
        let counts = status.instances.iter().map(|(name, count)| format!("{count} {name}"));
        counts.collect::<Vec<_>>().join(", ")
    };
    format!(
        "running   process {} for {} s, drydock {}\nendpoint  {}\nregion    {}\naccount   {}\nstate     {}\nmemory    {:.1} MB resident\nstacks    {}\ninstances {instances}",
        status.pid,
        status.uptime_seconds,
        status.version,
        status.endpoint,
        status.region,
        status.account,
        state.display(),
        status.resident_kib as f64 * 1024.0 / 1e6,
        status.stacks,
    )
}

async fn env(args: Looking) -> Result<(), Failure> {
    let local = local_cloud(&args.state.dir()?).await?;
    let variables = [
        ("AWS_ENDPOINT_URL", local.endpoint.as_str()),
        ("AWS_REGION", &local.region),
        ("AWS_DEFAULT_REGION", &local.region),
        ("AWS_ACCESS_KEY_ID", &local.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &local.secret_access_key),
        // An AWS client on the host must not go looking for an instance's role.
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let document: std::collections::BTreeMap<_, _> = variables.into_iter().collect();
    args.output.print(&document, || {
        let exports: Vec<_> =
            variables.iter().map(|(name, value)| format!("export {name}={value};")).collect();
        // Left-overs of another account would win over the keys.
        format!("{}\nunset AWS_SESSION_TOKEN AWS_PROFILE;", exports.join("\n"))
    })
}

async fn reset(args: &Reset) -> Result<(), Failure> {
    let state = args.state.dir()?;
    if !args.yes {
        prompt::confirm(
            &format!("Really forget every stack, instance and key in {}?", state.display()),
            "refusing to forget everything unasked",
            "nothing was forgotten",
        )?;
    }
    match AdminClient::new(&state).status().await {
        Ok(_) => stop(&state).await?,
        // A daemon that was killed may have left machines behind: there is nothing to stop but much to sweep.
        Err(AdminError::NotRunning { .. }) => {
            cloud::sweep(&state).await.map_err(|error| Failure::failed(error.to_string()))?;
        }
        // One that runs but does not answer still has its machines: they are not to be taken from under it.
        Err(error) => return Err(error.into()),
    }
    forget(&state, args.images)
}

/// Removes what a state directory holds, but for images unless they are to go too.
fn forget(state: &Path, images: bool) -> Result<(), Failure> {
    if !state.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        if path.ends_with("images") && !images {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

async fn adopt(args: AdoptArgs) -> Result<(), Failure> {
    let request = Adopt { region: args.region, items: args.ids };
    let adopted = args.state.admin()?.adopt(&request).await?;
    args.output.print(&adopted, || adopted.lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ended_is_quoted_with_all_its_last_message() {
        for (log, expected) in [
            ("drydock: one\ntwo\n", "one\ntwo"),
            ("INFO ready\ndrydock: first\nINFO\ndrydock: second\n  more\n", "second\n  more"),
            ("thread panicked\n", "thread panicked"),
            ("", ""),
        ] {
            assert_eq!(last_words(log), expected, "{log:?}");
        }
    }
}
