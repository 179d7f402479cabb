//! What is wrong with a file of checks, where, and what was probably meant.

use std::fmt;

use crate::source::{Place, place};

/// One thing wrong with a file of checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CheckError {
    /// The file, as the user named it.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.place.line, self.place.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

/// Everything wrong with a file of checks, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CheckErrors(Vec<CheckError>);

impl CheckErrors {
    /// All errors, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, CheckError> {
        self.0.iter()
    }
}

/// Something wrong at a byte of the text, before lines are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: Option<String>) -> Self {
        Self { help, ..self }
    }
}

/// The faults as errors in a file, in its order.
pub(crate) fn in_file(file: &str, text: &str, mut faults: Vec<Fault>) -> CheckErrors {
    faults.sort();
    faults.dedup();
    let error = |fault: Fault| CheckError {
        file: file.to_owned(),
        place: place(text, fault.at),
        message: fault.message,
        help: fault.help,
    };
    CheckErrors(faults.into_iter().map(error).collect())
}
