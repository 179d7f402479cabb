//! The session with the telemetry service: what is published is acknowledged and not kept.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::messages::{self, Incoming};
use super::{End, Member, Timing, bid_farewell};
use crate::Cloud;

/// Serves a session to its end, which comes with the container instance's at the latest.
pub async fn serve<S>(cloud: &Cloud, member: &Member, mut socket: WebSocketStream<S>, timing: Timing) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = run(cloud, member, &mut socket, timing).await;
    if !matches!(end, End::Closed | End::Broken(_)) {
        bid_farewell(&mut socket, &end, timing).await;
    }
    end
}

async fn run<S>(cloud: &Cloud, member: &Member, socket: &mut WebSocketStream<S>, timing: Timing) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut changes = cloud.store.changes();
    let mut heartbeats = tokio::time::interval(timing.heartbeat);
    loop {
        let answer = tokio::select! {
            message = socket.next() => match message {
                None | Some(Ok(Message::Close(_))) => return End::Closed,
                Some(Err(error)) => return error.into(),
                Some(Ok(Message::Text(text))) => answer(member, text.as_str()),
                Some(Ok(_)) => None,
            },
            _ = heartbeats.tick() => Some(messages::telemetry_heartbeat()),
            changed = changes.changed() => {
                if changed.is_err() {
                    return End::CloudEnds;
                }
                if !member.record(cloud).is_some_and(|record| record.is_registered()) {
                    return End::Deregistered;
                }
                None
            }
        };
        let Some(answer) = answer else { continue };
        match tokio::time::timeout(timing.heartbeat, socket.send(Message::text(answer))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Silent,
        }
    }
}

fn answer(member: &Member, text: &str) -> Option<String> {
    match messages::parse(text) {
        Ok(Incoming::Published { ack }) => Some(messages::published(ack)),
        Ok(other) => {
            tracing::debug!(container_instance = %member.id, ?other, "an agent's message");
            None
        }
        Err(error) => {
            tracing::warn!(container_instance = %member.id, %error, "an agent's message");
            None
        }
    }
}
