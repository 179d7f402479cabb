//! The services inside one VPC: the API over HTTPS and HTTP, instance metadata, the resolver, the clock.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use hickory_server::Server;
use hickory_server::server::RequestHandler;
use machine::network::{
    API_ADDRESS, METADATA_ADDRESS, Network, NetworkError, RESOLVER_ADDRESS, TIME_ADDRESS,
};
use parking_lot::RwLock;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::dns::{self, SharedNames};
use super::hops::{HopLimit, HopLimited};
use super::ntp;
use super::plan::VpcState;
use crate::Origin;
use crate::http::{HttpService, serve_connection};
use crate::listen::{accept, serve_tls};

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
        // Where a connection comes from tells which instance calls: the router lets nobody use another's address.
        let origin = |vpc_id: &Arc<str>| {
            let vpc_id = Arc::clone(vpc_id);
            move |address| Origin::Instance { vpc_id: Arc::clone(&vpc_id), address }
        };
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
        let api = Arc::clone(&services.api);
        let acceptor = TlsAcceptor::from(Arc::clone(tls));
        tasks.spawn(accept(https, origin(&vpc_id), move |stream, origin| {
            serve_tls(acceptor.clone(), stream, Arc::clone(&api), origin)
        }));
        let api = Arc::clone(&services.api);
        tasks.spawn(accept(http, origin(&vpc_id), move |stream, origin| {
            serve_connection(stream, Arc::clone(&api), origin)
        }));
        let service = Arc::clone(&services.metadata);
        tasks.spawn(accept(metadata, origin(&vpc_id), move |stream, origin| {
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

async fn serve_metadata(stream: TcpStream, service: Arc<dyn HttpService>, limit: HopLimit, origin: Origin) {
    match HopLimited::new(service, &stream, limit) {
        Ok(service) => serve_connection(stream, Arc::new(service), origin).await,
        Err(error) => tracing::warn!(?origin, %error, "a metadata connection could not be served"),
    }
}
