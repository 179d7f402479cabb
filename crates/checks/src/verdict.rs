//! What became of a check.

use serde::Serialize;

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

/// What was found out about one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    found: Vec<String>,
    mismatches: Vec<Mismatch>,
}

impl Findings {
    /// Notes something that was found and that nothing is expected of.
    pub fn note(&mut self, found: impl Into<String>) {
        self.found.push(found.into());
    }

    /// Notes what was found, and that it is not as expected unless it `holds`.
    pub fn expect(&mut self, holds: bool, expected: impl Into<String>, found: impl Into<String>) {
        let found = found.into();
        if holds {
            self.found.push(found);
        } else {
            self.mismatches.push(Mismatch { expected: expected.into(), found });
        }
    }

    /// Findings of one thing that is not as expected.
    pub fn failed(expected: impl Into<String>, found: impl Into<String>) -> Self {
        let mut findings = Self::default();
        findings.expect(false, expected, found);
        findings
    }
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Verdict {
    /// Everything is as expected.
    Held {
        /// What was found.
        found: String,
    },
    /// Something is not.
    Failed {
        /// What; at least one.
        mismatches: Vec<Mismatch>,
    },
    /// It could not be found out, so it does not hold.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// It was not looked at, because the file says so.
    Skipped {
        /// Why not; may be empty.
        reason: String,
    },
}

impl Verdict {
    /// Whether it counts as a failure.
    pub fn fails(&self) -> bool {
        match self {
            Self::Held { .. } | Self::Skipped { .. } => false,
            Self::Failed { .. } | Self::Unknown { .. } => true,
        }
    }

    /// What there is to tell, one thing a line.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Held { found } => vec![found.clone()],
            Self::Failed { mismatches } => mismatches
                .iter()
                .map(|Mismatch { expected, found }| format!("expected {expected}, found {found}"))
                .collect(),
            Self::Unknown { reason } => vec![format!("cannot tell: {reason}")],
            Self::Skipped { reason } if reason.is_empty() => vec!["skipped".to_owned()],
            Self::Skipped { reason } => vec![format!("skipped: {reason}")],
        }
    }
}

impl From<Findings> for Verdict {
    fn from(findings: Findings) -> Self {
        if findings.mismatches.is_empty() {
            Self::Held { found: findings.found.join(", ") }
        } else {
            Self::Failed { mismatches: findings.mismatches }
        }
    }
}
