//! The agent's log, in the `logfmt` form of Amazon's: `level=info time=2026-11-21T02:24:02Z msg="…" key="value"`.

use super::config::Config;
use crate::rotate::open_rotated;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const MAX_BYTES: u64 = 10 << 20;
const KEEP: u32 = 4;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Debug,
    /// What happens.
    Info,
    /// What may be a mistake.
    Warn,
    /// What failed.
    Error,
    /// What ends the agent.
    Critical,
}

impl Level {
    /// The level that `ECS_LOGLEVEL` names; an unknown name means `info`, as with Amazon's agent.
    pub fn from_name(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "debug" | "trace" => Self::Debug,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "crit" | "none" => Self::Critical,
            _ => Self::Info,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Keys and values after a message.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// The log: standard output and, if configured, a file.
pub struct AgentLog {
    sinks: Mutex<Vec<Box<dyn Write + Send>>>,
    least: Level,
}

impl AgentLog {
    /// Logs to standard output only.
    pub fn stdout(least: Level) -> Self {
        Self::to(least, vec![Box::new(std::io::stdout())])
    }

    /// Logs to `sinks`.
    pub fn to(least: Level, sinks: Vec<Box<dyn Write + Send>>) -> Self {
        Self { sinks: Mutex::new(sinks), least }
    }

    /// Logs to standard output and to the configured file, once where they are the same. A file that cannot be opened
    /// is told on standard output.
    pub fn open(root: &Path, config: &Config) -> Self {
        let log = Self::stdout(config.log_level);
        let Some(path) = &config.log_file else { return log };
        let path = root.join(path.strip_prefix("/").unwrap_or(path));
        match open_rotated(&path, MAX_BYTES, KEEP) {
            Ok(file) if is_stdout(&file) => {}
            Ok(file) => log.sinks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(file)),
            Err(err) => log.error(format_args!("Cannot open the log file {}: {err}", path.display()), &[]),
        }
        log
    }

    /// Writes a line of `level`.
    pub fn write(&self, level: Level, message: impl fmt::Display, fields: Fields<'_>) {
        if level < self.least {
            return;
        }
        let line = format_line(level, &message.to_string(), fields);
        for sink in self.sinks.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // A full disk must not stop the agent; there is nowhere else to say so.
            let _ = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
        }
    }

    /// A line of debugging.
    pub fn debug(&self, message: impl fmt::Display, fields: Fields<'_>) {
        self.write(Level::Debug, message, fields);
    }

    /// A line of information.
    pub fn info(&self, message: impl fmt::Display, fields: Fields<'_>) {
        self.write(Level::Info, message, fields);
    }

    /// A warning.
    pub fn warn(&self, message: impl fmt::Display, fields: Fields<'_>) {
        self.write(Level::Warn, message, fields);
    }

    /// An error.
    pub fn error(&self, message: impl fmt::Display, fields: Fields<'_>) {
        self.write(Level::Error, message, fields);
    }

    /// An error that ends the agent.
    pub fn critical(&self, message: impl fmt::Display, fields: Fields<'_>) {
        self.write(Level::Critical, message, fields);
    }
}

fn format_line(level: Level, message: &str, fields: Fields<'_>) -> String {
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut line = format!("level={} time={time} msg={message:?}", level.name());
    for (key, value) in fields {
        // Writing to a string cannot fail.
        let _ = write!(line, " {key}={value:?}");
    }
    line.push('\n');
    line
}

/// Whether the service manager already sends standard output to this file.
fn is_stdout(file: &File) -> bool {
    match (nix::sys::stat::fstat(file), nix::sys::stat::fstat(std::io::stdout().as_fd())) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_logfmt_with_quoted_text() {
        let line = format_line(Level::Info, "say \"hi\"", &[("cluster", "a b")]);
        assert!(line.starts_with("level=info time=20"), "{line}");
        assert!(line.ends_with("Z msg=\"say \\\"hi\\\"\" cluster=\"a b\"\n"), "{line}");
    }

    #[test]
    fn levels_are_read_and_ordered() {
        assert_eq!(Level::from_name("WARN"), Level::Warn);
        assert_eq!(Level::from_name("loud"), Level::Info);
        assert!(Level::Critical > Level::Error && Level::Debug < Level::Info);
    }
}
