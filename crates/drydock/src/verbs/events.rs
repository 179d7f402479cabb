//! `drydock events`: what happened to a stack, and what happens.

use deployer::deploy::existing_stack;
use deployer::follow::{self, Follower, Progress};

use crate::exit::{FAILED, Failure};
use crate::output::OutputArgs;
use crate::target::TargetArgs;

/// Shows a stack's events
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  drydock events todobackend --follow")]
pub struct Args {
    /// The stack's name or id
    stack: String,
    /// Go on until the stack is at rest
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let clients = args.target.clients().await?;
    let stack = existing_stack(&clients, &args.stack)
        .await?
        .ok_or_else(|| deployer::Error::NoStack(args.stack.clone()))?;
    // By its id a stack can be followed beyond its deletion.
    let id = stack.stack_id.unwrap_or_else(|| args.stack.clone());
    if args.follow {
        let follower = Follower::from_start(&clients, &id);
        let mut display = args.output.display(&args.stack);
        let outcome = follower.to_the_end(display.as_mut()).await?;
        display.finish(&outcome);
        return if outcome.succeeded() { Ok(()) } else { Err(Failure::told(FAILED)) };
    }
    let events = follow::events(&clients, &id).await?;
    if args.output.output == crate::output::Format::Json {
        return args.output.print(&events, String::new);
    }
    let mut text = String::new();
    for event in events {
        let reason = event.reason.as_deref().map(|reason| format!("  {reason}")).unwrap_or_default();
        text += &format!("{}  {:<36} {}{reason}\n", event.time, event.status, event.logical_id);
    }
    args.output.print(&Vec::<Progress>::new(), || text)
}
