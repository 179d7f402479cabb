//! The text of a template or a variable file, for finding places in it and for showing them.

use std::{fmt, sync::Arc};

/// A file's text under the name it is shown by. Cheap to clone: every error carries the source it is about.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(Arc<Text>);

#[derive(PartialEq, Eq)]
struct Text {
    name: String,
    text: String,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

/// A place in a file: both numbers count from 1, columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A place in a certain file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// Where in it.
    pub span: Span,
}

impl Source {
    /// A file called `name` with this `text`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = text.match_indices('\n').map(|(index, _)| index + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self(Arc::new(Text { name: name.into(), text, lines }))
    }

    /// The name that errors show.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text of a line, counted from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> Option<&str> {
        let start = *self.0.lines.get(line.checked_sub(1)?)?;
        let end = self.0.lines.get(line).map_or(self.0.text.len(), |next| next - 1);
        self.0.text.get(start..end).map(|line| line.trim_end_matches('\r'))
    }

    /// The place of a byte of the text; the end of the text when it is shorter.
    pub(crate) fn span(&self, index: usize) -> Span {
        let index = index.min(self.0.text.len());
        let line = self.0.lines.partition_point(|&start| start <= index).max(1);
        let start = self.0.lines[line - 1];
        let column = self.0.text.get(start..index).map_or(0, |before| before.chars().count()) + 1;
        Span { line, column }
    }

    /// The byte at a place; none when the file has no such place.
    pub(crate) fn index(&self, span: Span) -> Option<usize> {
        let start = *self.0.lines.get(span.line.checked_sub(1)?)?;
        let line = &self.0.text[start..];
        let offset =
            line.char_indices().nth(span.column.checked_sub(1)?).map_or(line.len(), |(index, _)| index);
        Some(start + offset)
    }

    /// A place in this file.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { source: self.clone(), span }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let source = Source::new("a.json", "{\n  \"é\": 1\r\n}");
        assert_eq!(source.span(0), Span { line: 1, column: 1 });
        assert_eq!(source.span(9), Span { line: 2, column: 7 });
        assert_eq!(source.span(999), Span { line: 3, column: 2 });
        assert_eq!(source.line(2), Some("  \"é\": 1"));
        assert_eq!(source.line(4), None);
    }
}
