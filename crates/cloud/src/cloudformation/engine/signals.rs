//! Counting the signals that a creation waits for.

use jiff::Timestamp;

use crate::cloudformation::state::SignalWait;

/// What the signals received so far mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More have to come.
    Waiting,
    /// Enough have come.
    Satisfied,
    /// Too many failures for success to be possible.
    Failed {
        /// The unique ids of the failure signals.
        by: Vec<String>,
    },
    /// Time ran out.
    TimedOut {
        /// How many are missing.
        missing: u32,
    },
}

/// Judges a wait at a moment. A failure signal ends it at once, as CloudFormation does where no
/// `MinSuccessfulInstancesPercent` below 100 is given.
pub fn verdict(wait: &SignalWait, now: Timestamp) -> Verdict {
    let failures: Vec<String> =
        wait.received.iter().filter(|(_, signal)| !signal.success).map(|(id, _)| id.clone()).collect();
    if !failures.is_empty() {
        return Verdict::Failed { by: failures };
    }
    let successes = u32::try_from(wait.received.len()).unwrap_or(u32::MAX);
    if successes >= wait.count {
        return Verdict::Satisfied;
    }
    if now >= wait.deadline {
        return Verdict::TimedOut { missing: wait.count - successes };
    }
    Verdict::Waiting
}

/// CloudFormation's words for a wait that failed; none while it has not.
pub fn reason(verdict: &Verdict, wait: &SignalWait) -> Option<String> {
    match verdict {
        Verdict::Waiting | Verdict::Satisfied => None,
        Verdict::Failed { by } => Some(format!(
            "Received {} FAILURE signal(s) out of {}.  Unable to satisfy 100% MinSuccessfulInstancesPercent \
             requirement",
            by.len(),
            wait.count
        )),
        Verdict::TimedOut { missing } => {
            Some(format!("Failed to receive {missing} resource signal(s) within the specified duration"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::state::Signal;

    fn wait(count: u32, signals: &[bool]) -> SignalWait {
        let received = signals
            .iter()
            .enumerate()
            .map(|(n, success)| (format!("i-{n}"), Signal { success: *success, at: Timestamp::UNIX_EPOCH }))
            .collect();
        SignalWait { count, deadline: Timestamp::from_second(100).unwrap(), received }
    }

    #[test]
    fn signals_are_counted() {
        let cases: [(u32, &[bool], i64, Verdict); 7] = [
            (1, &[], 0, Verdict::Waiting),
            (0, &[], 0, Verdict::Satisfied),
            (2, &[true], 99, Verdict::Waiting),
            (2, &[true], 100, Verdict::TimedOut { missing: 1 }),
            (2, &[true, true], 500, Verdict::Satisfied),
            (2, &[true, false], 0, Verdict::Failed { by: vec!["i-1".into()] }),
            (1, &[true, true, true], 0, Verdict::Satisfied),
        ];
        for (count, signals, second, expected) in cases {
            let wait = wait(count, signals);
            assert_eq!(
                verdict(&wait, Timestamp::from_second(second).unwrap()),
                expected,
                "{count} {signals:?}"
            );
        }
    }

    #[test]
    fn reasons_are_cloudformations() {
        let one = wait(1, &[false]);
        assert_eq!(
            reason(&verdict(&one, Timestamp::UNIX_EPOCH), &one).unwrap(),
            "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
        );
        let late = wait(3, &[true]);
        assert_eq!(
            reason(&verdict(&late, Timestamp::from_second(100).unwrap()), &late).unwrap(),
            "Failed to receive 2 resource signal(s) within the specified duration"
        );
    }
}
