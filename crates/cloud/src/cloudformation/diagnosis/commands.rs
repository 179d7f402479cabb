//! Reading `/var/log/cfn-init-cmd.log`.
//!
//! Each line is `2024-05-30 07:51:18,000 P2345 [INFO] TEXT`. A command is announced by `Command NAME`, framed by
//! lines of dashes, its output indented by a tab, and ends with `Completed successfully.` or
//! `Exited with error code N`.

/// A command that `cfn-init` ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name in the metadata.
    pub name: String,
    /// What it printed.
    pub output: Vec<String>,
    /// How it ended.
    pub ending: Ending,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has not.
    Running,
    /// With exit code 0.
    Succeeded,
    /// With this exit code.
    Failed(i32),
}

impl Ending {
    /// The exit code, once there is one.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Running => None,
            Self::Succeeded => Some(0),
            Self::Failed(code) => Some(code),
        }
    }
}

/// The last command that the log tells of. Tests of commands (`Test for Command NAME`) are not commands.
pub fn last_command(log: &str) -> Option<Command> {
    let mut last: Option<Command> = None;
    let mut in_test = false;
    for text in log.lines().filter_map(text_of) {
        if let Some(name) = text.strip_prefix("Command ") {
            last =
                Some(Command { name: name.trim().to_owned(), output: Vec::new(), ending: Ending::Running });
            in_test = false;
        } else if text.starts_with("Test for Command ") {
            in_test = true;
        } else if let Some(command) = last.as_mut().filter(|_| !in_test) {
            read_line(command, text);
        }
    }
    last
}

fn read_line(command: &mut Command, text: &str) {
    if let Some(line) = text.strip_prefix('\t') {
        command.output.push(line.to_owned());
    } else if let Some(code) = text.strip_prefix("Exited with error code ") {
        command.ending = code.trim().parse().map_or(Ending::Running, Ending::Failed);
    } else if text.starts_with("Completed successfully") {
        command.ending = Ending::Succeeded;
    }
}

/// The text of a line, without time, process and level.
fn text_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" [")?;
    let (_, text) = rest.split_once("] ")?;
    Some(text)
}
