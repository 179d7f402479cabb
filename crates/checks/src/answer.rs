//! Questions to a machine and its answers.

use std::collections::HashMap;
use std::time::Duration;

/// How long a machine may take over an ordinary question.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something to ask: a POSIX shell command, which is run as root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The command.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
}

impl Question {
    /// A question that is answered quickly or never.
    pub fn new(command: impl Into<String>) -> Self {
        Self::taking(PATIENCE, command)
    }

    /// How much of a command line it takes: quoted as one word of a script, which is quoted once more.
    pub(crate) fn length(&self) -> usize {
        quote(&quote(&self.command)).len() + 32
    }

    /// A question with a time limit of its own.
    pub fn taking(timeout: Duration, command: impl Into<String>) -> Self {
        Self { command: command.into(), timeout }
    }
}

/// A value as one word of a shell command, whatever is in it.
pub fn quote(value: &str) -> String {
    shell_words::quote(value).into_owned()
}

/// What a command answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; 128 and more for a signal, as shells count.
    pub exit: i32,
    /// Its standard output; what is no UTF-8 is replaced.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The size in bytes of an output that was too long to be kept, which makes the answer useless.
    pub too_long: Option<u64>,
}

/// Why something could not be found out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// The exit code by which `timeout` says that it had to end a command.
const TIMED_OUT: i32 = 124;

impl Answer {
    /// The standard output of a command that succeeded.
    ///
    /// # Errors
    /// When it did not succeed, or said too much.
    pub fn success(&self) -> Result<&str, Unknown> {
        self.complete()?;
        if self.exit == 0 { Ok(&self.stdout) } else { Err(self.failure()) }
    }

    /// The answer itself if it is whole.
    ///
    /// # Errors
    /// When the command took too long or said too much.
    pub fn complete(&self) -> Result<&Self, Unknown> {
        if let Some(size) = self.too_long {
            return Err(Unknown(format!("an output of {size} bytes is too long to be read")));
        }
        if self.exit == TIMED_OUT {
            return Err(Unknown("it took too long and was ended".to_owned()));
        }
        Ok(self)
    }

    /// Why the command failed.
    pub fn failure(&self) -> Unknown {
        let said = [&self.stderr, &self.stdout].into_iter().find_map(|text| last_line(text));
        Unknown(match said {
            Some(line) => format!("{line} (exit code {})", self.exit),
            None => format!("exit code {}", self.exit),
        })
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// The answers of a machine.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    answers: HashMap<Question, Answer>,
    /// Why questions are left without an answer.
    pub(crate) ended: Option<String>,
}

impl Answers {
    /// The answer to a question.
    ///
    /// # Errors
    /// When there is none.
    pub fn to(&self, question: &Question) -> Result<&Answer, Unknown> {
        self.answers.get(question).ok_or_else(|| {
            let why = self.ended.as_deref().unwrap_or("it was not asked");
            Unknown(format!("the machine gave no answer: {why}"))
        })
    }

    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Keeps an answer, instead of an older one.
    pub fn insert(&mut self, question: Question, answer: Answer) {
        self.answers.insert(question, answer);
    }

    /// Takes over the newer answers of `other`.
    pub fn update(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.ended = other.ended.or(self.ended.take());
    }
}

impl FromIterator<(Question, Answer)> for Answers {
    fn from_iter<T: IntoIterator<Item = (Question, Answer)>>(answers: T) -> Self {
        Self { answers: answers.into_iter().collect(), ended: None }
    }
}
