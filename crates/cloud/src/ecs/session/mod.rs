//! The agents' sessions: WebSockets that the ECS agents open and keep.
//!
//! There are two services behind one path, `/ws`. With the agent communication service (ACS) an agent keeps one
//! session, over which tasks would be sent; that it lives is what `agentConnected` tells. With the telemetry
//! service (TCS) it publishes metrics and health, which are acknowledged and not kept.
//!
//! Messages and parameters are those of the open-source `amazon-ecs-agent` (`ecs-agent/acs`, `ecs-agent/tcs`,
//! `ecs-agent/wsclient`).

mod agent;
mod handshake;
mod messages;
mod telemetry;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use self::handshake::{Opening, Purpose, Refusal};
use super::authorization::{About, cluster_arn};
use super::names::{Home, region_of};
use super::state::{ClusterRecord, ContainerInstanceRecord};
use crate::context::{Caller, Ctx};
use crate::http::{Request, Response};
use crate::{Cloud, Origin, ids};

/// The largest message in bytes; agents keep theirs below 1 MiB.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// How long things last.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// The time between two heartbeats. Agents give a session up after a minute without any.
    heartbeat: Duration,
    /// How many heartbeats may be unanswered when the next one is due.
    unanswered: u32,
    /// How long a closed session waits for the agent to close it as well.
    farewell: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(30), unanswered: 2, farewell: Duration::from_secs(5) }
    }
}

/// The container instance whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    region: String,
    id: String,
}

impl Member {
    fn record(&self, cloud: &Cloud) -> Option<Arc<ContainerInstanceRecord>> {
        cloud.store.get(&self.region, &self.id)
    }
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the agent closed it")]
    Closed,
    #[error("the agent did not answer")]
    Silent,
    #[error("the container instance is not registered any more")]
    Deregistered,
    #[error("another session of the agent has taken its place")]
    Replaced,
    #[error("the cloud ends")]
    CloudEnds,
    #[error("the session cannot be recorded: {0}")]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Broken(#[from] tokio_tungstenite::tungstenite::Error),
}

/// Opens an agent's session, or refuses it. The caller is authenticated already.
pub fn accept(cloud: &Arc<Cloud>, caller: Caller, request: Request) -> Response {
    accept_with(cloud, caller, request, Timing::default())
}

fn accept_with(cloud: &Arc<Cloud>, caller: Caller, request: Request, timing: Timing) -> Response {
    let (parts, body) = request.into_parts();
    let opened = handshake::read(&parts)
        .and_then(|opening| member(cloud, caller, &opening).map(|member| (opening, member)))
        .and_then(|(opening, member)| {
            Ok((handshake::switching_protocols(&opening.accept)?, opening, member))
        });
    let (response, opening, member) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            tracing::debug!(%refusal, "an agent's session is refused");
            return refusal.response();
        }
    };
    let upgrade = hyper::upgrade::on(Request::from_parts(parts, body));
    let cloud = Arc::clone(cloud);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE));
                let stream = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                serve(&cloud, &opening, &member, socket, timing).await;
            }
            Err(error) => tracing::debug!(%error, "a connection did not become an agent's session"),
        }
    });
    response
}

async fn serve<S>(
    cloud: &Cloud,
    opening: &Opening,
    member: &Member,
    socket: WebSocketStream<S>,
    timing: Timing,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let arn = &opening.container_instance;
    tracing::debug!(container_instance = arn, purpose = ?opening.purpose, "an agent's session begins");
    let end = match opening.purpose {
        Purpose::Agent { protocol } => agent::serve(cloud, member, socket, protocol, timing).await,
        Purpose::Telemetry => telemetry::serve(cloud, member, socket, timing).await,
    };
    tracing::debug!(container_instance = arn, purpose = ?opening.purpose, reason = %end, "an agent's session ended");
}

/// Finds whose session it is and checks that it may have one.
fn member(cloud: &Arc<Cloud>, caller: Caller, opening: &Opening) -> Result<Member, Refusal> {
    let arn = &opening.container_instance;
    let account = &cloud.config.account;
    let region = region_of(arn).ok_or_else(|| Refusal::Inactive(arn.clone()))?;
    authorize(cloud, caller, region, opening)?;
    let home = Home { region, account };
    let cluster = home.cluster_name(Some(&opening.cluster)).ok_or(Refusal::Cluster)?;
    let known = cloud.store.get::<ClusterRecord>(region, &cluster);
    known.filter(|cluster| cluster.is_active()).ok_or(Refusal::Cluster)?;
    let record = home
        .container_instance_id(&cluster, arn)
        .and_then(|id| cloud.store.get::<ContainerInstanceRecord>(region, id))
        .filter(|record| record.cluster == cluster && record.is_registered())
        .ok_or_else(|| Refusal::Inactive(arn.clone()))?;
    Ok(Member { region: record.region.clone(), id: record.id.clone() })
}

/// A role needs `ecs:Poll` or `ecs:StartTelemetrySession` on the container instance.
fn authorize(cloud: &Arc<Cloud>, caller: Caller, region: &str, opening: &Opening) -> Result<(), Refusal> {
    let action = match opening.purpose {
        Purpose::Agent { .. } => "ecs:Poll",
        Purpose::Telemetry => "ecs:StartTelemetrySession",
    };
    let ctx = Ctx {
        cloud: Arc::clone(cloud),
        account: Arc::from(cloud.config.account.as_str()),
        region: Arc::from(region),
        caller,
        origin: Origin::Host,
        request_id: ids::uuid(),
    };
    match &ctx.caller {
        Caller::Root | Caller::Service { .. } => Ok(()),
        Caller::Role { role, .. } => {
            let home = Home { region, account: &ctx.account };
            let about = About {
                resources: vec![opening.container_instance.clone()],
                cluster: Some(cluster_arn(home, &opening.cluster)),
            };
            let decision = crate::iam::decide(&ctx, role, action, &about, "AccessDeniedException");
            decision.map_err(|error| Refusal::Denied(error.message))
        }
        Caller::Instance { .. } => Err(Refusal::Denied(format!(
            "User: {} is not authorized to perform: {action} because it has no role",
            ctx.caller_arn()
        ))),
    }
}

/// Tells the agent why the session ends, and gives it a moment to end it as well.
async fn bid_farewell<S>(socket: &mut WebSocketStream<S>, end: &End, timing: Timing)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reason = end.to_string();
    let goodbye = async {
        socket.send(Message::text(messages::close(&reason))).await?;
        socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: reason.as_str().into() })).await?;
        while let Some(message) = socket.next().await {
            message?;
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    match tokio::time::timeout(timing.farewell, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an agent was gone before its session was closed"),
        Err(_) => tracing::debug!("an agent did not close its session in time"),
    }
}
