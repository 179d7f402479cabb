//! `drydock instances`: the machines behind the stacks.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use deployer::clients::Clients;
use deployer::instances::{self, StackInstance};
use machine::nspawn::NspawnDriver;
use machine::{Driver, ExecIo, ExecRequest};

use crate::exit::{CONFIG, Failure};
use crate::output::OutputArgs;
use crate::state::StateArgs;
use crate::target::TargetArgs;

/// Lists instances, shows their consoles, runs commands in them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock instances ls
  drydock instances console i-0123456789abcdef0 --follow
  drydock instances exec i-0123456789abcdef0 -- docker info
  drydock instances ssh i-0123456789abcdef0")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists the instances that exist, with how far each has come
    Ls(Ls),
    /// Prints an instance's console output
    Console(Console),
    /// Runs a command in an instance of the local cloud, as root, and exits with its code
    Exec(Exec),
    /// Opens a shell in an instance over SSH
    Ssh(Ssh),
}

#[derive(Debug, clap::Args)]
struct Ls {
    /// Only the instances of this stack
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct Console {
    /// The instance
    id: String,
    /// Go on printing what comes, until the instance ends
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, clap::Args)]
struct Exec {
    /// The instance
    id: String,
    /// The command and its arguments; a login shell when none
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, clap::Args)]
struct Ssh {
    /// The instance
    id: String,
    /// The user to log in as
    #[arg(long, short, default_value = "ec2-user")]
    login: String,
    /// The private key; on the local cloud the key pair's own when it was made there
    #[arg(long, short, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// A command to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Ls(args) => ls(args).await,
        Verb::Console(args) => console(args).await,
        Verb::Exec(args) => exec(args).await,
        Verb::Ssh(args) => ssh(args).await,
    }
}

async fn ls(args: Ls) -> Result<(), Failure> {
    let clients = args.target.clients().await?;
    let found = match &args.stack {
        Some(stack) => {
            let resources = instances::resources(&clients, stack).await?;
            instances::of_stack(&clients, &resources).await?
        }
        None => instances::all(&clients).await?,
    };
    args.output.print(&found, || table(&found))
}

fn table(instances: &[StackInstance]) -> String {
    if instances.is_empty() {
        return "no instances".to_owned();
    }
    let mut text = format!(
        "{:<20} {:<14} {:<16} {:<16} {:<28} {}\n",
        "INSTANCE", "STATE", "PRIVATE", "PUBLIC", "PHASE", "BELONGS TO"
    );
    for instance in instances {
        let none = "-";
        text += &format!(
            "{:<20} {:<14} {:<16} {:<16} {:<28} {}\n",
            instance.id,
            instance.state,
            instance.private_ip.as_deref().unwrap_or(none),
            instance.public_ip.as_deref().unwrap_or(none),
            instance.phase.to_string(),
            instance.logical_id
        );
    }
    text
}

async fn console(args: Console) -> Result<(), Failure> {
    let clients = args.target.clients().await?;
    let mut shown = String::new();
    loop {
        let output = instances::console(&clients, &args.id).await?;
        std::io::stdout().write_all(unseen(&shown, &output).as_bytes())?;
        std::io::stdout().flush()?;
        shown = output;
        if !args.follow || !runs(&clients, &args.id).await? {
            return Ok(());
        }
        tokio::time::sleep(clients.poll).await;
    }
}

/// What of the new output has not been shown: the service gives the last 64 KiB, so the beginning of what was
/// shown may have gone.
fn unseen<'a>(shown: &str, output: &'a str) -> &'a str {
    if let Some(rest) = output.strip_prefix(shown) {
        return rest;
    }
    let tail_from = shown.len().saturating_sub(512);
    let tail_from = (tail_from..=shown.len()).find(|at| shown.is_char_boundary(*at)).unwrap_or(shown.len());
    let tail = &shown[tail_from..];
    match output.rfind(tail) {
        Some(at) if !tail.is_empty() => &output[at + tail.len()..],
        _ => output,
    }
}

async fn runs(clients: &Clients, id: &str) -> Result<bool, Failure> {
    let found = instances::one(clients, id).await?;
    Ok(matches!(found.state.as_str(), "pending" | "running"))
}

async fn exec(args: Exec) -> Result<(), Failure> {
    let driver = NspawnDriver::open(&args.state.dir()?)?;
    let argv =
        if args.command.is_empty() { vec!["/bin/bash".to_owned(), "-l".to_owned()] } else { args.command };
    let request = ExecRequest { io: ExecIo::Inherit, ..ExecRequest::capture(argv) };
    let outcome = driver.exec(&args.id, request).await?;
    match u8::try_from(outcome.code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::told(code)),
        Err(_) => Err(Failure::failed(format!("the command ended with {}", outcome.code))),
    }
}

async fn ssh(args: Ssh) -> Result<(), Failure> {
    let clients = args.target.clients().await?;
    let instance = instances::one(&clients, &args.id).await?;
    let address = instance.public_ip.ok_or_else(|| {
        Failure::failed(format!("{} has no public address; use `drydock instances exec`", args.id))
    })?;
    let mut command = Command::new("ssh");
    let key = args.identity.or_else(|| local_key(&args.target.state, instance.key_name.as_deref()));
    let hint = key.is_none().then(|| no_key_hint(instance.key_name.as_deref()));
    if let Some(key) = key {
        command.arg("-i").arg(key).args(["-o", "IdentitiesOnly=yes"]);
    }
    if args.target.target == crate::target::Where::Local {
        // Loopback addresses are given to one instance after another, each with host keys of its own.
        command.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]);
    }
    let status =
        command.arg(format!("{}@{address}", args.login)).args(&args.command).status().map_err(|error| {
            Failure { code: CONFIG, message: Some(format!("ssh: {error}; install openssh-client")) }
        })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => {
            // 255 is ssh's own: anything else is the command's.
            if let Some(hint) = hint.filter(|_| code == 255) {
                eprintln!("drydock: {hint}");
            }
            Err(Failure::told(u8::try_from(code).unwrap_or(255)))
        }
        None => Err(Failure::failed("ssh was ended by a signal")),
    }
}

/// What to do about a private key that is not at hand.
fn no_key_hint(key_name: Option<&str>) -> String {
    match key_name {
        Some(name) => format!("the instance's key pair is {name}: give its private key with --identity FILE"),
        None => "the instance was launched without a key pair; use `drydock instances exec`".to_owned(),
    }
}

/// The private half of a key pair that the local cloud made.
fn local_key(state: &StateArgs, key_name: Option<&str>) -> Option<PathBuf> {
    let path = state.dir().ok()?.join("keys").join(format!("{}.pem", key_name?));
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_private_key_is_asked_for_by_its_pairs_name() {
        assert!(no_key_hint(Some("admin")).contains("key pair is admin"));
        assert!(no_key_hint(None).contains("without a key pair"));
    }

    #[test]
    fn only_what_is_new_is_shown() {
        assert_eq!(unseen("", "abc"), "abc");
        assert_eq!(unseen("abc", "abcdef"), "def");
        assert_eq!(unseen("abc", "abc"), "");
        assert_eq!(unseen("0abc", "abcdef"), "abcdef", "nothing in common is all new");
        let long = "é".repeat(400);
        assert_eq!(unseen(&format!("lost {long}"), &format!("{long}new")), "new");
    }
}
