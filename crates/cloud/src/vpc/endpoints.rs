//! The services inside one VPC: the API over HTTPS and HTTP, instance metadata, the resolver, the clock.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::server::RequestHandler;
use machine::network::{
    API_ADDRESS, METADATA_ADDRESS, Network, NetworkError, RESOLVER_ADDRESS, TIME_ADDRESS,
};
use parking_lot::RwLock;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::dns::{self, SharedNames};
use super::hops::{HopLimit, HopLimited};
use super::ntp;
use super::plan::VpcState;
use crate::Origin;
use crate::http::{HttpService, serve_connection};

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted (no file descriptors are left).
const PAUSE: Duration = Duration::from_millis(50);

/// What answers at the API's address and at the metadata address.
#[derive(Clone)]
pub struct Services {
    /// The API gateway.
    pub api: Arc<dyn HttpService>,
    /// The instance metadata service.
    pub metadata: Arc<dyn HttpService>,
}

/// The running services of one VPC. Dropping it ends them and their connections.
pub(super) struct Endpoints {
    names: SharedNames,
    hop_limits: Arc<RwLock<std::collections::BTreeMap<Ipv4Addr, u8>>>,
    /// Held for being dropped.
    _tasks: JoinSet<()>,
    /// Held for being dropped.
    _dns: Box<dyn Send + Sync>,
}

impl Endpoints {
    /// Starts the services of a VPC whose network exists.
    pub(super) async fn start(
        network: &Network,
        state: &VpcState,
        services: &Services,
        tls: &Arc<ServerConfig>,
    ) -> Result<Self, NetworkError> {
        let vpc_id: Arc<str> = Arc::from(state.plan.vpc_id.as_str());
        let listen = |address, port| network.listen_tcp(&vpc_id, SocketAddrV4::new(address, port));
        let (https, http) = (listen(API_ADDRESS, 443).await?, listen(API_ADDRESS, 80).await?);
        let metadata = listen(METADATA_ADDRESS, 80).await?;
        let time = network.bind_udp(&vpc_id, SocketAddrV4::new(TIME_ADDRESS, 123)).await?;
        let names = Arc::new(RwLock::new(state.names.clone()));
        let dns = start_dns(network, state, Arc::clone(&names)).await?;
        let hop_limits = Arc::new(RwLock::new(state.hop_limits.clone()));
        let hop_limit: HopLimit = {
            let limits = Arc::clone(&hop_limits);
            Arc::new(move |address| limits.read().get(&address).copied().unwrap_or(1))
        };

        let mut tasks = JoinSet::new();
        let (api, vpc) = (Arc::clone(&services.api), Arc::clone(&vpc_id));
        let acceptor = TlsAcceptor::from(Arc::clone(tls));
        tasks.spawn(accept(https, vpc, move |stream, origin| {
            serve_tls(acceptor.clone(), stream, Arc::clone(&api), origin)
        }));
        let (api, vpc) = (Arc::clone(&services.api), Arc::clone(&vpc_id));
        tasks.spawn(accept(http, vpc, move |stream, origin| {
            serve_connection(stream, Arc::clone(&api), origin)
        }));
        let service = Arc::clone(&services.metadata);
        tasks.spawn(accept(metadata, vpc_id, move |stream, origin| {
            serve_metadata(stream, Arc::clone(&service), Arc::clone(&hop_limit), origin)
        }));
        tasks.spawn(ntp::serve(time));
        Ok(Self { names, hop_limits, _tasks: tasks, _dns: Box::new(dns) })
    }

    /// Takes over what has changed: the resolver's names, the hop limits.
    pub(super) fn update(&self, state: &VpcState) {
        *self.names.write() = state.names.clone();
        *self.hop_limits.write() = state.hop_limits.clone();
    }
}

async fn start_dns(
    network: &Network,
    state: &VpcState,
    names: SharedNames,
) -> Result<Server<impl RequestHandler + use<>>, NetworkError> {
    let (mut udp, mut tcp) = (Vec::new(), Vec::new());
    for address in [RESOLVER_ADDRESS, state.plan.resolver()] {
        let address = SocketAddrV4::new(address, 53);
        udp.push(network.bind_udp(&state.plan.vpc_id, address).await?);
        tcp.push(network.listen_tcp(&state.plan.vpc_id, address).await?);
    }
    Ok(dns::serve(names, udp, tcp))
}

/// Accepts connections until it is aborted, which ends them too. Where one comes from tells which instance calls:
/// the router lets nobody use another's address.
async fn accept<F>(listener: TcpListener, vpc_id: Arc<str>, serve: impl Fn(TcpStream, Origin) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, SocketAddr::V4(from))) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
                    }
                    let origin = Origin::Instance { vpc_id: Arc::clone(&vpc_id), address: *from.ip() };
                    connections.spawn(serve(stream, origin));
                }
                Ok((_, SocketAddr::V6(from))) => tracing::debug!(%from, "the VPC has no IPv6"),
                Err(error) => {
                    tracing::warn!(%vpc_id, %error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_tls(acceptor: TlsAcceptor, stream: TcpStream, service: Arc<dyn HttpService>, origin: Origin) {
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, service, origin).await,
        // The client's trust store lacks the local authority, or it asked for a name that is not AWS's.
        Ok(Err(error)) => tracing::info!(?origin, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(?origin, "a TLS handshake took too long"),
    }
}

async fn serve_metadata(stream: TcpStream, service: Arc<dyn HttpService>, limit: HopLimit, origin: Origin) {
    match HopLimited::new(service, &stream, limit) {
        Ok(service) => serve_connection(stream, Arc::new(service), origin).await,
        Err(error) => tracing::warn!(?origin, %error, "a metadata connection could not be served"),
    }
}
