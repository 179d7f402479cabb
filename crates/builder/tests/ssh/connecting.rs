//! Logging in, by every way there is, and what is told when it does not work.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use builder::{
    communicator::Exit,
    ssh::{self, Bastion, ConnectError, Credentials, KeyError, Proxy, Secret, SshConfig},
};
use tokio_util::sync::CancellationToken;

use crate::{
    sshd::{Kept, Prepared, Sshd, authorize, free_port, make_key, run, say, user},
    stub::{PASSWORD, Stub, Takes},
};

/// Every form and kind of private key that a user may have opens the door.
#[tokio::test]
async fn keys_of_every_form_open_the_door() {
    let sshd = Sshd::start();
    let forms: &[(&str, &[&str])] = &[
        ("ed25519", &["-t", "ed25519"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pkcs1", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ecdsa-256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa-384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa-521", &["-t", "ecdsa", "-b", "521"]),
        ("ecdsa-sec1", &["-t", "ecdsa", "-b", "256", "-m", "PEM"]),
        ("ecdsa-pkcs8", &["-t", "ecdsa", "-b", "384", "-m", "PKCS8"]),
    ];
    for (name, options) in forms {
        let pem = make_key(sshd.dir.path(), name, options);
        authorize(&sshd, &fs::read_to_string(sshd.path(&format!("{name}.pub"))).expect("a public key"));
        let mut config = sshd.config();
        config.timeout = Duration::from_secs(5);
        let from_memory = ssh::connect(&config, "127.0.0.1", Some(&pem), CancellationToken::new()).await;
        let communicator = from_memory.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(say(communicator.as_ref(), "echo in").await, "in\n", "{name}");
        // The same key from its file, with the line ends of another system.
        let file = sshd.path(&format!("{name}.crlf"));
        fs::write(&file, pem.replace('\n', "\r\n")).expect("written");
        config.credentials.private_key_file = Some(file);
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new())
            .await
            .unwrap_or_else(|error| panic!("{name} from its file: {error}"));
    }
}

/// A server that signs RSA only with SHA-1, as very old ones do, and one with SHA-2 only, as new ones do.
#[tokio::test]
async fn rsa_keys_sign_as_the_server_wants() {
    for algorithms in ["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"] {
        let sshd = Sshd::with(&format!("PubkeyAcceptedAlgorithms {algorithms}"));
        let pem = make_key(sshd.dir.path(), "rsa", &["-t", "rsa", "-b", "2048"]);
        authorize(&sshd, &fs::read_to_string(sshd.path("rsa.pub")).expect("a public key"));
        ssh::connect(&sshd.config(), "127.0.0.1", Some(&pem), CancellationToken::new())
            .await
            .unwrap_or_else(|error| panic!("{algorithms}: {error}"));
    }
}

#[tokio::test]
async fn a_key_that_is_not_let_in_is_told_after_all_attempts() {
    let sshd = Sshd::start();
    let pem = make_key(sshd.dir.path(), "stranger", &["-t", "ed25519"]);
    let mut config = sshd.config();
    config.handshake_attempts = 3;
    let error = ssh::connect(&config, "127.0.0.1", Some(&pem), CancellationToken::new())
        .await
        .err()
        .expect("refused");
    let text = error.to_string();
    let expected = format!(
        "authentication failed for user {}: the server takes publickey; tried ssh-ed25519 SHA256:",
        user()
    );
    assert!(text.contains(&expected), "{text}");
    assert!(text.ends_with("(3 attempts)"), "{text}");
    let logins = sshd.log().matches("Connection from").count();
    assert_eq!(logins, 4, "one of them the test's own look whether it is up: {}", sshd.log());
}

/// cloud-init may put the key in place after the server is up.
#[tokio::test]
async fn a_key_that_comes_late_is_waited_for() {
    let sshd = Sshd::start();
    let keys = sshd.path("authorized_keys");
    let content = fs::read(&keys).expect("keys");
    fs::remove_file(&keys).expect("removed");
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        fs::write(keys, content).expect("written");
    });
    sshd.connect().await;
    late.join().expect("written");
}

#[tokio::test]
async fn a_server_that_comes_up_late_is_met_at_once() {
    let prepared = Prepared::new("");
    let mut config = SshConfig::new(user());
    config.port = prepared.port;
    let key = prepared.key.clone();
    let connecting = tokio::spawn(async move {
        let communicator = ssh::connect(&config, "127.0.0.1", Some(&key), CancellationToken::new()).await;
        (communicator.map(drop), Instant::now())
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    let sshd = prepared.run();
    while std::net::TcpStream::connect(("127.0.0.1", sshd.port)).is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let up = Instant::now();
    let (result, met) = connecting.await.expect("no panic");
    result.expect("a connection");
    let wait = met.saturating_duration_since(up);
    println!("met {wait:?} after it was up");
    assert!(wait < Duration::from_secs(2), "{wait:?}");
}

#[tokio::test]
async fn time_that_runs_out_tells_the_last_failure() {
    let mut config = SshConfig::new("nobody");
    config.port = free_port();
    config.timeout = Duration::from_millis(300);
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("no server");
    let text = error.to_string();
    assert!(text.starts_with("Timeout waiting for SSH.\n"), "{text}");
    assert!(text.contains("within 0.3 s; the last try: 127.0.0.1:"), "{text}");
    assert!(text.ends_with("Connection refused (os error 111)"), "{text}");
}

#[tokio::test]
async fn a_port_that_hangs_up_is_no_ssh_server() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut config = SshConfig::new("nobody");
    config.port = listener.local_addr().expect("an address").port();
    config.timeout = Duration::from_millis(300);
    thread::spawn(move || listener.incoming().for_each(drop));
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("no SSH");
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("SSH:"), "{error}");
}

#[tokio::test]
async fn waiting_ends_when_the_build_is_cancelled() {
    let mut config = SshConfig::new("nobody");
    config.port = free_port();
    let cancel = CancellationToken::new();
    let waiting = ssh::connect(&config, "127.0.0.1", None, cancel.clone());
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    };
    let start = Instant::now();
    let (result, ()) = tokio::join!(waiting, stop);
    assert!(matches!(result, Err(ConnectError::Cancelled)));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn passwords_are_given_by_either_method() {
    for takes in [Takes::Password, Takes::KeyboardInteractive] {
        let stub = Stub::start(takes).await;
        let mut config = SshConfig::new("me");
        config.port = stub.port;
        config.handshake_attempts = 1;
        config.credentials.password = Some(Secret::from(PASSWORD.to_owned()));
        let communicator =
            ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.expect("a connection");
        let kept = Kept::default();
        assert_eq!(communicator.run("hello", &kept).await.expect("it runs"), Exit::Code(3));
        assert_eq!(kept.out(), "hello\n");

        config.credentials.password = Some(Secret::from("wrong".to_owned()));
        let error =
            ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("refused");
        let method = if takes == Takes::Password { "password" } else { "keyboard-interactive" };
        assert!(error.to_string().contains(&format!("the server takes {method}; tried password")), "{error}");
    }
}

#[tokio::test]
async fn a_server_may_want_a_key_and_a_password() {
    let stub = Stub::start(Takes::KeyThenPassword).await;
    let dir = tempfile::tempdir().expect("a directory");
    let pem = make_key(dir.path(), "user", &["-t", "ed25519"]);
    let mut config = SshConfig::new("me");
    config.port = stub.port;
    config.handshake_attempts = 1;
    let error = ssh::connect(&config, "127.0.0.1", Some(&pem), CancellationToken::new())
        .await
        .err()
        .expect("refused");
    assert!(error.to_string().contains("the server takes password; tried ssh-ed25519"), "{error}");
    assert!(error.to_string().contains("(not enough alone)"), "{error}");
    config.credentials.password = Some(Secret::from(PASSWORD.to_owned()));
    ssh::connect(&config, "127.0.0.1", Some(&pem), CancellationToken::new()).await.expect("a connection");
}

#[tokio::test]
async fn nothing_to_show_is_told() {
    let sshd = Sshd::start();
    let mut config = sshd.config();
    config.handshake_attempts = 1;
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("refused");
    assert!(
        error.to_string().contains("the server takes publickey, and there was nothing of the kind"),
        "{error}"
    );
}

#[tokio::test]
async fn keys_that_cannot_be_used_fail_before_anything_is_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, options) in [
        ("new", &["-t", "ed25519"][..]),
        ("old", &["-t", "rsa", "-m", "PEM"]),
        ("pkcs8", &["-t", "rsa", "-m", "PKCS8"]),
    ] {
        let path = dir.path().join(name);
        run(Command::new("ssh-keygen").args(["-q", "-N", "secret", "-f"]).arg(&path).args(options));
        let mut config = SshConfig::new("me");
        config.credentials.private_key_file = Some(path);
        let error =
            ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("refused");
        assert!(matches!(error, ConnectError::Key(KeyError::Encrypted { .. })), "{name}: {error}");
    }
    let mut config = SshConfig::new("me");
    config.credentials.private_key_file = Some(dir.path().join("nowhere"));
    let error =
        ssh::connect(&config, "127.0.0.1", None, CancellationToken::new()).await.err().expect("refused");
    assert!(matches!(error, ConnectError::Key(KeyError::Read { .. })), "{error}");
}

#[tokio::test]
async fn algorithms_are_chosen_by_name() {
    let sshd = Sshd::with("Ciphers aes256-ctr\nKexAlgorithms ecdh-sha2-nistp384\nMACs hmac-sha1");
    let mut config = sshd.config();
    sshd.connect_as(&config).await.expect("by default");
    config.ciphers = vec!["aes256-ctr".to_owned()];
    config.key_exchange_algorithms = vec!["ecdh-sha2-nistp384".to_owned()];
    sshd.connect_as(&config).await.expect("by name");

    config.ciphers = vec!["aes128-ctr".to_owned()];
    let error = sshd.connect_as(&config).await.err().expect("no common cipher");
    assert!(matches!(error, ConnectError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("aes256-ctr"), "{error}");

    config.ciphers = vec!["rot13".to_owned()];
    let error = sshd.connect_as(&config).await.err().expect("unknown");
    assert!(
        error.to_string().starts_with("ssh_ciphers names \"rot13\", which is not known; known are chacha20"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bastion_leads_on() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let mut config = target.config();
    config.bastion = Some(Bastion {
        host: "127.0.0.1".to_owned(),
        port: bastion.port,
        username: user(),
        credentials: Credentials { private_key_file: Some(bastion.path("user")), ..Credentials::default() },
    });
    let communicator = target.connect_as(&config).await.expect("through the bastion");
    assert_eq!(
        say(communicator.as_ref(), "echo $SSH_CONNECTION | cut -d ' ' -f 4").await,
        format!("{}\n", target.port)
    );
    assert!(bastion.log().contains("Accepted publickey"), "{}", bastion.log());
    // Also after the connection was made anew.
    communicator.reconnect().await.expect("again");
    assert_eq!(say(communicator.as_ref(), "echo again").await, "again\n");

    config.handshake_attempts = 1;
    if let Some(bastion) = &mut config.bastion {
        bastion.credentials.private_key_file = Some(target.path("user"));
    }
    let error = target.connect_as(&config).await.err().expect("the bastion refuses");
    assert!(
        error
            .to_string()
            .contains(&format!("bastion 127.0.0.1:{}: authentication failed for user", bastion.port)),
        "{error}"
    );
}

#[tokio::test]
async fn a_bastion_that_cannot_reach_the_machine_says_so() {
    let bastion = Sshd::start();
    let mut config = SshConfig::new(user());
    config.port = free_port();
    config.timeout = Duration::from_millis(500);
    config.bastion = Some(Bastion {
        host: "127.0.0.1".to_owned(),
        port: bastion.port,
        username: user(),
        credentials: Credentials { private_key_file: Some(bastion.path("user")), ..Credentials::default() },
    });
    let error = ssh::connect(&config, "127.0.0.1", Some(&bastion.key), CancellationToken::new())
        .await
        .err()
        .expect("no way");
    assert!(error.to_string().contains("the bastion cannot reach 127.0.0.1:"), "{error}");
}

/// OpenSSH's client is the proxy: it offers SOCKS5 on a local port.
#[tokio::test]
async fn a_socks_proxy_leads_on() {
    let (way, target) = (Sshd::start(), Sshd::start());
    let port = free_port();
    let mut proxy = Command::new("ssh")
        .args([
            "-N",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ])
        .args(["-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-i"])
        .arg(way.path("user"))
        .args([
            "-D",
            &format!("127.0.0.1:{port}"),
            "-p",
            &way.port.to_string(),
            &format!("{}@127.0.0.1", user()),
        ])
        .spawn()
        .expect("ssh starts");
    let mut config = target.config();
    config.proxy = Some(Proxy { host: "127.0.0.1".to_owned(), port, login: None });
    let connected = target.connect_as(&config).await;
    let said = match &connected {
        Ok(communicator) => say(communicator.as_ref(), "echo through").await,
        Err(error) => error.to_string(),
    };
    proxy.kill().expect("stopped");
    proxy.wait().expect("stopped");
    assert_eq!(said, "through\n");
    config.timeout = Duration::from_millis(200);
    let error = target.connect_as(&config).await.err().expect("the proxy is gone");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}: Connection refused")), "{error}");
}
