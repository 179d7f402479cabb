//! Keeps what a build says beside showing it, for `drydock image history`.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Secrets, Ui};

/// Shows through another [`Ui`] and keeps what was said since the last look.
pub struct Recorder {
    inner: Arc<dyn Ui>,
    secrets: Secrets,
    kept: Mutex<String>,
}

/// How much of one step's output is kept, in bytes. What is over it has been seen but is not remembered.
const KEEP: usize = 256 * 1024;

impl Recorder {
    /// Records what `inner` is told, without the `secrets`.
    pub fn new(inner: Arc<dyn Ui>, secrets: Secrets) -> Self {
        Self { inner, secrets, kept: Mutex::default() }
    }

    /// What was said since the last call, a line each.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.kept.lock())
    }

    fn keep(&self, message: &str) {
        let message = self.secrets.redact(message);
        let mut kept = self.kept.lock();
        if kept.len() + message.len() < KEEP {
            kept.push_str(&message);
            kept.push('\n');
        }
    }
}

#[async_trait]
impl Ui for Recorder {
    fn say(&self, message: &str) {
        self.keep(message);
        self.inner.say(message);
    }

    fn message(&self, message: &str) {
        self.keep(message);
        self.inner.message(message);
    }

    fn error(&self, message: &str) {
        self.keep(message);
        self.inner.error(message);
    }

    fn machine(&self, category: &str, values: &[&str]) {
        self.inner.machine(category, values);
    }

    async fn ask(&self, question: &str) -> Option<String> {
        self.inner.ask(question).await
    }
}
