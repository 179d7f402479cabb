//! The SSH communicator and the provisioners against OpenSSH's own server, on a loopback port of its own.
//!
//! Needs `sshd`, `ssh`, `ssh-keygen`, `ssh-agent` and `scp` (Debian: openssh-server, openssh-client). Nothing is skipped
//! when they are missing: the tests fail and say what to install. They run as any user: the server lets in who runs it.

mod agents;
mod connecting;
mod copying;
mod provisioning;
mod running;
mod sshd;
mod stub;
