//! How the machine under construction is reached: `communicator` and the `ssh_*` options.

use std::time::Duration;

use super::reader::{Reader, Session};

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
        let given =
            self.ssh_agent_auth || self.ssh_private_key_file.is_some() || self.ssh_keypair_name.is_some();
        // With a password none is made, unless it is asked for by name.
        !given && (self.ssh_password.is_none() || self.temporary_key.temporary_key_pair_name.is_some())
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

/// Reads `communicator` and what belongs to it; none when it cannot be used.
pub(super) fn decode(reader: &Reader<'_>, session: &Session<'_>) -> Option<Communicator> {
    match reader.string("communicator").as_deref() {
        None | Some("ssh") => Some(Communicator::Ssh(Box::new(ssh(reader, session)))),
        Some("none") => Some(Communicator::None),
        Some(other) => {
            let help = match other {
                "winrm" => "Windows machines are not built",
                _ => "there are ssh and none",
            };
            reader.fail_with(
                "communicator",
                format!("the communicator '{other}' is not supported"),
                Some(help.to_owned()),
            );
            None
        }
    }
}

fn ssh(reader: &Reader<'_>, session: &Session<'_>) -> SshConfig {
    let wait = reader.duration("ssh_timeout", Duration::from_secs(5 * 60));
    let config = SshConfig {
        ssh_host: reader.string("ssh_host"),
        ssh_port: port(reader, "ssh_port", 22),
        ssh_username: username(reader),
        ssh_password: reader.string("ssh_password"),
        ssh_private_key_file: private_key(reader, session, "ssh_private_key_file"),
        ssh_agent_auth: reader.flag("ssh_agent_auth"),
        ssh_certificate_file: key_file(reader, session, "ssh_certificate_file"),
        ssh_keypair_name: reader.string("ssh_keypair_name"),
        ssh_ciphers: reader.strings("ssh_ciphers"),
        ssh_key_exchange_algorithms: reader.strings("ssh_key_exchange_algorithms"),
        ssh_clear_authorized_keys: reader.flag("ssh_clear_authorized_keys"),
        ssh_pty: reader.flag("ssh_pty"),
        // The older name wins, as in Packer.
        ssh_timeout: reader.duration("ssh_wait_timeout", wait),
        pause_before_connecting: reader.duration("pause_before_connecting", Duration::ZERO),
        ssh_handshake_attempts: reader
            .number("ssh_handshake_attempts", 1..=i64::from(u32::MAX))
            .unwrap_or(10),
        ssh_disable_agent_forwarding: reader.flag("ssh_disable_agent_forwarding"),
        ssh_keep_alive_interval: keep_alive(reader),
        ssh_read_write_timeout: reader.duration("ssh_read_write_timeout", Duration::ZERO),
        ssh_file_transfer_method: transfer_method(reader),
        bastion: bastion(reader, session),
        proxy: proxy(reader),
        ssh_local_tunnels: tunnels(reader, "ssh_local_tunnels"),
        ssh_remote_tunnels: tunnels(reader, "ssh_remote_tunnels"),
        ssh_interface: interface(reader),
        temporary_key: temporary_key(reader),
    };
    if config.ssh_keypair_name.is_some() && config.ssh_private_key_file.is_none() && !config.ssh_agent_auth {
        let message = "'ssh_keypair_name' needs the private key: 'ssh_private_key_file', or 'ssh_agent_auth'";
        reader.fail("ssh_keypair_name", message);
    }
    if config.bastion.is_some() && config.proxy.is_some() {
        reader.fail("ssh_proxy_host", "'ssh_bastion_host' and 'ssh_proxy_host' cannot stand together");
    }
    config
}

fn username(reader: &Reader<'_>) -> String {
    reader.string("ssh_username").unwrap_or_else(|| {
        let help = "it is ec2-user on Amazon Linux, admin on Debian, ubuntu on Ubuntu".to_owned();
        reader.fail_with("ssh_username", "'ssh_username' is missing", Some(help));
        String::new()
    })
}

fn port(reader: &Reader<'_>, name: &str, default: u16) -> u16 {
    reader.number(name, 1..=i64::from(u16::MAX)).unwrap_or(default)
}

/// A file with a key or certificate, which must be there.
fn key_file(reader: &Reader<'_>, session: &Session<'_>, name: &str) -> Option<String> {
    let file = reader.string(name)?;
    if !session.exists(&file) {
        reader.fail(name, format!("there is no file '{file}'"));
    }
    Some(file)
}

/// A file with a private key.
fn private_key(reader: &Reader<'_>, session: &Session<'_>, name: &str) -> Option<String> {
    let file = key_file(reader, session, name)?;
    // PEM and OpenSSH's own form both say so in their first line.
    let is_key = |text: String| text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    if session.read(&file).is_some_and(|text| !is_key(text)) {
        reader.fail(name, format!("'{file}' holds no private key"));
    }
    Some(file)
}

fn keep_alive(reader: &Reader<'_>) -> Option<Duration> {
    match reader.nanoseconds("ssh_keep_alive_interval") {
        None | Some(0) => Some(Duration::from_secs(5)),
        Some(nanoseconds) => u64::try_from(nanoseconds).ok().map(Duration::from_nanos),
    }
}

fn transfer_method(reader: &Reader<'_>) -> TransferMethod {
    match reader.string("ssh_file_transfer_method").as_deref() {
        None | Some("scp") => TransferMethod::Scp,
        Some("sftp") => TransferMethod::Sftp,
        Some(other) => {
            let message = format!("'ssh_file_transfer_method' is scp or sftp, not '{other}'");
            reader.fail("ssh_file_transfer_method", message);
            TransferMethod::Scp
        }
    }
}

fn bastion(reader: &Reader<'_>, session: &Session<'_>) -> Option<Bastion> {
    let or_the_machines = |own: Option<String>, machine: &str| own.or_else(|| reader.string(machine));
    let bastion = Bastion {
        ssh_bastion_host: reader.string("ssh_bastion_host")?,
        ssh_bastion_port: port(reader, "ssh_bastion_port", 22),
        ssh_bastion_username: reader
            .string("ssh_bastion_username")
            .or_else(|| reader.string("ssh_username"))
            .unwrap_or_default(),
        ssh_bastion_password: reader.string("ssh_bastion_password"),
        ssh_bastion_interactive: reader.flag("ssh_bastion_interactive"),
        ssh_bastion_agent_auth: reader.flag("ssh_bastion_agent_auth"),
        ssh_bastion_private_key_file: or_the_machines(
            private_key(reader, session, "ssh_bastion_private_key_file"),
            "ssh_private_key_file",
        ),
        ssh_bastion_certificate_file: or_the_machines(
            key_file(reader, session, "ssh_bastion_certificate_file"),
            "ssh_certificate_file",
        ),
    };
    let known = bastion.ssh_bastion_agent_auth
        || bastion.ssh_bastion_password.is_some()
        || bastion.ssh_bastion_private_key_file.is_some();
    if !known {
        let message = "the bastion needs 'ssh_bastion_password', 'ssh_bastion_private_key_file' or 'ssh_bastion_agent_auth'";
        reader.fail("ssh_bastion_host", message);
    }
    Some(bastion)
}

fn proxy(reader: &Reader<'_>) -> Option<Proxy> {
    Some(Proxy {
        ssh_proxy_host: reader.string("ssh_proxy_host")?,
        ssh_proxy_port: port(reader, "ssh_proxy_port", 1080),
        ssh_proxy_username: reader.string("ssh_proxy_username"),
        ssh_proxy_password: reader.string("ssh_proxy_password"),
    })
}

fn tunnels(reader: &Reader<'_>, name: &str) -> Vec<String> {
    let tunnels = reader.strings(name);
    for (index, tunnel) in tunnels.iter().enumerate() {
        let parts: Vec<&str> = tunnel.splitn(3, ':').collect();
        let is_port = |text: &str| text.parse::<u16>().is_ok();
        let holds = matches!(parts.as_slice(), [from, _, to] if is_port(from) && is_port(to));
        if !holds {
            reader.fail_at(name, index, format!("'{tunnel}' is no tunnel: PORT:HOST:PORT"));
        }
    }
    tunnels
}

fn interface(reader: &Reader<'_>) -> SshInterface {
    let Some(name) = reader.string("ssh_interface") else { return SshInterface::Default };
    match name.as_str() {
        "public_ip" => SshInterface::PublicIp,
        "private_ip" => SshInterface::PrivateIp,
        "public_dns" => SshInterface::PublicDns,
        "private_dns" => SshInterface::PrivateDns,
        "session_manager" => {
            let message = "'ssh_interface' session_manager is not supported: connections through Session Manager are not made";
            reader.fail("ssh_interface", message);
            SshInterface::Default
        }
        other => {
            let message =
                format!("'ssh_interface' is public_ip, private_ip, public_dns or private_dns, not '{other}'");
            reader.fail("ssh_interface", message);
            SshInterface::Default
        }
    }
}

fn temporary_key(reader: &Reader<'_>) -> TemporaryKey {
    let kind = reader.string("temporary_key_pair_type");
    TemporaryKey {
        temporary_key_pair_name: reader.string("temporary_key_pair_name"),
        temporary_key_pair_type: kind.and_then(|kind| match kind.as_str() {
            "rsa" => Some(TemporaryKeyType::Rsa),
            "ecdsa" => Some(TemporaryKeyType::Ecdsa),
            "ed25519" => Some(TemporaryKeyType::Ed25519),
            other => {
                let message = format!("'temporary_key_pair_type' is rsa, ecdsa or ed25519, not '{other}'");
                reader.fail("temporary_key_pair_type", message);
                None
            }
        }),
        temporary_key_pair_bits: reader.number("temporary_key_pair_bits", 256..=16_384),
    }
}
