//! SSH to the machine that is being built: connecting until its `sshd` is up, commands, and files.
//!
//! [`SshConfig`] says how, in Packer's terms; [`connect`] makes a [`Communicator`] of it:
//!
//! - `dial` makes one connection: TCP, or through a SOCKS proxy or a bastion; then `auth` logs in with `key`s.
//! - `connect` tries that until it works, and tells the last real failure when it does not.
//! - `communicator` runs commands (`exec`) and copies files (`scp`, `sftp`) over it, and connects again when it is lost.
//! - `tunnel` carries forwarded ports and the forwarded agent.
//!
//! Host keys are not checked, as Packer does not check them: the machine was made a moment ago and EC2 has no
//! authenticated way to say what its key is.

mod auth;
mod communicator;
mod config;
mod connect;
mod dial;
mod exec;
mod key;
mod scp;
mod sftp;
mod tunnel;
mod walk;

pub use config::{Bastion, Credentials, Proxy, Secret, SshConfig, TransferMethod, Tunnel, TunnelError};
pub use connect::{ConnectError, connect};
pub use dial::UnknownAlgorithm;
pub use key::KeyError;
