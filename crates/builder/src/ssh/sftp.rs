//! Copying by the server's `sftp` subsystem.

use std::{fs, io, path::Path};

use russh::client::Handle;
use russh_sftp::{
    client::{Config, SftpSession},
    protocol::{FileAttributes, OpenFlags},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    dial::Events,
    walk::{Item, Step, Walk, WalkError},
};
use crate::communicator::CommunicatorError;

/// How long one request may take, in seconds. A disk may be slow; a machine that is gone is noticed by the connection.
const REQUEST_TIMEOUT: u64 = 300;

/// A session with the `sftp` server.
pub(super) struct Session(SftpSession);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("{0}")]
    Lost(russh::Error),
    #[error("the server has no sftp subsystem: set \"ssh_file_transfer_method\": \"scp\"")]
    Missing,
    #[error("the sftp server does not answer as one: {0}")]
    Protocol(russh_sftp::client::error::Error),
}

impl Session {
    /// Starts the subsystem.
    pub async fn open(handle: &Handle<Events>) -> Result<Self, OpenError> {
        let mut channel = handle.channel_open_session().await.map_err(OpenError::Lost)?;
        channel.request_subsystem(true, "sftp").await.map_err(OpenError::Lost)?;
        loop {
            match channel.wait().await {
                Some(russh::ChannelMsg::Success) => break,
                Some(russh::ChannelMsg::Failure) => return Err(OpenError::Missing),
                Some(russh::ChannelMsg::Close) | None => {
                    return Err(OpenError::Lost(russh::Error::Disconnect));
                }
                Some(_) => {}
            }
        }
        let config = Config { request_timeout_secs: REQUEST_TIMEOUT, ..Config::default() };
        SftpSession::new_with_config(channel.into_stream(), config)
            .await
            .map(Self)
            .map_err(OpenError::Protocol)
    }

    /// Writes one file. Into a directory, when there is one of that path, as in Packer.
    pub async fn upload(
        &self,
        path: &str,
        content: &mut (dyn AsyncRead + Send + Unpin),
        length: u64,
        mode: u32,
    ) -> Result<(), CommunicatorError> {
        let into_dir = self.0.metadata(path).await.is_ok_and(|attributes| attributes.is_dir());
        if into_dir {
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            return self.write(&format!("{path}/{name}"), content, length, mode).await;
        }
        self.write(path, content, length, mode).await
    }

    async fn write(
        &self,
        path: &str,
        content: &mut (dyn AsyncRead + Send + Unpin),
        length: u64,
        mode: u32,
    ) -> Result<(), CommunicatorError> {
        let refused = |error: io::Error| refused("upload", path, &error);
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let mut file = self.0.open_with_flags(path, flags).await.map_err(|e| refused(e.into()))?;
        let copied = tokio::io::copy(&mut content.take(length), &mut file).await.map_err(refused)?;
        if copied < length {
            let reason = format!("the file became shorter while it was copied: {copied} of {length} bytes");
            return Err(CommunicatorError::Transfer { action: "upload", path: path.to_owned(), reason });
        }
        file.close().await.map_err(refused)?;
        self.set_mode(path, mode).await.map_err(refused)
    }

    async fn set_mode(&self, path: &str, mode: u32) -> io::Result<()> {
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        Ok(self.0.set_metadata(path, attributes).await?)
    }

    /// Copies a directory, by Packer's rule of the trailing slash.
    pub async fn upload_dir(&self, destination: &str, source: &str) -> Result<(), CommunicatorError> {
        let mut walk = Walk::new(Path::new(source), !source.ends_with('/')).map_err(unreadable)?;
        let mut there = vec![destination.trim_end_matches('/').to_owned()];
        while let Some(step) = walk.step().map_err(unreadable)? {
            let inside = there.last().cloned().unwrap_or_default();
            match step {
                Step::Enter(item) => {
                    let path = format!("{inside}/{}", name(&item)?);
                    self.make_dir(&path, item.mode).await.map_err(|e| refused("upload", &path, &e))?;
                    there.push(path);
                }
                Step::File(item) => self.local_file(&format!("{inside}/{}", name(&item)?), &item).await?,
                Step::Leave => drop(there.pop()),
            }
        }
        Ok(())
    }

    async fn local_file(&self, path: &str, item: &Item) -> Result<(), CommunicatorError> {
        let unreadable = |source| CommunicatorError::Local { path: item.path.display().to_string(), source };
        let file = fs::File::open(&item.path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        self.write(path, &mut tokio::fs::File::from_std(file), length, item.mode).await
    }

    async fn make_dir(&self, path: &str, mode: u32) -> io::Result<()> {
        if let Err(error) = self.0.create_dir(path).await {
            // One that is there already is as good; the protocol has no code of its own for it.
            if !self.0.metadata(path).await.is_ok_and(|attributes| attributes.is_dir()) {
                return Err(error.into());
            }
        }
        self.set_mode(path, mode).await
    }

    /// Reads one file into `sink`.
    pub async fn download(
        &self,
        path: &str,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), CommunicatorError> {
        let refused = |error: io::Error| refused("download", path, &error);
        let mut file = self.0.open(path).await.map_err(|e| refused(e.into()))?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = file.read(&mut buffer).await.map_err(refused)?;
            if read == 0 {
                break;
            }
            let written = sink.write_all(&buffer[..read]).await;
            written
                .map_err(|source| CommunicatorError::Local { path: "the local file".to_owned(), source })?;
        }
        sink.flush()
            .await
            .map_err(|source| CommunicatorError::Local { path: "the local file".to_owned(), source })
    }
}

fn refused(action: &'static str, path: &str, error: &io::Error) -> CommunicatorError {
    let said = error.to_string();
    // The code's name and the server's words for it are often the same.
    let said = match said.split_once(": ") {
        Some((code, words)) if code == words => words.to_owned(),
        _ => said,
    };
    // `sftp-server` has one word for whatever has no code in the protocol.
    let reason = if said.starts_with("Failure") {
        format!("{said} (sftp does not say why; a full disk looks like this)")
    } else {
        said
    };
    CommunicatorError::Transfer { action, path: path.to_owned(), reason }
}

fn unreadable(error: WalkError) -> CommunicatorError {
    CommunicatorError::Local { path: error.path(), source: error.into() }
}

/// A name as text: what the protocol's library takes.
fn name(item: &Item) -> Result<&str, CommunicatorError> {
    item.name.to_str().ok_or_else(|| CommunicatorError::Local {
        path: item.path.display().to_string(),
        source: io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name is not UTF-8, which sftp here cannot carry",
        ),
    })
}
