//! `drydock down`: deletes the stack that `up` made.

use std::path::PathBuf;

use deployer::deploy;
use deployer::follow::Follower;

use crate::exit::{FAILED, Failure};
use crate::output::OutputArgs;
use crate::project::stack_of;
use crate::target::TargetArgs;

/// Deletes the stack that `up` made and everything in it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock down examples/ecs-cluster
  drydock down packer-ecs todobackend-aws

The image stays. The local cloud itself goes on; `drydock cloud stop` ends it.")]
pub struct Args {
    /// The folders that were given to `up`
    #[arg(value_name = "DIR", default_value = ".", num_args = 1..=2)]
    dirs: Vec<PathBuf>,
    /// The stack's name; that of the drydock.toml, else its folder's, when none
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let (stack, region) = stack_of(&args.dirs, args.stack_name.as_deref())?;
    let stack = &stack;
    args.target.of_state = true;
    args.target.region = args.target.region.or(region);
    let clients = args.target.clients_to_change(&format!("delete stack {stack}")).await?;
    let Some(found) = deploy::existing_stack(&clients, stack).await? else {
        let line = format!("there is no stack {stack}");
        return args.output.print(&serde_json::json!({ "event": "note", "message": line }), || line.clone());
    };
    let id = found.stack_id.unwrap_or_else(|| stack.clone());
    let follower = Follower::from_now(&clients, &id).await?;
    deploy::delete(&clients, &id).await?;
    let mut display = args.output.display(stack);
    let outcome = follower.to_the_end(display.as_mut()).await?;
    display.finish(&outcome);
    if outcome.succeeded() { Ok(()) } else { Err(Failure::told(FAILED)) }
}
