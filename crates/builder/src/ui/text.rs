//! Lines for people: Packer's prefixes, colours and time stamps.

use std::io::{IsTerminal, Write};

use async_trait::async_trait;
use jiff::Zoned;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::ask::read_line;
use super::{Colour, Console, Kind, Line};

/// Writes lines as Packer does: all of them, errors too, on one stream, so that their order holds.
pub struct Text<W: Write> {
    out: Mutex<Out<W>>,
    look: Look,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
}

struct Out<W> {
    sink: W,
    /// What other builds say while a question waits on its line for the answer; none while there is no question.
    held: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    coloured: bool,
    timestamps: bool,
}

impl<W: Write + Send> Text<W> {
    /// Writes to `out`, with each build's colour if `coloured`, and with the time before each line of a build if
    /// `timestamps`.
    pub fn new(out: W, coloured: bool, timestamps: bool) -> Self {
        Self {
            out: Mutex::new(Out { sink: out, held: None }),
            look: Look { coloured, timestamps },
            asking: tokio::sync::Mutex::new(()),
        }
    }

    fn write(&self, text: &str) {
        let mut out = self.out.lock();
        match &mut out.held {
            Some(held) => held.push_str(text),
            None => out.write(text),
        }
    }
}

impl<W: Write> Out<W> {
    fn write(&mut self, text: &str) {
        // Who has stopped reading does not want to know.
        let _ = self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush());
    }
}

/// A question that waits for its answer. At its end, however it comes, what was held back is written.
struct Question<'a, W: Write> {
    out: &'a Mutex<Out<W>>,
    answered: bool,
}

impl<'a, W: Write> Question<'a, W> {
    fn put(out: &'a Mutex<Out<W>>, question: &str) -> Self {
        let mut locked = out.lock();
        locked.write(&format!("{question} "));
        locked.held = Some(String::new());
        Self { out, answered: false }
    }
}

impl<W: Write> Drop for Question<'_, W> {
    fn drop(&mut self) {
        let mut out = self.out.lock();
        let held = out.held.take().unwrap_or_default();
        // The user's enter has ended the line of a question that was answered.
        out.write(if self.answered { "" } else { "\n" });
        out.write(&held);
    }
}

#[async_trait]
impl<W: Write + Send> Console for Text<W> {
    fn show(&self, line: Line<'_>) {
        self.write(&(self.look.render(line, &Zoned::now()) + "\n"));
    }

    fn record(&self, _target: &str, _category: &str, _values: &[&str]) {}

    fn is_coloured(&self) -> bool {
        self.look.coloured
    }

    async fn ask(&self, question: Line<'_>, cancel: &CancellationToken) -> Option<String> {
        // Packer's goes on at once without a terminal; so do builds in a pipeline that were left in debug mode.
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let _alone = tokio::select! {
            alone = self.asking.lock() => alone,
            () = cancel.cancelled() => return None,
        };
        let mut question = Question::put(&self.out, &self.look.render(question, &Zoned::now()));
        let answer = tokio::select! {
            answer = read_line() => answer,
            () = cancel.cancelled() => None,
        };
        question.answered = answer.is_some();
        answer
    }
}

impl Look {
    fn render(self, line: Line<'_>, now: &Zoned) -> String {
        let text = match line.target {
            Some(target) => prefixed(line.kind, target, line.text),
            None => line.text.to_owned(),
        };
        let Some(colour) = line.colour else { return text };
        let text = match self.timestamps {
            true => format!("{}: {text}", rfc3339(now)),
            false => text,
        };
        if !self.coloured {
            return text;
        }
        let (bold, colour) = match line.kind {
            Kind::Say => (1, colour),
            Kind::Message => (0, colour),
            Kind::Error => (1, Colour::Red),
        };
        format!("\x1b[{bold};{}m{text}\x1b[0m", colour.code())
    }
}

/// The time to the second with its offset, as Go's `time.RFC3339` has it.
fn rfc3339(now: &Zoned) -> String {
    let format = if now.offset().is_zero() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    now.strftime(format).to_string()
}

/// Every line of `text` with its build's name; the last has no white space at its end.
pub(super) fn prefixed(kind: Kind, target: &str, text: &str) -> String {
    let arrow = if kind == Kind::Message { "   " } else { "==>" };
    let lines: Vec<String> = text.split('\n').map(|line| format!("{arrow} {target}: {line}")).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, text: &str) -> Line<'_> {
        Line { kind, target: Some("amazon-ebs"), colour: Some(Colour::Cyan), text }
    }

    fn rendered(coloured: bool, timestamps: bool, line: Line<'_>) -> String {
        let now: Zoned = "2026-11-21T05:49:12+01:00[+01:00]".parse().unwrap();
        Look { coloured, timestamps }.render(line, &now)
    }

    /// What Packer 1.6.6 wrote for the same.
    #[test]
    fn lines_look_like_packers() {
        let cases = [
            (false, false, line(Kind::Say, "Stopping"), "==> amazon-ebs: Stopping"),
            (false, false, line(Kind::Message, "hi"), "    amazon-ebs: hi"),
            (false, false, line(Kind::Error, "no"), "==> amazon-ebs: no"),
            (
                false,
                false,
                line(Kind::Say, "a\nb\n"),
                "==> amazon-ebs: a\n==> amazon-ebs: b\n==> amazon-ebs:",
            ),
            (true, false, line(Kind::Say, "x"), "\x1b[1;36m==> amazon-ebs: x\x1b[0m"),
            (true, false, line(Kind::Message, "x"), "\x1b[0;36m    amazon-ebs: x\x1b[0m"),
            (true, false, line(Kind::Error, "x"), "\x1b[1;31m==> amazon-ebs: x\x1b[0m"),
            (false, true, line(Kind::Message, "x"), "2026-11-21T05:49:12+01:00:     amazon-ebs: x"),
            (true, true, Line::general(Kind::Say, "\n==> Wait"), "\n==> Wait"),
        ];
        for (coloured, timestamps, line, expected) in cases {
            assert_eq!(rendered(coloured, timestamps, line), expected);
        }
    }

    #[test]
    fn the_time_has_its_offset() {
        for (zoned, expected) in [
            ("2026-11-21T05:49:12[UTC]", "2026-11-21T05:49:12Z"),
            ("2026-11-21T05:49:12-03:00[-03:00]", "2026-11-21T05:49:12-03:00"),
        ] {
            assert_eq!(rfc3339(&zoned.parse().unwrap()), expected);
        }
    }

    #[test]
    fn writes_whole_lines() {
        let console = Text::new(Vec::new(), false, false);
        console.show(line(Kind::Say, "one"));
        console.record("amazon-ebs", "artifact-count", &["1"]);
        console.show(Line::general(Kind::Error, "two"));
        assert_eq!(written(console), "==> amazon-ebs: one\ntwo\n");
    }

    fn written(console: Text<Vec<u8>>) -> String {
        String::from_utf8(console.out.into_inner().sink).unwrap()
    }

    #[test]
    fn nothing_is_written_into_the_line_of_a_question() {
        for (answered, end) in [(true, ""), (false, "\n")] {
            let console = Text::new(Vec::new(), false, false);
            let mut question = Question::put(&console.out, "Press enter to continue.");
            console.show(line(Kind::Say, "meanwhile"));
            question.answered = answered;
            drop(question);
            console.show(line(Kind::Say, "afterwards"));
            let expected = format!(
                "Press enter to continue. {end}==> amazon-ebs: meanwhile\n==> amazon-ebs: afterwards\n"
            );
            assert_eq!(written(console), expected);
        }
    }
}
