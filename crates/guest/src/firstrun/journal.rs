//! What `firstrun` says: lines for people on standard output, and the same as JSON lines in `/var/log/firstrun.log`.

use crate::rotate::open_rotated;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Write;
use std::path::Path;

const MAX_BYTES: u64 = 1 << 20;
const KEEP: u32 = 3;

/// Where it is said.
pub struct Journal<'a> {
    out: &'a mut dyn Write,
    file: Option<File>,
}

impl<'a> Journal<'a> {
    /// Speaks on `out` only: for what changes nothing.
    pub fn quiet(out: &'a mut dyn Write) -> Self {
        Self { out, file: None }
    }

    /// Speaks on `out` and in the log file under `root`. A log that cannot be written is told on `out` and is no reason
    /// to leave an instance unconfigured.
    pub fn open(root: &Path, out: &'a mut dyn Write) -> Self {
        let path = root.join("var/log/firstrun.log");
        let (file, problem) = match open_rotated(&path, MAX_BYTES, KEEP) {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(error)),
        };
        let mut journal = Self { out, file };
        if let Some(error) = problem {
            journal.line(&format!("no log is kept: {}: {error}", path.display()));
        }
        journal
    }

    /// Says one thing: `text` for people, `event` and `fields` for machines.
    pub fn say(&mut self, event: &str, fields: &[(&str, &str)], text: &str) {
        self.line(text);
        let Some(file) = &mut self.file else { return };
        let mut record = Map::new();
        record.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        record.insert("event".to_owned(), event.into());
        record.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        record.insert("message".to_owned(), text.into());
        // A full disk must not stop the set-up; there is nowhere else to say so.
        let _ = writeln!(file, "{}", Value::Object(record));
    }

    fn line(&mut self, text: &str) {
        // Nobody listens to a closed standard output.
        let _ = writeln!(self.out, "firstrun: {text}");
    }

    /// Prints text as it is.
    pub fn raw(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_machines_are_told_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        Journal::open(dir.path(), &mut out).say("file-written", &[("path", "/etc/x")], "wrote /etc/x");
        assert_eq!(String::from_utf8(out).unwrap(), "firstrun: wrote /etc/x\n");
        let log = std::fs::read_to_string(dir.path().join("var/log/firstrun.log")).unwrap();
        let record: Value = serde_json::from_str(&log).unwrap();
        assert_eq!((&record["event"], &record["path"]), (&"file-written".into(), &"/etc/x".into()));
        assert!(record["time"].as_str().unwrap().ends_with('Z'));
    }
}
