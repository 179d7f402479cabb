//! The command line of Drydock: one file per verb in [`verbs`].

mod exit;
mod init;
mod interrupt;
mod ledger;
mod manifest;
mod output;
mod packer_args;
mod parameters;
mod project;
mod prompt;
mod recipe;
mod state;
mod target;
mod template;
mod verbs;

use clap::{CommandFactory, Parser, Subcommand};

use exit::Failure;

/// Builds ECS container-instance images, deploys ECS clusters, and proves the result: on a local cloud of real
/// booted machines, or on AWS.
#[derive(Debug, Parser)]
#[command(
    name = "drydock",
    version,
    max_term_width = 100,
    after_help = "Examples:
  drydock init shop                       write a repository with an image and a cluster
  drydock up examples/ecs-cluster         deploy the example and verify it
  drydock instances ls                    its machines
  drydock logs --follow                   what they log
  drydock instances exec i-0123… -- docker info
  drydock exec -- packer build packer.json  any tool, as if the local cloud were AWS
  drydock down examples/ecs-cluster       delete it again
  eval $(drydock cloud env)               let aws, boto3, Packer … talk to the local cloud"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(verbs::init::Args),
    Up(verbs::up::Args),
    Build(Box<verbs::build::Args>),
    Validate(verbs::validate::Args),
    Inspect(verbs::inspect::Args),
    Down(verbs::down::Args),
    Deploy(verbs::deploy::Args),
    Events(verbs::events::Args),
    Verify(verbs::verify::Args),
    Logs(Box<verbs::logs::Args>),
    Instances(verbs::instances::Args),
    Image(verbs::image::Args),
    Cloud(verbs::cloud::Args),
    Exec(verbs::exec::Args),
    Completion(CompletionArgs),
}

/// Prints a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  drydock completion bash > /etc/bash_completion.d/drydock")]
struct CompletionArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the command line and returns the exit code.
pub fn run() -> u8 {
    let args = packer_args::normalize(std::env::args_os());
    let wrong_use = if packer_args::is_packers(&args) { exit::PACKER } else { exit::USAGE };
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { wrong_use } else { exit::OK };
            // Nothing can be said when neither stream takes it.
            let _ = error.print();
            return code;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("drydock: the asynchronous runtime: {error}");
            return exit::FAILED;
        }
    };
    let done = match runtime.block_on(dispatch(cli.verb)) {
        Ok(Some(command)) => {
            // Only a process of one thread may take up a namespace of its own.
            drop(runtime);
            Err(command.run())
        }
        done => done.map(drop),
    };
    match done {
        Ok(()) => exit::OK,
        Err(Failure { code, message }) => {
            if let Some(message) = message {
                eprintln!("drydock: {message}");
            }
            code
        }
    }
}

/// Runs a verb; gives the command that is to take this process's place, if that is what is left to do.
async fn dispatch(verb: Verb) -> Result<Option<verbs::exec::Prepared>, Failure> {
    match verb {
        Verb::Exec(args) => return verbs::exec::prepare(args).await.map(Some),
        Verb::Init(args) => verbs::init::run(args).await,
        Verb::Up(args) => verbs::up::run(args).await,
        Verb::Build(args) => verbs::build::run(*args).await,
        Verb::Validate(args) => verbs::validate::run(args).await,
        Verb::Inspect(args) => verbs::inspect::run(args).await,
        Verb::Down(args) => verbs::down::run(args).await,
        Verb::Deploy(args) => verbs::deploy::run(args).await,
        Verb::Events(args) => verbs::events::run(args).await,
        Verb::Verify(args) => verbs::verify::run(args).await,
        Verb::Logs(args) => verbs::logs::run(*args).await,
        Verb::Instances(args) => verbs::instances::run(args).await,
        Verb::Image(args) => verbs::image::run(args).await,
        Verb::Cloud(args) => verbs::cloud::run(args).await,
        Verb::Completion(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "drydock", &mut std::io::stdout());
            Ok(())
        }
    }?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
