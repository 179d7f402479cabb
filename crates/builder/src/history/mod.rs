//! How an image came about: its steps, with their time and output.
//!
//! Facts small enough are tags of the image, so that they go where it goes and are read through the API alone
//! ([`Facts`]). The output is too long for tags: it is in a file on the machine that built the image ([`Store`]).

mod facts;
mod keep;
mod store;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use facts::{CHECKS_TAG, Facts, INPUTS_TAG, TAG_PREFIX};
pub use keep::{Beginning, KeepError, keep};
pub use store::{Store, StoreError};

/// Everything that is known about the build of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `ami-…`
    pub ami: String,
    /// The region that it was built in.
    pub region: String,
    /// The template's file, absolute.
    pub template: String,
    /// The build's name: `amazon-ebs`.
    pub build: String,
    /// The image that it was made from.
    pub source_ami: String,
    /// The digest of everything that it was made from.
    pub inputs: String,
    /// When the build began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// The program: `drydock 0.1.0`.
    pub by: String,
    /// The machine that it ran on.
    pub host: String,
    /// The provisioners, in their order.
    pub steps: Vec<Step>,
}

/// A provisioner that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its type and what it ran: `shell scripts/time.sh`.
    pub title: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// The code that its last command ended with; none for one that runs no command.
    pub exit: Option<i32>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it said, without sensitive values.
    pub output: String,
}

impl Step {
    /// The last lines of the output.
    pub fn end_of_output(&self, lines: usize) -> Vec<&str> {
        let all: Vec<&str> = self.output.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }
}

/// A step out of nothing, for tests.
#[cfg(test)]
fn step(title: &str, output: &str) -> Step {
    Step {
        title: title.to_owned(),
        started: Timestamp::UNIX_EPOCH,
        seconds: 0.84,
        exit: Some(0),
        error: None,
        output: output.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output() {
        let step = step("x", "a\n\nb\nc\n");
        assert_eq!(step.end_of_output(2), ["b", "c"]);
        assert_eq!(step.end_of_output(9), ["a", "b", "c"]);
    }
}
