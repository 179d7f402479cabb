//! `drydock verify`: asks the services for the facts behind a stack's status.

use std::path::Path;
use std::time::Duration;

use console::style;
use deployer::Clients;

use crate::exit::{FAILED, Failure};
use crate::manifest::Manifest;
use crate::output::OutputArgs;
use crate::target::TargetArgs;

/// Proves that a stack's instances are what its status says
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  drydock verify todobackend\n\nExits with 255 when a check does not hold."
)]
pub struct Args {
    /// The stack's name, or a directory with a drydock.toml
    #[arg(default_value = ".")]
    stack: String,
    /// Look again until every check holds, at most this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let mut stack = args.stack.clone();
    if Path::new(&stack).join("drydock.toml").exists() {
        let manifest = Manifest::read(Path::new(&stack))?;
        args.target.region = args.target.region.or_else(|| manifest.stack.region.clone());
        stack = manifest.stack.name;
    }
    let clients = args.target.clients().await?;
    show(&clients, &stack, Duration::from_secs(args.wait), args.output).await
}

/// Verifies a stack and shows each check.
pub async fn show(
    clients: &Clients,
    stack: &str,
    patience: Duration,
    output: OutputArgs,
) -> Result<(), Failure> {
    let checks = deployer::verify::verify_within(clients, stack, patience).await?;
    let failed = checks.iter().filter(|check| !check.holds).count();
    let document = serde_json::json!({
        "event": "verification", "stack": stack, "verified": failed == 0, "checks": checks,
    });
    output.print(&document, || {
        let mut text = String::new();
        for check in &checks {
            let mark = if check.holds { style("✓").green() } else { style("✗").red() };
            text += &format!("{mark} {}: {}\n", check.claim, check.found);
        }
        text + &match failed {
            0 => format!("stack {stack} is verified"),
            _ => {
                format!("stack {stack} is not what it says: {failed} of {} checks do not hold", checks.len())
            }
        }
    })?;
    if failed == 0 { Ok(()) } else { Err(Failure::told(FAILED)) }
}
