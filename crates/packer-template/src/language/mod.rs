//! The expressions in a template's strings: Go's `text/template` with Packer's functions.
//!
//! The parser turns a string into pieces, the evaluation renders them. What is refused by name: `define`, `template`,
//! `block`, `break`, `continue`, and the functions that ask a secret store (`consul_key`, `vault`,
//! `aws_secretsmanager`).

mod ast;
mod builtins;
mod compare;
mod evaluate;
mod fields;
mod functions;
mod gotime;
mod lexer;
mod parser;
mod printf;

pub(crate) use evaluate::{Scope, Section};
pub(crate) use functions::clean_resource_name;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    /// What is wrong.
    pub(crate) message: String,
    /// Where, in bytes of the string.
    pub(crate) offset: usize,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// The user variable that has no value yet, when that is all that is wrong. Variables refer to one another, and
    /// the one that is referred to may get its value later.
    pub(crate) unset: Option<String>,
}

impl ExpressionError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset, help: None, unset: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Something in an expression that is most likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// What.
    pub(crate) message: String,
    /// Where, in bytes of the string.
    pub(crate) offset: usize,
}

/// Renders a string.
pub(crate) fn render(text: &str, scope: &Scope<'_>) -> Result<String, ExpressionError> {
    // Nearly all strings of a template have no expression.
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    evaluate::evaluate(text, &parser::parse(text)?, scope)
}

/// Checks a string that is rendered later: that it can be parsed, and that the names it looks up in `.` are among
/// `known`, if those are.
pub(crate) fn check(text: &str, known: Option<&[&str]>) -> Result<(), ExpressionError> {
    if !text.contains("{{") {
        return Ok(());
    }
    let pieces = parser::parse(text)?;
    known.map_or(Ok(()), |known| fields::check(&pieces, known))
}
