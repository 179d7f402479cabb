//! The result of a whole file of checks.

use std::time::Duration;

use serde::Serialize;

use crate::check::Check;
use crate::checks::Checks;
use crate::verdict::Verdict;

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The kind's name: `file`.
    pub kind: &'static str,
    /// What is expected.
    pub claim: String,
    /// Why it is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Outcome {
    fn new(check: &Check, verdict: Verdict) -> Self {
        Self { kind: check.kind, claim: check.claim(), why: check.why.clone(), verdict }
    }
}

/// What became of all checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was checked: an image's id.
    pub subject: String,
    /// Facts about the run: the instance, the region.
    pub properties: Vec<(String, String)>,
    /// Every check, in the order of the file.
    pub outcomes: Vec<Outcome>,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl Report {
    /// The report of checks that were judged.
    pub fn new(subject: impl Into<String>, checks: &Checks, verdicts: Vec<Verdict>) -> Self {
        Self {
            subject: subject.into(),
            properties: Vec::new(),
            outcomes: checks
                .iter()
                .zip(verdicts)
                .map(|(check, verdict)| Outcome::new(check, verdict))
                .collect(),
            took: Duration::ZERO,
        }
    }

    /// How many checks do not hold, those that could not be looked at among them.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict.fails()).count()
    }

    /// How many were not looked at because the file says so.
    pub fn skipped(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Skipped { .. })).count()
    }

    /// Whether every check that was looked at held.
    pub fn holds(&self) -> bool {
        self.failed() == 0
    }
}
