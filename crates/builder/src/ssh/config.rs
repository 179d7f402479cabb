//! How to connect: Packer's `ssh_*` options as types.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use packer_template::config as options;
use zeroize::Zeroizing;

/// A password. Not shown by `Debug`, and wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself, for the one call that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// What a user can show to be let in. All that is given is tried: agent, key file, the build's own key, password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Try the keys of the agent at [`SshConfig::agent_socket`] (`ssh_agent_auth`).
    pub agent: bool,
    /// A private key: OpenSSH's format, PKCS#1, PKCS#8 or SEC 1, not encrypted (`ssh_private_key_file`). `~/` is the home.
    pub private_key_file: Option<PathBuf>,
    /// An OpenSSH certificate of that key (`ssh_certificate_file`).
    pub certificate_file: Option<PathBuf>,
    /// Answers `password` and `keyboard-interactive` (`ssh_password`).
    pub password: Option<Secret>,
}

/// A host that is connected to first, and connects on from there (`ssh_bastion_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bastion {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user there.
    pub username: String,
    /// What the user shows there.
    pub credentials: Credentials,
}

/// A SOCKS5 proxy (`ssh_proxy_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password, when the proxy asks.
    pub login: Option<(String, Secret)>,
}

/// How files are copied (`ssh_file_transfer_method`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TransferMethod {
    /// The remote `scp` program, Packer's default.
    #[default]
    Scp,
    /// The server's `sftp` subsystem.
    Sftp,
}

/// A forwarded port: whoever connects to `port` on one side's loopback reaches `host:host_port` from the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Where it listens.
    pub port: u16,
    /// Where it leads.
    pub host: String,
    /// The port there.
    pub host_port: u16,
}

/// A forwarded port that is not written as `PORT:HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a tunnel: write LISTENING_PORT:HOST:PORT, for example \"8080:127.0.0.1:80\"")]
pub struct TunnelError(String);

impl FromStr for Tunnel {
    type Err = TunnelError;

    fn from_str(text: &str) -> Result<Self, TunnelError> {
        let parse = || {
            let (port, target) = text.split_once(':')?;
            let (host, host_port) = target.rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            if host.is_empty() {
                return None;
            }
            Some(Self { port: port.parse().ok()?, host: host.to_owned(), host_port: host_port.parse().ok()? })
        };
        parse().ok_or_else(|| TunnelError(text.to_owned()))
    }
}

/// How to reach a machine by SSH. [`SshConfig::new`] has Packer's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// The remote user.
    pub username: String,
    /// The remote TCP port.
    pub port: u16,
    /// How long to try to connect for.
    pub timeout: Duration,
    /// How many logins may fail before connecting is given up.
    pub handshake_attempts: u32,
    /// What the user shows, besides the key that [`super::connect`] is given.
    pub credentials: Credentials,
    /// Commands get a terminal.
    pub pty: bool,
    /// Ciphers that may be used, the preferred first; empty for the default ones.
    pub ciphers: Vec<String>,
    /// Key exchange methods that may be used, the preferred first; empty for the default ones.
    pub key_exchange_algorithms: Vec<String>,
    /// How long a silent connection is left alone before a sign of life is asked for; none to never ask.
    pub keep_alive_interval: Option<Duration>,
    /// How long a connection may be silent before it counts as lost; none for no limit of its own.
    pub read_write_timeout: Option<Duration>,
    /// How files are copied.
    pub transfer: TransferMethod,
    /// The agent's socket (`SSH_AUTH_SOCK`), for [`Credentials::agent`] and for forwarding.
    pub agent_socket: Option<PathBuf>,
    /// Remote commands may use the agent, when there is one.
    pub agent_forwarding: bool,
    /// A host to connect through.
    pub bastion: Option<Bastion>,
    /// A proxy to connect through.
    pub proxy: Option<Proxy>,
    /// Ports that listen here and lead to the machine's side.
    pub local_tunnels: Vec<Tunnel>,
    /// Ports that listen on the machine and lead to this side.
    pub remote_tunnels: Vec<Tunnel>,
}

impl SshConfig {
    /// Packer's defaults for a user: port 22, five minutes, ten logins, `scp`, a sign of life every five seconds.
    pub fn new(username: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            port: 22,
            timeout: Duration::from_secs(300),
            handshake_attempts: 10,
            credentials: Credentials::default(),
            pty: false,
            ciphers: Vec::new(),
            key_exchange_algorithms: Vec::new(),
            keep_alive_interval: Some(Duration::from_secs(5)),
            read_write_timeout: None,
            transfer: TransferMethod::default(),
            agent_socket: None,
            agent_forwarding: true,
            bastion: None,
            proxy: None,
            local_tunnels: Vec::new(),
            remote_tunnels: Vec::new(),
        }
    }
}

impl SshConfig {
    /// A template's `ssh_*` options. `agent_socket` is the host's `SSH_AUTH_SOCK`.
    ///
    /// # Errors
    /// A tunnel that cannot be read.
    pub fn from_options(
        options: &options::SshConfig,
        agent_socket: Option<PathBuf>,
    ) -> Result<Self, TunnelError> {
        let tunnels =
            |written: &[String]| written.iter().map(|text| text.parse::<Tunnel>()).collect::<Result<_, _>>();
        Ok(Self {
            username: options.ssh_username.clone(),
            port: options.ssh_port,
            timeout: options.ssh_timeout,
            handshake_attempts: options.ssh_handshake_attempts,
            credentials: Credentials {
                agent: options.ssh_agent_auth,
                private_key_file: options.ssh_private_key_file.as_ref().map(PathBuf::from),
                certificate_file: options.ssh_certificate_file.as_ref().map(PathBuf::from),
                password: options.ssh_password.clone().map(Secret::from),
            },
            pty: options.ssh_pty,
            ciphers: options.ssh_ciphers.clone(),
            key_exchange_algorithms: options.ssh_key_exchange_algorithms.clone(),
            keep_alive_interval: options.ssh_keep_alive_interval,
            read_write_timeout: Some(options.ssh_read_write_timeout).filter(|limit| !limit.is_zero()),
            transfer: match options.ssh_file_transfer_method {
                options::TransferMethod::Scp => TransferMethod::Scp,
                options::TransferMethod::Sftp => TransferMethod::Sftp,
            },
            agent_socket,
            agent_forwarding: !options.ssh_disable_agent_forwarding,
            bastion: options.bastion.as_ref().map(Bastion::from),
            proxy: options.proxy.as_ref().map(Proxy::from),
            local_tunnels: tunnels(&options.ssh_local_tunnels)?,
            remote_tunnels: tunnels(&options.ssh_remote_tunnels)?,
        })
    }
}

impl From<&options::Bastion> for Bastion {
    fn from(options: &options::Bastion) -> Self {
        Self {
            host: options.ssh_bastion_host.clone(),
            port: options.ssh_bastion_port,
            username: options.ssh_bastion_username.clone(),
            credentials: Credentials {
                agent: options.ssh_bastion_agent_auth,
                private_key_file: options.ssh_bastion_private_key_file.as_ref().map(PathBuf::from),
                certificate_file: options.ssh_bastion_certificate_file.as_ref().map(PathBuf::from),
                password: options.ssh_bastion_password.clone().map(Secret::from),
            },
        }
    }
}

impl From<&options::Proxy> for Proxy {
    fn from(options: &options::Proxy) -> Self {
        let login = options.ssh_proxy_username.clone().map(|user| {
            let password = options.ssh_proxy_password.clone().unwrap_or_default();
            (user, Secret::from(password))
        });
        Self { host: options.ssh_proxy_host.clone(), port: options.ssh_proxy_port, login }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_are_read_as_packer_writes_them() {
        let tunnel = |port, host: &str, host_port| Tunnel { port, host: host.to_owned(), host_port };
        assert_eq!("8080:127.0.0.1:80".parse(), Ok(tunnel(8080, "127.0.0.1", 80)));
        assert_eq!("1:db.internal:5432".parse(), Ok(tunnel(1, "db.internal", 5432)));
        assert_eq!("1:[::1]:5432".parse(), Ok(tunnel(1, "::1", 5432)));
        for bad in ["", "80", "80:host", "x:host:1", "80:host:x", "80::1", "70000:host:1"] {
            assert_eq!(bad.parse::<Tunnel>(), Err(TunnelError(bad.to_owned())));
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", Secret::from("hunter2".to_owned())).contains("hunter2"));
    }
}
