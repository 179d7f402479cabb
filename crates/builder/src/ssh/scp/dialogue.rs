//! The lines and answers of `scp`, and what goes wrong with them.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::MAX_LINE;
use crate::{
    communicator::{CommunicatorError, Exit},
    ssh::exec::{Event, Remote},
};

/// How much of what the program says on its standard error is kept, for an error message.
const MAX_COMPLAINT: usize = 2 << 10;

/// Why a copy failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::ssh) enum ScpError {
    /// The other end says so.
    #[error("{0}")]
    Said(String),
    /// The program ended early.
    #[error("{}", ended(*exit, complaint))]
    Ended { exit: i32, complaint: String },
    /// The connection is gone.
    #[error("the connection was lost on the way")]
    Lost,
    /// Something that is not `scp` answered.
    #[error(
        "the remote scp said {0:?}, which is not its protocol; does a startup file of the remote shell print it?"
    )]
    Unexpected(String),
    /// The file here is not as long as it was.
    #[error("the file became shorter while it was copied: {missing} of {length} bytes are missing")]
    Short { length: u64, missing: u64 },
    /// The protocol has no way to say it.
    #[error("scp cannot carry the name {0:?}: \"ssh_file_transfer_method\": \"sftp\" can")]
    Name(String),
    /// A file here cannot be read or written.
    #[error("{path}: {source}")]
    Local { path: String, source: std::io::Error },
}

impl ScpError {
    /// The error in a communicator's words. `address` is the machine's.
    pub fn told(self, action: &'static str, path: &str, address: &impl ToString) -> CommunicatorError {
        match self {
            Self::Lost => CommunicatorError::Connection {
                address: address.to_string(),
                reason: format!("it was lost during the {action} of {path}"),
            },
            Self::Local { path, source } => CommunicatorError::Local { path, source },
            other => CommunicatorError::Transfer { action, path: path.to_owned(), reason: other.to_string() },
        }
    }
}

fn ended(exit: i32, complaint: &str) -> String {
    match exit {
        127 => "there is no scp program on the machine; install it (openssh-clients), or set \
                \"ssh_file_transfer_method\": \"sftp\""
            .to_owned(),
        _ if complaint.is_empty() => format!("the remote scp ended with exit status {exit}"),
        _ => format!("the remote scp ended with exit status {exit}: {complaint}"),
    }
}

/// A talk with an `scp` program.
pub(super) struct Dialogue<'a> {
    remote: &'a mut Remote,
    /// What it said and was not read yet.
    said: BytesMut,
    complaint: Vec<u8>,
    exit: Option<Exit>,
}

impl<'a> Dialogue<'a> {
    pub fn new(remote: &'a mut Remote) -> Self {
        Self { remote, said: BytesMut::new(), complaint: Vec::new(), exit: None }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Stdout(bytes) => self.said.extend_from_slice(&bytes),
            Event::Stderr(bytes) => {
                let room = MAX_COMPLAINT.saturating_sub(self.complaint.len());
                self.complaint.extend_from_slice(&bytes[..room.min(bytes.len())]);
            }
            Event::End(exit) => self.exit = Some(exit),
        }
    }

    /// Waits until something is said. An error when the program ended.
    async fn listen(&mut self) -> Result<(), ScpError> {
        while self.said.is_empty() {
            if let Some(exit) = self.exit {
                return Err(self.early(exit));
            }
            let event = self.remote.reader.next().await;
            self.note(event);
        }
        Ok(())
    }

    fn early(&self, exit: Exit) -> ScpError {
        match exit {
            Exit::Disconnected => ScpError::Lost,
            Exit::Code(exit) => ScpError::Ended {
                exit,
                complaint: String::from_utf8_lossy(&self.complaint).trim().to_owned(),
            },
        }
    }

    /// Says something. What the other end says meanwhile is kept; that it ended is seen, for nobody would take the
    /// bytes any more.
    pub async fn say(&mut self, bytes: impl Into<Bytes>) -> Result<(), ScpError> {
        let writer = self.remote.writer.clone();
        let mut sending = std::pin::pin!(writer.data_bytes(bytes));
        loop {
            if let Some(exit) = self.exit {
                return Err(self.last_word().await.unwrap_or_else(|| self.early(exit)));
            }
            let event = tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| ScpError::Lost),
                event = self.remote.reader.next() => event,
            };
            self.note(event);
            if self.said.len() > MAX_LINE {
                return Err(self.unexpected());
            }
        }
    }

    /// The error that the program said before it ended, if it did.
    async fn last_word(&mut self) -> Option<ScpError> {
        if self.said.is_empty() { None } else { self.answer().await.err() }
    }

    /// The next byte.
    async fn byte(&mut self) -> Result<u8, ScpError> {
        self.listen().await?;
        Ok(self.said.get_u8())
    }

    /// The rest of a line, without its end.
    pub async fn line(&mut self) -> Result<Vec<u8>, ScpError> {
        let mut line = Vec::new();
        loop {
            match self.byte().await? {
                b'\n' => return Ok(line),
                _ if line.len() == MAX_LINE => return Err(self.unexpected()),
                byte => line.push(byte),
            }
        }
    }

    /// The answer to what was said.
    pub async fn answer(&mut self) -> Result<(), ScpError> {
        match self.byte().await? {
            0 => Ok(()),
            1 | 2 => Err(self.complaint_line().await),
            other => Err(self.strange(other)),
        }
    }

    /// What comes next: its kind (`C`, `D`, `E`, `T`) and the rest of the line; none at the end.
    pub async fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, ScpError> {
        let kind = match self.byte().await {
            Ok(kind) => kind,
            Err(ScpError::Ended { exit: 0, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match kind {
            1 | 2 => Err(self.complaint_line().await),
            b'C' | b'D' | b'E' | b'T' => Ok(Some((kind, self.line().await?))),
            other => Err(self.strange(other)),
        }
    }

    async fn complaint_line(&mut self) -> ScpError {
        match self.line().await {
            Ok(line) => {
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                ScpError::Said(text.strip_prefix("scp: ").map_or(text.clone(), str::to_owned))
            }
            Err(error) => error,
        }
    }

    fn strange(&mut self, first: u8) -> ScpError {
        let mut rest = std::mem::take(&mut self.said);
        self.said.extend_from_slice(&[first]);
        self.said.unsplit(rest.split());
        self.unexpected()
    }

    fn unexpected(&self) -> ScpError {
        let start = &self.said[..self.said.len().min(80)];
        ScpError::Unexpected(String::from_utf8_lossy(start).into_owned())
    }

    /// Takes `length` bytes into `sink`.
    pub async fn take(
        &mut self,
        mut length: u64,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
        path: &str,
    ) -> Result<(), ScpError> {
        let local = |source| ScpError::Local { path: path.to_owned(), source };
        while length > 0 {
            self.listen().await?;
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(self.said.len());
            sink.write_all(&self.said.split_to(count)).await.map_err(local)?;
            length -= count as u64;
        }
        sink.flush().await.map_err(local)
    }

    /// Says that nothing more comes, and waits for the program's end.
    pub async fn finish(mut self) -> Result<(), ScpError> {
        self.remote.writer.eof().await.map_err(|_| ScpError::Lost)?;
        let exit = loop {
            match self.remote.reader.next().await {
                Event::End(exit) => break exit,
                event => self.note(event),
            }
        };
        match exit {
            Exit::Code(0) => Ok(()),
            exit => Err(self.last_word().await.unwrap_or_else(|| self.early(exit))),
        }
    }
}
