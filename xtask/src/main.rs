//! Chores of the workspace, run as `cargo xtask CHORE`.
//!
//! - `cargo xtask wire` prunes botocore's service models to the supported operations and generates the wire types.
//! - `cargo xtask wire prune` and `cargo xtask wire generate` do one of the two.
//! - `cargo xtask wire --check` fails when the checked-in code is not what the checked-in models generate.
//! - `cargo xtask docs` writes the generated parts of `docs/services.md`; with `--check` it only tells whether they are
//!   out of date.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

mod docs;
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
    /// Write the generated parts of docs/services.md.
    Docs(DocsArgs),
}

#[derive(clap::Args)]
struct DocsArgs {
    /// Change nothing; fail if the document is out of date.
    #[arg(long)]
    check: bool,
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

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

fn main() -> anyhow::Result<()> {
    let workspace = wire::Workspace::open(&root().join("crates/aws-wire"))?;
    match Cli::parse().chore {
        Chore::Wire(args) => run_wire(&workspace, &args),
        Chore::Docs(args) => {
            let docs = docs::Docs::open(&root(), workspace.services())?;
            if args.check { docs.check() } else { docs.write() }
        }
    }
}

fn run_wire(workspace: &wire::Workspace, args: &WireArgs) -> anyhow::Result<()> {
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
