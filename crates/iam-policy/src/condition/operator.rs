//! Names of condition operators.

use std::fmt;

use super::compare::Comparison;

/// A condition operator: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How to treat a key of several values.
    pub quantifier: Option<Quantifier>,
    /// How one value is compared.
    pub(crate) comparison: Comparison,
    /// Whether the condition holds when the request does not have the key.
    pub if_exists: bool,
}

/// How a condition treats a key of several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// Every value must match.
    ForAllValues,
    /// One value must match.
    ForAnyValue,
}

impl Operator {
    /// The operator of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(_) => return None,
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let comparison = Comparison::parse(base)?;
        // Whether a key exists is a question of its own; neither decoration means anything with it.
        if comparison == Comparison::Null && (if_exists || quantifier.is_some()) {
            return None;
        }
        Some(Self { quantifier, comparison, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quantifier {
            Some(Quantifier::ForAllValues) => f.write_str("ForAllValues:")?,
            Some(Quantifier::ForAnyValue) => f.write_str("ForAnyValue:")?,
            None => {}
        }
        f.write_str(self.comparison.name())?;
        if self.if_exists { f.write_str("IfExists") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in [
            "StringEquals",
            "ForAnyValue:StringLikeIfExists",
            "ForAllValues:ArnNotLike",
            "Null",
            "BoolIfExists",
        ] {
            assert_eq!(Operator::parse(name).unwrap().to_string(), name);
        }
        for name in ["", "StringEqual", "ForSomeValues:Bool", "IfExists", "NullIfExists", "stringequals"] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
