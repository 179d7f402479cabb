//! Host forwards: a port of a loopback address of the host leads to a port of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::Network;
use super::error::NetworkError;
use super::plan::OUTSIDE_ADDRESS;

/// How long an instance may take to answer. Packets that a security group drops are never answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
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
    active: Mutex<BTreeMap<Forward, AbortHandle>>,
}

impl Forwards {
    /// No forwards yet.
    pub fn new(network: Network) -> Self {
        Self { network, active: Mutex::default() }
    }

    /// Makes the forwards be just these. One that goes takes its connections with it: they would otherwise hold
    /// the namespace of a VPC that is gone.
    ///
    /// Gives those that could not be made, each with its reason; the next call tries them again.
    pub async fn sync(&self, desired: &BTreeSet<Forward>) -> Vec<(Forward, NetworkError)> {
        self.active.lock().retain(|forward, task| {
            let stays = desired.contains(forward);
            if !stays {
                task.abort();
            }
            stays
        });
        let mut failures = Vec::new();
        for forward in desired {
            if self.active.lock().contains_key(forward) {
                continue;
            }
            match listen(forward.listen).await {
                Ok(listener) => {
                    let task = tokio::spawn(accept(listener, self.network.clone(), forward.clone()));
                    self.active.lock().insert(forward.clone(), task.abort_handle());
                }
                Err(error) => failures.push((forward.clone(), error)),
            }
        }
        failures
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

/// Listens; an address whose forward has just ended may take a moment to be free again.
async fn listen(address: SocketAddrV4) -> Result<TcpListener, NetworkError> {
    let mut result = TcpListener::bind(address).await;
    for _ in 0..5 {
        if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        result = TcpListener::bind(address).await;
    }
    result.map_err(NetworkError::os(|| format!("listen on {address}")))
}

/// Carries connections until it is aborted, which ends them too.
async fn accept(listener: TcpListener, network: Network, forward: Forward) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(carry(client, network.clone(), forward.clone()));
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
async fn carry(mut client: TcpStream, network: Network, forward: Forward) {
    let from = SocketAddrV4::new(OUTSIDE_ADDRESS, 0);
    let connecting = network.connect_tcp(&forward.vpc_id, from, forward.to);
    let mut instance = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(instance)) => instance,
        Ok(Err(error)) => return refuse(&client, &forward, &error.to_string()),
        Err(_) => return refuse(&client, &forward, "the instance did not answer"),
    };
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut instance).await {
        tracing::debug!(to = %forward.to, %error, "a forwarded connection ended early");
    }
}

fn refuse(client: &TcpStream, forward: &Forward, reason: &str) {
    tracing::debug!(listen = %forward.listen, to = %forward.to, reason, "a forwarded connection failed");
    if let Err(error) = client.set_zero_linger() {
        tracing::debug!(%error, "a refused client gets an ordinary end");
    }
}
