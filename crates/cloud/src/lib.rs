//! The local cloud: AWS's services, as far as Drydock needs them, over real booted machines.
//!
//! Every service has a folder with its API operations, its records (`state.rs`) and its reconciler, which
//! makes true what the records say. Handlers only read and write the [`store`]; slow work is done by
//! reconcilers, so a restarted daemon carries on where it was stopped.

pub mod admin;
pub mod api;
mod assembly;
pub mod autoscaling;
pub mod cloudformation;
pub mod context;
pub mod credentials;
pub mod daemon;
pub mod ec2;
pub mod ecs;
pub mod front;
mod gateway;
pub mod http;
pub mod iam;
pub mod identity;
pub mod ids;
mod imds;
mod listen;
pub mod logs;
pub mod ssm;
pub mod store;
pub mod sts;
#[cfg(test)]
pub mod testing;
pub mod vpc;

use std::path::PathBuf;
use std::sync::Arc;

pub use assembly::{AssemblyError, images_in_use, in_use, kinds, open_store, sweep};
pub use context::{Caller, Ctx, Origin};
pub use store::{Record, Store};

/// The number of the local cloud's one account, unless it is given another.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// What the daemon is told when it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The state directory: the store, images, volumes, instances, logs and keys live there.
    pub state_dir: PathBuf,
    /// The twelve-digit number of the one account.
    pub account: String,
    /// The region that exists from the start.
    pub default_region: String,
}

impl Config {
    /// A configuration with the defaults for a state directory.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            account: DEFAULT_ACCOUNT.to_owned(),
            default_region: "us-east-1".to_owned(),
        }
    }
}

/// The cloud: its state and the machines behind it.
pub struct Cloud {
    /// What the daemon was told when it started.
    pub config: Config,
    /// All records.
    pub store: Store,
    /// Boots and stops the machines.
    pub driver: Arc<dyn machine::Driver>,
    /// The machine images.
    pub images: machine::images::ImageStore,
    /// The account's own key.
    pub root_key: credentials::RootKey,
    /// Signs instance identity documents.
    pub identity: identity::IdentityKey,
    /// The VPCs on the host.
    pub vpcs: Arc<vpc::Vpcs>,
    /// The log events.
    pub logs: logs::Logs,
}
