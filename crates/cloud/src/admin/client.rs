//! The side of `drydock cloud …`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Adopt, Adopted, FrontDoor, Refusal, Status, socket};

/// The daemon could not be asked, or refused.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No daemon serves this state directory.
    #[error("no local cloud is running on {}; start one with `drydock cloud start`", state_dir.display())]
    NotRunning {
        /// The state directory.
        state_dir: PathBuf,
    },
    /// The daemon did not answer as it should.
    #[error("the local cloud on {} did not answer: {reason}", state_dir.display())]
    Broken {
        /// The state directory.
        state_dir: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The daemon refused.
    #[error("{0}")]
    Refused(String),
}

/// A client of one state directory's daemon.
#[derive(Debug, Clone)]
pub struct AdminClient {
    state_dir: PathBuf,
}

impl AdminClient {
    /// A client; nothing is asked yet.
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// How the daemon is.
    ///
    /// # Errors
    /// When no daemon answers.
    pub async fn status(&self) -> Result<Status, AdminError> {
        // A daemon that does not tell its status at once is not one to wait for.
        match tokio::time::timeout(Duration::from_secs(5), self.ask(Method::GET, "/status", &())).await {
            Ok(answer) => answer,
            Err(_) => Err(self.broken("it has not told its status within 5 seconds")),
        }
    }

    /// Adopts resources of somebody's AWS account.
    ///
    /// # Errors
    /// When no daemon answers or it refuses an item.
    pub async fn adopt(&self, request: &Adopt) -> Result<Adopted, AdminError> {
        self.ask(Method::POST, "/adopt", request).await
    }

    /// Has AWS's names and API served to commands of the host.
    ///
    /// # Errors
    /// When no daemon answers, or the addresses cannot be had.
    pub async fn open_front(&self) -> Result<FrontDoor, AdminError> {
        self.ask(Method::POST, "/front", &()).await
    }

    /// Tells the daemon to stop its machines and end; returns when it has begun to.
    ///
    /// # Errors
    /// When no daemon answers.
    pub async fn stop(&self) -> Result<(), AdminError> {
        self.ask(Method::POST, "/stop", &()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AdminError> {
        let stream = UnixStream::connect(socket(&self.state_dir))
            .await
            .map_err(|_| AdminError::NotRunning { state_dir: self.state_dir.clone() })?;
        let broken = |error: &dyn std::error::Error| self.broken(&error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let driving = tokio::spawn(connection);
        let body = serde_json::to_vec(body).map_err(|e| broken(&e))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "drydock")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| broken(&e))?;
        let response = sender.send_request(request).await.map_err(|e| self.unanswered(&e))?;
        let status = response.status();
        let answer = response.into_body().collect().await.map_err(|e| broken(&e))?.to_bytes();
        driving.abort();
        if status.is_success() {
            return serde_json::from_slice(&answer).map_err(|e| broken(&e));
        }
        let refusal: Refusal = serde_json::from_slice(&answer).map_err(|e| broken(&e))?;
        Err(AdminError::Refused(refusal.message))
    }

    /// Why a request got no answer. A daemon that is just ending accepts nobody any more, or drops who waits.
    fn unanswered(&self, error: &hyper::Error) -> AdminError {
        if error.is_incomplete_message() || error.is_canceled() || is_reset(error) {
            AdminError::NotRunning { state_dir: self.state_dir.clone() }
        } else {
            self.broken(&error.to_string())
        }
    }

    fn broken(&self, reason: &str) -> AdminError {
        AdminError::Broken { state_dir: self.state_dir.clone(), reason: reason.to_owned() }
    }
}

/// Whether the other end has closed the connection.
fn is_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| matches!(error.kind(), ConnectionReset | BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_that_is_killed_while_it_is_asked_is_not_running() {
        let state = tempfile::tempdir().unwrap();
        let path = socket(state.path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let dying = tokio::spawn(async move { drop(listener.accept().await) });
        let told = AdminClient::new(state.path()).status().await;
        assert!(matches!(told, Err(AdminError::NotRunning { .. })), "{told:?}");
        dying.await.unwrap();
        let told = AdminClient::new(state.path()).status().await;
        assert!(matches!(told, Err(AdminError::NotRunning { .. })), "{told:?}");
    }
}
