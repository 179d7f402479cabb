//! What is wrong with a configuration: everything at once, each with its place, what it is and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The agent carries on with another value, which the problem names.
    Warning,
    /// One file is not shipped; the others are.
    Section,
    /// The agent does not start.
    Fatal,
}

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1, where it is a line's.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it, or what the agent does.
    pub advice: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Section | Severity::Fatal => "error",
        };
        write!(f, " {severity}: {}", self.what)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

/// The problems found so far, and the file that is being read.
#[derive(Debug, Default)]
pub struct Problems {
    file: PathBuf,
    found: Vec<Problem>,
}

impl Problems {
    /// The problems of `file` come next.
    pub fn in_file(&mut self, file: &Path) {
        self.file = file.to_owned();
    }

    /// Notes that the agent carries on with another value.
    pub fn warn(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(Severity::Warning, line.into(), what.into(), advice.into());
    }

    /// Notes that one file is not shipped.
    pub fn leave_out(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(Severity::Section, line.into(), what.into(), advice.into());
    }

    /// Notes that the agent cannot start.
    pub fn fail(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(Severity::Fatal, line.into(), what.into(), advice.into());
    }

    fn push(&mut self, severity: Severity, line: Option<usize>, what: String, advice: String) {
        self.found.push(Problem { severity, file: self.file.clone(), line, what, advice });
    }

    /// Whether the agent cannot start.
    pub fn are_fatal(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Fatal)
    }

    /// All of them, in the order of the files.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
