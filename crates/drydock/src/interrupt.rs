//! Ctrl-C: the first lets a command clean up and end, the second ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal.
const KILLED: i32 = 1;

/// Watches for SIGINT and SIGTERM for as long as the program runs. The first is told to `say` by name (`interrupt`,
/// `terminated`, as Go calls them) and cancels the token; the second ends the program on the spot.
///
/// # Errors
/// When the signals cannot be watched.
pub fn watch(say: impl Fn(&str) + Send + 'static) -> std::io::Result<CancellationToken> {
    let mut signals = Signals {
        interrupts: signal(SignalKind::interrupt())?,
        terminations: signal(SignalKind::terminate())?,
    };
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let first = signals.next().await;
        say(first);
        cancel.cancel();
        signals.next().await;
        // No destructor may hold up a user who has asked twice.
        std::process::exit(KILLED);
    });
    Ok(token)
}

/// Both signals.
struct Signals {
    interrupts: Signal,
    terminations: Signal,
}

impl Signals {
    /// Waits for the next one, and names it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupts.recv() => "interrupt",
            _ = self.terminations.recv() => "terminated",
        }
    }
}
