//! Rendering of parsed strings.

use std::cell::RefCell;

use indexmap::IndexMap;

use super::{
    ExpressionError, Remark,
    ast::{Command, Operand, OperandKind, Piece, Pipeline},
    builtins, functions,
};
use template_text::suggest::did_you_mean;

use crate::{context::Context, field::Field};

/// More output than this is a mistake; it bounds what a `range` can make.
const LONGEST: usize = 4 << 20;

/// Which part of a template an expression stands in: what is allowed differs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Section<'a> {
    /// The default of a variable. `env` is allowed; `user` knows the variables that have a value by now.
    Variables(&'a IndexMap<String, String>),
    /// An option of a builder, provisioner or post-processor, or a builder's name.
    Options {
        /// Whether amazon-ebs's own functions are there.
        amazon: bool,
    },
}

/// What an expression can see.
pub(crate) struct Scope<'a> {
    /// Variables, host, build.
    pub(crate) context: &'a Context,
    /// Where it stands.
    pub(crate) section: Section<'a>,
    /// What `.` is.
    pub(crate) dot: Field,
    /// Whether a name that is not in `.` is an error (a structure in Packer) or has no value (a map).
    pub(crate) strict: bool,
    /// What was found odd on the way.
    pub(crate) remarks: RefCell<Vec<Remark>>,
}

impl<'a> Scope<'a> {
    /// A scope in which `.` is nothing.
    pub(crate) fn new(context: &'a Context, section: Section<'a>) -> Self {
        Self { context, section, dot: Field::Nil, strict: false, remarks: RefCell::default() }
    }

    /// The same with a value for `.`.
    pub(crate) fn with_dot(self, dot: Field, strict: bool) -> Self {
        Self { dot, strict, ..self }
    }

    /// Records something odd.
    pub(super) fn remark(&self, offset: usize, message: String) {
        self.remarks.borrow_mut().push(Remark { message, offset });
    }
}

/// An argument of a function and where it stands.
pub(super) struct Argument {
    pub(super) value: Field,
    pub(super) offset: usize,
}

/// Renders pieces.
pub(super) fn evaluate(text: &str, pieces: &[Piece], scope: &Scope<'_>) -> Result<String, ExpressionError> {
    let mut machine =
        Machine { text, scope, variables: vec![("$".to_owned(), scope.dot.clone())], out: String::new() };
    machine.pieces(pieces, &scope.dot, true)?;
    Ok(machine.out)
}

struct Machine<'a> {
    text: &'a str,
    scope: &'a Scope<'a>,
    /// `$` and the variables declared so far; the last of a name counts.
    variables: Vec<(String, Field)>,
    out: String,
}

impl Machine<'_> {
    fn pieces(&mut self, pieces: &[Piece], dot: &Field, root: bool) -> Result<(), ExpressionError> {
        for piece in pieces {
            self.piece(piece, dot, root)?;
            if self.out.len() > LONGEST {
                return Err(ExpressionError::new(0, "the expression makes more than 4 MiB of text"));
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Piece, dot: &Field, root: bool) -> Result<(), ExpressionError> {
        match piece {
            Piece::Text(text) => self.out.push_str(text),
            Piece::Action { pipeline, written } => {
                // In variables Packer leaves the builder's fields for the option in which the variable is used.
                if matches!(self.scope.section, Section::Variables(_)) && is_field(pipeline) {
                    self.out.push_str(&self.text[written.clone()]);
                    return Ok(());
                }
                let value = self.pipeline(pipeline, dot, root)?;
                if pipeline.declares.is_empty() {
                    self.out.push_str(&value.to_string());
                }
            }
            Piece::Branch { with, condition, then, otherwise } => {
                let mark = self.variables.len();
                let value = self.pipeline(condition, dot, root)?;
                match (builtins::truth(&value), with) {
                    (true, true) => self.pieces(then, &value, false)?,
                    (true, false) => self.pieces(then, dot, root)?,
                    (false, _) => self.pieces(otherwise, dot, root)?,
                }
                self.variables.truncate(mark);
            }
            Piece::Range { over, body, otherwise } => self.range(over, body, otherwise, dot, root)?,
        }
        Ok(())
    }

    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Piece],
        otherwise: &[Piece],
        dot: &Field,
        root: bool,
    ) -> Result<(), ExpressionError> {
        let mark = self.variables.len();
        let value = self.value(over, dot, root)?;
        let items: Vec<(Field, Field)> = match value {
            Field::List(items) => {
                items.into_iter().zip(0..).map(|(item, index)| (Field::Int(index), item)).collect()
            }
            Field::Map(entries) => {
                entries.into_iter().map(|(key, value)| (Field::String(key), value)).collect()
            }
            Field::Nil => Vec::new(),
            other => {
                let offset = first_offset(over);
                return Err(ExpressionError::new(offset, format!("range cannot iterate over {other}")));
            }
        };
        if items.is_empty() {
            self.pieces(otherwise, dot, root)?;
        }
        for (key, item) in items {
            match over.declares.as_slice() {
                [only] => self.declare(only, item.clone()),
                [first, second] => {
                    self.declare(first, key);
                    self.declare(second, item.clone());
                }
                _ => {}
            }
            self.pieces(body, &item, false)?;
            self.variables.truncate(mark);
        }
        Ok(())
    }

    fn declare(&mut self, name: &str, value: Field) {
        self.variables.push((name.to_owned(), value));
    }

    /// A pipeline's value, its variable set.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Field, root: bool) -> Result<Field, ExpressionError> {
        let value = self.value(pipeline, dot, root)?;
        if let Some(name) = pipeline.declares.first() {
            if pipeline.assigns {
                let offset = first_offset(pipeline);
                let slot = self.variables.iter_mut().rev().find(|(known, _)| known == name);
                let Some((_, slot)) = slot else { return Err(undeclared(offset, name)) };
                *slot = value.clone();
            } else {
                self.declare(name, value.clone());
            }
        }
        Ok(value)
    }

    fn value(&mut self, pipeline: &Pipeline, dot: &Field, root: bool) -> Result<Field, ExpressionError> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot, root)?);
        }
        Ok(value.unwrap_or(Field::Nil))
    }

    fn command(
        &mut self,
        command: &Command,
        last: Option<Field>,
        dot: &Field,
        root: bool,
    ) -> Result<Field, ExpressionError> {
        let Some((first, rest)) = command.operands.split_first() else { return Ok(Field::Nil) };
        let OperandKind::Function(name) = &first.kind else {
            if !rest.is_empty() || last.is_some() {
                return Err(ExpressionError::new(first.offset, "this is no function and takes no arguments"));
            }
            if matches!(first.kind, OperandKind::Nil) {
                return Err(ExpressionError::new(first.offset, "nil is not a command"));
            }
            return self.operand(first, dot, root);
        };
        let value = self.call(name, first.offset, rest, last, dot, root)?;
        self.fields(value, &first.fields, first.offset, false)
    }

    fn call(
        &mut self,
        name: &str,
        offset: usize,
        operands: &[Operand],
        last: Option<Field>,
        dot: &Field,
        root: bool,
    ) -> Result<Field, ExpressionError> {
        let mut arguments: Vec<Argument> = Vec::new();
        for operand in operands {
            let value = self.operand(operand, dot, root)?;
            // `and` and `or` look no further than they need to.
            let decided = match name {
                "and" => !builtins::truth(&value),
                "or" => builtins::truth(&value),
                _ => false,
            };
            if decided {
                return Ok(value);
            }
            arguments.push(Argument { value, offset: operand.offset });
        }
        arguments.extend(last.map(|value| Argument { value, offset }));
        functions::call(name, offset, arguments, self.scope)
    }

    fn operand(&mut self, operand: &Operand, dot: &Field, root: bool) -> Result<Field, ExpressionError> {
        let offset = operand.offset;
        let (value, at_root) = match &operand.kind {
            OperandKind::Dot => (dot.clone(), root),
            OperandKind::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let Some((_, value)) = found else { return Err(undeclared(offset, name)) };
                (value.clone(), name == "$")
            }
            OperandKind::Constant(value) => (value.clone(), false),
            OperandKind::Nil => (Field::Nil, false),
            OperandKind::Pipeline(inner) => {
                let mark = self.variables.len();
                let value = self.pipeline(inner, dot, root)?;
                self.variables.truncate(mark);
                (value, false)
            }
            OperandKind::Function(name) => (self.call(name, offset, &[], None, dot, root)?, false),
        };
        self.fields(value, &operand.fields, offset, at_root)
    }

    /// Follows `.Name.Name` from a value.
    fn fields(
        &self,
        mut value: Field,
        names: &[String],
        offset: usize,
        mut root: bool,
    ) -> Result<Field, ExpressionError> {
        for name in names {
            value = match value {
                Field::Map(mut entries) => match entries.remove(name) {
                    Some(entry) => entry,
                    None if root && self.scope.strict => {
                        let error = ExpressionError::new(offset, format!("there is no field '.{name}' here"));
                        let known: Vec<_> = entries.keys().map(|key| format!(".{key}")).collect();
                        return Err(error.help(
                            did_you_mean(name, entries.keys().map(String::as_str))
                                .unwrap_or_else(|| format!("there are {}", known.join(", "))),
                        ));
                    }
                    None => {
                        if root {
                            self.no_value(name, offset);
                        }
                        Field::Nil
                    }
                },
                Field::Nil => {
                    if root {
                        self.no_value(name, offset);
                    }
                    Field::Nil
                }
                other => {
                    let message = format!("{} has no field '.{name}'", builtins::kind(&other));
                    return Err(ExpressionError::new(offset, message));
                }
            };
            root = false;
        }
        Ok(value)
    }

    fn no_value(&self, name: &str, offset: usize) {
        self.scope.remark(
            offset,
            format!("'.{name}' has no value here and becomes '<no value>', as in Packer; to keep the braces write {{{{`{{{{.{name}}}}}`}}}}"),
        );
    }
}

/// Whether a pipeline is `{{ .Name … }}`, by the pattern that Packer goes by.
fn is_field(pipeline: &Pipeline) -> bool {
    let first = pipeline.commands.first().and_then(|command| command.operands.first());
    first.is_some_and(|operand| matches!(operand.kind, OperandKind::Dot))
}

fn first_offset(pipeline: &Pipeline) -> usize {
    let first = pipeline.commands.first().and_then(|command| command.operands.first());
    first.map_or(0, |operand| operand.offset)
}

fn undeclared(offset: usize, name: &str) -> ExpressionError {
    ExpressionError::new(offset, format!("the variable {name} is not declared"))
}
