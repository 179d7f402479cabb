//! Sessions with a fake service.

use super::*;
use crate::aws::credentials::Credentials;
use crate::aws::imds::ImdsError;
use crate::aws::proxy::ProxySettings;
use crate::ecs_agent::log::Level;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

struct Keys;
impl CredentialProvider for Keys {
    fn credentials(&self) -> Result<Credentials, ImdsError> {
        Ok(Credentials::permanent("AKID", "secret"))
    }
}

struct Discover(String);
impl EcsApi for Discover {
    fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError> {
        assert_eq!(operation, "DiscoverPollEndpoint");
        assert_eq!(input, &json!({"containerInstance": "arn:ci", "cluster": "web"}));
        Ok(json!({"endpoint": self.0, "telemetryEndpoint": "unused"}))
    }
}

fn quick() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        heartbeat: (ms(400), ms(1)),
        connection: (Duration::from_secs(60), ms(1)),
        backoff: (ms(30), ms(60)),
        deregistered: ms(10),
    }
}

/// Runs a session against `service`, which is given each connection with its number; ends the session when `service`
/// has sent `()` on its channel as often as it wants and hung up. Returns the request targets.
fn with_service(
    timing: Timing,
    service: impl Fn(usize, &mut WebSocket<std::net::TcpStream>) -> bool + Send + 'static,
    refuse: Option<(usize, &'static str)>,
) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let (done, finished): (_, Receiver<Vec<String>>) = mpsc::channel();
    std::thread::spawn(move || {
        let mut targets = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let mut seen = String::new();
            #[allow(clippy::result_large_err)] // the library's signature
            let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                assert!(
                    request.headers()["authorization"]
                        .to_str()
                        .unwrap()
                        .contains("/us-east-1/ecs/aws4_request")
                );
                seen = request.uri().to_string();
                match refuse {
                    Some((refused, body)) if refused == number => {
                        Err(http::Response::builder().status(400).body(Some(body.to_owned())).unwrap())
                    }
                    _ => Ok(response),
                }
            };
            let accepted = tungstenite::accept_hdr(stream.unwrap(), check).ok();
            targets.push(seen);
            let more = match accepted {
                Some(mut socket) => service(number, &mut socket),
                None => true,
            };
            if !more {
                done.send(targets).unwrap();
                return;
            }
        }
    });
    let (stop, log) = (Stop::default(), AgentLog::to(Level::Debug, Vec::new()));
    let connector =
        Connector::new(PathBuf::from("/nonexistent"), ProxySettings::default(), "us-east-1".into());
    let api = Discover(endpoint);
    let session = Session {
        cluster: "web",
        container_instance_arn: "arn:ci",
        docker_version: "20.10",
        api: &api,
        credentials: &Keys,
        connector: &connector,
        timing,
        log: &log,
        stop: &stop,
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| session.run());
        let targets = finished.recv_timeout(Duration::from_secs(10)).unwrap();
        stop.trigger();
        running.join().unwrap();
        targets
    })
}

fn say(socket: &mut WebSocket<std::net::TcpStream>, message: Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

fn hear(socket: &mut WebSocket<std::net::TcpStream>) -> Value {
    serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap()
}

#[test]
fn heartbeats_are_acknowledged_and_tasks_refused() {
    let targets = with_service(
        quick(),
        |_, socket| {
            say(socket, json!({"type": "HeartbeatMessage", "message": {"healthy": true, "messageId": "m1"}}));
            let ack = json!({"type": "HeartbeatAckRequest", "message": {"messageId": "m1"}});
            assert_eq!(hear(socket), ack);
            say(socket, json!({"type": "Surprise", "message": {}}));
            let tasks = json!([{"arn": "arn:task", "desiredStatus": "RUNNING"}]);
            say(socket, json!({"type": "PayloadMessage", "message": {"messageId": "m2", "tasks": tasks}}));
            let nack = hear(socket);
            assert_eq!(nack["type"], "NackRequest");
            assert_eq!(nack["message"]["messageId"], "m2");
            assert_eq!(nack["message"]["containerInstance"], "arn:ci");
            assert_eq!(nack["message"]["reason"], "This agent does not run tasks; refused: arn:task");
            false
        },
        None,
    );
    assert_eq!(
        targets[0],
        format!(
            "/ws?agentHash=drydock&agentVersion={VERSION}&clusterArn=web&containerInstanceArn=arn%3Aci\
             &dockerVersion=DockerVersion%3A%2020.10&protocolVersion=2&sendCredentials=true&seqNum=1"
        )
    );
}

#[test]
fn a_closed_connection_is_opened_again_at_once() {
    let slow = Timing { backoff: (Duration::from_secs(60), Duration::from_secs(60)), ..quick() };
    let targets = with_service(
        slow,
        |number, socket| {
            match number {
                0 => {
                    say(socket, json!({"type": "CloseMessage", "message": {"message": "ConnectionExpired"}}));
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    socket.close(Some(frame)).unwrap();
                    while socket.read().is_ok() {}
                }
                // The connection simply ends.
                1 => {}
                _ => return false,
            }
            true
        },
        None,
    );
    assert_eq!(targets.len(), 3);
    assert!(targets[0].contains("sendCredentials=true") && targets[1].contains("sendCredentials=false"));
}

#[test]
fn silence_and_errors_lead_to_another_connection() {
    let targets = with_service(
        quick(),
        |number, socket| {
            match number {
                // Says nothing: the agent gives up and closes.
                0 => while socket.read().is_ok() {},
                1 => {
                    let frame = CloseFrame { code: CloseCode::Policy, reason: "no".into() };
                    socket.close(Some(frame)).unwrap();
                    while socket.read().is_ok() {}
                }
                2 => say(socket, json!({"ServerException": "trouble"})),
                _ => return false,
            }
            true
        },
        None,
    );
    assert_eq!(targets.len(), 4);
}

#[test]
fn a_deregistered_instance_waits_and_asks_again() {
    let refusal = (0, r#"{"InactiveInstanceException":"Instance is deregistered"}"#);
    assert_eq!(with_service(quick(), |_, _| false, Some(refusal)).len(), 2);
}

#[test]
fn a_stop_says_good_bye() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = Discover(format!("http://{}", listener.local_addr().unwrap()));
    let (stop, log) = (Stop::default(), AgentLog::to(Level::Debug, Vec::new()));
    let connector =
        Connector::new(PathBuf::from("/nonexistent"), ProxySettings::default(), "us-east-1".into());
    let session = Session {
        cluster: "web",
        container_instance_arn: "arn:ci",
        docker_version: "20.10",
        api: &api,
        credentials: &Keys,
        connector: &connector,
        timing: Timing::default(),
        log: &log,
        stop: &stop,
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| session.run());
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        stop.trigger();
        assert!(matches!(socket.read(), Ok(Message::Close(_))));
        running.join().unwrap();
    });
}
