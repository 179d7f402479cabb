//! What a machine is to be like, and whether it is.
//!
//! A file of checks (`checks.toml`) says what is expected: mounts, files, packages, services, and so on. [`Checks`] is
//! such a file, read and found good. Its questions are compiled into as few shell commands as will do
//! ([`Part::command`]); somebody runs them on the machine and hands the output back ([`Part::read`]); then each
//! check is judged by the answers ([`Checks::judge`]). Nothing here talks to a machine, so everything is tested by
//! tables.
//!
//! ```
//! let text = r#"
//! [[service]]
//! service = "docker"
//! enabled = false
//! why = "the first run starts it, once it is configured"
//! "#;
//! let checks = checks::Checks::parse("checks.toml", text).unwrap();
//! assert_eq!(checks.iter().next().unwrap().claim(), "service docker is disabled");
//! ```
//!
//! Each kind of check is one module of [`kinds`]: what can be written, what is asked, and what an answer means. The
//! truth rule of all of them: what could not be found out does not hold, and the reason is told.

mod answer;
mod check;
mod checks;
mod entry;
mod error;
mod junit;
pub mod kinds;
mod probe;
mod report;
pub mod settle;
mod source;
mod suggest;
mod transcript;
pub mod values;
mod verdict;

pub use answer::{Answer, Answers, Question, Unknown};
pub use check::{Check, Expectation, Skip};
pub use checks::Checks;
pub use error::{CheckError, CheckErrors};
pub use probe::{Part, Probe};
pub use report::{Outcome, Report};
pub use verdict::{Findings, Mismatch, Verdict};
