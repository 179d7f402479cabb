//! `drydock down`: deletes the stack that `up` made.

use std::path::PathBuf;

use deployer::deploy;
use deployer::follow::Follower;

use crate::exit::{FAILED, Failure};
use crate::manifest::Manifest;
use crate::output::OutputArgs;
use crate::target::TargetArgs;

/// Deletes the stack of DIR/drydock.toml and everything in it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  drydock down examples/ecs-cluster\n\nThe local cloud itself goes on; `drydock cloud stop` ends it."
)]
pub struct Args {
    /// The directory
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.dir)?;
    let stack = &manifest.stack.name;
    args.target.of_state = true;
    args.target.region = args.target.region.or_else(|| manifest.stack.region.clone());
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
