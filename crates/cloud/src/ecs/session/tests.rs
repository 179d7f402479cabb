//! Sessions over loopback, with a WebSocket client in the agent's place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Timing, accept_with};
use crate::context::{Caller, Origin};
use crate::ecs::tests::{INSTANCE, create_cluster, launch, record, register};
use crate::ecs::{EcsService, state::ContainerInstanceRecord};
use crate::http::{Answer, HttpService, Request, serve_connection};
use crate::iam::state::RoleRecord;
use crate::store::StoreError;
use crate::testing::Bench;
use crate::{Cloud, Record};

/// Hands every request to the sessions, as the gateway does with upgrades.
struct Sessions {
    cloud: Arc<Cloud>,
    caller: Caller,
    timing: Timing,
}

impl HttpService for Sessions {
    fn call(self: Arc<Self>, request: Request, _: Origin) -> Answer {
        Box::pin(async move { accept_with(&self.cloud, self.caller.clone(), request, self.timing) })
    }
}

const SLOW: Timing =
    Timing { heartbeat: Duration::from_secs(3600), unanswered: 2, farewell: Duration::from_secs(5) };
const FAST: Timing =
    Timing { heartbeat: Duration::from_millis(40), unanswered: 2, farewell: Duration::from_millis(200) };

type Socket = WebSocketStream<TcpStream>;

/// A cluster with one registered instance, and where its agent finds the sessions.
struct Harbour {
    bench: Bench,
    arn: String,
    port: u16,
}

impl Harbour {
    async fn new(timing: Timing) -> Self {
        Self::with_caller(timing, Caller::Root).await
    }

    async fn with_caller(timing: Timing, caller: Caller) -> Self {
        let bench = Bench::new();
        create_cluster(&bench, "web");
        launch(&bench, INSTANCE);
        let arn = register(&bench, "web", INSTANCE);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sessions: Arc<dyn HttpService> =
            Arc::new(Sessions { cloud: Arc::clone(&bench.cloud), caller, timing });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_connection(stream, Arc::clone(&sessions), Origin::Host));
            }
        });
        Self { bench, arn, port }
    }

    async fn connect(&self, query: &str) -> Result<Socket, WsError> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let url = format!("ws://127.0.0.1:{}/ws?{query}", self.port);
        client_async(url, stream).await.map(|(socket, _)| socket)
    }

    async fn agent(&self, protocol: u32) -> Result<Socket, WsError> {
        let query = format!("clusterArn=web&containerInstanceArn={}&protocolVersion={protocol}", self.arn);
        self.connect(&query).await
    }

    async fn until_connected(&self, connected: bool) {
        let id = record(&self.bench, &self.arn).id().to_owned();
        self.bench
            .until("the agent is connected or not", |cloud| {
                let record = cloud.store.get::<ContainerInstanceRecord>(crate::testing::REGION, &id);
                record.is_some_and(|record| record.agent_connected() == connected)
            })
            .await;
    }

    fn deregister(&self) {
        use aws_wire::ecs::{DeregisterContainerInstanceRequest, Ecs};
        let input = DeregisterContainerInstanceRequest {
            cluster: Some("web".into()),
            container_instance: Some(self.arn.clone()),
            force: None,
        };
        EcsService.deregister_container_instance(&self.bench.ctx(), input).unwrap();
    }
}

/// The next message of the service; none when it has closed.
async fn hear(socket: &mut Socket) -> Option<Value> {
    let next = async {
        loop {
            match socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("the service says nothing for 10 s")
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

fn refused(opened: Result<Socket, WsError>) -> (u16, Value) {
    match opened {
        Err(WsError::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            (response.status().as_u16(), serde_json::from_slice(body).unwrap())
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a session"),
    }
}

#[tokio::test]
async fn an_agent_is_connected_while_it_answers_heartbeats() {
    let harbour = Harbour::new(FAST).await;
    let mut agent = harbour.agent(2).await.unwrap();
    for _ in 0..8 {
        let heartbeat = hear(&mut agent).await.unwrap();
        assert_eq!(heartbeat["type"], "HeartbeatMessage");
        assert_eq!(heartbeat["message"]["healthy"], true);
        assert!(record(&harbour.bench, &harbour.arn).agent_connected());
        let ack = json!({"type": "HeartbeatAckRequest", "message": {"messageId": heartbeat["message"]["messageId"]}});
        say(&mut agent, ack).await;
    }
    drop(agent);
    harbour.until_connected(false).await;
}

#[tokio::test]
async fn a_silent_agent_is_not_connected() {
    let harbour = Harbour::new(FAST).await;
    let mut agent = harbour.agent(2).await.unwrap();
    harbour.until_connected(true).await;
    let mut last = Value::Null;
    while let Some(message) = hear(&mut agent).await {
        last = message;
    }
    assert_eq!(last["type"], "CloseMessage");
    harbour.until_connected(false).await;
}

#[tokio::test]
async fn an_agent_of_the_first_protocol_lives_by_its_pongs() {
    let harbour = Harbour::new(FAST).await;
    let mut agent = harbour.agent(1).await.unwrap();
    for _ in 0..8 {
        assert_eq!(hear(&mut agent).await.unwrap()["type"], "HeartbeatMessage");
    }
    assert!(record(&harbour.bench, &harbour.arn).agent_connected());
}

#[tokio::test]
async fn a_second_session_takes_the_firsts_place() {
    let harbour = Harbour::new(SLOW).await;
    let mut first = harbour.agent(2).await.unwrap();
    assert_eq!(hear(&mut first).await.unwrap()["type"], "HeartbeatMessage");
    let mut second = harbour.agent(2).await.unwrap();
    assert_eq!(hear(&mut second).await.unwrap()["type"], "HeartbeatMessage");
    assert_eq!(hear(&mut first).await.unwrap()["type"], "CloseMessage");
    assert_eq!(hear(&mut first).await, None);
    assert!(record(&harbour.bench, &harbour.arn).agent_connected());
    second.close(None).await.unwrap();
    harbour.until_connected(false).await;
}

#[tokio::test]
async fn deregistration_ends_both_sessions_and_opens_none() {
    let harbour = Harbour::new(SLOW).await;
    let mut agent = harbour.agent(2).await.unwrap();
    let telemetry = format!("cluster=web&containerInstance={}", harbour.arn);
    let mut metrics = harbour.connect(&telemetry).await.unwrap();
    assert_eq!(hear(&mut agent).await.unwrap()["type"], "HeartbeatMessage");
    assert_eq!(hear(&mut metrics).await.unwrap()["type"], "HeartbeatMessage");
    harbour.deregister();
    for socket in [&mut agent, &mut metrics] {
        assert_eq!(hear(socket).await.unwrap()["type"], "CloseMessage");
        assert_eq!(hear(socket).await, None);
    }
    assert!(!record(&harbour.bench, &harbour.arn).agent_connected());
    let (status, body) = refused(harbour.agent(2).await);
    assert_eq!((status, body["type"].as_str()), (400, Some("InactiveInstanceException")));
    assert!(body["message"]["message"].as_str().unwrap().contains(&harbour.arn));
}

#[tokio::test]
async fn telemetry_is_acknowledged() {
    let harbour = Harbour::new(SLOW).await;
    let telemetry = format!("cluster=web&containerInstance={}", harbour.arn);
    let mut metrics = harbour.connect(&telemetry).await.unwrap();
    assert_eq!(hear(&mut metrics).await.unwrap()["type"], "HeartbeatMessage");
    for (said, heard) in [
        ("PublishMetricsRequest", "AckPublishMetric"),
        ("PublishHealthRequest", "AckPublishHealth"),
        ("PublishInstanceStatusRequest", "AckPublishInstanceStatus"),
    ] {
        let signed = format!("Host: ecs-t-1\r\n\r\n{}", json!({"type": said, "message": {}}));
        metrics.send(Message::text(signed)).await.unwrap();
        assert_eq!(hear(&mut metrics).await.unwrap()["type"], heard);
    }
    assert!(!record(&harbour.bench, &harbour.arn).agent_connected(), "that is the other session's affair");
}

#[tokio::test]
async fn a_role_needs_permission() {
    let caller = Caller::Role { role: "agents".into(), session: INSTANCE.into() };
    let harbour = Harbour::with_caller(SLOW, caller).await;
    let (status, body) = refused(harbour.agent(2).await);
    assert_eq!((status, body["type"].as_str()), (400, Some("AccessDeniedException")));
    assert!(body["message"]["message"].as_str().unwrap().contains("ecs:Poll"));
    let policy = r#"{"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "ecs:Poll", "Resource": "arn:aws:ecs:*:*:container-instance/web/*",
        "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/web"}}
    }]}"#;
    let role = RoleRecord {
        name: "agents".into(),
        arn: "arn:aws:iam::123456789012:role/agents".into(),
        role_id: "AROA".into(),
        path: "/".into(),
        trust: String::new(),
        description: None,
        max_session_duration: 3600,
        inline: BTreeMap::from([("poll".to_owned(), policy.to_owned())]).into_iter().collect(),
        attached: Vec::new(),
        created: Timestamp::now(),
        tags: Default::default(),
    };
    harbour.bench.cloud.store.write::<_, StoreError>(|tx| tx.put(role)).unwrap();
    let mut agent = harbour.agent(2).await.unwrap();
    assert_eq!(hear(&mut agent).await.unwrap()["type"], "HeartbeatMessage");
    let telemetry = format!("cluster=web&containerInstance={}", harbour.arn);
    let (_, body) = refused(harbour.connect(&telemetry).await);
    assert!(body["message"]["message"].as_str().unwrap().contains("ecs:StartTelemetrySession"));
}

#[tokio::test]
async fn what_is_no_session_is_refused() {
    let harbour = Harbour::new(SLOW).await;
    let arn = &harbour.arn;
    let cases = [
        ("clusterArn=web".to_owned(), "BadRequestException"),
        (format!("clusterArn=none&containerInstanceArn={arn}"), "InvalidClusterException"),
        (format!("clusterArn=web&containerInstanceArn={arn}0"), "InactiveInstanceException"),
        ("clusterArn=web&containerInstanceArn=0a".to_owned(), "InactiveInstanceException"),
    ];
    for (query, exception) in cases {
        let (status, body) = refused(harbour.connect(&query).await);
        assert_eq!((status, body["type"].as_str()), (400, Some(exception)), "{query}");
    }
}
