//! The commands that ask a machine everything at once.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use crate::answer::{Answers, Question, quote};
use crate::check::Check;
use crate::transcript;

/// How much of one command's output is kept, each of standard output and standard error.
pub(crate) const LIMIT: usize = 1 << 20;

/// The longest command line, without what goes before the questions. Linux takes 128 KiB as one word of a command
/// (`MAX_ARG_STRLEN`).
pub(crate) const LONGEST: usize = 96 << 10;

/// What goes before the questions. `ask NUMBER SECONDS COMMAND` runs a command by itself, so that nothing it does can
/// disturb another, and prints a head (mark, number, exit code, sizes), then its standard output and error, which end
/// where the head says. Files take the output because a pipe would have to be waited for when a command leaves
/// something running that holds it open; each question has its own, because such a thing may still write.
const PROLOGUE: &str = r#"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
cd /
umask 077
for parent in /run /dev/shm /tmp; do
    work=$(mktemp -d "$parent/drydock-checks.XXXXXX" 2>/dev/null) && break
done
[ -d "$work" ] || { echo "no directory for temporary files can be written to: /run, /dev/shm, /tmp" >&2; exit 70; }
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP INT TERM PIPE
size() {
    set -- $(wc -c <"$1")
    echo "$1"
}
ask() {
    (umask 022 && exec timeout -k 5 "$2" /bin/sh -c "$3") >"$work/$1.out" 2>"$work/$1.err" </dev/null
    code=$?
    out=$(size "$work/$1.out")
    err=$(size "$work/$1.err")
    printf '\n%s %s %s %s %s\n' "$mark" "$1" "$code" "$out" "$err"
    [ "$out" -le "$limit" ] || out=$limit
    [ "$err" -le "$limit" ] || err=$limit
    head -c "$out" "$work/$1.out"
    head -c "$err" "$work/$1.err"
}
"#;

/// The questions of some checks, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    questions: Vec<Question>,
}

impl Probe {
    /// The questions of these checks.
    pub fn new<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Self {
        let mut seen = HashSet::new();
        let all = checks.into_iter().flat_map(Check::questions);
        Self { questions: all.filter(|question| seen.insert(question.clone())).collect() }
    }

    /// The parts in which to ask: one, unless there is too much for one command line.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut length = 0;
        for question in &self.questions {
            let more = question.length();
            if !part.is_empty() && length + more > LONGEST {
                parts.push(Part { questions: std::mem::take(&mut part) });
                length = 0;
            }
            length += more;
            part.push(question.clone());
        }
        if !part.is_empty() {
            parts.push(Part { questions: part });
        }
        parts
    }
}

/// Questions that are asked with one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    questions: Vec<Question>,
}

impl Part {
    /// The command line for the remote user's shell, which runs [`Part::script`] as root.
    pub fn command(&self, mark: &str) -> String {
        as_root(&self.script(mark))
    }

    /// The script that asks. `mark` sets the answers apart from whatever else is printed: some letters and digits that
    /// nobody could have foreseen.
    pub fn script(&self, mark: &str) -> String {
        let mut script = format!("mark={}\nlimit={LIMIT}\n{PROLOGUE}", quote(mark));
        for (number, question) in self.questions.iter().enumerate() {
            let seconds = question.timeout.as_secs_f64();
            // Writing to a string cannot fail.
            let _ = writeln!(script, "ask {number} {seconds} {}", quote(&question.command));
        }
        script.push_str("printf '\\n%s end\\n' \"$mark\"\n");
        script
    }

    /// How long it can take at most, if the machine is well.
    pub fn timeout(&self) -> Duration {
        self.questions.iter().map(|question| question.timeout + Duration::from_secs(6)).sum()
    }

    /// The answers in the command's standard output. Questions whose answer is not there, because the output broke off,
    /// have none; `ended` says why then.
    pub fn read(&self, mark: &str, output: &[u8], ended: &str) -> Answers {
        transcript::read(&self.questions, mark, output, ended)
    }
}

/// A script as a command line that runs it as root: by `sudo` unless the user is root.
pub(crate) fn as_root(script: &str) -> String {
    let script = quote(script);
    format!(
        "script={script}; if [ \"$(id -u)\" -eq 0 ]; then exec /bin/sh -c \"$script\"; else exec sudo -n /bin/sh -c \"$script\"; fi"
    )
}
