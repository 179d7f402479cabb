//! Bytes of a file cut into events: one line, or a line and those that belong to it.

use crate::awslogs::config::LineStart;
use std::borrow::Cow;

/// What may come after the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More, so that the last event may not be whole.
    Open,
    /// Nothing for a while: the last event is whole, the last line is not unless it ends.
    Quiet,
    /// Nothing any more: the last line is whole, too.
    Closed,
}

/// Where an event lies in the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte of its text.
    pub start: usize,
    /// The end of its text, before its last line feed.
    pub end: usize,
    /// Where what follows begins.
    pub next: usize,
}

/// Cuts bytes into events. Empty lines before an event are passed over, as Amazon's agent does.
pub struct Splitter<'a> {
    data: &'a [u8],
    rule: &'a LineStart,
    end: End,
    limit: usize,
    /// The event that is being gathered: its start and the end of its last line.
    event: Option<(usize, usize)>,
    /// Where the next line begins.
    line: usize,
}

impl<'a> Splitter<'a> {
    /// Cuts `data`, no event longer than `limit` bytes: a longer line becomes several events, and so do lines that
    /// belong together but are longer together.
    pub fn new(data: &'a [u8], rule: &'a LineStart, end: End, limit: usize) -> Self {
        Self { data, rule, end, limit: limit.max(4), event: None, line: 0 }
    }

    /// How many bytes the events so far take: reading goes on behind them.
    pub fn consumed(&self) -> usize {
        self.event.map_or(self.line, |(start, _)| start)
    }

    fn emit(&mut self) -> Option<Span> {
        self.event.take().map(|(start, end)| Span { start, end, next: self.line })
    }

    /// A piece of a line that is too long.
    fn piece(&mut self) -> Span {
        let start = self.line;
        let mut end = start + self.limit;
        // Not within a character of UTF-8. In other encodings a character may be cut.
        while end > start + self.limit - 3 && self.data[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        self.line = end;
        Span { start, end, next: end }
    }

    /// Takes the line up to `end` into account; returns the event that it ends.
    fn take_line(&mut self, end: usize, next: usize) -> Option<Span> {
        let content = trimmed(&self.data[self.line..end]);
        if let Some((start, last)) = &mut self.event {
            if end - *start <= self.limit && !self.rule.is_start(content) {
                *last = end;
                self.line = next;
                return None;
            }
            return self.emit();
        }
        if end - self.line > self.limit {
            return Some(self.piece());
        }
        if !content.is_empty() {
            self.event = Some((self.line, end));
        }
        self.line = next;
        None
    }

    /// What to do without a further line feed.
    fn at_end(&mut self) -> Option<Span> {
        let rest = self.data.len() - self.line;
        if rest > self.limit {
            return self.emit().or_else(|| Some(self.piece()));
        }
        if self.end == End::Closed && rest > 0 {
            let end = self.data.len();
            return self.take_line(end, end).or_else(|| if self.line == end { self.emit() } else { None });
        }
        if self.end == End::Open { None } else { self.emit() }
    }
}

impl Iterator for Splitter<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        while let Some(length) = memchr::memchr(b'\n', &self.data[self.line..]) {
            let end = self.line + length;
            if let Some(span) = self.take_line(end, end + 1) {
                return Some(span);
            }
        }
        self.at_end()
    }
}

/// A line without the carriage returns at its end.
fn trimmed(line: &[u8]) -> &[u8] {
    let mut end = line.len();
    while end > 0 && line[end - 1] == b'\r' {
        end -= 1;
    }
    &line[..end]
}

/// An event's text: its lines without carriage returns at their ends, with line feeds between.
pub fn text_of(event: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\r', event).is_none() {
        return Cow::Borrowed(event);
    }
    let lines: Vec<&[u8]> = event.split(|byte| *byte == b'\n').map(trimmed).collect();
    Cow::Owned(lines.join(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslogs::config::LinePattern;
    use proptest::prelude::*;

    fn events(text: &str, rule: &LineStart, end: End, limit: usize) -> (Vec<String>, usize) {
        let data = text.as_bytes();
        let mut splitter = Splitter::new(data, rule, end, limit);
        let mut found = Vec::new();
        for span in splitter.by_ref() {
            found.push(String::from_utf8(text_of(&data[span.start..span.end]).into_owned()).unwrap());
        }
        (found, splitter.consumed())
    }

    #[test]
    fn lines_become_events_by_the_rule() {
        let cases: [(&str, End, &[&str], usize); 15] = [
            ("", End::Closed, &[], 0),
            ("a\n", End::Open, &[], 0),
            ("a\n", End::Quiet, &["a"], 2),
            ("a\nb\n", End::Open, &["a"], 2),
            ("a\nb", End::Open, &[], 0),
            ("a\nb", End::Quiet, &["a"], 2),
            ("a\nb", End::Closed, &["a", "b"], 3),
            ("a\n  x\n\ty\nb\n", End::Open, &["a\n  x\n\ty"], 9),
            ("a\n x", End::Quiet, &["a"], 2),
            ("a\n x", End::Closed, &["a\n x"], 4),
            ("a\r\n x\r\nb\r\n", End::Quiet, &["a\n x", "b"], 10),
            ("\n\na\n\nb\n", End::Quiet, &["a\n", "b"], 7),
            ("\n\n", End::Open, &[], 2),
            (" indented\n", End::Quiet, &[" indented"], 10),
            ("a\n\n\n", End::Quiet, &["a\n\n"], 4),
        ];
        for (text, end, expected, consumed) in cases {
            let found = events(text, &LineStart::NotBlank, end, 100);
            assert_eq!(
                (found.0.as_slice(), found.1),
                (&expected.map_strings()[..], consumed),
                "{text:?} {end:?}"
            );
        }
    }

    trait Strings {
        fn map_strings(&self) -> Vec<String>;
    }
    impl Strings for &[&str] {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    #[test]
    fn a_pattern_begins_events() {
        let rule = LineStart::Pattern(LinePattern::new("^--").unwrap());
        let (found, _) = events("before\n-- 1\nx\ny\n-- 2\nz\n", &rule, End::Quiet, 100);
        assert_eq!(found, ["before", "-- 1\nx\ny", "-- 2\nz"]);
    }

    #[test]
    fn what_is_too_long_becomes_several_events_and_nothing_is_lost() {
        let (found, consumed) = events("0123456789abc\nx\n", &LineStart::NotBlank, End::Quiet, 5);
        assert_eq!(found, ["01234", "56789", "abc", "x"]);
        assert_eq!(consumed, 16);
        let (found, _) = events("ab\n c\n d\n e\n", &LineStart::NotBlank, End::Quiet, 6);
        assert_eq!(found, ["ab\n c", " d\n e"]);
        // A line that has not ended, and characters of two bytes.
        let (found, consumed) = events("ééééé", &LineStart::NotBlank, End::Open, 5);
        assert_eq!((found, consumed), (vec!["éé".to_owned(), "éé".to_owned()], 8));
    }

    proptest! {
        /// Wherever reading stops and begins again, the events are the same.
        #[test]
        fn reading_in_parts_gives_the_events_of_the_whole(
            text in "[ab \r\n\u{e9}]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
            limit in 8usize..40,
        ) {
            let data = text.as_bytes();
            let whole = events(&text, &LineStart::NotBlank, End::Closed, limit).0;
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < data.len()).collect();
            cuts.sort_unstable();
            cuts.push(data.len());
            let (mut found, mut from) = (Vec::new(), 0);
            for (index, cut) in cuts.iter().enumerate() {
                let end = if index + 1 == cuts.len() { End::Closed } else { End::Open };
                let part = &data[from.min(*cut)..*cut];
                let mut splitter = Splitter::new(part, &LineStart::NotBlank, end, limit);
                for span in splitter.by_ref() {
                    found.push(String::from_utf8_lossy(&text_of(&part[span.start..span.end])).into_owned());
                }
                from += splitter.consumed();
            }
            prop_assert_eq!(found, whole);
        }

        #[test]
        fn every_byte_is_consumed_in_the_end_and_no_event_is_too_long(
            data in prop::collection::vec(any::<u8>(), 0..200), limit in 4usize..50,
        ) {
            let mut splitter = Splitter::new(&data, &LineStart::NotBlank, End::Closed, limit);
            let mut last = 0;
            for span in splitter.by_ref() {
                prop_assert!(span.start >= last && span.end - span.start <= limit && span.next > span.start);
                last = span.next;
            }
            prop_assert_eq!(splitter.consumed(), data.len());
        }
    }
}
