//! The communicator: one connection for everything, made again when it is lost.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

use super::{
    config::TransferMethod,
    connect,
    dial::{Connection, Plan},
    exec::Remote,
    scp, sftp,
};
use crate::communicator::{Communicator, CommunicatorError, Exit, Output};

/// A machine that is reached by SSH.
pub(super) struct SshCommunicator {
    plan: Arc<Plan>,
    connection: Mutex<Option<Arc<Connection>>>,
    cancel: CancellationToken,
}

impl SshCommunicator {
    pub fn new(plan: Arc<Plan>, connection: Connection, cancel: CancellationToken) -> Self {
        Self { plan, connection: Mutex::new(Some(Arc::new(connection))), cancel }
    }

    /// Does something unless the build is cancelled meanwhile. What begins after that is the clean-up's and goes on.
    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, CommunicatorError>>,
    ) -> Result<T, CommunicatorError> {
        if self.cancel.is_cancelled() {
            return work.await;
        }
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(CommunicatorError::Cancelled),
            result = work => result,
        }
    }

    fn lost(&self, reason: impl ToString) -> CommunicatorError {
        CommunicatorError::Connection { address: self.plan.target.to_string(), reason: reason.to_string() }
    }

    /// The connection, made again when it is known to be lost.
    async fn connection(&self) -> Result<Arc<Connection>, CommunicatorError> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.handle.is_closed()) {
            return Ok(connection.clone());
        }
        // The old one first: its tunnels' ports must be free for the new one.
        *current = None;
        let connection = Arc::new(connect::once(&self.plan).await.map_err(|error| self.lost(error))?);
        *current = Some(connection.clone());
        Ok(connection)
    }

    /// Forgets a connection that failed, unless somebody else made a new one meanwhile.
    async fn forget(&self, failed: &Arc<Connection>) {
        let mut current = self.connection.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, failed)) {
            *current = None;
        }
    }

    /// Starts a program, once more over a new connection when the old one turns out to be lost, as Packer does.
    async fn start(&self, command: &str, pty: bool) -> Result<Remote, CommunicatorError> {
        let connection = self.connection().await?;
        let first = match Remote::start(&connection.handle, command, pty).await {
            Ok(remote) => return Ok(remote),
            Err(error) => error,
        };
        if let russh::Error::RequestDenied = first {
            return Err(self.lost("the server does not let this user run commands"));
        }
        tracing::debug!(error = %first, "the SSH connection is lost");
        self.forget(&connection).await;
        drop(connection);
        let connection = self.connection().await?;
        Remote::start(&connection.handle, command, pty).await.map_err(|error| self.lost(error))
    }

    /// A session for copies, and the connection that it is over.
    async fn sftp(&self) -> Result<(sftp::Session, Arc<Connection>), CommunicatorError> {
        let connection = self.connection().await?;
        match sftp::Session::open(&connection.handle).await {
            Ok(session) => return Ok((session, connection)),
            Err(sftp::OpenError::Lost(error)) => tracing::debug!(%error, "the SSH connection is lost"),
            Err(error) => return Err(self.lost(error)),
        }
        self.forget(&connection).await;
        drop(connection);
        let connection = self.connection().await?;
        let session = sftp::Session::open(&connection.handle).await.map_err(|error| self.lost(error))?;
        Ok((session, connection))
    }

    /// A copy that failed because its connection was lost says so, so that it may be tried again.
    fn or_lost(
        &self,
        connection: &Connection,
        result: Result<(), CommunicatorError>,
    ) -> Result<(), CommunicatorError> {
        match result {
            Err(CommunicatorError::Transfer { action, path, .. }) if connection.handle.is_closed() => {
                Err(self.lost(format!("it was lost during the {action} of {path}")))
            }
            other => other,
        }
    }
}

#[async_trait]
impl Communicator for SshCommunicator {
    async fn run(&self, command: &str, output: &dyn Output) -> Result<Exit, CommunicatorError> {
        self.unless_cancelled(async {
            let mut remote = self.start(command, self.plan.config.pty).await?;
            // Nothing will be typed. A connection that is lost at this point shows as such right after.
            let _ = remote.writer.eof().await;
            Ok(remote.stream(output).await)
        })
        .await
    }

    async fn upload(
        &self,
        path: &str,
        content: &mut (dyn AsyncRead + Send + Unpin),
        length: u64,
        mode: u32,
    ) -> Result<(), CommunicatorError> {
        self.unless_cancelled(async {
            match self.plan.config.transfer {
                TransferMethod::Scp => {
                    let mut remote = self.start(&scp::receive_file(path), false).await?;
                    scp::upload(&mut remote, path, content, length, mode)
                        .await
                        .map_err(|e| e.told("upload", path, &self.plan.target))
                }
                TransferMethod::Sftp => {
                    let (session, connection) = self.sftp().await?;
                    self.or_lost(&connection, session.upload(path, content, length, mode).await)
                }
            }
        })
        .await
    }

    async fn upload_dir(&self, destination: &str, source: &str) -> Result<(), CommunicatorError> {
        self.unless_cancelled(async {
            match self.plan.config.transfer {
                TransferMethod::Scp => {
                    let mut remote = self.start(&scp::receive_dir(destination, source), false).await?;
                    scp::upload_dir(&mut remote, source)
                        .await
                        .map_err(|e| e.told("upload", destination, &self.plan.target))
                }
                TransferMethod::Sftp => {
                    let (session, connection) = self.sftp().await?;
                    self.or_lost(&connection, session.upload_dir(destination, source).await)
                }
            }
        })
        .await
    }

    async fn download(
        &self,
        path: &str,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), CommunicatorError> {
        self.unless_cancelled(async {
            match self.plan.config.transfer {
                TransferMethod::Scp => {
                    let mut remote = self.start(&scp::send_file(path), false).await?;
                    scp::download(&mut remote, sink)
                        .await
                        .map_err(|e| e.told("download", path, &self.plan.target))
                }
                TransferMethod::Sftp => {
                    let (session, connection) = self.sftp().await?;
                    self.or_lost(&connection, session.download(path, sink).await)
                }
            }
        })
        .await
    }

    async fn download_dir(&self, source: &str, destination: &Path) -> Result<(), CommunicatorError> {
        self.unless_cancelled(async {
            // By scp whatever the method, as in Packer: the remote shell expands `*` in the name.
            let mut remote = self.start(&scp::send_dir(source), false).await?;
            scp::download_dir(&mut remote, destination)
                .await
                .map_err(|e| e.told("download", source, &self.plan.target))
        })
        .await
    }

    async fn reconnect(&self) -> Result<(), CommunicatorError> {
        self.unless_cancelled(async {
            let mut current = self.connection.lock().await;
            if let Some(connection) = current.take() {
                // Said only for the server's log; it may be gone already.
                let _ = connection
                    .handle
                    .disconnect(russh::Disconnect::ByApplication, "reconnecting", "en")
                    .await;
            }
            let connection = connect::until_up(&self.plan).await.map_err(|error| self.lost(error))?;
            *current = Some(Arc::new(connection));
            Ok(())
        })
        .await
    }
}
