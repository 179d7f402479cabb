//! Sockets that live in a router's namespace and are used from the daemon's own runtime.

use std::net::{SocketAddr, SocketAddrV4};

use tokio::net::{TcpSocket, TcpStream};

use super::error::NetworkError;
use super::netns::NetNs;

/// A listener at an address of the router.
pub(super) fn listen_tcp(
    router: &NetNs,
    address: SocketAddrV4,
) -> Result<std::net::TcpListener, NetworkError> {
    let named = || format!("listen on {address}/tcp in {}", router.path().display());
    router.enter(|| {
        let listener = std::net::TcpListener::bind(address).map_err(NetworkError::os(named))?;
        listener.set_nonblocking(true).map_err(NetworkError::os(named))?;
        Ok(listener)
    })
}

/// A datagram socket at an address of the router.
pub(super) fn bind_udp(router: &NetNs, address: SocketAddrV4) -> Result<std::net::UdpSocket, NetworkError> {
    let named = || format!("listen on {address}/udp in {}", router.path().display());
    router.enter(|| {
        let socket = std::net::UdpSocket::bind(address).map_err(NetworkError::os(named))?;
        socket.set_nonblocking(true).map_err(NetworkError::os(named))?;
        Ok(socket)
    })
}

/// A socket of the router that is to connect from an address.
pub(super) fn outgoing_tcp(router: &NetNs, from: SocketAddrV4) -> Result<TcpSocket, NetworkError> {
    let named = || format!("make a socket at {from} in {}", router.path().display());
    router.enter(|| {
        let socket = TcpSocket::new_v4().map_err(NetworkError::os(named))?;
        socket.bind(SocketAddr::V4(from)).map_err(NetworkError::os(named))?;
        Ok(socket)
    })
}

/// Connects a socket.
pub(super) async fn connect(socket: TcpSocket, to: SocketAddrV4) -> Result<TcpStream, NetworkError> {
    let connected = socket.connect(SocketAddr::V4(to)).await;
    connected.map_err(NetworkError::os(|| format!("connect to {to}")))
}
