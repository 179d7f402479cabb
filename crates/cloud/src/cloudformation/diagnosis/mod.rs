//! Why an instance did not signal success, told from its own logs. Pure: [`evidence`] reads the logs.
//!
//! The formats are those that Amazon's `cfn-init` writes, which Drydock's writes too:
//! `/var/log/cfn-init.log` tells what was done and what failed, `/var/log/cfn-init-cmd.log` what each command
//! printed and how it ended. `/var/log/cloud-init-output.log` holds what user data printed, and
//! `/var/log/ecs/ecs-agent.log` why the agent has not joined its cluster, which first-run scripts wait for.

mod agent_log;
mod commands;
pub mod evidence;
mod init_log;
mod reach;

use std::fmt;

pub use agent_log::agent_trouble;
pub use commands::{Command, Ending, last_command};
pub use init_log::{Failure, last_failure};

use crate::vpc::Barrier;

/// How many of the last lines of output a diagnosis shows.
const LINES: usize = 6;
/// How long each of them may be.
const LINE_LENGTH: usize = 200;

/// What was read of one instance, as far as it was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `/var/log/cfn-init.log`.
    pub init_log: String,
    /// `/var/log/cfn-init-cmd.log`.
    pub command_log: String,
    /// `/var/log/cloud-init-output.log`.
    pub user_data_log: String,
    /// `/var/log/ecs/ecs-agent.log`.
    pub agent_log: String,
    /// Whether cloud-init has finished (`/var/lib/cloud/instance/boot-finished`).
    pub finished: bool,
    /// What keeps it from the AWS API, but for a proxy.
    pub barrier: Option<Barrier>,
    /// How far the machine itself is.
    pub machine: Machine,
}

/// How far a machine is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Machine {
    /// There is none: it was never booted or is gone.
    #[default]
    Absent,
    /// It runs.
    Running,
    /// It ran and has ended.
    Exited,
}

/// What the evidence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// A command of `cfn-init` failed.
    CommandFailed {
        /// Its name in the metadata.
        name: String,
        /// The command itself.
        line: Option<String>,
        /// Its exit code.
        code: Option<i32>,
        /// Its last lines of output.
        output: Vec<String>,
    },
    /// `cfn-init` failed otherwise.
    InitFailed {
        /// What it said.
        reason: String,
    },
    /// A command of `cfn-init` still runs.
    CommandRunning {
        /// Its name in the metadata.
        name: String,
        /// Its last lines of output.
        output: Vec<String>,
    },
    /// User data has ended, and no command of `cfn-init` failed.
    Ended {
        /// Its last lines of output.
        output: Vec<String>,
    },
    /// User data still runs.
    Running {
        /// Its last lines of output.
        output: Vec<String>,
    },
    /// The machine runs, but its user data has not begun.
    Booting,
    /// The machine has ended.
    Exited,
    /// There is no machine.
    Absent,
}

/// Tells from an instance's logs why it has not signalled success.
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let command = last_command(&evidence.command_log);
    let failure = last_failure(&evidence.init_log);
    if let Some(Failure::Command { name, line, output }) = &failure {
        let told = command.filter(|command| command.name == *name);
        return Diagnosis::CommandFailed {
            name: name.clone(),
            line: line.clone(),
            code: told.as_ref().and_then(|command| command.ending.code()),
            output: last_lines(told.map_or_else(|| output.clone(), |command| command.output)),
        };
    }
    match command {
        // Without the other log this one still says which command failed.
        Some(Command { name, output, ending: Ending::Failed(code) }) if evidence.init_log.is_empty() => {
            let output = last_lines(output);
            return Diagnosis::CommandFailed { name, line: None, code: Some(code), output };
        }
        Some(Command { name, output, ending: Ending::Running })
            if !evidence.finished && evidence.machine == Machine::Running =>
        {
            return Diagnosis::CommandRunning { name, output: last_lines(output) };
        }
        _ => {}
    }
    if let Some(Failure::Other(reason)) = failure {
        return Diagnosis::InitFailed { reason };
    }
    match (evidence.machine, user_data_output(&evidence.user_data_log)) {
        (Machine::Absent, _) => Diagnosis::Absent,
        (Machine::Exited, _) => Diagnosis::Exited,
        (Machine::Running, output) if evidence.finished => {
            Diagnosis::Ended { output: last_lines(output.unwrap_or_default()) }
        }
        (Machine::Running, None) => Diagnosis::Booting,
        (Machine::Running, Some(output)) => Diagnosis::Running { output: last_lines(output) },
    }
}

/// What the evidence says, in one sentence: how far the instance is, what its ECS agent complains of, and what keeps
/// it from AWS where it seems not to have come there.
pub fn sentence(evidence: &Evidence) -> String {
    let mut sentence = diagnose(evidence).to_string();
    if evidence.machine == Machine::Running
        && let Some(trouble) = agent_trouble(&evidence.agent_log)
    {
        sentence += &format!("; its ECS agent: {trouble}");
    }
    if evidence.machine != Machine::Absent
        && let Some(barrier) = &evidence.barrier
        && !reach::reached(evidence)
    {
        sentence += &format!("; {barrier}, or have everything on it go through a proxy");
    }
    sentence
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandFailed { name, line, code, output } => {
                write!(f, "cfn-init command {name}")?;
                if let Some(line) = line {
                    write!(f, " ({line})")?;
                }
                match code {
                    Some(code) => write!(f, " failed with exit code {code}")?,
                    None => f.write_str(" failed")?,
                }
                write_output(f, "its last output", output)
            }
            Self::InitFailed { reason } => write!(f, "cfn-init failed: {reason}"),
            Self::CommandRunning { name, output } => {
                write!(f, "cfn-init command {name} is still running")?;
                write_output(f, "its last output", output)
            }
            Self::Ended { output } => {
                f.write_str("user data has ended without signalling success")?;
                write_output(f, "its last output", output)
            }
            Self::Running { output } => {
                f.write_str("user data is still running")?;
                write_output(f, "its last output", output)
            }
            Self::Booting => f.write_str("it is booting, its user data has not begun"),
            Self::Exited => f.write_str("it has stopped"),
            Self::Absent => f.write_str("it was not booted"),
        }
    }
}

fn write_output(f: &mut fmt::Formatter<'_>, what: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        f.write_str(", it printed nothing")
    } else {
        write!(f, "; {what}: {}", lines.join(" | "))
    }
}

/// The last lines that say something, each cut to a readable length.
fn last_lines(lines: Vec<String>) -> Vec<String> {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .map(|line| match line.char_indices().nth(LINE_LENGTH) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        })
        .collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

/// What user data printed: what follows the last announcement of cloud-init's final stage, which runs it, without
/// cloud-init's own lines. None when an earlier stage is the last one announced, or nothing is.
///
/// A log whose beginning was cut off may announce no stage: then all of it may be user data's.
fn user_data_output(log: &str) -> Option<Vec<String>> {
    let lines: Vec<&str> = log.lines().collect();
    let announced = lines.iter().rposition(|line| stage(line).is_some());
    let begin = match announced.map(|at| (at, stage(lines[at]))) {
        Some((at, Some("modules:final"))) => at + 1,
        Some(_) => return None,
        None if lines.is_empty() => return None,
        None => 0,
    };
    let written = lines[begin..].iter().filter(|line| !line.starts_with("Cloud-init v. "));
    Some(written.map(|line| (*line).to_owned()).collect())
}

/// The stage that a line of cloud-init's announces: `Cloud-init v. 22.4.2 running 'modules:final' at …`.
fn stage(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("Cloud-init v. ")?.split_once(" running '")?;
    rest.split_once('\'').map(|(stage, _)| stage)
}

#[cfg(test)]
mod tests;
