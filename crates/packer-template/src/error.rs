//! What is wrong with a template, where, and what to do about it, shown in the text it is about.

use std::fmt;

use template_text::excerpt;

use crate::source::{Place, Source, Span};

/// One thing wrong with a template or a variable file.
///
/// [`Display`](fmt::Display) shows the line it is in and a caret under the place:
///
/// ```text
/// error: unknown option 'sorce_ami' of the builder amazon-ebs
///   --> packer.json:4:7
///    |
///  4 |       "sorce_ami": "ami-1",
///    |       ^
///    = at builders/0/sorce_ami
///    = did you mean 'source_ami'?
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// What is wrong, in one line.
    pub message: String,
    /// Where in which file; none for a value of the command line.
    pub place: Option<Place>,
    /// Where in the structure: `builders/0/source_ami`. Empty for the file as a whole.
    pub path: String,
    /// What to do about it, as a whole clause.
    pub help: Option<String>,
}

impl Error {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, path: String::new(), help: None }
    }

    /// The same error at a place in a file.
    pub fn at(mut self, source: &Source, span: Span) -> Self {
        self.place = Some(source.place(span));
        self
    }

    /// The same error at a place in the structure.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same error with help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Orders errors as they stand in the file.
    fn order(&self) -> (Span, &str) {
        (self.place.as_ref().map(|place| place.span).unwrap_or_default(), &self.path)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        let mut margin = " ".to_owned();
        if let Some(Place { source, span }) = &self.place {
            let number = span.line.to_string();
            margin = " ".repeat(number.len() + 1);
            write!(f, "\n{margin}--> {}:{}:{}", source.name(), span.line, span.column)?;
            if let Some(line) = source.line(span.line) {
                let (line, column) = excerpt(line, span.column);
                write!(f, "\n{margin} |\n {number} | {line}\n{margin} | {}^", " ".repeat(column))?;
            }
        }
        if !self.path.is_empty() {
            write!(f, "\n{margin} = at {}", self.path)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = {help}")?;
        }
        Ok(())
    }
}

/// Something in a template that is allowed and most likely not meant: one line with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning(pub(crate) Error);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.place {
            Some(Place { source, span }) => write!(f, " ({}:{}:{})", source.name(), span.line, span.column),
            None => Ok(()),
        }
    }
}

/// Everything wrong, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
pub struct Errors(Vec<Error>);

impl Errors {
    /// All errors, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.0.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The messages alone, joined by `; `: for a line of a build's output.
    pub fn summary(&self) -> String {
        self.0.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for Errors {
    type Item = Error;
    type IntoIter = std::vec::IntoIter<Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Collects errors while work goes on, so that a template's author sees all of them at once.
#[derive(Debug, Default)]
pub struct Collector(Vec<Error>);

impl Collector {
    /// Records an error.
    pub fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// Records all of them.
    pub fn extend(&mut self, errors: impl IntoIterator<Item = Error>) {
        self.0.extend(errors);
    }

    /// The value of a success; none, with the error recorded, of a failure.
    pub fn take<T, E: IntoErrors>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.extend(error.into_errors())).ok()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` when nothing was recorded, otherwise everything that was, in the order of the file.
    pub fn into_result<T>(mut self, value: T) -> Result<T, Errors> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        self.0.dedup();
        Err(Errors(self.0))
    }
}

/// One error or many.
pub trait IntoErrors {
    /// All of them.
    fn into_errors(self) -> Vec<Error>;
}

impl IntoErrors for Error {
    fn into_errors(self) -> Vec<Error> {
        vec![self]
    }
}

impl IntoErrors for Errors {
    fn into_errors(self) -> Vec<Error> {
        self.0
    }
}
