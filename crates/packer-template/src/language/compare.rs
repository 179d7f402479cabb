//! `eq`, `lt` and their siblings: Go compares values of one basic kind only.

use std::cmp::Ordering;

use super::builtins::kind;
use crate::field::Field;

/// Whether two values are equal.
pub(super) fn equal(left: &Field, right: &Field) -> Result<bool, String> {
    match (left, right) {
        (Field::String(left), Field::String(right)) => Ok(left == right),
        (Field::Int(left), Field::Int(right)) => Ok(left == right),
        (Field::Float(left), Field::Float(right)) => Ok(left == right),
        (Field::Bool(left), Field::Bool(right)) => Ok(left == right),
        (Field::Nil, Field::Nil) => Ok(true),
        (Field::Nil, _) | (_, Field::Nil) => Ok(false),
        _ => Err(incomparable(left, right)),
    }
}

/// Which of two values comes first.
pub(super) fn order(left: &Field, right: &Field) -> Result<Ordering, String> {
    match (left, right) {
        (Field::String(left), Field::String(right)) => Ok(left.cmp(right)),
        (Field::Int(left), Field::Int(right)) => Ok(left.cmp(right)),
        (Field::Float(left), Field::Float(right)) => {
            left.partial_cmp(right).ok_or_else(|| "a number that is none has no order".to_owned())
        }
        _ => Err(incomparable(left, right)),
    }
}

fn incomparable(left: &Field, right: &Field) -> String {
    format!("{} and {} cannot be compared", kind(left), kind(right))
}
