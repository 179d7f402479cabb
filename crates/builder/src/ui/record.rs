//! Keeps what a build says beside showing it, for `drydock image history`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Secrets, Ui};

/// Shows through another [`Ui`] and keeps what was said since the last look.
pub struct Recorder {
    inner: Arc<dyn Ui>,
    secrets: Secrets,
    kept: Mutex<Kept>,
}

/// How much of the beginning and of the end of one step's output is kept, in bytes. What is between has been seen but is
/// not remembered: it is at the end that a step says why it failed.
const HEAD: usize = 64 * 1024;
const TAIL: usize = 192 * 1024;

/// The lines of one step.
#[derive(Default)]
struct Kept {
    head: String,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: usize,
}

impl Kept {
    fn push(&mut self, line: String) {
        if self.tail.is_empty() && self.head.len() + line.len() < HEAD {
            self.head.push_str(&line);
            self.head.push('\n');
            return;
        }
        self.tail_bytes += line.len() + 1;
        self.tail.push_back(line);
        // One line longer than all that is kept is kept as a whole: its sender has bounded it.
        while self.tail_bytes > TAIL && self.tail.len() > 1 {
            let Some(oldest) = self.tail.pop_front() else { return };
            self.tail_bytes -= oldest.len() + 1;
            self.left_out += oldest.len() + 1;
        }
    }

    fn text(self) -> String {
        let mut text = self.head;
        if self.left_out > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[{} bytes are left out here]", self.left_out);
        }
        for line in self.tail {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

impl Recorder {
    /// Records what `inner` is told, without the `secrets`.
    pub fn new(inner: Arc<dyn Ui>, secrets: Secrets) -> Self {
        Self { inner, secrets, kept: Mutex::default() }
    }

    /// What was said since the last call, a line each.
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.kept.lock()).text()
    }

    fn keep(&self, message: &str) {
        self.kept.lock().push(self.secrets.redact(message));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines: impl IntoIterator<Item = String>) -> String {
        let mut kept = Kept::default();
        lines.into_iter().for_each(|line| kept.push(line));
        kept.text()
    }

    #[test]
    fn a_short_output_is_kept_as_it_is() {
        assert_eq!(kept(["a".to_owned(), "b".to_owned()]), "a\nb\n");
        assert_eq!(kept([]), "");
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let text = kept((0..100_000).map(|n| format!("line {n}")));
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 99998\nline 99999\n"));
        assert!(text.len() < HEAD + TAIL + 100, "{}", text.len());
        let [note] = text.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>()[..] else {
            panic!("one note: {text}")
        };
        let whole: usize = (0..100_000).map(|n| format!("line {n}\n").len()).sum();
        assert_eq!(note, format!("[{} bytes are left out here]", whole - (text.len() - note.len() - 1)));
    }

    #[test]
    fn one_endless_line_is_still_there() {
        let line = "x".repeat(HEAD + TAIL);
        assert_eq!(kept([line.clone(), "end".to_owned()]).lines().last(), Some("end"));
        assert_eq!(kept([line.clone()]).trim_end(), line);
    }
}
