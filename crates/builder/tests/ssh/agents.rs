//! Agents, certificates and tunnels.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use builder::ssh::{self, ConnectError, KeyError, Tunnel};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, free_port, make_key, run, say, user};

/// An `ssh-agent`, which ends with its value.
struct Agent {
    dir: TempDir,
    process: Child,
}

impl Agent {
    fn with(keys: &[PathBuf]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(dir.path().join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent starts");
        let agent = Self { dir, process };
        while !agent.socket().exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        for key in keys {
            run(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", agent.socket()));
        }
        agent
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn an_agents_keys_are_tried() {
    let sshd = Sshd::start();
    make_key(sshd.dir.path(), "other", &["-t", "rsa", "-b", "2048"]);
    let agent = Agent::with(&[sshd.path("other"), sshd.path("user")]);
    let mut config = sshd.config();
    config.credentials.agent = true;
    config.agent_socket = Some(agent.socket());
    ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.expect("by the agent");

    let strangers = Agent::with(&[sshd.path("other")]);
    config.agent_socket = Some(strangers.socket());
    config.handshake_attempts = 1;
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("refused");
    assert!(error.to_string().contains("tried agent key other"), "{error}");

    config.agent_socket = None;
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("no agent");
    assert!(error.to_string().starts_with("ssh_agent_auth is set, but SSH_AUTH_SOCK is not"), "{error}");

    config.agent_socket = Some(sshd.path("nowhere"));
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("no agent");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn the_agent_is_lent_to_remote_commands_unless_that_is_turned_off() {
    let sshd = Sshd::start();
    let agent = Agent::with(&[sshd.path("user")]);
    let mut config = sshd.config();
    config.agent_socket = Some(agent.socket());
    let lent = sshd.connect_as(&config).await.expect("a connection");
    let listed = say(lent.as_ref(), "ssh-add -l").await;
    assert!(listed.contains(" user (ED25519)"), "{listed}");

    config.agent_forwarding = false;
    let kept = sshd.connect_as(&config).await.expect("a connection");
    assert_eq!(say(kept.as_ref(), "echo \"[$SSH_AUTH_SOCK]\"").await, "[]\n");
}

#[tokio::test]
async fn a_certificate_is_shown_with_its_key() {
    let ca = tempfile::tempdir().expect("a directory");
    make_key(ca.path(), "ca", &["-t", "ed25519"]);
    let sshd = Sshd::with(&format!("TrustedUserCAKeys {}/ca.pub", ca.path().display()));
    fs::remove_file(sshd.path("authorized_keys")).expect("removed");
    run(Command::new("ssh-keygen")
        .args(["-q", "-s"])
        .arg(ca.path().join("ca"))
        .args(["-I", "me", "-n", &user()])
        .arg(sshd.path("user.pub")));
    let mut config = sshd.config();
    config.credentials.private_key_file = Some(sshd.path("user"));
    config.credentials.certificate_file = Some(sshd.path("user-cert.pub"));
    ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.expect("by certificate");

    config.credentials.private_key_file = Some(ca.path().join("ca"));
    let error = ssh::connect(&config, "127.0.0.1", None, CancellationToken::new())
        .await
        .err()
        .expect("another key's");
    assert!(matches!(error, ConnectError::Key(KeyError::Certificate { .. })), "{error}");
    config.credentials.private_key_file = None;
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("no key");
    assert!(matches!(error, ConnectError::Key(KeyError::Alone { .. })), "{error}");
}

/// Says back what it is told, once.
async fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut said = [0; 5];
            stream.read_exact(&mut said).await.expect("five bytes");
            stream.write_all(&said).await.expect("said back");
        }
    });
    port
}

#[tokio::test]
async fn tunnels_lead_both_ways_and_survive_a_new_connection() {
    let sshd = Sshd::start();
    let target = echo().await;
    let (here, there) = (free_port(), free_port());
    let mut config = sshd.config();
    config.local_tunnels = vec![Tunnel { port: here, host: "127.0.0.1".to_owned(), host_port: target }];
    config.remote_tunnels = vec![Tunnel { port: there, host: "127.0.0.1".to_owned(), host_port: target }];
    let communicator = sshd.connect_as(&config).await.expect("a connection");
    for _ in 0..2 {
        let mut stream = TcpStream::connect(("127.0.0.1", here)).await.expect("the local port");
        stream.write_all(b"local").await.expect("written");
        let mut said = [0; 5];
        stream.read_exact(&mut said).await.expect("said back");
        assert_eq!(&said, b"local");
        let command =
            format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{there}; printf there >&3; head -c 5 <&3'");
        assert_eq!(say(communicator.as_ref(), &command).await, "there");
        communicator.reconnect().await.expect("again");
    }

    let taken = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = taken.local_addr().expect("an address").port();
    config.local_tunnels = vec![Tunnel { port, host: "127.0.0.1".to_owned(), host_port: target }];
    let error = sshd.connect_as(&config).await.err().expect("the port is taken");
    assert!(
        error.to_string().contains(&format!("cannot listen on 127.0.0.1:{port} for ssh_local_tunnels")),
        "{error}"
    );
}
