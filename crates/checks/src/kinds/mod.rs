//! The kinds of checks, one module each.

mod account;
mod command;
mod docker_image;
mod environment;
mod file;
mod kernel_parameter;
mod line;
mod mount;
mod package;
mod port;
mod service;
mod time_zone;

use crate::check::Expectation;
use crate::entry::Entry;

/// A kind of check: its name in the file and the reader of its tables.
pub struct Kind {
    /// E.g. `file`, written `[[file]]`.
    pub name: &'static str,
    pub(crate) read: Reader,
}

/// Reads one table. Faults are the entry's to keep; what comes back after a fault is of no use to anybody.
type Reader = fn(&mut Entry<'_>) -> Vec<Box<dyn Expectation>>;

impl Kind {
    /// The kind with this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.name == name)
    }
}

/// All kinds.
pub const ALL: [Kind; 13] = [
    Kind { name: "mount", read: mount::read },
    Kind { name: "file", read: file::read },
    Kind { name: "line", read: line::read },
    Kind { name: "package", read: package::read },
    Kind { name: "service", read: service::read },
    Kind { name: "user", read: account::read_user },
    Kind { name: "group", read: account::read_group },
    Kind { name: "port", read: port::read },
    Kind { name: "command", read: command::read },
    Kind { name: "time_zone", read: time_zone::read },
    Kind { name: "kernel_parameter", read: kernel_parameter::read },
    Kind { name: "environment", read: environment::read },
    Kind { name: "docker_image", read: docker_image::read },
];

/// One expectation, or none when it could not be read.
fn one(expectation: Option<impl Expectation + 'static>) -> Vec<Box<dyn Expectation>> {
    expectation.into_iter().map(|expectation| Box::new(expectation) as Box<dyn Expectation>).collect()
}

/// One expectation for each of several subjects.
fn each<S, E: Expectation + 'static>(
    subjects: Option<crate::values::Several<S>>,
    expectation: impl Fn(S) -> E,
) -> Vec<Box<dyn Expectation>> {
    let subjects = subjects.map(|subjects| subjects.0).unwrap_or_default();
    subjects.into_iter().map(|subject| Box::new(expectation(subject)) as Box<dyn Expectation>).collect()
}
