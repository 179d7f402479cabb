//! One line per happening, for pipes and logs.

use std::io::Write;
use std::time::Instant;

use deployer::follow::{Observer, Outcome, Progress};

use super::{Display, failure_lines};

pub struct Plain {
    stack: String,
    started: Instant,
}

impl Plain {
    pub fn new(stack: &str) -> Self {
        Self { stack: stack.to_owned(), started: Instant::now() }
    }

    fn line(&self, text: &str) {
        // Who has stopped reading does not want to know.
        let _ = writeln!(std::io::stdout(), "{:7.1}s  {text}", self.started.elapsed().as_secs_f64());
    }
}

impl Observer for Plain {
    fn observe(&mut self, progress: Progress) {
        match progress {
            Progress::Resource(event) => {
                let reason = event.reason.as_deref().map(|r| format!("  {r}")).unwrap_or_default();
                self.line(&format!("{:<36} {}{reason}", event.status, event.logical_id));
            }
            Progress::Instance(instance) => {
                self.line(&format!(
                    "{:<36} {} of {}",
                    instance.phase.to_string(),
                    instance.id,
                    instance.logical_id
                ));
            }
            Progress::GivenUp { instance_id, logical_id, console_tail } => {
                self.line(&format!(
                    "{:<36} {instance_id} of {logical_id}: its user data ended without a signal",
                    "given up"
                ));
                for line in console_tail {
                    self.line(&format!("{:<36} | {line}", ""));
                }
            }
        }
    }
}

impl Display for Plain {
    fn note(&mut self, line: &str) {
        self.line(line);
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.line(&format!("{:<36} stack {}", outcome.status, self.stack));
        if !outcome.succeeded() {
            for line in failure_lines(outcome) {
                self.line(&line);
            }
        }
        for (key, value) in &outcome.outputs {
            self.line(&format!("output {key} = {value}"));
        }
    }
}
