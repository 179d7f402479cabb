//! The agent's own log, in the form of Amazon's: `2026-11-21 09:00:00,123 - awslogs - INFO - 321 - reader - …`.

use crate::rotate::open_rotated;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const MAX_BYTES: u64 = 10 << 20;
const KEEP: u32 = 4;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What happens.
    Info,
    /// What may be a mistake, or will be tried again.
    Warning,
    /// What failed, or was lost.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// The log: a file that makes room for itself, standard error, or nothing.
pub struct AgentLog(Mutex<Target>);

enum Target {
    File { path: PathBuf, file: File, written: u64 },
    Stderr,
    Nowhere,
}

impl AgentLog {
    /// Logs to `path`; to standard error, saying why, when it cannot be opened.
    pub fn open(path: &Path) -> Self {
        match open_target(path) {
            Ok(target) => Self(Mutex::new(target)),
            Err(err) => {
                let log = Self::stderr();
                log.warning(format_args!("Cannot open the log file {}: {err}", path.display()));
                log
            }
        }
    }

    /// Logs to standard error.
    pub fn stderr() -> Self {
        Self(Mutex::new(Target::Stderr))
    }

    /// Logs nothing.
    pub fn nowhere() -> Self {
        Self(Mutex::new(Target::Nowhere))
    }

    /// Writes what happens.
    pub fn info(&self, message: impl fmt::Display) {
        self.write(Level::Info, &message);
    }

    /// Writes what may be a mistake.
    pub fn warning(&self, message: impl fmt::Display) {
        self.write(Level::Warning, &message);
    }

    /// Writes what failed.
    pub fn error(&self, message: impl fmt::Display) {
        self.write(Level::Error, &message);
    }

    fn write(&self, level: Level, message: &dyn fmt::Display) {
        let mut target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*target, Target::Nowhere) {
            return;
        }
        let line = line(level, message);
        // A full disk must not stop the agent; there is nowhere else to say so.
        let _ = match &mut *target {
            Target::File { path, file, written } => {
                *written += line.len() as u64;
                let done = file.write_all(line.as_bytes());
                if *written >= MAX_BYTES
                    && let Ok(next) = open_target(&path.clone())
                {
                    *target = next;
                }
                done
            }
            Target::Stderr => std::io::stderr().write_all(line.as_bytes()),
            Target::Nowhere => Ok(()),
        };
    }
}

fn open_target(path: &Path) -> std::io::Result<Target> {
    let file = open_rotated(path, MAX_BYTES, KEEP)?;
    let written = file.metadata()?.len();
    Ok(Target::File { path: path.to_owned(), file, written })
}

fn line(level: Level, message: &dyn fmt::Display) -> String {
    let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("main");
    format!("{time} - awslogs - {} - {} - {name} - {message}\n", level.name(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_time_level_process_and_thread_and_the_file_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/awslogs.log");
        let log = AgentLog::open(&path);
        log.warning("hello");
        let text = std::fs::read_to_string(&path).unwrap();
        let parts: Vec<&str> = text.trim_end().split(" - ").collect();
        assert_eq!((parts[1], parts[2], parts[5]), ("awslogs", "WARNING", "hello"), "{text}");
        assert_eq!(parts[3], std::process::id().to_string());
        assert_eq!(parts[0].len(), "2026-11-21 09:00:00,123".len());
        log.info("x".repeat(MAX_BYTES as usize));
        log.info("after");
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("after\n"));
        assert!(std::fs::metadata(&path).unwrap().len() < 200);
    }
}
