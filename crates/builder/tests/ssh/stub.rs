//! A server of our own, for logins that OpenSSH's allows only with a user's real password.

use std::{sync::Arc, time::Duration};

use russh::{
    Channel, ChannelId, MethodKind, MethodSet,
    keys::PrivateKey,
    server::{self, Auth, ChannelOpenHandle, Config, Msg, Response, Session, VerifiedPublicKey},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::sshd::make_key;

/// What it takes.
#[derive(Clone, Copy, PartialEq)]
pub enum Takes {
    Password,
    KeyboardInteractive,
    /// A key, and then the password as well.
    KeyThenPassword,
}

pub const PASSWORD: &str = "it's \"secret\"";

/// A running server; it ends with its value.
pub struct Stub {
    pub port: u16,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    pub async fn start(takes: Takes) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = PrivateKey::from_openssh(make_key(dir.path(), "host", &["-t", "ed25519"])).expect("a key");
        let methods: &[MethodKind] = match takes {
            Takes::Password => &[MethodKind::Password],
            Takes::KeyboardInteractive => &[MethodKind::KeyboardInteractive],
            Takes::KeyThenPassword => &[MethodKind::PublicKey],
        };
        let config = Arc::new(Config {
            keys: vec![key],
            methods: MethodSet::from(methods),
            auth_rejection_time: Duration::from_millis(10),
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..Config::default()
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = config.clone();
                tokio::spawn(async move {
                    if let Ok(session) =
                        server::run_stream(config, stream, Guest { takes, key_shown: false }).await
                    {
                        let _ = session.await;
                    }
                });
            }
        });
        Self { port, task }
    }
}

struct Guest {
    takes: Takes,
    key_shown: bool,
}

fn refuse(next: &[MethodKind], partial_success: bool) -> Auth {
    Auth::Reject { proceed_with_methods: Some(MethodSet::from(next)), partial_success }
}

impl server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, russh::Error> {
        let allowed = self.takes == Takes::Password || self.key_shown;
        Ok(if allowed && password == PASSWORD {
            Auth::Accept
        } else {
            refuse(&[MethodKind::Password], false)
        })
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        self.key_shown = true;
        Ok(refuse(&[MethodKind::Password], true))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        };
        let right = response.next().is_some_and(|answer| &answer[..] == PASSWORD.as_bytes());
        Ok(if right { Auth::Accept } else { refuse(&[MethodKind::KeyboardInteractive], false) })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    /// Says the command back and exits with 3.
    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.data(channel, data.to_vec())?;
        session.exit_status_request(channel, 3)?;
        session.close(channel)
    }
}
