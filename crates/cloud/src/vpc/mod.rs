//! The VPCs as they really are: networks in namespaces, and the services that answer inside them.
//!
//! [`Vpcs`] keeps the host's namespaces, packet rules, services and host ports equal to EC2's records. The EC2
//! service writes the records; [`run`] follows them; a launch calls [`Vpcs::ensure_attached`] so that the rules are
//! in force before the instance's first packet.

mod barrier;
pub(crate) mod dns;
mod endpoints;
mod hops;
mod names;
mod ntp;
mod plan;
mod reconciler;
mod tls;

pub use barrier::Barrier;
pub use endpoints::Services;
pub use names::{API_DOMAINS, is_api_name};
pub use plan::{barrier, plans};
pub use reconciler::{Vpcs, run};
pub use tls::{LocalCa, TlsError, server_config};

use machine::network::{BadMac, NetworkError};

/// Why a VPC is not as its records say.
#[derive(Debug, thiserror::Error)]
pub enum VpcError {
    /// The network could not be made so.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The certificates of the API inside VPCs cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A record cannot be turned into a network.
    #[error("the network interface {eni} cannot be made: {source}")]
    Record {
        /// The interface.
        eni: String,
        /// What is wrong with its record.
        source: BadMac,
    },
    /// There is no record of the VPC.
    #[error("there is no VPC {0}")]
    NoVpc(String),
    /// The services that answer inside VPCs have not been given yet.
    #[error("the daemon is still starting: nothing would answer inside {0} yet")]
    NotServing(String),
}
