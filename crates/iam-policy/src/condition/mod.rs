//! Conditions of a statement.

mod compare;
mod operator;

pub use operator::{Operator, Quantifier};

use crate::{context::Context, document::Version};
use compare::Comparison;

/// One key under one operator: `{"StringLike": {"aws:SourceArn": ["a", "b"]}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The operator.
    pub operator: Operator,
    /// The condition key.
    pub key: String,
    /// The values, one of which must match (none, for operators that negate).
    pub values: Vec<String>,
}

impl Condition {
    /// Whether the condition holds for a request.
    ///
    /// Source: "Condition elements: Condition operators" and "Multivalued context keys" in IAM's user guide.
    pub fn holds(&self, context: &Context, version: Version) -> bool {
        let present = context.values(&self.key);
        if self.operator.comparison == Comparison::Null {
            let wanted = |value: &String| value.eq_ignore_ascii_case("true") == present.is_empty();
            return self.values.iter().any(wanted);
        }
        let negated = self.operator.comparison.negates();
        if present.is_empty() {
            return match self.operator.quantifier {
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => self.operator.if_exists,
                None => self.operator.if_exists || negated,
            };
        }
        let matches = |given: &String| {
            let listed = self
                .values
                .iter()
                .any(|value| self.operator.comparison.holds(value, given, context, version));
            listed != negated
        };
        match self.operator.quantifier {
            Some(Quantifier::ForAllValues) => present.iter().all(matches),
            Some(Quantifier::ForAnyValue) => present.iter().any(matches),
            // Several values without a quantifier: one suffices to match, and none may where the operator negates.
            None if negated => present.iter().all(matches),
            None => present.iter().any(matches),
        }
    }
}
