//! JSON lines.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use super::text::time;
use crate::event::Event;
use crate::follow::Screen;

/// An event as programs read it.
#[derive(Serialize)]
struct Document<'a> {
    /// In RFC 3339, with milliseconds.
    time: String,
    timestamp: i64,
    ingestion_time: i64,
    group: &'a str,
    stream: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    message: &'a str,
}

/// One object a line for each event.
pub struct JsonLines<W> {
    out: W,
    notes: fn(&str),
    is_gone: fn() -> bool,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`; says things with `notes`, and asks `is_gone` whether somebody reads.
    pub fn new(out: W, notes: fn(&str), is_gone: fn() -> bool) -> Self {
        Self { out, notes, is_gone }
    }
}

impl<W: Write + Send> Screen for JsonLines<W> {
    fn groups(&mut self, _: &[Arc<str>]) {}

    fn show(&mut self, event: &Event) -> io::Result<()> {
        let document = Document {
            time: time(event.timestamp),
            timestamp: event.timestamp,
            ingestion_time: event.ingestion_time,
            group: &event.group,
            stream: &event.stream,
            id: event.id.as_deref(),
            message: &event.message,
        };
        let mut line = serde_json::to_vec(&document)?;
        line.push(b'\n');
        self.out.write_all(&line)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::event;

    #[test]
    fn an_event_is_one_line() {
        let mut out = Vec::new();
        let mut screen = JsonLines::new(&mut out, |_| {}, || false);
        screen.show(&event("/a", "i-1", 1_763_715_600_123, "two\nlines \"quoted\"")).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"time\":\"2025-11-21T09:00:00.123Z\",\"timestamp\":1763715600123,\"ingestion_time\":1763715600123,\
             \"group\":\"/a\",\"stream\":\"i-1\",\"message\":\"two\\nlines \\\"quoted\\\"\"}\n"
        );
    }
}
