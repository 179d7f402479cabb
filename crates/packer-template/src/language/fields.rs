//! Which names an expression looks up in `.`, without evaluating it.

use super::{
    ExpressionError,
    ast::{Command, OperandKind, Piece, Pipeline},
};
use template_text::suggest::did_you_mean;

/// Checks that the names looked up in `.` are among `known`. Inside of `with` and `range` the dot is something else,
/// so nothing is said about names there.
pub(super) fn check(pieces: &[Piece], known: &[&str]) -> Result<(), ExpressionError> {
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Action { pipeline: looked_up, .. } => pipeline(looked_up, known)?,
            Piece::Branch { with, condition, then, otherwise } => {
                pipeline(condition, known)?;
                if !with {
                    check(then, known)?;
                }
                check(otherwise, known)?;
            }
            Piece::Range { over, otherwise, .. } => {
                pipeline(over, known)?;
                check(otherwise, known)?;
            }
        }
    }
    Ok(())
}

fn pipeline(pipeline: &Pipeline, known: &[&str]) -> Result<(), ExpressionError> {
    pipeline.commands.iter().try_for_each(|command| self::command(command, known))
}

fn command(command: &Command, known: &[&str]) -> Result<(), ExpressionError> {
    for operand in &command.operands {
        match (&operand.kind, operand.fields.first()) {
            (OperandKind::Dot, Some(name)) if !known.contains(&name.as_str()) => {
                let error = ExpressionError::new(operand.offset, format!("there is no field '.{name}' here"));
                let all = || known.iter().map(|name| format!(".{name}")).collect::<Vec<_>>().join(", ");
                let near = did_you_mean(name, known.iter().copied());
                return Err(error.help(near.unwrap_or_else(|| format!("there are {}", all()))));
            }
            (OperandKind::Pipeline(inner), _) => pipeline(inner, known)?,
            _ => {}
        }
    }
    Ok(())
}
