//! Ports of the host's loopback addresses, taken so that the host's own services are never in the way and never
//! kept out.
//!
//! A service on all addresses (sshd on `0.0.0.0:22`) and a listener on the same port of one loopback address
//! exclude each other, whichever is first. A well-known port is therefore not taken itself: the socket gets another
//! port of the same address, and a rule of the host's packet filter leads there what is sent to the well-known one.
//! Other ports are taken as they are, and led only where that is not possible. The rules are in a table of the state
//! directory's own, which exists only while it has any; a daemon that was killed leaves it behind, to nobody's harm,
//! for the next one or [`HostPorts::sweep`].
//!
//! Where the kernel cannot translate addresses, well-known ports are taken themselves after all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddrV4;
use std::path::Path;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Mutex;

use super::error::NetworkError;
use super::nft;
use super::public::PublicNetwork;
use crate::files;

/// The first port that anybody may listen on; those below it are the system's (IANA's "well-known ports").
const FIRST_ORDINARY: u16 = 1024;

/// A port of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct HostPort {
    protocol: Protocol,
    address: SocketAddrV4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Tcp,
    Udp,
}

/// How clients come to the socket of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is bound to the port itself.
    Bound,
    /// A rule leads to this port of the address.
    Led(u16),
}

/// The ports that one cloud has on the host.
#[derive(Debug)]
pub struct HostPorts {
    table: String,
    network: PublicNetwork,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    ways: BTreeMap<HostPort, Way>,
    /// The script that the packet filter has, if anything is known of it.
    loaded: Option<String>,
}

impl HostPorts {
    /// The ports of a state directory's cloud, at addresses of its network; none are taken yet.
    pub fn new(state_dir: &Path, network: PublicNetwork) -> Self {
        Self { table: files::state_mark(state_dir), network, taken: Mutex::default() }
    }

    /// The addresses whose ports can be had.
    pub fn network(&self) -> &PublicNetwork {
        &self.network
    }

    /// Listens on ports of loopback addresses; the answers are in the order of the addresses.
    ///
    /// An address and port is [`NetworkError::PortTaken`] while it was given before and not [released](Self::release),
    /// and an address is [`NetworkError::NotOurs`] that is not of the cloud's own network.
    pub async fn listen(&self, addresses: &[SocketAddrV4]) -> Vec<Result<TcpListener, NetworkError>> {
        self.open(Protocol::Tcp, addresses).await
    }

    /// A datagram socket at a port of a loopback address.
    ///
    /// # Errors
    /// As [`HostPorts::listen`].
    pub async fn bind_udp(&self, address: SocketAddrV4) -> Result<UdpSocket, NetworkError> {
        let mut opened = self.open(Protocol::Udp, &[address]).await;
        opened.pop().unwrap_or(Err(NetworkError::PortTaken(address)))
    }

    /// Forgets ports of both protocols. Their sockets are the caller's to close.
    ///
    /// # Errors
    /// What the packet filter refused; the next change tries again.
    pub async fn release(&self, addresses: &[SocketAddrV4]) -> Result<(), NetworkError> {
        let mut taken = self.taken.lock().await;
        taken.ways.retain(|port, _| !addresses.contains(&port.address));
        self.load(&mut taken).await
    }

    /// Removes what a daemon of this state directory left in the host's packet filter.
    ///
    /// # Errors
    /// What the packet filter refused.
    pub async fn sweep(state_dir: &Path) -> Result<(), NetworkError> {
        load(script(&files::state_mark(state_dir), &BTreeMap::new())).await
    }

    async fn open<S: Socket>(
        &self,
        protocol: Protocol,
        addresses: &[SocketAddrV4],
    ) -> Vec<Result<S, NetworkError>> {
        let mut taken = self.taken.lock().await;
        let mut opened = Vec::with_capacity(addresses.len());
        for address in addresses {
            let port = HostPort { protocol, address: *address };
            if let Err(error) = self.check(&taken, port) {
                opened.push((port, Err(error)));
                continue;
            }
            let socket = take::<S>(*address).await;
            opened.push((
                port,
                socket.map(|(socket, way)| {
                    taken.ways.insert(port, way);
                    socket
                }),
            ));
        }
        if let Err(error) = self.load(&mut taken).await {
            bind_led(&mut opened, &mut taken.ways, &error).await;
        }
        opened.into_iter().map(|(_, socket)| socket).collect()
    }

    /// Whether a port is there to be taken.
    fn check(&self, taken: &Taken, port: HostPort) -> Result<(), NetworkError> {
        let (address, is_held) = (*port.address.ip(), self.network.is_held());
        if !is_held || !self.network.network().contains(&address) {
            return Err(NetworkError::NotOurs { address, is_held });
        }
        if taken.ways.contains_key(&port) {
            return Err(NetworkError::PortTaken(port.address));
        }
        Ok(())
    }

    /// Makes the packet filter be as the ports are.
    async fn load(&self, taken: &mut Taken) -> Result<(), NetworkError> {
        let script = script(&self.table, &taken.ways);
        if taken.loaded.as_ref() == Some(&script) {
            return Ok(());
        }
        load(script.clone()).await?;
        taken.loaded = Some(script);
        Ok(())
    }
}

async fn load(script: String) -> Result<(), NetworkError> {
    let loading = tokio::task::spawn_blocking(move || nft::run("the host's loopback addresses", &script));
    loading.await.map_err(|_| NetworkError::Worker("change the host's packet rules"))?
}

/// A socket for an address, and how clients come to it.
async fn take<S: Socket>(address: SocketAddrV4) -> Result<(S, Way), NetworkError> {
    if address.port() >= FIRST_ORDINARY {
        match S::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => (),
            bound => {
                let named = NetworkError::os(|| format!("listen on {address}"));
                return bound.map(|socket| (socket, Way::Bound)).map_err(named);
            }
        }
    }
    let led = S::bind(SocketAddrV4::new(*address.ip(), 0)).await.and_then(|socket| {
        let port = socket.port()?;
        Ok((socket, Way::Led(port)))
    });
    led.map_err(NetworkError::os(|| format!("listen on a port of {}", address.ip())))
}

/// Binds those sockets to their very ports that no rule could be made for.
async fn bind_led<S: Socket>(
    opened: &mut [(HostPort, Result<S, NetworkError>)],
    ways: &mut BTreeMap<HostPort, Way>,
    unled: &NetworkError,
) {
    for (port, socket) in opened {
        if socket.is_err() || ways.get(port) == Some(&Way::Bound) {
            continue;
        }
        let bound = S::bind(port.address).await;
        match &bound {
            Ok(_) => ways.insert(*port, Way::Bound),
            Err(_) => ways.remove(port),
        };
        *socket = bound.map_err(NetworkError::os(|| format!("listen on {} ({unled})", port.address)));
    }
}

/// The nft script that makes a table have a rule for each port that is led, and not exist without one.
fn script(table: &str, ways: &BTreeMap<HostPort, Way>) -> String {
    // To name a table and delete it in the same transaction works whether it exists or not.
    let mut script = format!("table ip {table}\ndelete table ip {table}\n");
    let rules: Vec<_> = ways.iter().filter_map(|(port, way)| rule(port, *way)).collect();
    if !rules.is_empty() {
        let hook = "type nat hook output priority -100; policy accept;";
        let _ = write!(
            script,
            "table ip {table} {{\n  chain output {{\n    {hook}\n{}  }}\n}}\n",
            rules.concat()
        );
    }
    script
}

fn rule(port: &HostPort, way: Way) -> Option<String> {
    let Way::Led(to) = way else { return None };
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let (ip, from) = (port.address.ip(), port.address.port());
    Some(format!("    ip daddr {ip} {protocol} dport {from} dnat to {ip}:{to}\n"))
}

/// What is bound to a port.
trait Socket: Sized + Send {
    fn bind(address: SocketAddrV4) -> impl Future<Output = io::Result<Self>> + Send;
    fn port(&self) -> io::Result<u16>;
}

impl Socket for TcpListener {
    async fn bind(address: SocketAddrV4) -> io::Result<Self> {
        Self::bind(address).await
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.local_addr()?.port())
    }
}

impl Socket for UdpSocket {
    async fn bind(address: SocketAddrV4) -> io::Result<Self> {
        Self::bind(address).await
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.local_addr()?.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(protocol: Protocol, address: &str) -> HostPort {
        HostPort { protocol, address: address.parse().unwrap() }
    }

    #[test]
    fn the_table_has_a_rule_for_each_port_that_is_led() {
        let ways = BTreeMap::from([
            (port(Protocol::Tcp, "127.64.0.1:22"), Way::Led(40001)),
            (port(Protocol::Tcp, "127.64.0.1:8080"), Way::Bound),
            (port(Protocol::Udp, "127.64.255.254:53"), Way::Led(40002)),
        ]);
        assert_eq!(
            script("drydock-1", &ways),
            "table ip drydock-1
delete table ip drydock-1
table ip drydock-1 {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr 127.64.0.1 tcp dport 22 dnat to 127.64.0.1:40001
    ip daddr 127.64.255.254 udp dport 53 dnat to 127.64.255.254:40002
  }
}
"
        );
    }

    #[test]
    fn without_such_a_port_there_is_no_table() {
        let ways = BTreeMap::from([(port(Protocol::Tcp, "127.64.0.1:8080"), Way::Bound)]);
        assert_eq!(script("drydock-1", &ways), "table ip drydock-1\ndelete table ip drydock-1\n");
    }

    #[tokio::test]
    async fn without_rules_a_port_is_taken_itself() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let ports =
            [taken.local_addr().unwrap().to_string(), free].map(|address| port(Protocol::Tcp, &address));
        let mut opened = Vec::new();
        for port in ports {
            opened.push((port, Ok(TcpListener::bind("127.0.0.1:0").await.unwrap())));
        }
        let mut ways = BTreeMap::from(ports.map(|port| (port, Way::Led(1))));
        let refused = NetworkError::Nft { subject: "the host".into(), message: "no NAT".into() };
        bind_led(&mut opened, &mut ways, &refused).await;
        assert_eq!(ways, BTreeMap::from([(ports[1], Way::Bound)]));
        let error = opened[0].1.as_ref().unwrap_err().to_string();
        assert!(error.contains("no NAT") && error.contains("in use"), "{error}");
        assert_eq!(opened[1].1.as_ref().unwrap().local_addr().unwrap(), ports[1].address.into());
    }
}
