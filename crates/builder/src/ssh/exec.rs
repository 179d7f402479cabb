//! One remote program: its three streams and its end.

use std::sync::Arc;

use bytes::Bytes;
use russh::{
    ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig,
    client::{Handle, Msg},
};

use super::dial::Events;
use crate::communicator::{Exit, Output};

/// `SSH_EXTENDED_DATA_STDERR`, RFC 4254 section 5.2.
const STDERR: u32 = 1;

/// A program that runs on the machine. Dropping it hangs up on it.
pub(super) struct Remote {
    /// What it says.
    pub reader: Reader,
    /// Its standard input.
    pub writer: Arc<ChannelWriteHalf<Msg>>,
}

impl Remote {
    /// Has the user's shell run a command line.
    pub async fn start(handle: &Handle<Events>, command: &str, pty: bool) -> Result<Self, russh::Error> {
        let channel = handle.channel_open_session().await?;
        if pty {
            // Packer's terminal: 80 columns by 40 rows, nothing echoed.
            let modes = [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14_400), (Pty::TTY_OP_OSPEED, 14_400)];
            channel.request_pty(false, "xterm", 80, 40, 0, 0, &modes).await?;
        }
        // The newline is Packer's, too: a here-document may end the command.
        channel.exec(true, format!("{command}\n")).await?;
        let (half, writer) = channel.split();
        let mut remote = Self { reader: Reader { half, exit: Exit::Disconnected }, writer: Arc::new(writer) };
        remote.reader.started().await?;
        Ok(remote)
    }

    /// Runs to the end and hands on the output.
    pub async fn stream(&mut self, output: &dyn Output) -> Exit {
        loop {
            match self.reader.next().await {
                Event::Stdout(bytes) => output.stdout(&bytes),
                Event::Stderr(bytes) => output.stderr(&bytes),
                Event::End(exit) => return exit,
            }
        }
    }
}

impl Drop for Remote {
    /// A program that nobody waits for any more (cancelled, timed out) must not fill the connection with its output.
    fn drop(&mut self) {
        let writer = self.writer.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // The connection may be gone, and with it the channel.
                let _ = writer.close().await;
            });
        }
    }
}

/// What a program did next.
pub(super) enum Event {
    /// It wrote to its standard output.
    Stdout(Bytes),
    /// It wrote to its standard error.
    Stderr(Bytes),
    /// It ended, or the connection did; nothing comes after.
    End(Exit),
}

/// Reads what a program says.
pub(super) struct Reader {
    half: ChannelReadHalf,
    exit: Exit,
}

impl Reader {
    /// Waits for the server's word that the program was started.
    async fn started(&mut self) -> Result<(), russh::Error> {
        loop {
            match self.half.wait().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure) => return Err(russh::Error::RequestDenied),
                Some(ChannelMsg::Close) | None => return Err(russh::Error::Disconnect),
                Some(_) => {}
            }
        }
    }

    /// What comes next. Nothing is lost when the wait is cancelled. Output may come after the exit code: from what the
    /// program left running with its streams open.
    pub async fn next(&mut self) -> Event {
        loop {
            match self.half.wait().await {
                Some(ChannelMsg::Data { data }) => return Event::Stdout(data),
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => return Event::Stderr(data),
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    self.exit = Exit::Code(i32::try_from(exit_status).unwrap_or(i32::MAX));
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    self.exit = Exit::Code(128 + signal_number(&signal_name));
                }
                Some(_) => {}
                None => return Event::End(self.exit),
            }
        }
    }
}

/// Linux's number of a signal that RFC 4254 names; 0 for others, as Packer's library has it.
fn signal_number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 0,
    }
}
