//! The session with the agent communication service (ACS): one WebSocket, opened again whenever it ends.

pub mod backoff;
pub mod connection;
pub mod messages;

use self::backoff::Backoff;
use self::connection::{ConnectError, Connection, Connector};
use self::messages::Incoming;
use super::api::{ApiError, EcsApi};
use super::log::AgentLog;
use super::stop::Stop;
use super::{HASH, VERSION};
use crate::aws::credentials::CredentialProvider;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Version 2: the service closes a connection whose heartbeats are not acknowledged.
const PROTOCOL_VERSION: &str = "2";
/// How many connections in a row may close sooner than this before the agent pauses after all. Amazon's agent never
/// does, and keeps a processor busy when a service closes every connection it takes.
const SHORT_LIVED: (u32, Duration) = (5, Duration::from_secs(1));

/// How long things last, as with Amazon's agent; tests have shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The longest silence of the service, and how much longer at random.
    pub heartbeat: (Duration, Duration),
    /// The longest connection, and how much longer at random.
    pub connection: (Duration, Duration),
    /// The shortest and the longest pause before connecting again.
    pub backoff: (Duration, Duration),
    /// The pause when the instance has been deregistered.
    pub deregistered: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            heartbeat: (minutes(1), minutes(1)),
            connection: (minutes(30), minutes(5)),
            backoff: (Duration::from_millis(250), minutes(2)),
            deregistered: minutes(60),
        }
    }
}

/// A container instance's session.
pub struct Session<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// Who the instance is in it.
    pub container_instance_arn: &'a str,
    /// Docker's version.
    pub docker_version: &'a str,
    /// Finds the service.
    pub api: &'a dyn EcsApi,
    /// Signs the connection.
    pub credentials: &'a dyn CredentialProvider,
    /// Opens the connection.
    pub connector: &'a Connector,
    /// How long things last.
    pub timing: Timing,
    /// The log.
    pub log: &'a AgentLog,
    /// Ends the session.
    pub stop: &'a Stop,
}

/// How a connection ended.
#[derive(Debug)]
enum Ended {
    /// The agent is to end.
    Stopped,
    /// The service closed it, or it had its time: connect again at once.
    Closed,
    /// Anything else: connect again after a while.
    Failed(String),
    /// The instance is not in the cluster any more.
    Deregistered,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("unable to discover poll endpoint: {0}")]
    Discover(#[from] ApiError),
    #[error("failed to connect to ACS: {0}")]
    Connect(#[from] ConnectError),
}

impl Session<'_> {
    /// Keeps the session until the agent ends.
    pub fn run(&self) {
        let mut backoff = Backoff::new(self.timing.backoff.0, self.timing.backoff.1);
        // The service sends all tasks' credentials on the first connection only.
        let mut send_credentials = true;
        let mut short_lived = 0;
        while !self.stop.is_set() {
            let began = Instant::now();
            let ended = self.connect_once(&mut send_credentials, &mut backoff);
            short_lived = if began.elapsed() < SHORT_LIVED.1 { short_lived + 1 } else { 0 };
            let pause = match ended {
                Ended::Stopped => return,
                Ended::Closed if short_lived > SHORT_LIVED.0 => backoff.pause(),
                Ended::Closed => {
                    backoff.reset();
                    self.log.info("Reconnecting to ACS immediately without waiting", &[]);
                    continue;
                }
                Ended::Deregistered => {
                    self.log.info("Container instance is deregistered", &[]);
                    self.timing.deregistered
                }
                Ended::Failed(reason) => {
                    self.log.error("The ACS session failed", &[("error", &reason)]);
                    backoff.pause()
                }
            };
            self.log.info("Waiting before reconnecting to ACS", &[("reconnectDelay", &format!("{pause:?}"))]);
            self.stop.wait(pause);
        }
    }

    fn connect_once(&self, send_credentials: &mut bool, backoff: &mut Backoff) -> Ended {
        let mut connection = match self.open(*send_credentials) {
            Ok(connection) => connection,
            Err(OpenError::Connect(ConnectError::Deregistered(_))) => return Ended::Deregistered,
            Err(err) => return Ended::Failed(err.to_string()),
        };
        self.log.info("Connected to ACS endpoint", &[]);
        *send_credentials = false;
        self.stop.watch_session(connection.socket());
        let opened = Instant::now();
        let ended = self.serve(&mut connection);
        self.stop.watch_session(None);
        if opened.elapsed() >= self.timing.heartbeat.0 {
            // It has worked for a while: what ended it is not what ended the one before.
            backoff.reset();
        }
        ended
    }

    fn open(&self, send_credentials: bool) -> Result<Connection, OpenError> {
        let operation = "DiscoverPollEndpoint";
        let input = json!({"containerInstance": self.container_instance_arn, "cluster": self.cluster});
        let output = self.api.call(operation, &input)?;
        let endpoint = output
            .get("endpoint")
            .and_then(Value::as_str)
            .ok_or(ApiError::Missing { operation, member: "endpoint" })?;
        let url = self.url(endpoint, send_credentials);
        self.log.info("Establishing a Websocket connection", &[("url", &url)]);
        let credentials = self.credentials.credentials().map_err(ApiError::from)?;
        Ok(self.connector.connect(&url, &credentials)?)
    }

    fn url(&self, endpoint: &str, send_credentials: bool) -> String {
        let parameters = [
            ("agentHash", HASH.to_owned()),
            ("agentVersion", VERSION.to_owned()),
            ("clusterArn", self.cluster.to_owned()),
            ("containerInstanceArn", self.container_instance_arn.to_owned()),
            ("dockerVersion", format!("DockerVersion: {}", self.docker_version)),
            ("protocolVersion", PROTOCOL_VERSION.to_owned()),
            ("sendCredentials", send_credentials.to_string()),
            ("seqNum", "1".to_owned()),
        ];
        let pairs: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        format!("{}/ws?{}", endpoint.trim_end_matches('/'), pairs.join("&"))
    }

    /// Reads messages until the connection ends.
    fn serve(&self, connection: &mut Connection) -> Ended {
        let expires = Instant::now() + jittered(self.timing.connection);
        let mut silent_until = Instant::now() + jittered(self.timing.heartbeat);
        loop {
            let now = Instant::now();
            if self.stop.is_set() {
                connection.close();
                return Ended::Stopped;
            }
            if now >= expires {
                self.log.warn("Closing connection: it has had its time", &[]);
                connection.close();
                return Ended::Closed;
            }
            if now >= silent_until {
                self.log.warn("ACS Connection hasn't had any activity for too long; closing connection", &[]);
                connection.close();
                return Ended::Failed("no activity".to_owned());
            }
            match connection.read(silent_until.min(expires) - now) {
                Ok(connection::Read::Nothing) => {}
                Ok(connection::Read::Text(text)) => {
                    silent_until = Instant::now() + jittered(self.timing.heartbeat);
                    match self.handle(connection, &text) {
                        Ok(None) => {}
                        Ok(Some(ended)) => return ended,
                        Err(reason) => return Ended::Failed(reason),
                    }
                }
                Ok(connection::Read::Closed) => {
                    if self.stop.is_set() {
                        continue;
                    }
                    self.log.info("ACS WebSocket connection closed for a valid reason", &[]);
                    return Ended::Closed;
                }
                Err(_) if self.stop.is_set() => {}
                Err(reason) => return Ended::Failed(reason),
            }
        }
    }

    /// Answers one message; tells if it ends the connection.
    fn handle(&self, connection: &mut Connection, text: &str) -> Result<Option<Ended>, String> {
        let message = match messages::parse(text) {
            Ok(message) => message,
            Err(err) => {
                self.log.warn(format_args!("Unable to handle message from backend: {err}"), &[]);
                return Ok(None);
            }
        };
        let reply = match message {
            Incoming::Heartbeat { message_id } => {
                self.log.debug("Acknowledging heartbeat", &[("messageID", &message_id)]);
                messages::heartbeat_ack(&message_id)
            }
            Incoming::Payload { message_id, tasks } => {
                let reason = messages::refusal(&tasks);
                self.log.error(&reason, &[("messageID", &message_id)]);
                messages::nack(self.cluster, self.container_instance_arn, &message_id, &reason)
            }
            Incoming::TaskManifest { message_id } => {
                messages::ack(self.cluster, self.container_instance_arn, &message_id)
            }
            Incoming::Close { reason } => {
                self.log.info("ACS is closing the connection", &[("reason", &reason)]);
                return Ok(None);
            }
            Incoming::Error { name, message } if name == "InactiveInstanceException" => {
                self.log.warn(format_args!("{name}: {message}"), &[]);
                return Ok(Some(Ended::Deregistered));
            }
            Incoming::Error { name, message } => return Err(format!("{name}: {message}")),
            Incoming::Unhandled { kind } => {
                self.log.info(format_args!("No handler for message type: {kind}"), &[]);
                return Ok(None);
            }
        };
        connection.send(&reply).map(|()| None)
    }
}

fn jittered((base, jitter): (Duration, Duration)) -> Duration {
    base + jitter.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests;
