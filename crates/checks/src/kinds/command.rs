//! `[[command]]`: what a command says.

use std::time::Duration;

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Name, Span, Text, excerpt};
use crate::verdict::Findings;

/// How long a command may take that says nothing about it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command must exit with and say.
#[derive(Debug)]
struct Command {
    run: String,
    exit: u8,
    stdout: Text,
    stderr: Text,
    timeout: Duration,
    user: Option<Name>,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let run: Option<String> = entry.required("run");
    let exit = entry.optional("exit").unwrap_or(0);
    let stdout = Text::take(entry, "stdout", Some("stdout_contains"), "stdout_matches");
    let stderr = Text::take(entry, "stderr", Some("stderr_contains"), "stderr_matches");
    let timeout = entry.optional::<Span>("timeout").map_or(PATIENCE, |span| span.0);
    let user = entry.optional("user");
    if run.as_ref().is_some_and(|run| run.trim().is_empty()) {
        entry.complain(Some("run"), "`run` is empty");
    }
    if timeout.is_zero() {
        entry.complain(Some("timeout"), "`timeout` must be more than nothing");
    }
    super::one(run.map(|run| Command { run, exit, stdout, stderr, timeout, user }))
}

impl Command {
    fn question(&self) -> Question {
        match &self.user {
            // A login, so that the command finds the environment that the user has.
            Some(user) => Question::taking(
                self.timeout,
                format!("exec su -s /bin/sh -c {} - {}", quote(&self.run), quote(&user.0)),
            ),
            None => Question::taking(self.timeout, self.run.clone()),
        }
    }
}

impl Expectation for Command {
    fn subject(&self) -> String {
        let mut lines = self.run.trim().lines();
        let first = lines.next().unwrap_or_default();
        if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
    }

    fn claim(&self) -> String {
        match &self.user {
            Some(user) => format!("`{}` as {user} exits with {}", self.subject(), self.exit),
            None => format!("`{}` exits with {}", self.subject(), self.exit),
        }
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let answer = answers.to(&self.question())?;
        let mut findings = Findings::default();
        // 124 is `timeout`'s own code; who expects it from the command gets the benefit of the doubt.
        if answer.exit == 124 && self.exit != 124 {
            return Ok(Findings::failed(format!("its end within {:?}", self.timeout), "it still running"));
        }
        let code = format!("exit code {}", answer.exit);
        let said = if answer.stderr.trim().is_empty() {
            code
        } else {
            format!("{code}, standard error {}", excerpt(&answer.stderr))
        };
        findings.expect(answer.exit == i32::from(self.exit), format!("exit code {}", self.exit), said);
        if !self.stdout.is_empty() && answer.too_long.is_some() {
            answer.complete()?;
        }
        for (stream, wanted, found) in [
            ("standard output", &self.stdout, &answer.stdout),
            ("standard error", &self.stderr, &answer.stderr),
        ] {
            if !wanted.is_empty() {
                let found = found.trim_end_matches('\n');
                findings.expect(
                    wanted.holds(found),
                    format!("{stream} {}", wanted.describe()),
                    format!("{stream} {}", excerpt(found)),
                );
            }
        }
        Ok(findings)
    }
}
