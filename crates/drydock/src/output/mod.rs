//! What a deployment looks like while it happens: live lines on a terminal, plain lines in a pipe, JSON lines
//! for machines.

mod live;
mod plain;

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use deployer::follow::{Observer, Outcome, Progress};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::exit::Failure;

/// The form of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON document, or one a line while something happens.
    Json,
}

/// `--output`
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub output: Format,
}

/// Whether to colour what is printed: on a terminal, unless the user says no.
pub fn coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether the other end of standard output, a pipe, is closed. Who writes nothing for a while would not notice.
pub fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(_) => fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR)),
        Err(_) => false,
    }
}

/// Shows a stack operation as it happens.
pub trait Display: Observer {
    /// A sentence about what is being done.
    fn note(&mut self, line: &str);
    /// The end of the operation.
    fn finish(&mut self, outcome: &Outcome);
}

/// Says what is done while there is no operation to show: before a deployment, around a build.
#[derive(Debug, Clone, Copy)]
pub struct Notes {
    format: Format,
    started: Instant,
}

impl Notes {
    /// A sentence about what is being done.
    pub fn note(&self, line: &str) {
        let line = match self.format {
            Format::Json => serde_json::json!({ "event": "note", "message": line }).to_string(),
            Format::Text if std::io::stdout().is_terminal() => line.to_owned(),
            Format::Text => format!("{:7.1}s  {line}", self.started.elapsed().as_secs_f64()),
        };
        // Who has stopped reading does not want to know.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

impl OutputArgs {
    /// Where sentences go while there is no operation to show.
    pub fn notes(self) -> Notes {
        Notes { format: self.output, started: Instant::now() }
    }

    /// The display for an operation on a stack.
    pub fn display(self, stack: &str) -> Box<dyn Display> {
        match self.output {
            Format::Json => Box::new(Json),
            Format::Text if std::io::stdout().is_terminal() => Box::new(live::Live::new(stack)),
            Format::Text => Box::new(plain::Plain::new(stack)),
        }
    }

    /// Prints one document: as JSON, or as `text` says it.
    ///
    /// # Errors
    /// When it cannot be written. A reader who has seen enough (`head`) is no error.
    pub fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let line = match self.output {
            Format::Json => {
                serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?
            }
            Format::Text => text(),
        };
        match writeln!(std::io::stdout(), "{}", line.trim_end()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// JSON lines: each happening as it comes, the outcome last.
struct Json;

impl Json {
    fn line(value: &impl Serialize) {
        if let Ok(line) = serde_json::to_string(value) {
            // Who has stopped reading does not want to know.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

impl Observer for Json {
    fn observe(&mut self, progress: Progress) {
        Self::line(&progress);
    }
}

impl Display for Json {
    fn note(&mut self, line: &str) {
        Self::line(&serde_json::json!({ "event": "note", "message": line }));
    }

    fn finish(&mut self, outcome: &Outcome) {
        #[derive(Serialize)]
        struct Last<'a> {
            event: &'static str,
            #[serde(flatten)]
            outcome: &'a Outcome,
        }
        Self::line(&Last { event: "outcome", outcome });
    }
}

/// The lines that tell people why an operation failed: each resource that failed by itself, with its reason.
pub fn failure_lines(outcome: &Outcome) -> Vec<String> {
    outcome
        .failures
        .iter()
        .map(|event| {
            let reason = event.reason.as_deref().unwrap_or("no reason given");
            format!("{} {} ({}): {reason}", event.status, event.logical_id, event.resource_type)
        })
        .collect()
}
