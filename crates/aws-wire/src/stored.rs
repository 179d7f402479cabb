//! serde for generated structures, by the models' member names: the form in which they are stored.
//!
//! Absent members and empty lists and maps are left out. Timestamps are RFC 3339 texts, blobs Base64.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::value::{ListFill, ListRead, MapFill, MapRead, Node, Slot, Structure};

pub(crate) fn serialize<S: Serializer>(structure: &dyn Structure, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_map(None)?;
    for (index, member) in structure.schema().members.iter().enumerate() {
        match structure.get(index) {
            Node::Absent => {}
            Node::List(list) if list.count() == 0 => {}
            Node::Map(map) if map.is_empty() => {}
            node => out.serialize_entry(member.name, &Stored(node))?,
        }
    }
    out.end()
}

impl Serialize for dyn Structure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

struct Stored<'a>(Node<'a>);

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Node::Absent => serializer.serialize_none(),
            Node::String(text) => serializer.serialize_str(text),
            Node::Integer(number) => serializer.serialize_i64(number),
            Node::Double(number) => serializer.serialize_f64(number),
            Node::Boolean(truth) => serializer.serialize_bool(truth),
            Node::Timestamp(time) => serializer.collect_str(&time),
            Node::Blob(bytes) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
            Node::Document(document) => document.serialize(serializer),
            Node::List(list) => serialize_list(list, serializer),
            Node::Map(map) => serialize_map(map, serializer),
            Node::Structure(structure) => serialize(structure, serializer),
        }
    }
}

fn serialize_list<S: Serializer>(list: &dyn ListRead, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_seq(Some(list.count()))?;
    for index in 0..list.count() {
        out.serialize_element(&Stored(list.get(index)))?;
    }
    out.end()
}

fn serialize_map<S: Serializer>(map: &dyn MapRead, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_map(None)?;
    let mut failed = None;
    map.for_each(&mut |key, value| {
        if failed.is_none() {
            failed = out.serialize_entry(key, &Stored(value)).err();
        }
    });
    failed.map_or_else(|| out.end(), |error| Err(S::Error::custom(error)))
}

pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Structure + Default,
    D: Deserializer<'de>,
{
    let mut value = T::default();
    restore(&mut value, deserializer)?;
    Ok(value)
}

/// Fills `structure`, of whatever type it is, from its stored form.
///
/// # Errors
///
/// Those of `deserializer`, and one for a value of the wrong type.
pub fn restore<'de, D: Deserializer<'de>>(
    structure: &mut dyn Structure,
    deserializer: D,
) -> Result<(), D::Error> {
    Fill(Slot::Structure(structure)).deserialize(deserializer)
}

/// Deserializes into a slot, whose type says what is expected.
struct Fill<'a>(Slot<'a>);

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Slot::String(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Integer(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Long(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Double(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Boolean(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Timestamp(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Document(place) => *place = serde::Deserialize::deserialize(deserializer)?,
            Slot::Blob(place) => {
                let text: String = serde::Deserialize::deserialize(deserializer)?;
                *place = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
            }
            Slot::List(list) => deserializer.deserialize_seq(FillList(list))?,
            Slot::Map(map) => deserializer.deserialize_map(FillMap(map))?,
            Slot::Structure(structure) => deserializer.deserialize_map(FillStructure(structure))?,
        }
        Ok(())
    }
}

struct FillList<'a>(&'a mut dyn ListFill);

impl<'de> Visitor<'de> for FillList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(NextItem(self.0))?.is_some() {}
        Ok(())
    }
}

/// Appends an item only when there is one to deserialize.
struct NextItem<'a>(&'a mut dyn ListFill);

impl<'de> DeserializeSeed<'de> for NextItem<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        Fill(self.0.push()).deserialize(deserializer)
    }
}

struct FillMap<'a>(&'a mut dyn MapFill);

impl<'de> Visitor<'de> for FillMap<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(Fill(self.0.entry(key)))?;
        }
        Ok(())
    }
}

struct FillStructure<'a>(&'a mut dyn Structure);

impl<'de> Visitor<'de> for FillStructure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a {}", self.0.schema().name)
    }

    /// Members that the schema does not know are passed over: a newer version may have written them.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let members = self.0.schema().members;
        while let Some(key) = entries.next_key::<String>()? {
            let index = members.iter().position(|member| member.name == key);
            match index.and_then(|index| self.0.slot(index)) {
                Some(slot) => entries.next_value_seed(Fill(slot))?,
                None => _ = entries.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}
