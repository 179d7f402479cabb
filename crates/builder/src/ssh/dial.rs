//! One connection: a stream to the machine, the handshake over it, the login.

use std::{borrow::Cow, fmt, path::PathBuf, sync::Arc, time::Duration};

use russh::{
    Channel, ChannelOpenFailure, Preferred, cipher,
    client::{self, ChannelOpenHandle, Handle, Msg, Session},
    kex,
    keys::PublicKeyOrCertificate,
    mac,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    auth::{self, Proofs},
    config::{Proxy, SshConfig, Tunnel},
    tunnel::{self, Listeners},
};

/// How long a TCP connection may take to be made, and a handshake and login to be through; Packer's figures.
const TCP_TIMEOUT: Duration = Duration::from_secs(15);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// A machine may be too busy to answer for a while, a starved `t2.micro` longer than that; then it counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// Where one connection goes, and as whom.
#[derive(Clone)]
pub(super) struct Target {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user there.
    pub user: String,
    /// What the user shows.
    pub proofs: Proofs,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", address(&self.host, self.port))
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Everything that is needed to connect, with keys read and options checked.
pub(super) struct Plan {
    /// The machine.
    pub target: Target,
    /// The host on the way, if any.
    pub bastion: Option<Target>,
    /// The user's options.
    pub config: SshConfig,
    /// The protocol's settings.
    pub protocol: Arc<client::Config>,
}

/// A connection that is logged in.
pub(super) struct Connection {
    /// The session.
    pub handle: Arc<Handle<Events>>,
    // Dropping a bastion's session would end the one through it.
    _bastion: Option<Handle<Events>>,
    // Dropping the listeners closes their ports.
    _listeners: Listeners,
}

/// Why one attempt to connect failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("{address}: {source}")]
    Tcp { address: String, source: std::io::Error },
    #[error("{address}: no answer within {} s", TCP_TIMEOUT.as_secs())]
    Silent { address: String },
    #[error("proxy {address}: {source}")]
    Proxy { address: String, source: tokio_socks::Error },
    #[error("the SSH handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    SlowHandshake,
    #[error("SSH: {0}")]
    Protocol(#[from] russh::Error),
    #[error("authentication failed for user {user}: {}", refusal(accepted, tried))]
    Refused { user: String, accepted: Vec<String>, tried: Vec<String> },
    #[error("SSH agent {}: {source}", socket.display())]
    Agent { socket: PathBuf, source: russh::keys::Error },
    #[error("the SSH agent did not sign: {reason}")]
    Signing { reason: String },
    #[error("bastion {address}: {source}")]
    Bastion { address: String, source: Box<DialError> },
    #[error("the bastion cannot reach {address}: {source}")]
    Onward { address: String, source: russh::Error },
    #[error("cannot listen on 127.0.0.1:{port} for ssh_local_tunnels: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error("the machine does not listen on port {port} for ssh_remote_tunnels: {source}")]
    RemoteListen { port: u16, source: russh::Error },
}

impl DialError {
    /// Whether a host was reached and did not let the user in: what `ssh_handshake_attempts` counts.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Agent { .. } | Self::Signing { .. } => true,
            Self::Bastion { source, .. } => source.is_refusal(),
            _ => false,
        }
    }

    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Listen { .. }
                | Self::RemoteListen { .. }
                | Self::Protocol(russh::Error::NoCommonAlgo { .. })
        )
    }
}

fn refusal(accepted: &[String], tried: &[String]) -> String {
    let takes = match accepted {
        [] => "the server takes nothing more".to_owned(),
        methods => format!("the server takes {}", methods.join(", ")),
    };
    match tried {
        [] => format!("{takes}, and there was nothing of the kind to show"),
        tried => format!("{takes}; tried {}", tried.join(", ")),
    }
}

/// What the other end may ask of this one.
pub(super) struct Events {
    remote_tunnels: Vec<Tunnel>,
    agent_socket: Option<PathBuf>,
}

impl client::Handler for Events {
    type Error = russh::Error;

    /// Any key is taken, as in Packer: the machine made its key at its first boot, minutes ago, and neither EC2 nor the
    /// instance has an authenticated way to tell it. What a build sends is its scripts and files, never a credential of
    /// the user's; a password, when one is set, is for this machine alone.
    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.remote_tunnels.iter().find(|tunnel| u32::from(tunnel.port) == connected_port) {
            Some(tunnel) => tunnel::lead_here(channel, reply, tunnel.clone()),
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        match &self.agent_socket {
            Some(socket) => tunnel::lead_to_agent(channel, reply, socket.clone()),
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }
}

/// Any byte stream that SSH can run over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Plan {
    /// Connects and logs in, once.
    pub async fn dial(&self) -> Result<Connection, DialError> {
        let (stream, bastion) = self.stream().await?;
        let handle = self.hand_shake(stream, &self.target, self.events()).await?;
        let handle = Arc::new(handle);
        let listeners = tunnel::open(&handle, &self.config).await?;
        Ok(Connection { handle, _bastion: bastion, _listeners: listeners })
    }

    fn events(&self) -> Events {
        let agent_socket = self.config.agent_socket.clone().filter(|_| self.config.agent_forwarding);
        Events { remote_tunnels: self.config.remote_tunnels.clone(), agent_socket }
    }

    async fn stream(&self) -> Result<(Box<dyn Stream>, Option<Handle<Events>>), DialError> {
        match (&self.bastion, &self.config.proxy) {
            (Some(bastion), _) => {
                let (stream, handle) = self.through(bastion).await?;
                Ok((stream, Some(handle)))
            }
            (None, Some(proxy)) => Ok((through_proxy(proxy, &self.target).await?, None)),
            (None, None) => Ok((Box::new(tcp(&self.target.to_string()).await?), None)),
        }
    }

    /// A stream to the target that starts at the bastion.
    async fn through(&self, bastion: &Target) -> Result<(Box<dyn Stream>, Handle<Events>), DialError> {
        let there = |source| DialError::Bastion { address: bastion.to_string(), source: Box::new(source) };
        let stream = tcp(&bastion.to_string()).await.map_err(there)?;
        let events = Events { remote_tunnels: Vec::new(), agent_socket: None };
        let handle = self.hand_shake(Box::new(stream), bastion, events).await.map_err(there)?;
        let Target { host, port, .. } = &self.target;
        let channel = handle
            .channel_open_direct_tcpip(host, u32::from(*port), "127.0.0.1", 0)
            .await
            .map_err(|source| DialError::Onward { address: self.target.to_string(), source })?;
        Ok((Box::new(channel.into_stream()), handle))
    }

    async fn hand_shake(
        &self,
        stream: Box<dyn Stream>,
        target: &Target,
        events: Events,
    ) -> Result<Handle<Events>, DialError> {
        let work = async {
            let mut handle = client::connect_stream(self.protocol.clone(), stream, events).await?;
            auth::log_in(&mut handle, &target.user, &target.proofs).await?;
            Ok(handle)
        };
        timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(DialError::SlowHandshake))
    }
}

async fn tcp(address: &str) -> Result<TcpStream, DialError> {
    let connecting = timeout(TCP_TIMEOUT, TcpStream::connect(address)).await;
    let Ok(connected) = connecting else {
        return Err(DialError::Silent { address: address.to_owned() });
    };
    let stream = connected.map_err(|source| DialError::Tcp { address: address.to_owned(), source })?;
    // Without this, each request of a small exchange (scp has many) waits for the last one's acknowledgement.
    stream.set_nodelay(true).map_err(|source| DialError::Tcp { address: address.to_owned(), source })?;
    Ok(stream)
}

async fn through_proxy(proxy: &Proxy, target: &Target) -> Result<Box<dyn Stream>, DialError> {
    let at = address(&proxy.host, proxy.port);
    let stream = tcp(&at).await?;
    let host = (target.host.as_str(), target.port);
    let connecting = async {
        match &proxy.login {
            Some((user, password)) => {
                tokio_socks::tcp::Socks5Stream::connect_with_password_and_socket(
                    stream,
                    host,
                    user,
                    password.expose(),
                )
                .await
            }
            None => tokio_socks::tcp::Socks5Stream::connect_with_socket(stream, host).await,
        }
    };
    match timeout(TCP_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(source)) => Err(DialError::Proxy { address: at, source }),
        Err(_) => Err(DialError::Silent { address: at }),
    }
}

/// An option names an algorithm that is not known here.
#[derive(Debug, thiserror::Error)]
#[error("{option} names \"{name}\", which is not known; known are {}", known.join(", "))]
pub struct UnknownAlgorithm {
    option: &'static str,
    name: String,
    known: Vec<String>,
}

/// The protocol's settings from the user's options.
pub(super) fn protocol(config: &SshConfig) -> Result<client::Config, UnknownAlgorithm> {
    let keepalive = config.keep_alive_interval.filter(|interval| !interval.is_zero());
    Ok(client::Config {
        preferred: Preferred {
            kex: Cow::Owned(key_exchanges(&config.key_exchange_algorithms)?),
            cipher: Cow::Owned(ciphers(&config.ciphers)?),
            mac: Cow::Borrowed(MACS),
            ..Preferred::DEFAULT
        },
        inactivity_timeout: config.read_write_timeout.filter(|limit| !limit.is_zero()),
        keepalive_interval: keepalive,
        keepalive_max: keepalive
            .map_or(0, |every| DEAD_AFTER.div_duration_f64(every).ceil().max(3.0) as usize),
        nodelay: true,
        ..client::Config::default()
    })
}

/// The library's own choice, then what only old servers need; those still run on machines that images are made of.
const MACS: &[mac::Name] = &[
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512,
    mac::HMAC_SHA256,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
];

/// Not methods but announcements: of RSA with SHA-2, and of the defence against prefix truncation.
const ANNOUNCEMENTS: &[kex::Name] =
    &[kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

const CIPHERS: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Weak ones, for who asks for them by name.
const OLD_CIPHERS: &[cipher::Name] = &[cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];

fn key_exchanges(names: &[String]) -> Result<Vec<kex::Name>, UnknownAlgorithm> {
    let chosen = if names.is_empty() {
        KEY_EXCHANGES.to_vec()
    } else {
        choose("ssh_key_exchange_algorithms", names, KEY_EXCHANGES)?
    };
    Ok(chosen.into_iter().chain(ANNOUNCEMENTS.iter().copied()).collect())
}

fn ciphers(names: &[String]) -> Result<Vec<cipher::Name>, UnknownAlgorithm> {
    if names.is_empty() {
        return Ok(CIPHERS.to_vec());
    }
    choose("ssh_ciphers", names, &[CIPHERS, OLD_CIPHERS].concat())
}

fn choose<N: AsRef<str> + Copy>(
    option: &'static str,
    names: &[String],
    known: &[N],
) -> Result<Vec<N>, UnknownAlgorithm> {
    let find = |name: &String| known.iter().copied().find(|known| known.as_ref() == name);
    names
        .iter()
        .map(|name| {
            find(name).ok_or_else(|| UnknownAlgorithm {
                option,
                name: name.clone(),
                known: known.iter().map(|name| name.as_ref().to_owned()).collect(),
            })
        })
        .collect()
}
