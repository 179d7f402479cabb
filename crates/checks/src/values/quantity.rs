//! Sizes in bytes.

use std::fmt;

use bytesize::ByteSize;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A size: a number of bytes, or text with a unit: `"20GiB"`, `"1.5 MB"`. Units without an `i` are powers of 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub u64);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            bytes if bytes < 1024 => write!(f, "{bytes} bytes"),
            bytes => write!(f, "{}", ByteSize::b(bytes).display().iec()),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or a size such as \"20GiB\"")
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Quantity, E> {
                u64::try_from(bytes)
                    .map(Quantity)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse::<ByteSize>()
                    .map(|size| Quantity(size.as_u64()))
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Size)
    }
}
