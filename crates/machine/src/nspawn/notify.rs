//! How systemd-nspawn says that a machine's init runs (sd_notify(3)).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};

use tokio::net::UnixDatagram;

/// The socket that one instance's nspawn writes to. Its name depends on the instance alone, so that a new daemon
/// hears of a reboot too; while nobody listens, nspawn's words are lost and it does not mind.
#[derive(Debug)]
pub(super) struct Notices(UnixDatagram);

impl Notices {
    /// Listens for the instance's nspawn.
    pub(super) fn listen(forest: &str, id: &str) -> io::Result<Self> {
        let address = SocketAddr::from_abstract_name(name(forest, id))?;
        let socket = StdDatagram::bind_addr(&address)?;
        socket.set_nonblocking(true)?;
        UnixDatagram::from_std(socket).map(Self)
    }

    /// Resolves when the machine's init has been started.
    pub(super) async fn started(&self) -> io::Result<()> {
        let mut message = [0; 4096];
        loop {
            let length = self.0.recv(&mut message).await?;
            if says_started(&message[..length]) {
                return Ok(());
            }
        }
    }
}

/// What nspawn is to be told in `NOTIFY_SOCKET`; the `@` means a name outside of the file system.
pub(super) fn address(forest: &str, id: &str) -> String {
    format!("@{}", name(forest, id))
}

fn name(forest: &str, id: &str) -> String {
    format!("{forest}/{id}")
}

/// Each start of an init is told with its process id. `READY=1` will not do: nspawn says it at the start as well as
/// when the init inside says that all of its services are up.
fn says_started(message: &[u8]) -> bool {
    message.split(|b| *b == b'\n').any(|line| line.starts_with(b"X_NSPAWN_LEADER_PID="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hears_of_a_start_among_other_words() {
        let forest = format!("drydock-test-{}", std::process::id());
        let notices = Notices::listen(&forest, "i-1").unwrap();
        let to = SocketAddr::from_abstract_name(name(&forest, "i-1")).unwrap();
        let sender = StdDatagram::unbound().unwrap();
        sender.send_to_addr(b"READY=1\n", &to).unwrap();
        sender.send_to_addr(b"STATUS=Container running.\nX_NSPAWN_LEADER_PID=7", &to).unwrap();
        notices.started().await.unwrap();
        assert!(!says_started(b"STATUS=x\nREADY=1"));
    }
}
