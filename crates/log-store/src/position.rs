//! Where an event stands in its group: by time, and among equal times by arrival.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The place of an event among all events: by timestamp, then by arrival.
///
/// It never changes and is never used for another event. Its text form is a decimal number of the shape of
/// CloudWatch Logs' event ids, where the timestamp is what stands above bit 144: ids of the same length sort as
/// the positions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The event's timestamp, milliseconds since 1970.
    pub timestamp: i64,
    /// The event's number in order of arrival in this store.
    pub sequence: u64,
}

/// A text is not a position.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not the id of an event")]
pub struct NotAPosition {
    /// What was given.
    pub text: String,
}

/// Digits of an id: enough for every timestamp up to 2109, as many as CloudWatch Logs writes.
const DIGITS: usize = 56;
/// What one step of the conversion takes off: the largest power of ten in 64 bits.
const STEP: u128 = 10_u128.pow(19);

impl fmt::Display for Position {
    /// The number `timestamp · 2¹⁴⁴ + sequence · 2⁶⁴`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Three limbs of 64 bits, the highest first; 144 = 2·64 + 16.
        let mut limbs = [(self.timestamp as u64) << 16, self.sequence, 0];
        let mut parts = [0_u64; 4];
        for part in parts.iter_mut().rev() {
            let mut rest = 0_u128;
            for limb in &mut limbs {
                let value = (rest << 64) | u128::from(*limb);
                *limb = (value / STEP) as u64;
                rest = value % STEP;
            }
            *part = rest as u64;
        }
        let text = format!("{:019}{:019}{:019}{:019}", parts[0], parts[1], parts[2], parts[3]);
        let digits = text.trim_start_matches('0');
        write!(out, "{digits:0>DIGITS$}")
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Position, NotAPosition> {
        parse(text).ok_or_else(|| NotAPosition { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Position> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut limbs = [0_u64; 3];
    for byte in text.bytes() {
        let mut carry = u128::from(byte - b'0');
        for limb in limbs.iter_mut().rev() {
            let value = u128::from(*limb) * 10 + carry;
            *limb = value as u64;
            carry = value >> 64;
        }
        if carry != 0 {
            return None;
        }
    }
    let [high, sequence, low] = limbs;
    (high & 0xffff == 0 && low == 0).then_some(Position { timestamp: (high >> 16) as i64, sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_timestamp_above_bit_144() {
        let position = Position { timestamp: 1_432_826_855_000, sequence: 0 };
        // 1432826855000 · 2¹⁴⁴, worked out with another program.
        assert_eq!(position.to_string(), "31953106606966983377076843082764784337516983148871680000");
    }

    #[test]
    fn ids_come_back_and_sort_as_positions_do() {
        let mut positions: Vec<_> = [0, 1, 1_432_826_855_000, 1_800_000_000_000, (1 << 42) - 1]
            .into_iter()
            .flat_map(|timestamp| [0, 1, 7, u64::MAX].map(|sequence| Position { timestamp, sequence }))
            .collect();
        for position in &positions {
            assert_eq!(position.to_string().len(), DIGITS);
            assert_eq!(position.to_string().parse(), Ok(*position));
        }
        let in_order = positions.clone();
        positions.sort_by_key(Position::to_string);
        assert_eq!(positions, in_order);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in
            ["", "x", "-1", "1", "12 ", "99999999999999999999999999999999999999999999999999999999999999"]
        {
            assert!(text.parse::<Position>().is_err(), "{text:?}");
        }
    }
}
