//! `drydock verify`: asks the services for the facts behind a stack's status. `drydock verify image` is beside it.

use std::path::Path;
use std::time::Duration;

use console::style;
use deployer::Clients;

use crate::exit::{FAILED, Failure};
use crate::manifest::Manifest;
use crate::output::OutputArgs;
use crate::target::TargetArgs;
use crate::verbs::verify_image;

/// Proves that a stack's instances are what its status says, or that an image is what a list of checks says
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  drydock verify todobackend
  drydock verify image ami-0123456789abcdef0
  drydock verify -- image                   a stack of that name

Exits with 255 when a check does not hold."
)]
pub struct Args {
    #[command(subcommand)]
    of: Option<Of>,
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

/// Something else than a stack.
#[derive(Debug, clap::Subcommand)]
enum Of {
    Image(Box<verify_image::Args>),
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    if let Some(Of::Image(args)) = args.of {
        return verify_image::run(*args).await;
    }
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
