//! Permission bits.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// Permission bits with the set-id and sticky bits, written in octal digits as text: `"0644"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Mode {
    /// Reads octal digits, three or four in a file of checks, any number as `stat` prints them.
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        u32::from_str_radix(digits, 8).ok().filter(|mode| octal && *mode <= 0o7777).map(Self)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Mode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("three or four octal digits as text, such as \"0644\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Mode, E> {
                let mode = if matches!(text.len(), 3 | 4) { Mode::parse(text) } else { None };
                mode.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        for (text, expected) in [
            ("644", Some(0o644)),
            ("0644", Some(0o644)),
            ("4755", Some(0o4755)),
            ("0", Some(0)),
            ("0888", None),
            ("+644", None),
            ("17777", None),
            ("", None),
        ] {
            assert_eq!(Mode::parse(text).map(|mode| mode.0), expected, "{text}");
        }
        assert_eq!(Mode(0o644).to_string(), "0644");
    }
}
