//! Chores of the workspace, run as `cargo xtask CHORE`.
//!
//! - `cargo xtask wire` prunes botocore's service models to the supported operations and generates the wire types.
//! - `cargo xtask wire prune` and `cargo xtask wire generate` do one of the two.
//! - `cargo xtask wire --check` fails when the checked-in code is not what the checked-in models generate.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod wire;

#[derive(Parser)]
#[command(about = "Chores of the workspace")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Prune the service models and generate the types of crates/aws-wire.
    Wire(WireArgs),
}

#[derive(clap::Args)]
struct WireArgs {
    /// Change nothing; fail if the generated code differs from what the checked-in models generate.
    #[arg(long)]
    check: bool,
    /// Folder with botocore's models (SERVICE/VERSION/service-2.json[.gz]); by default the installed botocore's.
    #[arg(long, global = true)]
    models: Option<PathBuf>,
    #[command(subcommand)]
    step: Option<WireStep>,
}

#[derive(Subcommand)]
enum WireStep {
    /// Write crates/aws-wire/models/SERVICE.json (needs botocore).
    Prune,
    /// Write crates/aws-wire/src/generated/ from the checked-in models.
    Generate,
}

fn main() -> anyhow::Result<()> {
    let Chore::Wire(args) = Cli::parse().chore;
    let crate_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/aws-wire");
    let workspace = wire::Workspace::open(&crate_dir)?;
    if args.check {
        return workspace.check();
    }
    let (prune, generate) = match args.step {
        None => (true, true),
        Some(WireStep::Prune) => (true, false),
        Some(WireStep::Generate) => (false, true),
    };
    if prune {
        workspace.prune(args.models.as_deref())?;
    }
    if generate {
        workspace.generate()?;
    }
    Ok(())
}
