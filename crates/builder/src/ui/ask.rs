//! Reading an answer.

use tokio::sync::oneshot;

/// A line from standard input without its end and the white space around it; none at the end of input.
///
/// The reading thread is the process's, not the runtime's: an unanswered question must not keep a cancelled build
/// from ending, as a blocking task of the runtime's would.
pub(super) async fn read_line() -> Option<String> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if matches!(std::io::stdin().read_line(&mut line), Ok(1..)) {
            // Nobody waits any more when the build was cancelled.
            let _ = sender.send(line.trim().to_owned());
        }
    });
    receiver.await.ok()
}
