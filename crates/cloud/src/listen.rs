//! Listeners: who connects, and the handshake of TLS.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::Origin;
use crate::http::{HttpService, serve_connection};

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted (no file descriptors are left).
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until it is aborted, which ends them too. `origin` tells who calls from an address.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    origin: impl Fn(Ipv4Addr) -> Origin,
    serve: impl Fn(TcpStream, Origin) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, SocketAddr::V4(from))) => {
                    // Answers are small and wanted at once.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
                    }
                    connections.spawn(serve(stream, origin(*from.ip())));
                }
                Ok((_, SocketAddr::V6(from))) => tracing::debug!(%from, "an IPv4 listener heard of IPv6"),
                Err(error) => {
                    tracing::warn!(listener = ?listener.local_addr(), %error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Shakes hands, and serves what is said then.
pub(crate) async fn serve_tls(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    service: Arc<dyn HttpService>,
    origin: Origin,
) {
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, service, origin).await,
        // The client's trust store lacks the local authority, or it asked for a name that is not AWS's.
        Ok(Err(error)) => tracing::info!(?origin, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(?origin, "a TLS handshake took too long"),
    }
}
