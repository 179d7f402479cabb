//! The daemon's side.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::{Adopt, Adopted, FrontDoor, Refusal, Status, socket};
use crate::cloudformation::state::Stack;
use crate::front::Front;
use crate::http::{Answer, HttpService, Request, Response, serve_connection, whole};
use crate::{Cloud, Origin, ec2};

/// Tells the daemon's parts that it is to end.
pub type Shutdown = watch::Sender<bool>;

/// Answers administration requests.
pub struct AdminServer {
    cloud: Arc<Cloud>,
    endpoint: String,
    started: Instant,
    shutdown: Shutdown,
    front: Arc<Front>,
}

impl AdminServer {
    /// A server of the cloud that listens at `endpoint`.
    pub fn new(cloud: Arc<Cloud>, endpoint: String, shutdown: Shutdown, front: Arc<Front>) -> Self {
        Self { cloud, endpoint, started: Instant::now(), shutdown, front }
    }

    /// Serves the socket in the state directory until the daemon ends.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub async fn run(self: Arc<Self>) -> std::io::Result<()> {
        let path = socket(&self.cloud.config.state_dir);
        if path.exists() {
            // Only one daemon holds the state directory's lock, so this is a dead one's.
            std::fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve_connection(stream, Arc::clone(&self) as Arc<dyn HttpService>, Origin::Host));
        }
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return refuse(StatusCode::BAD_REQUEST, error.to_string()),
        };
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/status") => json(&self.status()),
            (&Method::POST, "/adopt") => self.adopt(&body),
            (&Method::POST, "/front") => self.open_front().await,
            (&Method::PUT, "/logs/faults") => self.set_faults(&body),
            (&Method::POST, "/stop") => {
                self.shutdown.send_replace(true);
                json(&())
            }
            (method, path) => refuse(StatusCode::NOT_FOUND, format!("the daemon knows no {method} {path}")),
        }
    }

    fn status(&self) -> Status {
        let mut instances = BTreeMap::new();
        for instance in self.cloud.store.all::<ec2::state::InstanceRecord>() {
            *instances.entry(instance.state.name().to_owned()).or_default() += 1;
        }
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            endpoint: self.endpoint.clone(),
            region: self.cloud.config.default_region.clone(),
            account: self.cloud.config.account.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            resident_kib: resident_kib(),
            stacks: stacks_that_exist(&self.cloud),
            images_in_use: crate::in_use(&self.cloud.store),
            instances,
        }
    }

    async fn open_front(&self) -> Response {
        match self.front.open().await {
            Ok(address) => json(&FrontDoor {
                address,
                folder: crate::front::folder(&self.cloud.config.state_dir),
                authority: self.cloud.vpcs.ca().pem().to_owned(),
            }),
            Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }

    /// What CloudWatch Logs is to refuse from now on, for tests of its clients.
    fn set_faults(&self, body: &Bytes) -> Response {
        match serde_json::from_slice(body) {
            Ok(faults) => {
                self.cloud.logs.faults.set(faults);
                json(&())
            }
            Err(error) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
        }
    }

    fn adopt(&self, body: &Bytes) -> Response {
        let request: Adopt = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, error.to_string()),
        };
        let region = request.region.unwrap_or_else(|| self.cloud.config.default_region.clone());
        match ec2::adopt::adopt(&self.cloud, &region, &request.items) {
            Ok(lines) => json(&Adopted { lines }),
            Err(error) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
        }
    }
}

impl HttpService for AdminServer {
    fn call(self: Arc<Self>, request: Request, _: Origin) -> Answer {
        Box::pin(async move { self.answer(request).await })
    }
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => Response::new(whole(body)),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn refuse(status: StatusCode, message: String) -> Response {
    let mut response = json(&Refusal { message });
    *response.status_mut() = status;
    response
}

/// This process's resident memory (`VmRSS` of proc(5)) in KiB; 0 where the kernel does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

fn stacks_that_exist(cloud: &Cloud) -> usize {
    cloud.store.all::<Stack>().iter().filter(|stack| stack.status.exists()).count()
}
