//! Ports and the agent, led through the connection.

use std::{path::PathBuf, sync::Arc};

use russh::{
    Channel, ChannelOpenFailure,
    client::{ChannelOpenHandle, Handle, Msg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

use super::{
    config::{SshConfig, Tunnel},
    dial::{DialError, Events},
};

/// The local ports of one connection; they close with it.
pub(super) struct Listeners(#[expect(dead_code, reason = "held so that the tasks end with it")] JoinSet<()>);

/// Opens what the options ask for: local and remote ports, and the agent's way back.
pub(super) async fn open(handle: &Arc<Handle<Events>>, config: &SshConfig) -> Result<Listeners, DialError> {
    let mut listeners = JoinSet::new();
    for tunnel in &config.local_tunnels {
        let listener = TcpListener::bind(("127.0.0.1", tunnel.port))
            .await
            .map_err(|source| DialError::Listen { port: tunnel.port, source })?;
        listeners.spawn(lead_there(listener, Arc::downgrade(handle), tunnel.clone()));
    }
    for tunnel in &config.remote_tunnels {
        handle
            .tcpip_forward("localhost", u32::from(tunnel.port))
            .await
            .map_err(|source| DialError::RemoteListen { port: tunnel.port, source })?;
    }
    if config.agent_forwarding && config.agent_socket.is_some() {
        offer_agent(handle).await?;
    }
    Ok(Listeners(listeners))
}

/// Tells the server, by a session of its own as Packer does, that commands may use the agent. A server that does not
/// allow it is no reason to fail.
async fn offer_agent(handle: &Handle<Events>) -> Result<(), DialError> {
    let mut channel = handle.channel_open_session().await?;
    channel.agent_forward(true).await?;
    if let Some(russh::ChannelMsg::Failure) | None = channel.wait().await {
        tracing::debug!("the server does not forward the agent");
    }
    Ok(channel.close().await?)
}

/// Leads whoever connects here to the machine's side.
async fn lead_there(listener: TcpListener, handle: std::sync::Weak<Handle<Events>>, tunnel: Tunnel) {
    while let Ok((stream, from)) = listener.accept().await {
        // Only a weak reference: a listener must not keep the session alive.
        let Some(handle) = handle.upgrade() else { return };
        let (host, port) = (tunnel.host.clone(), u32::from(tunnel.host_port));
        let opened =
            handle.channel_open_direct_tcpip(host, port, from.ip().to_string(), u32::from(from.port())).await;
        match opened {
            Ok(channel) => drop(tokio::spawn(join(stream, channel.into_stream()))),
            Err(error) => {
                tracing::warn!(port = tunnel.port, %error, "ssh_local_tunnels: the machine cannot connect on")
            }
        }
    }
}

/// Leads whoever connects on the machine to a port of this side.
pub(super) fn lead_here(channel: Channel<Msg>, reply: ChannelOpenHandle, tunnel: Tunnel) {
    tokio::spawn(async move {
        let connecting = TcpStream::connect((tunnel.host.as_str(), tunnel.host_port)).await;
        answer(channel, reply, connecting).await;
    });
}

/// Leads the machine's requests for signatures to the agent.
pub(super) fn lead_to_agent(channel: Channel<Msg>, reply: ChannelOpenHandle, socket: PathBuf) {
    tokio::spawn(async move {
        let connecting = UnixStream::connect(&socket).await;
        answer(channel, reply, connecting).await;
    });
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    connecting: std::io::Result<S>,
) {
    match connecting {
        Ok(stream) => {
            reply.accept().await;
            join(stream, channel.into_stream()).await;
        }
        Err(error) => {
            tracing::debug!(%error, "a forwarded connection leads nowhere");
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    }
}

async fn join<A, B>(mut a: A, mut b: B)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    // Either side may hang up at any time; that is how such a connection ends.
    let _ = copy_bidirectional(&mut a, &mut b).await;
}
