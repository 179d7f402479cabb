//! Tokens: where a reader of events is. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use log_store::Position;

/// Which way a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To later events.
    Forward,
    /// To earlier events.
    Backward,
}

/// A place between two events, and a direction to go on from there.
///
/// Its text is that of `GetLogEvents`' tokens: `f/` or `b/`, the id of the event that it lies behind, and `/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The direction.
    pub direction: Direction,
    /// The event that was given last: the next one in the direction follows.
    pub behind: Position,
}

impl Mark {
    /// The mark from which `position` itself is the next in a direction.
    pub fn before(direction: Direction, position: Position) -> Self {
        let Position { timestamp, sequence } = position;
        let behind = match direction {
            Direction::Forward => match sequence.checked_sub(1) {
                Some(sequence) => Position { timestamp, sequence },
                None => Position { timestamp: (timestamp - 1).max(0), sequence: u64::MAX },
            },
            Direction::Backward => match sequence.checked_add(1) {
                Some(sequence) => Position { timestamp, sequence },
                None => Position { timestamp: timestamp + 1, sequence: 0 },
            },
        };
        Self { direction, behind }
    }

    /// The mark between the same two events, in the other direction.
    pub fn turned(self) -> Self {
        let other = match self.direction {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        };
        Self::before(other, self.behind)
    }

    /// Reads a token; none when it is not one.
    pub fn parse(token: &str) -> Option<Self> {
        let (direction, rest) = match token.split_at_checked(2)? {
            ("f/", rest) => (Direction::Forward, rest),
            ("b/", rest) => (Direction::Backward, rest),
            _ => return None,
        };
        let behind = rest.strip_suffix("/s")?.parse().ok()?;
        Some(Self { direction, behind })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        write!(f, "{direction}/{}/s", self.behind)
    }
}

/// A token of `FilterLogEvents`, which has no structure that a client could see.
pub fn opaque(position: Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{position}"))
}

/// Reads a token of [`opaque`]; none when it is not one.
pub fn from_opaque(token: &str) -> Option<Position> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("1:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_and_turn() {
        for sequence in [0, 1, 77, u64::MAX] {
            let position = Position { timestamp: 1_800_000_000_000, sequence };
            for direction in [Direction::Forward, Direction::Backward] {
                let mark = Mark { direction, behind: position };
                assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
                let turned = mark.turned();
                assert_ne!(turned.direction, direction);
                match turned.direction {
                    Direction::Forward => assert!(turned.behind < position, "the event itself is next"),
                    Direction::Backward => assert!(turned.behind > position, "the event itself is next"),
                }
                assert_eq!(Mark::parse(&turned.to_string()), Some(turned));
            }
            assert_eq!(from_opaque(&opaque(position)), Some(position));
        }
        for bad in ["", "f", "f/1", "x/1/s", "f//s", "é/1/s", "f/-1/s", "b/99/s"] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
            assert_eq!(from_opaque(bad), None, "{bad}");
        }
    }
}
