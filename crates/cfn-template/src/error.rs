//! What is wrong with a template, where, and what was probably meant.

use std::fmt;

use crate::span::{Place, Span};

/// One thing wrong with a template.
///
/// `message` is worded as CloudFormation words it, so that it can be handed to API clients unchanged; the place
/// and the suggestion are ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// What is wrong, in CloudFormation's words.
    pub message: String,
    /// Where in the text.
    pub span: Option<Span>,
    /// Where in the structure: `Resources/Foo/Properties/Bar`. Empty for the template as a whole.
    pub path: String,
    /// What was probably meant, as a whole clause: `did you mean 'Resources'?`.
    pub suggestion: Option<String>,
}

impl TemplateError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, path: String::new(), suggestion: None }
    }

    /// The same error at a place in the text.
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same error at a place in the structure.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same error with a hint. `None` leaves it as it is.
    pub fn suggest(mut self, suggestion: Option<String>) -> Self {
        if suggestion.is_some() {
            self.suggestion = suggestion;
        }
        self
    }

    /// Orders errors as they stand in the file.
    fn order(&self) -> (Span, &str) {
        (self.span.unwrap_or_default(), &self.path)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut notes = Vec::new();
        if let Some(span) = self.span {
            notes.push(span.to_string());
        }
        if !self.path.is_empty() {
            notes.push(format!("at {}", self.path));
        }
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}

/// Everything wrong with a template, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct TemplateErrors(Vec<TemplateError>);

impl TemplateErrors {
    /// All errors, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, TemplateError> {
        self.0.iter()
    }

    /// The first error in the file.
    pub fn first(&self) -> Option<&TemplateError> {
        self.0.first()
    }

    /// All errors, in the order of the file.
    pub fn into_vec(self) -> Vec<TemplateError> {
        self.0
    }

    /// One line for an API client: the first error with its place, and how many more there are.
    pub fn summary(&self) -> String {
        let first = self.0.first().map(ToString::to_string).unwrap_or_default();
        match self.0.len() {
            0 | 1 => first,
            2 => format!("{first} (and 1 more error)"),
            n => format!("{first} (and {} more errors)", n - 1),
        }
    }
}

impl From<TemplateError> for TemplateErrors {
    fn from(error: TemplateError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for TemplateErrors {
    type Item = TemplateError;
    type IntoIter = std::vec::IntoIter<TemplateError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a TemplateErrors {
    type Item = &'a TemplateError;
    type IntoIter = std::slice::Iter<'a, TemplateError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Collects errors while work goes on, so that a template's author sees all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<TemplateError>);

impl Errors {
    pub(crate) fn push(&mut self, error: TemplateError) {
        self.0.push(error);
    }

    /// Records `message` at a place.
    pub(crate) fn add(&mut self, place: &Place<'_>, span: Span, message: impl Into<String>) {
        self.push(TemplateError::new(message).at(span).path(place.to_string()));
    }

    /// Records `message` at a place, with a hint.
    pub(crate) fn hint(
        &mut self,
        place: &Place<'_>,
        span: Span,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.push(TemplateError::new(message).at(span).path(place.to_string()).suggest(hint));
    }

    pub(crate) fn extend(&mut self, errors: impl IntoIterator<Item = TemplateError>) {
        self.0.extend(errors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `value` when nothing was recorded, otherwise everything that was.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, TemplateErrors> {
        if self.0.is_empty() { Ok(value) } else { Err(self.into_error()) }
    }

    /// Everything recorded, in the order of the file.
    pub(crate) fn into_error(mut self) -> TemplateErrors {
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        self.0.dedup();
        TemplateErrors(self.0)
    }
}
