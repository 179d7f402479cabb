//! Administering the daemon: what `drydock cloud …` says to it, over a socket in the state directory.
//!
//! Everything else crosses the AWS API. The socket is only for its owner (mode 0600), so whoever may talk to
//! it may read the state directory anyway.

pub mod client;
mod server;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use machine::images::InUse;
use serde::{Deserialize, Serialize};

pub use server::{AdminServer, Shutdown};

/// Where the socket of a state directory is.
pub fn socket(state_dir: &Path) -> PathBuf {
    state_dir.join("run/admin.sock")
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Where it listens, e.g. `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// The region that exists from the start.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// Seconds since the daemon's start.
    pub uptime_seconds: u64,
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// Stacks that exist, in all regions.
    pub stacks: usize,
    /// Instances by state, in all regions.
    pub instances: std::collections::BTreeMap<String, usize>,
    /// What instances need of the images.
    pub images_in_use: InUse,
}

/// Asks for twins of somebody's AWS resources under their very ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// The region; the cloud's own when none.
    pub region: Option<String>,
    /// `vpc-…`, `subnet-…`, `ami-…=IMAGE`, `key-pair/NAME`.
    pub items: Vec<String>,
}

/// What was adopted, one line per item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// A sentence about each item.
    pub lines: Vec<String>,
}

/// Where commands of the host find AWS, and what they need to trust it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontDoor {
    /// The loopback address of the resolver and of the API.
    pub address: Ipv4Addr,
    /// A folder to mount a command's own files over.
    pub folder: PathBuf,
    /// The certificate of the authority that the API's certificates come from.
    pub authority: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refusal {
    message: String,
}
