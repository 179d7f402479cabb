//! The network of a cloud's public addresses: loopback addresses of the host that lead to instances.
//!
//! Each cloud has one of the 64 networks `127.64.0.0/16` to `127.127.0.0/16` to itself. Which one is written in its
//! state directory, so that addresses last. While a cloud runs it holds an abstract socket (unix(7)) of the
//! network's name, which exists per network namespace, as loopback addresses do, and ends with the process.

use std::io;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use ipnet::Ipv4Net;

use super::error::NetworkError;
use crate::files;

/// Where the network's name is kept in a state directory.
const FILE: &str = "public-network";
/// How many networks there are, and the second octet of the first. `127.0.0.0/16`, where the host's own services
/// listen, is not among them.
const NETWORKS: u8 = 64;
const FIRST: u8 = 64;

/// The network of one cloud.
#[derive(Debug)]
pub struct PublicNetwork {
    network: Ipv4Net,
    /// Held for being dropped; `None` when another process has the network.
    held: Option<UnixDatagram>,
}

impl PublicNetwork {
    /// The network of a state directory; the first time, one that no running cloud has is chosen.
    ///
    /// # Errors
    /// When the state directory cannot be read or written, or all networks are taken.
    pub fn open(state_dir: &Path) -> Result<Self, NetworkError> {
        let path = state_dir.join(FILE);
        if let Some(text) = files::read_optional(&path)? {
            let text = String::from_utf8_lossy(&text);
            let network = text.trim().parse().map_err(|_| NetworkError::BadPublicNetwork {
                path: path.clone(),
                text: text.trim().to_owned(),
            })?;
            return Ok(Self { network, held: hold(network)? });
        }
        for network in candidates(state_dir) {
            if let Some(held) = hold(network)? {
                files::write_atomic(&path, format!("{network}\n").as_bytes())?;
                return Ok(Self { network, held: Some(held) });
            }
        }
        Err(NetworkError::NoPublicNetwork)
    }

    /// The network that a state directory would be given first, without taking it.
    pub fn unheld(state_dir: &Path) -> Self {
        Self { network: preferred(state_dir), held: None }
    }

    /// Its addresses.
    pub fn network(&self) -> Ipv4Net {
        self.network
    }

    /// Whether this process has the network to itself.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

/// The network that a directory's name chooses.
fn preferred(state_dir: &Path) -> Ipv4Net {
    numbered(files::state_digest(state_dir)[0] % NETWORKS)
}

/// All networks, the preferred one first.
fn candidates(state_dir: &Path) -> impl Iterator<Item = Ipv4Net> {
    let first = files::state_digest(state_dir)[0] % NETWORKS;
    (0..NETWORKS).map(move |n| numbered((first + n) % NETWORKS))
}

fn numbered(n: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(127, FIRST + n, 0, 0), 16)
}

/// Takes a network, unless another process has it.
fn hold(network: Ipv4Net) -> Result<Option<UnixDatagram>, NetworkError> {
    let name = format!("drydock/{network}");
    match SocketAddr::from_abstract_name(name).and_then(|name| UnixDatagram::bind_addr(&name)) {
        Ok(held) => Ok(Some(held)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(NetworkError::os(|| format!("take the network {network}"))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_keeps_its_network() {
        let dir = tempfile::tempdir().unwrap();
        let first = PublicNetwork::open(dir.path()).unwrap();
        let [a, b, c, d] = first.network().addr().octets();
        assert!(a == 127 && (64..128).contains(&b) && (c, d) == (0, 0));
        assert!(first.is_held());
        let meanwhile = PublicNetwork::open(dir.path()).unwrap();
        assert_eq!((meanwhile.network(), meanwhile.is_held()), (first.network(), false));
        drop(first);
        assert!(PublicNetwork::open(dir.path()).unwrap().is_held());
    }

    #[test]
    fn two_clouds_never_get_the_same() {
        let dirs: Vec<_> = (0..20).map(|_| tempfile::tempdir().unwrap()).collect();
        let all: Vec<_> = dirs.iter().map(|dir| PublicNetwork::open(dir.path()).unwrap()).collect();
        let different: std::collections::BTreeSet<_> = all.iter().map(PublicNetwork::network).collect();
        assert_eq!(different.len(), 20);
        assert!(all.iter().all(PublicNetwork::is_held));
    }

    #[test]
    fn a_file_that_names_no_network_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "nonsense\n").unwrap();
        let error = PublicNetwork::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("public-network") && error.contains("nonsense"), "{error}");
    }
}
