//! A program's output as lines of the build's.

use std::mem;

use parking_lot::Mutex;

use crate::{communicator::Output, ui::Ui};

/// A longer line is shown in pieces, so that output without line ends takes no memory to speak of.
const MAX_LINE: usize = 64 << 10;

/// Shows output line by line as it comes, as Packer does: standard output as messages, standard error as errors.
pub(super) struct Lines<'a> {
    ui: &'a dyn Ui,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    stdout: Splitter,
    stderr: Splitter,
}

impl<'a> Lines<'a> {
    pub fn new(ui: &'a dyn Ui) -> Self {
        Self { ui, streams: Mutex::default() }
    }

    /// Shows what came after the last line end.
    pub fn finish(self) {
        let Streams { mut stdout, mut stderr } = self.streams.into_inner();
        stdout.rest().into_iter().for_each(|line| self.ui.message(&line));
        stderr.rest().into_iter().for_each(|line| self.ui.error(&line));
    }
}

impl Output for Lines<'_> {
    fn stdout(&self, bytes: &[u8]) {
        self.streams.lock().stdout.split(bytes, |line| self.ui.message(line));
    }

    fn stderr(&self, bytes: &[u8]) {
        self.streams.lock().stderr.split(bytes, |line| self.ui.error(line));
    }
}

/// Output that nobody wants.
pub(super) struct Discard;

impl Output for Discard {
    fn stdout(&self, _bytes: &[u8]) {}
    fn stderr(&self, _bytes: &[u8]) {}
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
}

impl Splitter {
    fn split(&mut self, mut bytes: &[u8], mut show: impl FnMut(&str)) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let room = MAX_LINE - self.line.len();
            let taken = end.map_or(bytes.len(), |end| end + 1).min(room);
            self.line.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.line.ends_with(b"\n") {
                show(&clean(&mem::take(&mut self.line)));
            } else if self.line.len() == MAX_LINE {
                self.shorten(&mut show);
            }
        }
    }

    /// Makes room in a line that is too long: drops what a carriage return has overwritten, or else shows a piece.
    fn shorten(&mut self, show: &mut impl FnMut(&str)) {
        let overwritten =
            self.line.iter().rposition(|byte| *byte == b'\r').filter(|at| at + 1 < self.line.len());
        if let Some(at) = overwritten.filter(|at| *at > MAX_LINE / 2) {
            self.line.drain(..=at);
            return;
        }
        // A character may be cut: its first bytes wait for the rest.
        let piece = self.line.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        let waiting = self.line.split_off(self.line.len() - piece.min(3));
        show(&clean(&mem::replace(&mut self.line, waiting)));
    }

    fn rest(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| clean(&mem::take(&mut self.line)))
    }
}

/// A line as it is shown: text, without the blanks at its end and without what a carriage return has overwritten.
fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    text.rsplit('\r').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut shown = Vec::new();
        for chunk in chunks {
            splitter.split(chunk, |line| shown.push(line.to_owned()));
        }
        shown.extend(splitter.rest());
        shown
    }

    #[test]
    fn output_is_shown_by_line() {
        let cases: [(&[&[u8]], &[&str]); 9] = [
            (&[], &[]),
            (&[b"a\nb\n"], &["a", "b"]),
            (&[b"a", b"b\nc"], &["ab", "c"]),
            (&[b"\n\n"], &["", ""]),
            (&[b"a \t\r\n"], &["a"]),
            (&[b"10%\r20%\r100%\n"], &["100%"]),
            (&[b"10%\r20%\r"], &["20%"]),
            (&[b"\xff\xc3", b"\xa9\n"], &["\u{fffd}é"]),
            (&[b"  indented\n"], &["  indented"]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(lines(chunks), expected, "{chunks:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_shown_in_pieces_of_whole_characters() {
        let text = "é".repeat(MAX_LINE);
        let shifted = format!("a{text}");
        let shown = lines(&[shifted.as_bytes()]);
        assert_eq!(shown.concat(), shifted);
        assert!(shown.iter().all(|piece| piece.len() <= MAX_LINE), "{}", shown.len());
    }

    #[test]
    fn a_progress_bar_takes_no_memory() {
        let mut splitter = Splitter::default();
        for percent in 0..100_000 {
            splitter.split(format!("\r{percent} of many").as_bytes(), |line| panic!("shown: {line}"));
            assert!(splitter.line.len() <= MAX_LINE);
        }
        assert_eq!(splitter.rest().as_deref(), Some("99999 of many"));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_come(text in "[a-c\n\ré]{0,60}", size in 1_usize..7) {
            let whole = lines(&[text.as_bytes()]);
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(lines(&chunks), whole);
        }
    }
}
