//! The JSON protocols' parameters straight into their types: the quick road of requests with nothing wrong.
//!
//! No tree is built, so that a batch of ten thousand log events costs little more than its texts. Whatever is not
//! plainly right (an unknown member, a value out of its limits, `null`, `1.0` for an integer) is left to the slow
//! road ([`super::json`]), which knows every leniency and how to word a refusal.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::schema::{Limits, Schema, Type};
use crate::value::{ListFill, MapFill, Slot, Structure};

/// Fills `input` from a body that is plainly right; otherwise gives false and leaves `input` half filled.
pub(super) fn fill(body: &[u8], input: &mut dyn Structure) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    FillStructure(input).deserialize(&mut json).is_ok() && json.end().is_ok()
}

/// A reason to take the slow road, which finds out what it is.
const NOT_PLAIN: &str = "not plainly right";

struct Fill<'a> {
    slot: Slot<'a>,
    kind: &'static Type,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match (self.slot, self.kind) {
            (Slot::String(place), kind) => json.deserialize_str(FillText(place, limits(kind))),
            (Slot::Integer(place), kind) => {
                let number = json.deserialize_i64(Whole)?;
                *place = i32::try_from(number).map_err(|_| D::Error::custom(NOT_PLAIN))?;
                within(number, limits(kind)).ok_or_else(|| D::Error::custom(NOT_PLAIN))
            }
            (Slot::Long(place), kind) => {
                *place = json.deserialize_i64(Whole)?;
                within(*place, limits(kind)).ok_or_else(|| D::Error::custom(NOT_PLAIN))
            }
            (Slot::Boolean(place), _) => {
                *place = serde::Deserialize::deserialize(json)?;
                Ok(())
            }
            (Slot::List(list), Type::List(model)) => json.deserialize_seq(FillList(list, &model.element)),
            (Slot::Map(map), Type::Map(model)) => json.deserialize_map(FillMap(map, &model.element)),
            (Slot::Structure(structure), _) => FillStructure(structure).deserialize(json),
            _ => Err(D::Error::custom(NOT_PLAIN)),
        }
    }
}

fn limits(kind: &'static Type) -> Option<&'static Limits> {
    match kind {
        Type::Limited(limits) => Some(limits),
        _ => None,
    }
}

fn within(size: i64, limits: Option<&Limits>) -> Option<()> {
    let fits = |limits: &Limits| {
        limits.min.is_none_or(|min| size >= min) && limits.max.is_none_or(|max| size <= max)
    };
    limits.is_none_or(fits).then_some(())
}

/// Whether a text is within its limits. Its characters are only counted where its bytes do not tell.
fn text_fits(text: &str, limits: &Limits) -> bool {
    if !limits.values.is_empty() && !limits.values.contains(&text) {
        return false;
    }
    let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    // A character has one to four bytes.
    let surely_long_enough = limits.min.is_none_or(|min| min <= 0 || bytes > 4 * (min - 1));
    let surely_short_enough = limits.max.is_none_or(|max| bytes <= max);
    if surely_long_enough && surely_short_enough {
        return true;
    }
    within(i64::try_from(text.chars().count()).unwrap_or(i64::MAX), Some(limits)).is_some()
}

struct FillText<'a>(&'a mut String, Option<&'static Limits>);

impl Visitor<'_> for FillText<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.1.is_some_and(|limits| !text_fits(text, limits)) {
            return Err(E::custom(NOT_PLAIN));
        }
        text.clone_into(self.0);
        Ok(())
    }
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::custom(NOT_PLAIN))
    }
}

struct FillList<'a>(&'a mut dyn ListFill, &'static Type);

impl<'de> Visitor<'de> for FillList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(NextItem(self.0, self.1))?.is_some() {}
        Ok(())
    }
}

/// Appends an item only when there is one.
struct NextItem<'a>(&'a mut dyn ListFill, &'static Type);

impl<'de> DeserializeSeed<'de> for NextItem<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        Fill { slot: self.0.push(), kind: self.1 }.deserialize(json)
    }
}

struct FillMap<'a>(&'a mut dyn MapFill, &'static Type);

impl<'de> Visitor<'de> for FillMap<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(NOT_PLAIN));
            }
            entries.next_value_seed(Fill { slot: self.0.entry(key), kind: self.1 })?;
        }
        Ok(())
    }
}

struct FillStructure<'a>(&'a mut dyn Structure);

impl<'de> DeserializeSeed<'de> for FillStructure<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FillStructure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.schema().name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let schema = self.0.schema();
        let mut seen = Seen::default();
        while let Some(index) = entries.next_key_seed(MemberName(schema))? {
            let slot = self.0.slot(index).filter(|_| seen.add(index));
            let slot = slot.ok_or_else(|| A::Error::custom(NOT_PLAIN))?;
            entries.next_value_seed(Fill { slot, kind: &schema.members[index].kind })?;
        }
        let complete =
            schema.members.iter().enumerate().all(|(index, member)| !member.required || seen.has(index));
        if complete { Ok(()) } else { Err(A::Error::custom(NOT_PLAIN)) }
    }
}

/// Which members have come.
#[derive(Default)]
struct Seen(u128);

impl Seen {
    /// Notes a member; false if it came before, or is too far behind to be noted.
    fn add(&mut self, index: usize) -> bool {
        let new = index < 128 && !self.has(index);
        if new {
            self.0 |= 1 << index;
        }
        new
    }

    fn has(&self, index: usize) -> bool {
        index < 128 && self.0 >> index & 1 == 1
    }
}

/// A member's place, by its name on the wire.
struct MemberName(&'static Schema);

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for MemberName {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a member of {}", self.0.name)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        let found = self.0.members.iter().position(|member| member.query == name);
        found.ok_or_else(|| E::custom(NOT_PLAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_where_bytes_do_not_tell() {
        let limits = |min, max| Limits { kind: Type::String, values: &[], min, max };
        for (text, min, max, fits) in [
            ("", Some(0), Some(3), true),
            ("", Some(1), None, false),
            ("a", Some(1), None, true),
            ("käse", Some(4), Some(4), true),
            ("käse", Some(5), None, false),
            ("käse", None, Some(3), false),
            ("😀", Some(2), None, false),
            ("😀😀", Some(2), Some(2), true),
        ] {
            assert_eq!(text_fits(text, &limits(min, max)), fits, "{text:?} in {min:?}..{max:?}");
        }
    }
}
