//! The front: AWS as commands of the host see it under `drydock exec`.
//!
//! At one loopback address of the cloud's own, a resolver (port 53) leads the names of AWS's API to that same
//! address, where the API answers as AWS (443, with a certificate of the cloud's authority, and 80); every other
//! name it looks up where the host does. The front opens when the first command asks for it, and from then on with
//! each start of the daemon, so that a command outlives one.

mod resolver;
mod upstream;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::network::{HostPorts, NetworkError};
use rustls::ServerConfig;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::http::{HttpService, serve_connection};
use crate::listen::{accept, serve_tls};
use crate::vpc::dns;
pub use crate::vpc::{API_DOMAINS, is_api_name};
use crate::{Cloud, Origin, ec2};
use resolver::Resolver;

const DNS: u16 = 53;
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// Why the front does not open.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// Its address cannot be had.
    #[error("the names of AWS cannot be served to commands of this host: {0}")]
    Network(#[from] NetworkError),
    /// Its folder cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The front of one cloud.
pub struct Front {
    address: Ipv4Addr,
    folder: PathBuf,
    ports: Arc<HostPorts>,
    tls: Arc<ServerConfig>,
    api: Arc<dyn HttpService>,
    serving: Mutex<Option<Serving>>,
}

/// What runs while the front is open; dropping it ends it.
struct Serving {
    _tasks: JoinSet<()>,
    _dns: Box<dyn Send + Sync>,
}

/// Where commands of a state directory's cloud have files of their own: each mounts a file system over it that only
/// the command sees. That it is there tells that the front is wanted.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("run/exec")
}

impl Front {
    /// The front of a cloud; it is not open yet.
    pub fn new(cloud: &Cloud, api: Arc<dyn HttpService>) -> Self {
        Self {
            address: ec2::addresses::front(cloud.vpcs.public_network()),
            folder: folder(&cloud.config.state_dir),
            ports: Arc::clone(cloud.vpcs.host_ports()),
            tls: Arc::clone(cloud.vpcs.tls()),
            api,
            serving: Mutex::default(),
        }
    }

    /// Opens the front if an earlier daemon had it open.
    ///
    /// # Errors
    /// As [`Front::open`].
    pub async fn reopen(&self) -> Result<(), FrontError> {
        if self.folder.exists() { self.open().await.map(drop) } else { Ok(()) }
    }

    /// Opens the front unless it is open, and gives its address.
    ///
    /// # Errors
    /// When its ports cannot be had.
    pub async fn open(&self) -> Result<Ipv4Addr, FrontError> {
        let mut serving = self.serving.lock().await;
        if serving.is_none() {
            let made = std::fs::create_dir_all(&self.folder);
            made.map_err(|source| FrontError::Folder { path: self.folder.clone(), source })?;
            let opened = self.serve().await;
            if opened.is_err() {
                self.release().await;
            }
            *serving = Some(opened?);
            tracing::info!(address = %self.address, "AWS's names are served to commands of this host");
        }
        Ok(self.address)
    }

    /// Closes the front; the next start of the daemon opens it again.
    pub async fn close(&self) {
        if self.serving.lock().await.take().is_some() {
            self.release().await;
        }
    }

    async fn release(&self) {
        let ports = [DNS, HTTP, HTTPS].map(|port| SocketAddrV4::new(self.address, port));
        if let Err(error) = self.ports.release(&ports).await {
            tracing::warn!(%error, "rules of the host's packet filter stay; `drydock cloud reset` removes them");
        }
    }

    async fn serve(&self) -> Result<Serving, NetworkError> {
        let at = |port| SocketAddrV4::new(self.address, port);
        let mut listeners = Vec::new();
        for listener in self.ports.listen(&[at(DNS), at(HTTP), at(HTTPS)]).await {
            listeners.push(listener?);
        }
        let resolver = Resolver::new(self.address);
        let udp = self.ports.bind_udp(at(DNS)).await?;
        let mut tasks = JoinSet::new();
        let (https, http) = (listeners.pop(), listeners.pop());
        if let Some(https) = https {
            let (api, acceptor) = (Arc::clone(&self.api), TlsAcceptor::from(Arc::clone(&self.tls)));
            tasks.spawn(accept(
                https,
                |_| Origin::Host,
                move |stream, origin| serve_tls(acceptor.clone(), stream, Arc::clone(&api), origin),
            ));
        }
        if let Some(http) = http {
            let api = Arc::clone(&self.api);
            tasks.spawn(accept(
                http,
                |_| Origin::Host,
                move |stream, origin| serve_connection(stream, Arc::clone(&api), origin),
            ));
        }
        let dns = dns::serve_with(resolver, vec![udp], listeners);
        Ok(Serving { _tasks: tasks, _dns: Box::new(dns) })
    }
}
