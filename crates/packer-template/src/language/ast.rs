//! The parts of a template string.

use std::ops::Range;

use crate::field::Field;

/// A part of a template string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text outside of `{{` and `}}`.
    Text(String),
    /// `{{ pipeline }}`; the range is the action as written, braces included.
    Action { pipeline: Pipeline, written: Range<usize> },
    /// `{{if}}`, `{{with}}`.
    Branch { with: bool, condition: Pipeline, then: Vec<Piece>, otherwise: Vec<Piece> },
    /// `{{range}}`.
    Range { over: Pipeline, body: Vec<Piece>, otherwise: Vec<Piece> },
}

/// Commands, each of which gets the result of the one before it as its last argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pipeline {
    /// `$name :=` or `$name =`; two names in a `range`.
    pub(crate) declares: Vec<String>,
    /// Whether it is `=`, which sets a variable that is there.
    pub(crate) assigns: bool,
    /// At least one.
    pub(crate) commands: Vec<Command>,
}

/// An operand, or a function with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// At least one.
    pub(crate) operands: Vec<Operand>,
}

/// A value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    /// Where it stands, in bytes of the string.
    pub(crate) offset: usize,
    /// What it is.
    pub(crate) kind: OperandKind,
    /// `.Name` behind it, in order.
    pub(crate) fields: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperandKind {
    /// A function.
    Function(String),
    /// `.`; with fields, `.Name`.
    Dot,
    /// `$`, `$name`.
    Variable(String),
    /// A string, number, truth value.
    Constant(Field),
    /// `nil`
    Nil,
    /// `( pipeline )`
    Pipeline(Box<Pipeline>),
}
