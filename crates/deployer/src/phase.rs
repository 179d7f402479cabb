//! How far an instance's bootstrap has come, read from its console output. Pure.
//!
//! The console is the one place that tells this on AWS as well as on the local cloud (`GetConsoleOutput`):
//! cloud-init announces each of its stages there, and user data and `cfn-init -v` write there.

use std::fmt;

/// How far an instance has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(tag = "name", content = "detail", rename_all = "kebab-case")]
pub enum Phase {
    /// Launched, nothing on its console yet.
    #[default]
    Pending,
    /// The operating system is starting.
    Booting,
    /// cloud-init prepares the instance: keys, host name, files.
    CloudInit,
    /// User data runs.
    UserData,
    /// `cfn-init` runs a command.
    Command(String),
    /// User data has ended.
    Ended,
    /// The instance signalled its stack.
    Signalled(String),
    /// The ECS agent registered the instance.
    Registered,
    /// The instance is being stopped, or is gone.
    Gone(String),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("launching"),
            Self::Booting => f.write_str("booting"),
            Self::CloudInit => f.write_str("cloud-init"),
            Self::UserData => f.write_str("user data"),
            Self::Command(name) => write!(f, "cfn-init command {name}"),
            Self::Ended => f.write_str("user data ended"),
            Self::Signalled(status) => write!(f, "signalled {status}"),
            Self::Registered => f.write_str("registered with ECS"),
            Self::Gone(state) => f.write_str(state),
        }
    }
}

/// The phase that a console shows.
pub fn of_console(console: &str) -> Phase {
    let mut phase = if console.trim().is_empty() { Phase::Pending } else { Phase::Booting };
    for line in console.lines() {
        phase = match stage(line) {
            Some(Stage::Preparing) => Phase::CloudInit,
            Some(Stage::Final) => Phase::UserData,
            Some(Stage::Finished) => Phase::Ended,
            Some(Stage::Command(name)) => Phase::Command(name.to_owned()),
            Some(Stage::BetweenCommands) => Phase::UserData,
            None => continue,
        };
    }
    phase
}

/// Whether the console says that user data has ended.
pub fn user_data_ended(console: &str) -> bool {
    of_console(console) == Phase::Ended
}

enum Stage<'a> {
    Preparing,
    Final,
    Finished,
    Command(&'a str),
    BetweenCommands,
}

/// What one line tells. cloud-init's lines are `Cloud-init v. 22.4.2 running 'modules:final' at …` and
/// `Cloud-init v. 22.4.2 finished at …`; cfn-init's begin with `cfn-init: `.
fn stage(line: &str) -> Option<Stage<'_>> {
    if let Some((_, rest)) = line.split_once("Cloud-init v. ") {
        let (_, rest) = rest.split_once(' ')?;
        if rest.starts_with("finished at") {
            return Some(Stage::Finished);
        }
        let module = rest.strip_prefix("running '")?;
        return Some(if module.starts_with("modules:final") { Stage::Final } else { Stage::Preparing });
    }
    let (_, rest) = line.split_once("cfn-init: ")?;
    match rest.strip_prefix("running command ") {
        Some(name) => Some(Stage::Command(name.split_whitespace().next()?)),
        None => Some(Stage::BetweenCommands),
    }
}

/// The last lines that user data wrote: those of cloud-init's final stage, without cloud-init's own. Falls back
/// on the console's last lines when there are none.
pub fn user_data_tail(console: &str, count: usize) -> Vec<String> {
    let plain = strip_controls(console);
    let mut written: Vec<&str> = Vec::new();
    let mut in_final = false;
    for line in plain.lines() {
        match stage(line) {
            Some(Stage::Final) => {
                in_final = true;
                written.clear();
            }
            Some(Stage::Preparing | Stage::Finished) => in_final = false,
            Some(Stage::Command(_) | Stage::BetweenCommands) | None => {
                let (prefix, text) = line.split_once("]: ").unwrap_or_default();
                if in_final && prefix.contains("cloud-init[") && !text.trim().is_empty() {
                    written.push(text.trim_end());
                }
            }
        }
    }
    if written.is_empty() {
        return last_lines(console, count);
    }
    written[written.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// The last lines of a console that say something: without control sequences, empty lines dropped.
pub fn last_lines(console: &str, count: usize) -> Vec<String> {
    let plain = strip_controls(console);
    let lines: Vec<&str> = plain.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Drops ANSI escape sequences and other control characters, but for line ends and tabs.
pub fn strip_controls(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                rest.next();
                while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
            }
            '\u{1b}' => {
                rest.next();
            }
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "systemd 252 running in system mode\nWelcome to Debian GNU/Linux 12!\n";

    #[test]
    fn the_last_stage_on_the_console_counts() {
        let init = "[  1.2] cloud-init[88]: Cloud-init v. 22.4.2 running 'init' at Sat, 21 Nov 2026. Up 1.\n";
        let final_ = "cloud-init[99]: Cloud-init v. 22.4.2 running 'modules:final' at Sat.\n";
        let command = "cloud-init[99]: cfn-init: running command 10_first_run\n";
        let done = "cloud-init[99]: cfn-init: command 10_first_run exited with code 1\n";
        let end = "cloud-init[99]: Cloud-init v. 22.4.2 finished at Sat. Datasource DataSourceEc2.\n";
        let table = [
            ("", Phase::Pending),
            (" \n", Phase::Pending),
            (BOOT, Phase::Booting),
            (&format!("{BOOT}{init}"), Phase::CloudInit),
            (&format!("{BOOT}{init}{final_}"), Phase::UserData),
            (&format!("{BOOT}{init}{final_}{command}"), Phase::Command("10_first_run".into())),
            (&format!("{BOOT}{init}{final_}{command}{done}"), Phase::UserData),
            (&format!("{BOOT}{init}{final_}{command}{done}{end}"), Phase::Ended),
            ("Cloud-init v. ", Phase::Booting),
        ];
        for (console, expected) in table {
            assert_eq!(of_console(console), expected, "{console}");
        }
    }

    #[test]
    fn what_user_data_wrote_is_told_from_the_systems_lines() {
        let console = "cloud-init[9]: Cloud-init v. 22.4.2 running 'modules:config' at x\n\
                       cloud-init[9]: not this\n\
                       cloud-init[9]: Cloud-init v. 22.4.2 running 'modules:final' at x\n\
                       cloud-init[9]: hello\n[  OK  ] Started docker.service\n\
                       cloud-init[9]: cfn-init: running command a\n\
                       cloud-init[9]: Cloud-init v. 22.4.2 finished at x\n[  OK  ] Reached target\n";
        assert_eq!(user_data_tail(console, 5), ["hello", "cfn-init: running command a"]);
        assert_eq!(user_data_tail(console, 1), ["cfn-init: running command a"]);
        assert_eq!(user_data_tail(BOOT, 1), ["Welcome to Debian GNU/Linux 12!"]);
    }

    #[test]
    fn the_last_lines_are_plain_text() {
        let console = "one\r\n\u{1b}[0;32m  OK  \u{1b}[0m two\r\n\r\n\u{1b}Mthree\u{7}\r\n";
        assert_eq!(last_lines(console, 2), ["  OK   two", "three"]);
        assert_eq!(last_lines("", 3), Vec::<String>::new());
    }
}
