//! The text of a template, for finding places in it and for showing them.

use crate::span::Span;

/// A template's text with the beginnings of its lines.
pub(crate) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The text of a line, without its end.
    pub(crate) fn line(&self, line: usize) -> Option<&'a str> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        self.text.get(start..end).map(|line| line.trim_end_matches('\r'))
    }

    /// Where the words `needle`, with nothing or blanks between them, first stand at or after `from`; `from`
    /// itself when they do not (a string may be written with escapes).
    pub(crate) fn find(&self, from: Span, needle: &[&str]) -> Span {
        self.find_index(from, needle).map_or(from, |index| self.span(index))
    }

    fn find_index(&self, from: Span, needle: &[&str]) -> Option<usize> {
        let (first, rest) = needle.split_first()?;
        let mut at = self.index(from)?;
        loop {
            let found = at + self.text.get(at..)?.find(first)?;
            let mut tail = &self.text[found + first.len()..];
            let mut matched = true;
            for word in rest {
                match tail.trim_start().strip_prefix(word) {
                    Some(after) => tail = after,
                    None => matched = false,
                }
            }
            // `${A` must not be found in `${AB}`.
            if matched && !tail.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == ':') {
                return Some(found);
            }
            at = found + first.len();
        }
    }

    fn index(&self, span: Span) -> Option<usize> {
        let start = *self.lines.get(span.line.checked_sub(1)?)?;
        let line = &self.text[start..];
        let offset =
            line.char_indices().nth(span.column.saturating_sub(1)).map_or(line.len(), |(index, _)| index);
        Some(start + offset)
    }

    fn span(&self, index: usize) -> Span {
        let line = self.lines.partition_point(|&start| start <= index);
        let start = self.lines[line - 1];
        Span::new(line, self.text[start..index].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let source = Source::new("a: !Sub |\n  é ${AB} ${A}\r\n  x\n");
        assert_eq!(source.find(Span::new(1, 9), &["${", "A"]), Span::new(2, 11));
        assert_eq!(source.find(Span::new(1, 9), &["${", "AB"]), Span::new(2, 5));
        assert_eq!(source.find(Span::new(1, 9), &["${", "C"]), Span::new(1, 9));
        assert_eq!(source.line(2), Some("  é ${AB} ${A}"));
        assert_eq!(source.line(3), Some("  x"));
        assert_eq!(source.line(4), Some(""));
        assert_eq!(source.line(5), None);
        assert_eq!(source.line(0), None);
    }
}
