//! Places in the template text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the template text: both numbers count from 1, columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The place at `line` and `column`, both counted from 1.
    pub fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A value together with the place it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// Where it was written.
    pub span: Span,
    /// What was written.
    pub value: T,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(span: Span, value: T) -> Self {
        Self { span, value }
    }
}

/// The path to a node, as a list linked along the call stack: descending costs nothing until an error needs
/// the text.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(crate) const ROOT: Place<'static> = Place { parent: None, step: Step::Name("") };

    pub(crate) fn child(&'a self, name: &'a str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Name(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        if parent.parent.is_some() {
            f.write_str("/")?;
        }
        match self.step {
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_with_slashes() {
        let resources = Place::ROOT.child("Resources");
        let group = resources.child("Group");
        let rule = group.index(2);
        assert_eq!(Place::ROOT.to_string(), "");
        assert_eq!(resources.to_string(), "Resources");
        assert_eq!(rule.to_string(), "Resources/Group/2");
    }
}
