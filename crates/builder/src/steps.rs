//! Steps that are taken back: each one runs, and whatever comes afterwards (a failure, Ctrl-C, or success), its
//! cleanup runs once, in reverse order.
//!
//! What steps share is a state of the caller's own type. A step is never torn out of the middle of a request: it is
//! told of the cancellation by its [`Scope`] and stops at the next place where it waits, so that it knows what it has
//! made. Cleanups are not told of it at all.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::ui::Ui;

#[cfg(test)]
mod tests;

/// What to do with what a build has made when a step fails: Packer's `-on-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Clean up.
    #[default]
    Cleanup,
    /// Leave everything as it is, to look at.
    Abort,
    /// Ask: clean up, abort, or run the step again. Cleans up when nobody can answer.
    Ask,
}

/// What a running step is given besides its state.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Where it speaks.
    pub ui: &'a dyn Ui,
    /// Cancelled by the first Ctrl-C. A step looks at it wherever it waits.
    pub cancel: &'a CancellationToken,
}

/// How the steps before a cleanup went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken.
    Done,
    /// A step failed.
    Failed,
    /// The user stopped it.
    Cancelled,
}

impl Outcome {
    /// Whether what the steps were for exists.
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}

/// Something that a cleanup could not remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// E.g. `security group sg-0123`.
    pub what: String,
    /// Why it is still there.
    pub why: String,
    /// The command that removes it.
    pub remove: String,
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is left: {}\nRemove it by: {}", self.what, self.why, self.remove)
    }
}

/// One step of a build over a state `S`, failing with `E`.
#[async_trait]
pub trait Step<S, E>: Send {
    /// What it is called in errors and at `-debug` pauses, as Packer calls it: `StepKeyPair`.
    fn name(&self) -> &'static str;

    /// Does it. When cancelled it may return anything: the runner knows.
    async fn run(&mut self, state: &mut S, scope: Scope<'_>) -> Result<(), E>;

    /// Takes back what [`Step::run`] made, as far as it came; runs after it, also when it failed. Answers with what
    /// it could not remove.
    async fn cleanup(&mut self, _state: &mut S, _ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        Vec::new()
    }
}

/// A list of steps.
pub type Steps<'a, S, E> = Vec<Box<dyn Step<S, E> + 'a>>;

/// Why the steps were not all taken.
#[derive(Debug, thiserror::Error)]
pub enum Stopped<E> {
    /// A step failed. Its error has been shown.
    #[error("{error}")]
    Failed {
        /// The step.
        step: &'static str,
        /// Why.
        error: E,
    },
    /// The user stopped it.
    #[error("Build was cancelled.")]
    Cancelled,
}

/// Runs steps.
pub struct Runner<'a> {
    /// What happens to what was made when a step fails.
    pub on_error: OnError,
    /// Whether to stop after every step and before every cleanup until the user presses enter.
    pub debug: bool,
    /// Leaves what the steps made when all of them were taken.
    pub keep: bool,
    /// Where the run is told.
    pub ui: &'a dyn Ui,
    /// Stops the run. Cleanups are made nevertheless.
    pub cancel: &'a CancellationToken,
}

impl Runner<'_> {
    /// Takes the steps in order, then cleans up after all that were begun, in reverse order.
    ///
    /// # Errors
    /// When a step fails or the run is cancelled. What could not be cleaned up is shown and does not change the
    /// outcome: a finished image stays finished.
    pub async fn run<S: Send, E: std::fmt::Display + Send>(
        &self,
        mut steps: Steps<'_, S, E>,
        state: &mut S,
    ) -> Result<(), Stopped<E>> {
        let mut begun = 0;
        let mut keep = false;
        let mut result = Ok(());
        for step in &mut steps {
            if self.cancel.is_cancelled() {
                result = Err(Stopped::Cancelled);
                break;
            }
            begun += 1;
            result = self.take(step.as_mut(), state, &mut keep).await;
            if result.is_err() {
                break;
            }
            self.pause(&format!("Pausing after run of step '{}'.", step.name())).await;
        }
        if result.is_ok() && self.cancel.is_cancelled() {
            result = Err(Stopped::Cancelled);
        }
        let outcome = match result {
            Ok(()) => Outcome::Done,
            Err(Stopped::Failed { .. }) => Outcome::Failed,
            Err(Stopped::Cancelled) => Outcome::Cancelled,
        };
        if self.keep && outcome.is_done() {
            return result;
        }
        keep |= !outcome.is_done() && self.on_error == OnError::Abort;
        if keep {
            self.say_abort(&result);
        }
        for step in steps[..begun].iter_mut().rev() {
            if keep {
                self.ui.error(&format!("aborted: skipping cleanup of step \"{}\"", step.name()));
                continue;
            }
            self.pause(&format!("Pausing before cleanup of step '{}'.", step.name())).await;
            for leftover in step.cleanup(state, self.ui, outcome).await {
                self.ui.error(&leftover.to_string());
            }
        }
        result
    }

    /// Runs one step, again as often as the user asks for it. Sets `keep` when the user wants no cleanup.
    async fn take<S: Send, E: std::fmt::Display + Send>(
        &self,
        step: &mut (dyn Step<S, E> + '_),
        state: &mut S,
        keep: &mut bool,
    ) -> Result<(), Stopped<E>> {
        loop {
            let scope = Scope { ui: self.ui, cancel: self.cancel };
            let Err(error) = step.run(state, scope).await else { return Ok(()) };
            if self.cancel.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            self.ui.error(&error.to_string());
            if self.on_error == OnError::Ask {
                match self.ask(step.name()).await {
                    Answer::Retry => continue,
                    Answer::Abort => *keep = true,
                    Answer::Cleanup => {}
                }
            }
            return Err(Stopped::Failed { step: step.name(), error });
        }
    }

    async fn ask(&self, step: &str) -> Answer {
        self.ui.say(&format!("Step \"{step}\" failed"));
        loop {
            let question = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step \
                            (build may fail even if retry succeeds)?";
            let answer = tokio::select! {
                biased;
                () = self.cancel.cancelled() => None,
                answer = self.ui.ask(question) => answer,
            };
            let Some(answer) = answer else { return Answer::Cleanup };
            match answer.trim().to_lowercase().as_str() {
                "c" => return Answer::Cleanup,
                "a" => return Answer::Abort,
                "r" => return Answer::Retry,
                other => self.ui.say(&format!("Incorrect input: {other:?}")),
            }
        }
    }

    fn say_abort<E>(&self, result: &Result<(), Stopped<E>>) {
        match result {
            Err(Stopped::Failed { step, .. }) => {
                self.ui.error(&format!("Step \"{step}\" failed, aborting..."));
            }
            Err(Stopped::Cancelled) => self.ui.error("Interrupted, aborting..."),
            Ok(()) => {}
        }
    }

    async fn pause(&self, what: &str) {
        if !self.debug || self.cancel.is_cancelled() {
            return;
        }
        let question = format!("{what} Press enter to continue.");
        tokio::select! {
            _ = self.ui.ask(&question) => {}
            () = self.cancel.cancelled() => {}
        }
    }
}

enum Answer {
    Cleanup,
    Abort,
    Retry,
}
