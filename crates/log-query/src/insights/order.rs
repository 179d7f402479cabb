//! The order of `sort`: the service's natural order.
//!
//! What is not a number comes before all numbers. Such texts are compared in chunks, digits against digits (by length,
//! then by value) and everything else by code point.

use std::cmp::Ordering;

use super::value::Value;
use crate::number::number;

/// A value as `sort` compares it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SortKey {
    /// There is no value: before everything.
    Nothing,
    Text(Box<str>),
    Number(f64),
}

impl SortKey {
    pub(super) fn of(value: &Value<'_>) -> SortKey {
        match value {
            Value::Null => SortKey::Nothing,
            Value::Text(text) => match number(text) {
                Some(number) => SortKey::Number(number),
                None => SortKey::Text((**text).into()),
            },
            Value::Json(json) => SortKey::Text(json.to_string().into()),
            Value::Bool(_) | Value::Number(_) | Value::Time(_) => {
                SortKey::Number(value.number().unwrap_or_default())
            }
        }
    }

    pub(super) fn compare(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Number(left), SortKey::Number(right)) => left.total_cmp(right),
            (SortKey::Text(left), SortKey::Text(right)) => natural(left, right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Nothing => 0,
            SortKey::Text(_) => 1,
            SortKey::Number(_) => 2,
        }
    }
}

/// Compares two texts chunk by chunk.
fn natural(mut left: &str, mut right: &str) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let (left_chunk, left_rest) = chunk(left);
        let (right_chunk, right_rest) = chunk(right);
        let both_digits = digits(left_chunk) && digits(right_chunk);
        let order = match both_digits {
            true => left_chunk.len().cmp(&right_chunk.len()).then_with(|| left_chunk.cmp(right_chunk)),
            false => left_chunk.cmp(right_chunk),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

/// The first run of digits or of anything else, and the rest.
fn chunk(text: &str) -> (&str, &str) {
    let kind = digits(text);
    let end = text.find(|c: char| c.is_ascii_digit() != kind).unwrap_or(text.len());
    text.split_at(end)
}

/// Whether a text begins with a digit.
fn digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SortKey;
    use crate::insights::value::Value;

    fn key(text: &str) -> SortKey {
        SortKey::of(&Value::owned_text(text))
    }

    #[test]
    fn texts_before_numbers_and_digits_by_value() {
        let sorted = [
            "!:",
            "#",
            "*%04",
            "0#",
            "5A",
            "111A",
            "2345_",
            "@",
            "@_",
            "A",
            "A9876fghj",
            "a12345hfh",
            "0",
            "01",
            "1",
            "2",
            "3",
        ];
        let mut keys: Vec<_> = sorted.iter().rev().map(|text| (key(text), *text)).collect();
        keys.sort_by(|left, right| left.0.compare(&right.0));
        let order: Vec<_> = keys.iter().map(|(_, text)| *text).collect();
        // 01 and 1 are the same number: the order in which they came stays.
        assert_eq!(order[..13], sorted[..13]);
        assert_eq!(order[13..], ["1", "01", "2", "3"]);
        assert!(SortKey::of(&Value::Null).compare(&key("")).is_lt());
    }

    proptest! {
        #[test]
        fn an_order_is_an_order(a in "[0-9a-c.]{0,6}", b in "[0-9a-c.]{0,6}", c in "[0-9a-c.]{0,6}") {
            let (a, b, c) = (key(&a), key(&b), key(&c));
            prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
            if a.compare(&b).is_le() && b.compare(&c).is_le() {
                prop_assert!(a.compare(&c).is_le());
            }
        }
    }
}
