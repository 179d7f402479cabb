//! `drydock exec`: any tool, unmodified, against the local cloud.
//!
//! The command runs in a mount namespace of its own, in which the host's resolver configuration and trust store are
//! covered by files that lead AWS's names to the local cloud and trust it. It takes this process's place, so that
//! its exit code, signals, terminal and standard streams are its own. `docs/exec.md` says what and why.

mod environment;
mod files;
mod namespace;
mod profiles;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::exit::Failure;
use crate::state::{StateArgs, local_cloud};
use environment::{Settings, environment};
use files::Covers;

/// What a shell says of a command that is not there, and of one that cannot be run (POSIX, XCU 2.8.2).
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs a command for which AWS is the local cloud
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock exec -- aws ecs list-clusters
  drydock exec -- packer build packer.json
  drydock exec --profile demo -- make build
  drydock exec -- bash

AWS's host names lead to the local cloud, whose certificates are trusted; the environment has the account's key,
the region and the endpoint. Your own AWS credentials are not to be seen.")]
pub struct Args {
    /// The region; else that of AWS_REGION or AWS_DEFAULT_REGION, else the cloud's own
    #[arg(long)]
    region: Option<String>,
    /// A profile of your AWS configuration for the command to use, with credentials of the local cloud in place of
    /// yours
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Leave AWS_ENDPOINT_URL unset: what knows that variable then uses AWS's host names over TLS, as everything else does
    #[arg(long)]
    no_endpoint_url: bool,
    #[command(flatten)]
    state: StateArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// A command that is ready to take this process's place.
pub struct Prepared {
    command: Vec<OsString>,
    environment: environment::Variables,
    folder: PathBuf,
    covers: Covers,
}

/// Asks the local cloud what the command needs, and reads what of the host's is to be covered.
///
/// # Errors
/// When no local cloud answers, or something of the host's cannot be covered.
pub async fn prepare(args: Args) -> Result<Prepared, Failure> {
    let state = args.state.dir()?;
    let admin = args.state.admin()?;
    let status = admin.status().await?;
    let cloud = local_cloud(&state).await?;
    let front = admin.open_front().await?;
    let inherited: environment::Variables = std::env::vars_os().collect();
    let profiles = profiles::Profiles::of(&inherited, &status.account, &cloud);
    if let Some(name) = args.profile.as_ref().filter(|name| !profiles.has(name)) {
        return Err(Failure::config(format!(
            "--profile {name}: there is no such profile in {}",
            profiles.origin()
        )));
    }
    let covers =
        Covers::of_host(&front, &inherited, &profiles).map_err(|error| Failure::config(error.to_string()))?;
    let settings = Settings {
        cloud: &cloud,
        state: &state,
        region: args.region,
        profile: args.profile,
        sets_endpoint: !args.no_endpoint_url,
        bundle: covers.bundle(),
        folder: &front.folder,
    };
    Ok(Prepared {
        environment: environment(inherited, &settings),
        command: args.command,
        folder: front.folder,
        covers,
    })
}

impl Prepared {
    /// Becomes the command; returns only when that is not possible. To be called when this process has one thread.
    pub fn run(self) -> Failure {
        if let Err(error) = namespace::enter(&self.folder, &self.covers) {
            return Failure::failed(error.to_string());
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return Failure::config("no command");
        };
        let error = Command::new(program).args(arguments).env_clear().envs(self.environment).exec();
        let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        Failure { code, message: Some(format!("{}: {error}", program.display())) }
    }
}
