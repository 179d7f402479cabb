//! How the machine under construction is reached: `communicator` and the `ssh_*` options.

use std::time::Duration;

/// `communicator`.
#[derive(Clone, Debug)]
pub enum Communicator {
    /// `ssh`, the default.
    Ssh(Box<SshConfig>),
    /// `none`: nothing is run or copied there.
    None,
}

/// The `ssh_*` options, with Packer's defaults.
#[derive(Clone, Debug)]
pub struct SshConfig {
    /// `ssh_host`: connects there instead of to the instance's address.
    pub ssh_host: Option<String>,
    /// `ssh_port`, 22.
    pub ssh_port: u16,
    /// `ssh_username`.
    pub ssh_username: String,
    /// `ssh_password`.
    pub ssh_password: Option<String>,
    /// `ssh_private_key_file`.
    pub ssh_private_key_file: Option<String>,
    /// `ssh_agent_auth`: the agent at `SSH_AUTH_SOCK` is asked.
    pub ssh_agent_auth: bool,
    /// `ssh_certificate_file`: a certificate for the private key.
    pub ssh_certificate_file: Option<String>,
    /// `ssh_keypair_name`: an EC2 key pair that the instance is launched with, instead of a temporary one.
    pub ssh_keypair_name: Option<String>,
    /// `ssh_ciphers`; empty for the library's.
    pub ssh_ciphers: Vec<String>,
    /// `ssh_key_exchange_algorithms`; empty for the library's.
    pub ssh_key_exchange_algorithms: Vec<String>,
    /// `ssh_clear_authorized_keys`: removes the temporary key from the image. Packer does so for a temporary key
    /// pair only.
    pub ssh_clear_authorized_keys: bool,
    /// `ssh_pty`: commands get a terminal.
    pub ssh_pty: bool,
    /// `ssh_timeout`, 5 minutes: how long to wait for SSH to answer.
    pub ssh_timeout: Duration,
    /// `pause_before_connecting`: how long to wait after SSH first answered before it is used.
    pub pause_before_connecting: Duration,
    /// `ssh_handshake_attempts`, 10: how often a login is tried once the port answers.
    pub ssh_handshake_attempts: u32,
    /// `ssh_disable_agent_forwarding`.
    pub ssh_disable_agent_forwarding: bool,
    /// `ssh_keep_alive_interval`, 5 seconds; none when negative, which turns it off.
    pub ssh_keep_alive_interval: Option<Duration>,
    /// `ssh_read_write_timeout`; zero for none.
    pub ssh_read_write_timeout: Duration,
    /// `ssh_file_transfer_method`, `scp`.
    pub ssh_file_transfer_method: TransferMethod,
    /// `ssh_bastion_*`.
    pub bastion: Option<Bastion>,
    /// `ssh_proxy_*`: a SOCKS5 proxy.
    pub proxy: Option<Proxy>,
    /// `ssh_local_tunnels`: `port:host:hostport` each.
    pub ssh_local_tunnels: Vec<String>,
    /// `ssh_remote_tunnels`: `port:host:hostport` each.
    pub ssh_remote_tunnels: Vec<String>,
    /// `ssh_interface`: which of the instance's addresses is used.
    pub ssh_interface: SshInterface,
    /// `temporary_key_pair_*`.
    pub temporary_key: TemporaryKey,
}

impl SshConfig {
    /// Packer's defaults for a user.
    pub fn new(username: impl Into<String>) -> Self {
        Self {
            ssh_host: None,
            ssh_port: 22,
            ssh_username: username.into(),
            ssh_password: None,
            ssh_private_key_file: None,
            ssh_agent_auth: false,
            ssh_certificate_file: None,
            ssh_keypair_name: None,
            ssh_ciphers: Vec::new(),
            ssh_key_exchange_algorithms: Vec::new(),
            ssh_clear_authorized_keys: false,
            ssh_pty: false,
            ssh_timeout: Duration::from_secs(300),
            pause_before_connecting: Duration::ZERO,
            ssh_handshake_attempts: 10,
            ssh_disable_agent_forwarding: false,
            ssh_keep_alive_interval: Some(Duration::from_secs(5)),
            ssh_read_write_timeout: Duration::ZERO,
            ssh_file_transfer_method: TransferMethod::Scp,
            bastion: None,
            proxy: None,
            ssh_local_tunnels: Vec::new(),
            ssh_remote_tunnels: Vec::new(),
            ssh_interface: SshInterface::Default,
            temporary_key: TemporaryKey {
                temporary_key_pair_name: None,
                temporary_key_pair_type: None,
                temporary_key_pair_bits: None,
            },
        }
    }

    /// Whether a temporary key pair is made for the build: when the template has no other way to log in.
    pub fn wants_temporary_key_pair(&self) -> bool {
        !self.ssh_agent_auth
            && self.ssh_password.is_none()
            && self.ssh_private_key_file.is_none()
            && self.ssh_keypair_name.is_none()
    }
}

/// `temporary_key_pair_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporaryKey {
    /// `temporary_key_pair_name`; none for `packer_UUID`.
    pub temporary_key_pair_name: Option<String>,
    /// `temporary_key_pair_type`; none leaves making the key to EC2.
    pub temporary_key_pair_type: Option<TemporaryKeyType>,
    /// `temporary_key_pair_bits`; none for the type's default.
    pub temporary_key_pair_bits: Option<u32>,
}

/// `temporary_key_pair_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemporaryKeyType {
    /// RSA
    Rsa,
    /// ECDSA
    Ecdsa,
    /// Ed25519
    Ed25519,
}

/// `ssh_file_transfer_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferMethod {
    /// `scp`
    Scp,
    /// `sftp`
    Sftp,
}

/// `ssh_bastion_*`: a host in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bastion {
    /// `ssh_bastion_host`.
    pub ssh_bastion_host: String,
    /// `ssh_bastion_port`, 22.
    pub ssh_bastion_port: u16,
    /// `ssh_bastion_username`; that of the machine when there is none.
    pub ssh_bastion_username: String,
    /// `ssh_bastion_password`.
    pub ssh_bastion_password: Option<String>,
    /// `ssh_bastion_interactive`: the password is given when the bastion asks for it (keyboard-interactive).
    pub ssh_bastion_interactive: bool,
    /// `ssh_bastion_agent_auth`.
    pub ssh_bastion_agent_auth: bool,
    /// `ssh_bastion_private_key_file`; that of the machine when there is none.
    pub ssh_bastion_private_key_file: Option<String>,
    /// `ssh_bastion_certificate_file`.
    pub ssh_bastion_certificate_file: Option<String>,
}

/// `ssh_proxy_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// `ssh_proxy_host`.
    pub ssh_proxy_host: String,
    /// `ssh_proxy_port`, 1080.
    pub ssh_proxy_port: u16,
    /// `ssh_proxy_username`.
    pub ssh_proxy_username: Option<String>,
    /// `ssh_proxy_password`.
    pub ssh_proxy_password: Option<String>,
}

/// `ssh_interface`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshInterface {
    /// Not set: in a VPC the public address if there is one, otherwise the private one; outside one the public name.
    #[default]
    Default,
    /// `public_ip`
    PublicIp,
    /// `private_ip`
    PrivateIp,
    /// `public_dns`
    PublicDns,
    /// `private_dns`
    PrivateDns,
}
