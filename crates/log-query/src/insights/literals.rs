//! Substrings that every event that a query counts contains.

use super::expression::{Comparison, Expression, Matcher};
use super::plan::Plan;
use super::scope::{Source, System};
use super::value::Value;
use crate::regexes::required_literals;

pub(super) fn literals(plan: &Plan) -> Vec<String> {
    let message = |slot: &usize| plan.sources.get(*slot) == Some(&Source::System(System::Message));
    let mut literals = Vec::new();
    plan.first_filters().for_each(|condition| collect(condition, &message, &mut literals));
    literals.retain(|literal| !literal.is_empty());
    literals
}

/// What the message must contain for a condition to hold. Fields discovered in JSON say nothing: JSON may write any
/// character as an escape.
fn collect(condition: &Expression, message: &impl Fn(&usize) -> bool, literals: &mut Vec<String>) {
    let is_message = |expression: &Expression| matches!(expression, Expression::Slot(slot) if message(slot));
    match condition {
        Expression::All(parts) => parts.iter().for_each(|part| collect(part, message, literals)),
        Expression::Like(value, matcher) if is_message(value) => match matcher {
            Matcher::Substring(part) => literals.push(String::from_utf8_lossy(part.needle()).into_owned()),
            Matcher::Regex(regex) => literals.extend(required_literals(regex.as_str())),
        },
        Expression::Compare(left, Comparison::Equal, right) => match (&**left, &**right) {
            (value, Expression::Constant(Value::Text(text)))
            | (Expression::Constant(Value::Text(text)), value)
                if is_message(value) =>
            {
                literals.push(text.clone().into_owned());
            }
            _ => {}
        },
        _ => {}
    }
}
