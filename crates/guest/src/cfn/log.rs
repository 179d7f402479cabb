//! `/var/log/cfn-init.log` and `/var/log/cfn-init-cmd.log`, in cfn-bootstrap's form.

use crate::rotate::open_rotated;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const MAX_BYTES: u64 = 5 << 20;
const KEEP: u32 = 5;
/// The width that titles are centred in.
const WIDTH: usize = 60;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only with `-v`.
    Debug,
    /// What is being done.
    Info,
    /// What may be a mistake.
    Warning,
    /// What failed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

/// The tools' log files.
pub struct Log {
    main: Mutex<Box<dyn Write + Send>>,
    commands: Option<Mutex<File>>,
    least: Level,
}

impl Log {
    /// Opens the log files under `root`. Where they cannot be opened, standard error takes their place, as in
    /// cfn-bootstrap.
    pub fn open(root: &Path, verbose: bool) -> (Self, Option<String>) {
        let least = if verbose { Level::Debug } else { Level::Info };
        let folder = root.join("var/log");
        let files = open_rotated(&folder.join("cfn-init.log"), MAX_BYTES, KEEP)
            .and_then(|main| Ok((main, open_rotated(&folder.join("cfn-init-cmd.log"), MAX_BYTES, KEEP)?)));
        match files {
            Ok((main, commands)) => {
                let log =
                    Self { main: Mutex::new(Box::new(main)), commands: Some(Mutex::new(commands)), least };
                (log, None)
            }
            Err(err) => {
                let notice = format!(
                    "Could not open /var/log/cfn-init.log for logging.  Using stderr instead. ({err})"
                );
                (Self { main: Mutex::new(Box::new(io::stderr())), commands: None, least }, Some(notice))
            }
        }
    }

    /// Writes a line to `cfn-init.log`.
    pub fn write(&self, level: Level, message: impl fmt::Display) {
        if level >= self.least {
            let mut main = self.main.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the build; there is nowhere else to say so.
            let _ = writeln!(main, "{} [{level}] {message}", timestamp());
        }
    }

    /// Writes a line to `cfn-init-cmd.log`.
    pub fn command(&self, level: Level, message: impl fmt::Display) {
        if let Some(commands) = &self.commands {
            let mut commands = commands.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writeln!(commands, "{} P{} [{level}] {message}", timestamp(), std::process::id());
        }
    }

    /// A line of debugging.
    pub fn debug(&self, message: impl fmt::Display) {
        self.write(Level::Debug, message);
    }

    /// A line of information.
    pub fn info(&self, message: impl fmt::Display) {
        self.write(Level::Info, message);
    }

    /// A warning.
    pub fn warning(&self, message: impl fmt::Display) {
        self.write(Level::Warning, message);
    }

    /// An error.
    pub fn error(&self, message: impl fmt::Display) {
        self.write(Level::Error, message);
    }
}

/// Local time as Python's logging writes it.
fn timestamp() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string()
}

/// `title` in the middle of a line of dashes.
pub fn centered(title: &str) -> String {
    format!("{title:-^WIDTH$}")
}

/// A line of one character.
pub fn rule(character: char) -> String {
    character.to_string().repeat(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_cfn_bootstraps_form_and_level() {
        let dir = tempfile::tempdir().unwrap();
        let (log, notice) = Log::open(dir.path(), false);
        assert_eq!(notice, None);
        log.debug("unseen");
        log.info("seen");
        log.command(Level::Error, "Exited with error code 1");
        let main = std::fs::read_to_string(dir.path().join("var/log/cfn-init.log")).unwrap();
        assert!(main.ends_with(" [INFO] seen\n") && !main.contains("unseen"), "{main}");
        // 2026-11-21 02:24:02,123
        assert_eq!((&main[4..5], &main[19..20], main.find(' ').unwrap()), ("-", ",", 10));
        let commands = std::fs::read_to_string(dir.path().join("var/log/cfn-init-cmd.log")).unwrap();
        assert!(commands.contains(&format!(" P{} [ERROR] Exited", std::process::id())), "{commands}");
    }

    #[test]
    fn titles_are_centred() {
        assert_eq!(
            centered("Command Output"),
            "-----------------------Command Output-----------------------"
        );
        assert_eq!(rule('=').len(), 60);
    }

    #[test]
    fn without_a_log_folder_the_tool_goes_on() {
        let (_, notice) = Log::open(Path::new("/proc/nonexistent"), false);
        assert!(notice.unwrap().starts_with("Could not open /var/log/cfn-init.log for logging."));
    }
}
