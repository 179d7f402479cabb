//! A check: an expectation, and what is said about it.

use std::fmt::Debug;
use std::time::Duration;

use crate::answer::{Answers, Question, Unknown};
use crate::entry::Entry;
use crate::values::Span;
use crate::verdict::{Findings, Verdict};

/// What one kind of check expects of a machine.
pub trait Expectation: Debug + Send + Sync {
    /// What it is about: a path, a name.
    fn subject(&self) -> String;

    /// What is expected, as a short sentence.
    fn claim(&self) -> String;

    /// What must be asked of the machine.
    fn questions(&self) -> Vec<Question>;

    /// Compares the answers with what is expected.
    ///
    /// # Errors
    /// When the answers do not tell.
    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown>;
}

/// `skip`: `true`, or the reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, expecting = "expected true, false or the reason as text")]
pub enum Skip {
    /// Skipped without a reason, or not skipped.
    Plain(bool),
    /// Skipped for this reason.
    Because(String),
}

/// One line of the result.
#[derive(Debug)]
pub struct Check {
    /// The kind's name, as the file writes it: `file`.
    pub kind: &'static str,
    /// Why it is checked, for who sees it fail.
    pub why: Option<String>,
    /// Why it is not looked at, if it is not; empty when the file gives no reason.
    pub skipped: Option<String>,
    /// For how long it may come true after the machine has settled.
    pub within: Duration,
    name: Option<String>,
    pub(crate) expectation: Box<dyn Expectation>,
}

/// What every kind of check can say besides.
pub(crate) struct Common {
    name: Option<String>,
    why: Option<String>,
    skip: Option<Skip>,
    within: Option<Span>,
}

impl Common {
    pub(crate) fn take(entry: &mut Entry<'_>) -> Self {
        Self {
            name: entry.optional("name"),
            why: entry.optional("why"),
            skip: entry.optional("skip"),
            within: entry.optional("within"),
        }
    }

    /// The checks of one table; a name stands for several of them only together with what each is about.
    pub(crate) fn checks(self, kind: &'static str, expectations: Vec<Box<dyn Expectation>>) -> Vec<Check> {
        let several = expectations.len() > 1;
        let check = |expectation: Box<dyn Expectation>| Check {
            kind,
            name: self.name.as_ref().map(|name| match several {
                true => format!("{name} ({})", expectation.subject()),
                false => name.clone(),
            }),
            why: self.why.clone(),
            skipped: match &self.skip {
                None | Some(Skip::Plain(false)) => None,
                Some(Skip::Plain(true)) => Some(String::new()),
                Some(Skip::Because(reason)) => Some(reason.clone()),
            },
            within: self.within.map_or(Duration::ZERO, |span| span.0),
            expectation,
        };
        expectations.into_iter().map(check).collect()
    }
}

impl Check {
    /// What is expected, in the words of the file's author if there are any.
    pub fn claim(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.expectation.claim())
    }

    /// What must be asked of the machine; nothing for a check that is skipped.
    pub fn questions(&self) -> Vec<Question> {
        if self.skipped.is_some() { Vec::new() } else { self.expectation.questions() }
    }

    /// Whether the answers are as expected.
    pub fn judge(&self, answers: &Answers) -> Verdict {
        if let Some(reason) = &self.skipped {
            return Verdict::Skipped { reason: reason.clone() };
        }
        match self.expectation.judge(answers) {
            Ok(findings) => findings.into(),
            Err(Unknown(reason)) => Verdict::Unknown { reason },
        }
    }
}
