//! Reading `/var/log/cfn-init.log`: lines of `2024-05-30 07:51:18,000 [ERROR] TEXT`, tracebacks between them.

/// Why `cfn-init` failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A command did.
    Command {
        /// Its name in the metadata.
        name: String,
        /// The command itself.
        line: Option<String>,
        /// What it printed.
        output: Vec<String>,
    },
    /// Something else did.
    Other(String),
}

/// The failure that the log ends with; none when its last build has succeeded or is not over.
pub fn last_failure(log: &str) -> Option<Failure> {
    let mut found = Found::default();
    let mut output_of: Option<String> = None;
    for line in log.lines() {
        let Some((level, text)) = parts(line) else {
            // A line without a head goes on with the one before: output of more than one line, a traceback.
            if output_of.is_some() {
                found.output.push(line.to_owned());
            }
            continue;
        };
        output_of = None;
        if text.contains("Starting build") {
            found = Found::default();
        } else if let Some((name, first)) = command_output(text) {
            if found.command.as_ref().is_some_and(|(failed, _)| failed == name) {
                found.output.push(first.to_owned());
                output_of = Some(name.to_owned());
            }
        } else if level == "ERROR" {
            found.error(text);
        }
    }
    found.into_failure()
}

#[derive(Default)]
struct Found {
    command: Option<(String, Option<String>)>,
    output: Vec<String>,
    build: Option<String>,
}

impl Found {
    fn error(&mut self, text: &str) {
        if let Some((name, line)) = failed_command(text) {
            // A command with `ignoreErrors` is reported in the same words; the last one to fail is the one.
            if self.command.as_ref().is_none_or(|(known, _)| known != name) {
                self.output.clear();
            }
            self.command = Some((name.to_owned(), line.map(str::to_owned)));
        } else if let Some((_, reason)) = text.split_once("Error encountered during build of ") {
            self.build = Some(reason.split_once(": ").map_or(reason, |(_, reason)| reason).to_owned());
        } else if let Some(reason) = text.strip_prefix("Unhandled exception during build: ") {
            self.build.get_or_insert_with(|| reason.to_owned());
        } else if !text.contains("BUILD FAILED!") && self.command.is_none() && self.build.is_none() {
            // Failures before a build begins: the stack's metadata could not be read.
            self.build = Some(text.to_owned());
        }
    }

    fn into_failure(self) -> Option<Failure> {
        let reason = self.build?;
        match self.command {
            Some((name, line)) if reason == format!("Command {name} failed") => {
                Some(Failure::Command { name, line, output: self.output })
            }
            _ => match reason.strip_prefix("Command ").and_then(|rest| rest.strip_suffix(" failed")) {
                Some(name) => {
                    Some(Failure::Command { name: name.to_owned(), line: None, output: Vec::new() })
                }
                None => Some(Failure::Other(reason)),
            },
        }
    }
}

/// Level and text of a line with a head.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (head, rest) = line.split_once(" [")?;
    // Not every line with a bracket has a head: a head begins with a date.
    head.bytes().next().filter(u8::is_ascii_digit)?;
    let (level, text) = rest.split_once("] ")?;
    matches!(level, "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL").then_some((level, text))
}

/// `Command NAME (LINE) failed`.
fn failed_command(text: &str) -> Option<(&str, Option<&str>)> {
    let inner = text.strip_prefix("Command ")?.strip_suffix(" failed")?;
    match inner.split_once(" (") {
        Some((name, line)) => Some((name, Some(line.strip_suffix(')').unwrap_or(line)))),
        None => Some((inner, None)),
    }
}

/// `Command NAME output: TEXT`.
fn command_output(text: &str) -> Option<(&str, &str)> {
    let (name, output) = text.strip_prefix("Command ")?.split_once(" output:")?;
    Some((name, output.strip_prefix(' ').unwrap_or(output)))
}
