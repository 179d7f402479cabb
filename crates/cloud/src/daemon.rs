//! The daemon: opens the state, listens, runs the reconcilers, and ends in order.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::AdminServer;
use crate::credentials::{RootKey, RootKeyError};
use crate::front::Front;
use crate::gateway::Gateway;
use crate::http::{HttpService, serve_connection};
use crate::imds::Imds;
use crate::store::StoreError;
use crate::{AssemblyError, Cloud, Config, Origin};

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used.
    #[error("the state directory {path}: {source}", path = path.display())]
    StateDir {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another daemon has the state directory.
    #[error("a local cloud is already running on {}; stop it with `drydock cloud stop`, or use another --state", .0.display())]
    AlreadyRunning(PathBuf),
    /// The address to listen on cannot be had.
    #[error("cannot listen on {address}: {source}; {advice}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        advice: String,
    },
    /// A part of the cloud cannot be opened.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// Something could not be put away at the end.
    #[error("not everything was put away: {0}; `drydock cloud reset` sweeps it up")]
    PowerOff(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account's key cannot be had.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// A part of the daemon ended although it should not.
    #[error("{part} ended: {reason}")]
    Ended {
        /// Which part.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

/// A cloud whose state is open and whose listener is bound, ready to run.
pub struct Daemon {
    cloud: Arc<Cloud>,
    listener: TcpListener,
    address: SocketAddr,
    /// Held for the life of the daemon: one daemon per state directory.
    _lock: File,
}

impl Daemon {
    /// Opens the state directory and the listener.
    ///
    /// # Errors
    /// When the state is another daemon's, the port is taken, or the host lacks a program or privilege.
    pub async fn open(config: Config, listen: SocketAddr) -> Result<Self, DaemonError> {
        let state_dir = config.state_dir.clone();
        let failed = |source| DaemonError::StateDir { path: state_dir.clone(), source };
        make_dirs(&state_dir).map_err(failed)?;
        let lock = lock(&state_dir).await?;
        let listener = bind(listen).await?;
        let address = listener.local_addr().map_err(failed)?;
        let cloud = open_cloud(config)?;
        Ok(Self { cloud, listener, address, _lock: lock })
    }

    /// Where clients find it, e.g. `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        format!("http://{host}:{}", self.address.port())
    }

    /// Runs until it is told to stop (by `SIGTERM`, `SIGINT` or the administration socket), then stops the
    /// machines and removes what they needed of the host: nothing is left but the state directory.
    ///
    /// # Errors
    /// When a part of the daemon ends by itself.
    pub async fn run(self) -> Result<(), DaemonError> {
        let (shutdown, mut stop) = watch::channel(false);
        let exposed = !self.address.ip().is_loopback();
        let gateway: Arc<dyn HttpService> = Arc::new(Gateway::new(Arc::clone(&self.cloud), exposed));
        let imds: Arc<dyn HttpService> = Arc::new(Imds::new(Arc::clone(&self.cloud)));
        let front = Arc::new(Front::new(&self.cloud, Arc::clone(&gateway)));
        let (cloud, endpoint) = (Arc::clone(&self.cloud), self.endpoint());
        let admin = Arc::new(AdminServer::new(cloud, endpoint, shutdown.clone(), Arc::clone(&front)));
        if let Err(error) = front.reopen().await {
            tracing::warn!(%error, "commands that run under `drydock exec` have lost AWS");
        }
        let mut parts: JoinSet<(&'static str, String)> = JoinSet::new();
        parts.spawn(async move {
            let ended = admin.run().await;
            ("the administration socket", ended.err().map(|e| e.to_string()).unwrap_or_default())
        });
        parts.spawn(serve(self.listener, Arc::clone(&gateway)));
        self.cloud.spawn_reconcilers(&mut parts, gateway, imds);
        tracing::info!(address = %self.address, state = %self.cloud.config.state_dir.display(), "ready");
        let ended = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => Ok(()),
            () = told_by_signal() => Ok(()),
            Some(part) = parts.join_next() => Err(part),
        };
        parts.shutdown().await;
        tracing::info!("powering off");
        front.close().await;
        let put_away = self.cloud.power_off().await;
        remove_socket(&self.cloud.config.state_dir);
        match ended {
            Ok(()) => put_away.map_err(DaemonError::PowerOff),
            Err(Ok((part, reason))) => Err(DaemonError::Ended { part, reason }),
            Err(Err(error)) => Err(DaemonError::Ended { part: "a task", reason: error.to_string() }),
        }
    }
}

fn open_cloud(config: Config) -> Result<Arc<Cloud>, DaemonError> {
    let store = crate::open_store(&config.state_dir)?;
    let root_key = RootKey::open(&config.state_dir)?;
    Ok(Arc::new(Cloud::real(config, store, root_key)?))
}

async fn serve(listener: TcpListener, gateway: Arc<dyn HttpService>) -> (&'static str, String) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and wanted at once.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                tokio::spawn(serve_connection(stream, Arc::clone(&gateway), Origin::Host));
            }
            Err(error) => {
                // Out of file descriptors, or the client is gone already: neither ends the daemon.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn told_by_signal() {
    let mut streams: Vec<_> = [SignalKind::terminate(), SignalKind::interrupt()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    let [Some(terminate), Some(interrupt)] = [streams.pop(), streams.pop()] else {
        return std::future::pending().await;
    };
    let (mut terminate, mut interrupt) = (terminate, interrupt);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Removes the administration socket: one that nobody serves would be a file left over.
fn remove_socket(state_dir: &Path) {
    let path = crate::admin::socket(state_dir);
    if let Err(error) = fs::remove_file(&path) {
        tracing::warn!(%error, path = %path.display(), "the administration socket stays");
    }
}

fn make_dirs(state_dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    // Keys and instances' disks live here: only for the owner.
    builder.recursive(true).mode(0o700);
    builder.create(state_dir)?;
    builder.create(state_dir.join("run"))
}

/// How long a daemon that was killed may take to be gone.
const ENDING: Duration = Duration::from_secs(1);

/// Takes the state directory's lock, which the kernel releases with the process, however it ends. Waits a moment for
/// one that is just ending: somebody who kills it and starts another gets the other.
async fn lock(state_dir: &Path) -> Result<File, DaemonError> {
    let path = state_dir.join("run/lock");
    let failed = |source| DaemonError::StateDir { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() < ENDING => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(DaemonError::AlreadyRunning(state_dir.to_owned()));
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|source| {
        let advice = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                let next = address.port().saturating_add(1);
                format!(
                    "something else listens there (`ss -ltnp sport = :{}` tells what); stop it, or choose another address with `--listen {}:{next}`",
                    address.port(),
                    address.ip()
                )
            }
            std::io::ErrorKind::PermissionDenied => "run as root, or choose a port above 1023".to_owned(),
            _ => "choose another address with --listen".to_owned(),
        };
        DaemonError::Listen { address, source, advice }
    })
}
