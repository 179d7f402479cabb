//! What can go wrong while a plan is made true.

use std::io;
use std::path::PathBuf;

use super::plan::PlanError;

/// Why the network is not as it shall be.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The plan itself is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A system call or a netlink request failed.
    #[error("cannot {action}: {source}")]
    Os {
        /// What was attempted, on what.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// `nft` refused the packet rules.
    #[error("nft refused the packet rules of {subject}: {message}")]
    Nft {
        /// Whose rules they are: a VPC's id, or what of the host's.
        subject: String,
        /// The first lines that nft wrote.
        message: String,
    },
    /// The VPC has no namespace: nothing was applied for it yet, or it was removed.
    #[error("the network of {vpc} is not there ({} is no namespace)", path.display())]
    NoVpc {
        /// The VPC.
        vpc: String,
        /// Where its router's namespace would be.
        path: PathBuf,
    },
    /// The plan does not have the interface.
    #[error("{vpc} has no interface {eni}")]
    NoInterface {
        /// The VPC.
        vpc: String,
        /// The interface.
        eni: String,
    },
    /// A file of the state directory cannot be read or written.
    #[error(transparent)]
    File(#[from] crate::OsError),
    /// A loopback address is in a network that the cloud does not have to itself.
    #[error(
        "{address} may be another local cloud's: {}",
        if *is_held { "this one has other public addresses" } else { "one that runs has the same public addresses" }
    )]
    NotOurs {
        /// The address.
        address: std::net::Ipv4Addr,
        /// Whether the cloud has its own network.
        is_held: bool,
    },
    /// All networks of public addresses are taken.
    #[error("64 local clouds are running, and there are public addresses for no more; stop one")]
    NoPublicNetwork,
    /// The state directory does not say which public addresses the cloud has.
    #[error("{} says {text:?} instead of a network such as 127.64.0.0/16; remove the file", path.display())]
    BadPublicNetwork {
        /// The file.
        path: PathBuf,
        /// What it says.
        text: String,
    },
    /// A port of a loopback address was given to another already.
    #[error("{0} leads elsewhere already")]
    PortTaken(std::net::SocketAddrV4),
    /// The worker that makes changes ended without an answer.
    #[error("the worker that should {0} panicked")]
    Worker(&'static str),
}

impl NetworkError {
    /// Names a system call that failed; made for `map_err(NetworkError::os(|| "mount …"))`.
    pub(super) fn os<E: Into<io::Error>>(action: impl FnOnce() -> String) -> impl FnOnce(E) -> Self {
        move |source| Self::Os { action: action(), source: source.into() }
    }

    /// Whether nobody listens where a connection was to go.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Os { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Names a netlink request that failed.
    pub(super) fn netlink(action: impl FnOnce() -> String) -> impl FnOnce(rtnetlink::Error) -> Self {
        move |error| Self::Os {
            action: action(),
            source: match error {
                // The bare error number; the message's own text is a dump of the request's bytes.
                rtnetlink::Error::NetlinkError(message) => message.to_io(),
                other => io::Error::other(other),
            },
        }
    }
}
