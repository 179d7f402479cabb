//! `@ptr`: which event a row of a query's results is about. Pure.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use log_store::{GroupId, Position};

/// An event of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// The group.
    pub group: GroupId,
    /// The event's place in it.
    pub position: Position,
}

/// A text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPointer;

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(format!("{}:{}", self.group.0, self.position)))
    }
}

impl FromStr for Pointer {
    type Err = NotAPointer;

    fn from_str(text: &str) -> Result<Self, NotAPointer> {
        let parse = || {
            let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
            let (group, position) = text.split_once(':')?;
            Some(Self { group: GroupId(group.parse().ok()?), position: position.parse().ok()? })
        };
        parse().ok_or(NotAPointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_come_back() {
        let position = Position { timestamp: 1_800_000_000_000, sequence: 7 };
        let pointer = Pointer { group: GroupId(3), position };
        assert_eq!(pointer.to_string().parse(), Ok(pointer));
        for bad in ["", "x", "MTox", "é"] {
            assert_eq!(bad.parse::<Pointer>(), Err(NotAPointer), "{bad}");
        }
    }
}
