//! JSON lines: what is said as it comes, one object a line.

use std::io::Write;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Console, Kind, Line};

/// Writes each line as `{"event":"say","build":"amazon-ebs","message":"…"}`.
pub struct JsonLines<W> {
    out: Mutex<W>,
}

#[derive(Serialize)]
struct Event<'a> {
    event: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<&'a str>,
    message: &'a str,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }

    /// Writes any object as a line of its own.
    pub fn line(&self, value: &impl Serialize) {
        // What we serialize are structures of our own, with text for keys.
        let Ok(line) = serde_json::to_string(value) else { return };
        let mut out = self.out.lock();
        // Who has stopped reading does not want to know.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

#[async_trait]
impl<W: Write + Send> Console for JsonLines<W> {
    fn show(&self, line: Line<'_>) {
        self.line(&Event { event: line.kind, build: line.target, message: line.text.trim() });
    }

    /// The outcome, which the caller writes at the end, has all of it.
    fn record(&self, _target: &str, _category: &str, _values: &[&str]) {}

    async fn ask(&self, _question: Line<'_>, _cancel: &CancellationToken) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_objects() {
        let console = JsonLines::new(Vec::new());
        console.show(Line { kind: Kind::Message, target: Some("amazon-ebs"), colour: None, text: "a \"b\"" });
        console.show(Line::general(Kind::Say, "\n==> Wait"));
        let written = String::from_utf8(console.out.into_inner()).unwrap();
        let expected = "{\"event\":\"message\",\"build\":\"amazon-ebs\",\"message\":\"a \\\"b\\\"\"}\n\
                        {\"event\":\"say\",\"message\":\"==> Wait\"}\n";
        assert_eq!(written, expected);
    }
}
