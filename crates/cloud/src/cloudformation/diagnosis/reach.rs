//! Whether an instance has reached the AWS API, as far as its logs tell.
//!
//! An instance without a way out may reach it all the same, through a proxy, and then its missing route is no news.

use super::{Diagnosis, Evidence, agent_trouble, diagnose};

/// What programs write when a connection does not come about: our own tools, curl and libraries of C, Go and Python.
const UNHEARD: [&str; 9] = [
    "timeout",
    "timed out",
    "Timeout",
    "deadline exceeded",
    "unreachable",
    "send request failed",
    "Could not connect",
    "Failed to connect",
    "Connection refused",
];

/// Whether it has reached the API, and nothing that stands in its logs as trouble is a connection that failed.
pub fn reached(evidence: &Evidence) -> bool {
    // cfn-init says so when it has the resource's metadata, which it gets from the API.
    evidence.init_log.contains("Starting build") && !troubles(evidence).iter().any(|text| is_unheard(text))
}

/// What the logs end with, where that is trouble.
fn troubles(evidence: &Evidence) -> Vec<String> {
    let mut troubles = match diagnose(evidence) {
        Diagnosis::CommandFailed { output, .. }
        | Diagnosis::CommandRunning { output, .. }
        | Diagnosis::Ended { output }
        | Diagnosis::Running { output } => output,
        Diagnosis::InitFailed { reason } => vec![reason],
        Diagnosis::Booting | Diagnosis::Exited | Diagnosis::Absent => Vec::new(),
    };
    troubles.extend(agent_trouble(&evidence.agent_log));
    troubles
}

fn is_unheard(text: &str) -> bool {
    UNHEARD.iter().any(|words| text.contains(words))
}
