//! Plain lines, for pipes and files: whole times and names, so that a line means the same anywhere.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::Event;
use crate::follow::Screen;
use crate::names::short_names;

/// `TIME GROUP STREAM MESSAGE`; further lines of a message are indented.
pub struct Plain<W> {
    out: W,
    notes: fn(&str),
    is_gone: fn() -> bool,
    groups: ShortNames,
}

/// The short names of the groups on show.
#[derive(Default)]
pub(super) struct ShortNames(Vec<(Arc<str>, String)>);

impl ShortNames {
    pub fn of(names: &[Arc<str>]) -> Self {
        let whole: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        Self(names.iter().cloned().zip(short_names(&whole)).collect())
    }

    pub fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|(whole, _)| whole.as_ref() == name).map_or(name, |(_, short)| short)
    }

    pub fn longest(&self) -> usize {
        self.0.iter().map(|(_, short)| short.chars().count()).max().unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<W: Write> Plain<W> {
    /// Writes to `out`; says things with `notes`, and asks `is_gone` whether somebody reads.
    pub fn new(out: W, notes: fn(&str), is_gone: fn() -> bool) -> Self {
        Self { out, notes, is_gone, groups: ShortNames::default() }
    }
}

/// How far the further lines of a message stand from the left edge.
const INDENT: &str = "    ";

impl<W: Write + Send> Screen for Plain<W> {
    fn groups(&mut self, names: &[Arc<str>]) {
        self.groups = ShortNames::of(names);
    }

    fn show(&mut self, event: &Event) -> io::Result<()> {
        let time = time(event.timestamp);
        let message = event.message.trim_end_matches(['\n', '\r']).replace('\n', &format!("\n{INDENT}"));
        let line = format!("{time} {} {} {message}\n", self.groups.get(&event.group), event.stream);
        // In one piece: lines of two writers into one file stay whole.
        self.out.write_all(line.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn note(&mut self, text: &str) {
        (self.notes)(text);
    }

    fn is_gone(&self) -> bool {
        (self.is_gone)()
    }
}

/// RFC 3339 with milliseconds, in UTC; the number itself when it is beyond any calendar.
pub(super) fn time(milliseconds: i64) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => milliseconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::event;

    #[test]
    fn lines() {
        let mut out = Vec::new();
        let mut screen = Plain::new(&mut out, |_| {}, || false);
        screen.groups(&["/stack/var/log/dmesg".into(), "/stack/var/log/ecs/ecs-agent".into()]);
        for (group, message) in [
            ("/stack/var/log/dmesg", "one"),
            ("/stack/var/log/ecs/ecs-agent", "two\n  lines\r\n"),
            ("/other", ""),
        ] {
            screen.show(&event(group, "i-1", 1_763_715_600_000, message)).unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "2025-11-21T09:00:00.000Z dmesg i-1 one\n\
             2025-11-21T09:00:00.000Z ecs-agent i-1 two\n      lines\n\
             2025-11-21T09:00:00.000Z /other i-1 \n"
        );
    }
}
