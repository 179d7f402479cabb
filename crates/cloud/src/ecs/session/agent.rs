//! The session with the agent communication service.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::messages::{self, Incoming};
use super::{End, Member, Timing, bid_farewell};
use crate::ecs::state::{AgentSession, ContainerInstanceRecord};
use crate::store::StoreError;
use crate::{Cloud, ids};

/// From this version of the protocol on, agents acknowledge heartbeats. Older ones are known to live by their
/// answers to WebSocket pings.
const ACKNOWLEDGING: u32 = 2;

/// Serves a session to its end. While it lives and no newer one has come, the container instance's agent is
/// connected.
pub async fn serve<S>(
    cloud: &Cloud,
    member: &Member,
    mut socket: WebSocketStream<S>,
    protocol: u32,
    timing: Timing,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mine = AgentSession::new();
    // Seen from before it is recorded, no later change can be missed.
    let changes = cloud.store.changes();
    let end = match begin(cloud, member, &mine) {
        Ok(true) => {
            let session = Session { cloud, member, mine: &mine, protocol, timing };
            session.run(&mut socket, changes).await
        }
        Ok(false) => End::Deregistered,
        Err(error) => error.into(),
    };
    if let Err(error) = finish(cloud, member, &mine) {
        tracing::error!(container_instance = %member.id, %error, "the end of an agent's session cannot be recorded");
    }
    match end {
        End::Closed | End::Broken(_) => {}
        _ => bid_farewell(&mut socket, &end, timing).await,
    }
    end
}

/// Records the session, in place of any before it; false when the container instance is not there any more.
fn begin(cloud: &Cloud, member: &Member, mine: &AgentSession) -> Result<bool, StoreError> {
    cloud.store.write(|tx| {
        let found = tx.get::<ContainerInstanceRecord>(&member.region, &member.id);
        let Some(found) = found.filter(|found| found.is_registered()) else { return Ok(false) };
        let mut record = (*found).clone();
        record.connect(Some(mine.clone()));
        tx.put(record)?;
        Ok(true)
    })
}

/// Records that the session is over, unless a newer one has taken its place.
fn finish(cloud: &Cloud, member: &Member, mine: &AgentSession) -> Result<(), StoreError> {
    cloud.store.write(|tx| {
        let found = tx.get::<ContainerInstanceRecord>(&member.region, &member.id);
        if let Some(found) = found.filter(|found| found.session.as_ref() == Some(mine)) {
            let mut record = (*found).clone();
            record.connect(None);
            tx.put(record)?;
        }
        Ok(())
    })
}

struct Session<'a> {
    cloud: &'a Cloud,
    member: &'a Member,
    mine: &'a AgentSession,
    protocol: u32,
    timing: Timing,
}

impl Session<'_> {
    async fn run<S>(
        &self,
        socket: &mut WebSocketStream<S>,
        mut changes: tokio::sync::watch::Receiver<u64>,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // The first tick is at once: agents wait for the first heartbeat to know that all is well.
        let mut heartbeats = tokio::time::interval(self.timing.heartbeat);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    None | Some(Ok(Message::Close(_))) => return End::Closed,
                    Some(Err(error)) => return error.into(),
                    Some(Ok(message)) => if self.is_answer(&message) {
                        unanswered = 0;
                    },
                },
                _ = heartbeats.tick() => {
                    if unanswered >= self.timing.unanswered {
                        return End::Silent;
                    }
                    unanswered += 1;
                    if let Err(error) = self.beat(socket).await {
                        return error.into();
                    }
                }
                changed = changes.changed() => {
                    if changed.is_err() {
                        return End::CloudEnds;
                    }
                    if let Some(end) = self.is_over() {
                        return end;
                    }
                }
            }
        }
    }

    async fn beat<S>(
        &self,
        socket: &mut WebSocketStream<S>,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // An agent that reads no more lets the buffers fill until a write blocks: that is silence as well.
        let sending = async {
            socket.send(Message::text(messages::heartbeat(&ids::uuid()))).await?;
            if self.protocol < ACKNOWLEDGING {
                socket.send(Message::Ping(Bytes::new())).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(self.timing.heartbeat, sending).await {
            Ok(sent) => sent,
            Err(elapsed) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed).into()),
        }
    }

    /// Whether it answers the last heartbeat.
    fn is_answer(&self, message: &Message) -> bool {
        let text = match message {
            Message::Pong(_) => return self.protocol < ACKNOWLEDGING,
            Message::Text(text) => text.as_str(),
            _ => return false,
        };
        match messages::parse(text) {
            Ok(Incoming::HeartbeatAck) => return true,
            // Nothing that would be acknowledged was sent: there are no tasks in this cloud.
            Ok(other) => tracing::debug!(container_instance = %self.member.id, ?other, "an agent's message"),
            Err(error) => tracing::warn!(container_instance = %self.member.id, %error, "an agent's message"),
        }
        false
    }

    /// Why the record ends the session, if it does.
    fn is_over(&self) -> Option<End> {
        match self.member.record(self.cloud) {
            None => Some(End::Deregistered),
            Some(record) if !record.is_registered() => Some(End::Deregistered),
            Some(record) if record.session.as_ref() != Some(self.mine) => Some(End::Replaced),
            Some(_) => None,
        }
    }
}
