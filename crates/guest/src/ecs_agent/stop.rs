//! Ending the agent: whoever waits or reads learns of it at once.

use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The wish to end, and what must be woken for it.
#[derive(Default)]
pub struct Stop {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    stopped: bool,
    session: Option<OwnedFd>,
    listener: Option<OwnedFd>,
}

impl Stop {
    /// Asks the agent to end.
    pub fn trigger(&self) {
        let mut inner = self.lock();
        inner.stopped = true;
        inner.session.iter().chain(&inner.listener).for_each(end_waiting);
        self.changed.notify_all();
    }

    /// Whether the agent should end.
    pub fn is_set(&self) -> bool {
        self.lock().stopped
    }

    /// Waits; returns early, and true, when the agent should end.
    pub fn wait(&self, duration: Duration) -> bool {
        let deadline = Instant::now() + duration;
        let mut inner = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.stopped || left.is_zero() {
                return inner.stopped;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Names the connection that is being read, so that [`Stop::trigger`] ends the reading.
    pub fn watch_session(&self, socket: Option<OwnedFd>) {
        let mut inner = self.lock();
        socket.iter().filter(|_| inner.stopped).for_each(end_waiting);
        inner.session = socket;
    }

    /// Names the socket that is being listened on, so that [`Stop::trigger`] ends the listening.
    pub fn watch_listener(&self, socket: OwnedFd) {
        let mut inner = self.lock();
        if inner.stopped {
            end_waiting(&socket);
        }
        inner.listener = Some(socket);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a blocked read or accept, while a last message can still be sent.
fn end_waiting(socket: &OwnedFd) {
    // It may have been closed by the other end already.
    let _ = shutdown(socket.as_raw_fd(), Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn waiting_ends_with_the_stop() {
        let stop = Arc::new(Stop::default());
        assert!(!stop.wait(Duration::from_millis(1)));
        let other = Arc::clone(&stop);
        let waiter = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        stop.trigger();
        assert!(waiter.join().unwrap() && stop.is_set());
    }
}
