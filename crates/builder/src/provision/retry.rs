//! Trying again while a machine is away: it may be starting again after the last step.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::communicator::CommunicatorError;

/// Does something until it works, or fails for another reason than a lost connection, or `limit` is over.
pub(super) async fn while_away<T, F>(
    limit: Duration,
    cancel: &CancellationToken,
    mut work: impl FnMut() -> F,
) -> Result<T, CommunicatorError>
where
    F: Future<Output = Result<T, CommunicatorError>>,
{
    let start = Instant::now();
    loop {
        match work().await {
            Err(error @ CommunicatorError::Connection { .. }) => {
                let waited = start.elapsed();
                if waited >= limit {
                    return Err(error);
                }
                tracing::debug!(%error, "the machine is away");
                tokio::select! {
                    () = cancel.cancelled() => return Err(CommunicatorError::Cancelled),
                    () = sleep(pause(waited).min(limit - waited)) => {}
                }
            }
            other => return other,
        }
    }
}

/// A tenth of the time waited so far, so that a machine is met soon after it is back.
fn pause(waited: Duration) -> Duration {
    (waited / 10).clamp(Duration::from_millis(50), Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn away() -> CommunicatorError {
        CommunicatorError::Connection { address: "a".to_owned(), reason: "gone".to_owned() }
    }

    #[tokio::test]
    async fn a_lost_connection_is_tried_again_and_nothing_else_is() {
        let cancel = CancellationToken::new();
        let limit = Duration::from_secs(60);
        let tries = AtomicUsize::new(0);
        let result = while_away(limit, &cancel, || async {
            if tries.fetch_add(1, Ordering::Relaxed) < 3 { Err(away()) } else { Ok(()) }
        });
        result.await.expect("the fourth try");
        assert_eq!(tries.load(Ordering::Relaxed), 4);

        let tries = AtomicUsize::new(0);
        let result = while_away(limit, &cancel, || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(CommunicatorError::None)
        });
        assert!(matches!(result.await, Err(CommunicatorError::None)));
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn trying_ends_with_the_time_and_with_the_build() {
        let cancel = CancellationToken::new();
        let start = Instant::now();
        let limit = Duration::from_millis(200);
        let result = while_away(limit, &cancel, || async { Err::<(), _>(away()) }).await;
        assert!(matches!(result, Err(CommunicatorError::Connection { .. })));
        assert!(start.elapsed() >= limit);

        cancel.cancel();
        let limit = Duration::from_secs(60);
        let result = while_away(limit, &cancel, || async { Err::<(), _>(away()) }).await;
        assert!(matches!(result, Err(CommunicatorError::Cancelled)));
    }
}
