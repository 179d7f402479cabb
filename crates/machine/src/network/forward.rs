//! Host forwards: a port of a loopback address of the host leads to a port of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::error::NetworkError;
use super::plan::OUTSIDE_ADDRESS;
use super::{HostPorts, Network};

/// How long an instance may take to answer. Packets that a security group drops are never answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long after a forward's beginning its instance may still be booting. A client that comes meanwhile waits for its
/// service, as it would if nothing had answered it yet: it has been accepted here already, and to be let down then
/// looks like a service that is broken. Packer, for one, tries again only after 7 seconds.
const BOOT: Duration = Duration::from_secs(15);
/// How often a service that is not there yet is tried.
const RETRY: Duration = Duration::from_millis(25);
/// How long to wait when the host cannot accept (it has run out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One port that leads to an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forward {
    /// Where the host listens: the instance's public address (127.x.y.z) and the port.
    pub listen: SocketAddrV4,
    /// The VPC of the instance.
    pub vpc_id: String,
    /// The instance's private address and the port.
    pub to: SocketAddrV4,
}

/// The forwards that exist. Dropping it ends them.
#[derive(Debug)]
pub struct Forwards {
    network: Network,
    ports: Arc<HostPorts>,
    active: Mutex<BTreeMap<Forward, AbortHandle>>,
}

impl Forwards {
    /// No forwards yet.
    pub fn new(network: Network, ports: Arc<HostPorts>) -> Self {
        Self { network, ports, active: Mutex::default() }
    }

    /// Makes the forwards be just these. One that goes takes its connections with it: they would otherwise hold
    /// the namespace of a VPC that is gone.
    ///
    /// Gives those that could not be made, each with its reason; the next call tries them again.
    pub async fn sync(&self, desired: &BTreeSet<Forward>) -> Vec<(Forward, NetworkError)> {
        let gone = self.end_all_but(desired);
        if let Err(error) = self.ports.release(&gone).await {
            // They lead to ports where nobody listens any more; the next change removes them.
            tracing::warn!(%error, "host ports that led to instances are not put away");
        }
        let new: Vec<_> = {
            let active = self.active.lock();
            desired.iter().filter(|forward| !active.contains_key(forward)).cloned().collect()
        };
        let addresses: Vec<_> = new.iter().map(|forward| forward.listen).collect();
        let mut failures = Vec::new();
        for (forward, listener) in new.into_iter().zip(self.ports.listen(&addresses).await) {
            match listener {
                Ok(listener) => {
                    let task = tokio::spawn(accept(listener, self.network.clone(), forward.clone()));
                    self.active.lock().insert(forward, task.abort_handle());
                }
                Err(error) => failures.push((forward, error)),
            }
        }
        failures
    }

    /// Ends the forwards that are not desired, and gives where they listened.
    fn end_all_but(&self, desired: &BTreeSet<Forward>) -> Vec<SocketAddrV4> {
        let mut gone = Vec::new();
        self.active.lock().retain(|forward, task| {
            let stays = desired.contains(forward);
            if !stays {
                task.abort();
                gone.push(forward.listen);
            }
            stays
        });
        gone
    }

    /// The forwards that exist now.
    pub fn active(&self) -> Vec<Forward> {
        self.active.lock().keys().cloned().collect()
    }
}

impl Drop for Forwards {
    fn drop(&mut self) {
        self.active.lock().values().for_each(AbortHandle::abort);
    }
}

/// Carries connections until it is aborted, which ends them too.
async fn accept(listener: TcpListener, network: Network, forward: Forward) {
    let booted = Instant::now() + BOOT;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(carry(client, network.clone(), forward.clone(), booted));
                }
                Err(error) => {
                    tracing::warn!(listen = %forward.listen, %error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection. The client sees a reset when the instance does not take it.
async fn carry(mut client: TcpStream, network: Network, forward: Forward, booted: Instant) {
    let connecting = connect(&network, &forward, booted);
    let mut instance = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(instance)) => instance,
        Ok(Err(error)) => return refuse(&client, &forward, &error.to_string()),
        Err(_) => return refuse(&client, &forward, "the instance did not answer"),
    };
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut instance).await {
        tracing::debug!(to = %forward.to, %error, "a forwarded connection ended early");
    }
}

/// Connects to the instance; while it may still be booting, again and again until something listens.
async fn connect(network: &Network, forward: &Forward, booted: Instant) -> Result<TcpStream, NetworkError> {
    let from = SocketAddrV4::new(OUTSIDE_ADDRESS, 0);
    loop {
        match network.connect_tcp(&forward.vpc_id, from, forward.to).await {
            Err(error) if error.is_refusal() && Instant::now() < booted => tokio::time::sleep(RETRY).await,
            connected => return connected,
        }
    }
}

fn refuse(client: &TcpStream, forward: &Forward, reason: &str) {
    tracing::debug!(listen = %forward.listen, to = %forward.to, reason, "a forwarded connection failed");
    if let Err(error) = client.set_zero_linger() {
        tracing::debug!(%error, "a refused client gets an ordinary end");
    }
}
