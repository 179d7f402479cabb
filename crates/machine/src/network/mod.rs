//! The VPC network: routed, made of network namespaces, judged by nftables.
//!
//! Every VPC is one namespace that acts as its router; every instance has a namespace of its own with `eth0`,
//! joined to the router by one veth pair. All traffic is routed through the router, whose packet rules are the
//! VPC's security groups. A VPC's addresses exist only inside its namespaces: two VPCs may have the same range,
//! and no packet can reach the host's own networks. What the host must reach is carried by [`Forwards`].
//!
//! A [`VpcPlan`] says what shall be; [`Network::apply`] makes it so, from whatever state a killed daemon has
//! left. Namespaces are kept by bind mounts under `STATE/run/netns/VPC/`, one file for the router and one for
//! each interface, so several clouds live side by side by having different state directories.
//!
//! # Limits
//! IPv4 only. No network ACLs, no peering, no NAT or transit gateways. Nothing leaves the machine: an instance
//! that may reach the internet is told that the network is unreachable there; one that may not hears nothing.

mod error;
#[cfg(test)]
mod fixture;
mod forward;
mod host_ports;
mod link;
mod netns;
mod nft;
mod plan;
mod public;
mod router;
mod ruleset;
mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub use error::NetworkError;
pub use forward::{Forward, Forwards};
pub use host_ports::HostPorts;
pub use plan::{
    API_ADDRESS, BadMac, Direction, InterfacePlan, METADATA_ADDRESS, Mac, OUTSIDE_ADDRESS, Peer, PlanError,
    PortRange, ProtocolPlan, RESOLVER_ADDRESS, RoutePlan, RouteTarget, RulePlan, SubnetPlan, TIME_ADDRESS,
    VpcPlan,
};
pub use public::PublicNetwork;
pub use ruleset::ruleset;

use netns::NetNs;
use router::Vpc;

/// The networks of one state directory. Clones are handles of the same.
///
/// Everything here takes milliseconds; it runs on threads made for blocking work.
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

/// An interface that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Where its namespace is mounted.
    pub namespace: PathBuf,
    /// Whether all else in the plan is true as well; if not, it is to be applied again.
    pub is_whole: bool,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Changes to one VPC come one after the other, those to different VPCs side by side.
    vpcs: Mutex<BTreeMap<String, Arc<Mutex<Vpc>>>>,
}

impl Network {
    /// The networks kept in a state directory.
    pub fn open(state_dir: &Path) -> Self {
        let dir = state_dir.join("run/netns");
        Self { inner: Arc::new(Inner { dir, vpcs: Mutex::default() }) }
    }

    /// Makes the VPC's network as planned: its router, packet rules and interfaces; what is not in the plan is
    /// taken away. Applying a plan that is true already changes nothing.
    ///
    /// # Errors
    /// The first thing that failed; what could be done was done, and applying again carries on.
    pub async fn apply(&self, plan: VpcPlan) -> Result<(), NetworkError> {
        self.blocking("apply a plan", move |inner| inner.vpc(&plan.vpc_id)?.lock().apply(&plan)).await
    }

    /// Applies the plan and gives the namespace of one of its interfaces, for its instance to boot in. The packet
    /// rules are in force when this returns.
    ///
    /// # Errors
    /// As [`Network::apply`], but another interface's failure is only told by [`Attached::is_whole`];
    /// [`NetworkError::NoInterface`] when the plan has no such interface.
    pub async fn attach(&self, plan: VpcPlan, eni_id: &str) -> Result<Attached, NetworkError> {
        let eni = eni_id.to_owned();
        self.blocking("attach an interface", move |inner| {
            if plan.interface(&eni).is_none() {
                return Err(NetworkError::NoInterface { vpc: plan.vpc_id, eni });
            }
            let vpc = inner.vpc(&plan.vpc_id)?;
            let mut vpc = vpc.lock();
            let applied = vpc.apply(&plan);
            let is_whole = applied.is_ok();
            if !is_whole && !vpc.is_attached(&plan, &eni)? {
                applied?;
            }
            Ok(Attached { namespace: vpc.instance(&eni).path().to_owned(), is_whole })
        })
        .await
    }

    /// Takes an interface and its namespace away. One that is not there is no error.
    ///
    /// # Errors
    /// What the system refused.
    pub async fn detach(&self, vpc_id: &str, eni_id: &str) -> Result<(), NetworkError> {
        let (vpc_id, eni_id) = (vpc_id.to_owned(), eni_id.to_owned());
        self.blocking("detach an interface", move |inner| {
            plan::check_id(&eni_id)?;
            inner.vpc(&vpc_id)?.lock().detach(&eni_id)
        })
        .await
    }

    /// Takes a VPC's whole network away. One that is not there is no error.
    ///
    /// # Errors
    /// What the system refused.
    pub async fn remove_vpc(&self, vpc_id: &str) -> Result<(), NetworkError> {
        let vpc_id = vpc_id.to_owned();
        self.blocking("remove a VPC", move |inner| inner.remove(&vpc_id)).await
    }

    /// Removes the networks of all VPCs but these.
    ///
    /// # Errors
    /// The first failure, after all were tried.
    pub async fn sweep(&self, keep: BTreeSet<String>) -> Result<(), NetworkError> {
        self.blocking("sweep networks", move |inner| {
            let surplus = inner.present()?.into_iter().filter(|vpc| !keep.contains(vpc));
            surplus.map(|vpc| inner.remove(&vpc)).fold(Ok(()), Result::and)
        })
        .await
    }

    /// The files of namespaces that exist now, for telling what was left behind.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, NetworkError> {
        let mut found = Vec::new();
        for vpc in self.inner.present()? {
            let dir = self.inner.dir.join(&vpc);
            for entry in fs::read_dir(&dir).map_err(NetworkError::os(|| format!("list {}", dir.display())))? {
                found.push(entry.map_err(NetworkError::os(|| format!("list {}", dir.display())))?.path());
            }
        }
        Ok(found)
    }

    /// Where an interface's namespace is mounted once it is attached.
    pub fn namespace_path(&self, vpc_id: &str, eni_id: &str) -> PathBuf {
        self.inner.dir.join(vpc_id).join(eni_id)
    }

    /// Listens on an address of the VPC's router.
    ///
    /// # Errors
    /// [`NetworkError::NoVpc`]; what the system refused.
    pub async fn listen_tcp(&self, vpc_id: &str, address: SocketAddrV4) -> Result<TcpListener, NetworkError> {
        let vpc_id = vpc_id.to_owned();
        let listening = move |inner: &Inner| sockets::listen_tcp(&inner.router(&vpc_id)?, address);
        let listener = self.blocking("listen", listening).await?;
        TcpListener::from_std(listener).map_err(NetworkError::os(|| format!("listen on {address}/tcp")))
    }

    /// A datagram socket at an address of the VPC's router.
    ///
    /// # Errors
    /// [`NetworkError::NoVpc`]; what the system refused.
    pub async fn bind_udp(&self, vpc_id: &str, address: SocketAddrV4) -> Result<UdpSocket, NetworkError> {
        let vpc_id = vpc_id.to_owned();
        let binding = move |inner: &Inner| sockets::bind_udp(&inner.router(&vpc_id)?, address);
        let socket = self.blocking("bind", binding).await?;
        UdpSocket::from_std(socket).map_err(NetworkError::os(|| format!("listen on {address}/udp")))
    }

    /// Connects to an instance from an address of the VPC's router; security groups judge it by `from`. Waits as
    /// long as the kernel tries (about two minutes when packets are dropped).
    ///
    /// # Errors
    /// [`NetworkError::NoVpc`]; what the system refused.
    pub async fn connect_tcp(
        &self,
        vpc_id: &str,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Result<TcpStream, NetworkError> {
        let vpc_id = vpc_id.to_owned();
        let making = move |inner: &Inner| sockets::outgoing_tcp(&inner.router(&vpc_id)?, from);
        sockets::connect(self.blocking("connect", making).await?, to).await
    }

    /// Runs blocking work away from the runtime's own threads.
    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| NetworkError::Worker(what))?
    }
}

impl Inner {
    /// The VPC by its id, which becomes a folder's name.
    fn vpc(&self, id: &str) -> Result<Arc<Mutex<Vpc>>, NetworkError> {
        plan::check_id(id)?;
        let mut vpcs = self.vpcs.lock();
        let vpc = vpcs
            .entry(id.to_owned())
            .or_insert_with(|| Arc::new(Mutex::new(Vpc::new(id, self.dir.join(id)))));
        Ok(Arc::clone(vpc))
    }

    /// The namespace of a router that must be there.
    fn router(&self, id: &str) -> Result<NetNs, NetworkError> {
        plan::check_id(id)?;
        let router = Vpc::new(id, self.dir.join(id)).router();
        if !router.exists() {
            return Err(NetworkError::NoVpc { vpc: id.to_owned(), path: router.path().to_owned() });
        }
        Ok(router)
    }

    fn remove(&self, id: &str) -> Result<(), NetworkError> {
        self.vpc(id)?.lock().remove()?;
        self.vpcs.lock().remove(id);
        Ok(())
    }

    /// The ids of the VPCs that have a folder.
    fn present(&self) -> Result<Vec<String>, NetworkError> {
        let listed = || format!("list {}", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(NetworkError::os(listed))?,
        };
        let mut present = Vec::new();
        for entry in entries {
            let name = entry.map_err(NetworkError::os(listed))?.file_name();
            present.extend(name.into_string().ok().filter(|name| plan::check_id(name).is_ok()));
        }
        present.sort_unstable();
        Ok(present)
    }
}
