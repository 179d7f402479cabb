//! The body of a JSON request, kept as it came until somebody wants to know what is in it.

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::Error;

/// A body that begins and ends as an object does; an empty one stands for an empty object.
#[derive(Debug, Clone)]
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// # Errors
    /// `SerializationException` for what cannot be an object. What is wrong further in is told by
    /// [`JsonBody::tree`].
    pub(super) fn new(body: &[u8]) -> Result<Self, Error> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Ok(Self(Bytes::from_static(b"{}")));
        }
        let kept = Self(Bytes::copy_from_slice(body));
        if !(body.starts_with(b"{") && body.ends_with(b"}")) {
            kept.tree()?;
        }
        Ok(kept)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// All of it, which is an object.
    pub(crate) fn tree(&self) -> Result<Json, Error> {
        match serde_json::from_slice(&self.0) {
            Ok(Json::Object(object)) => Ok(Json::Object(object)),
            Ok(_) => Err(Error::client("SerializationException", "Start of structure or map expected.")),
            Err(error) => {
                Err(Error::client("SerializationException", format!("The body is not JSON: {error}.")))
            }
        }
    }

    /// The values of top-level members, in the order of `names`; of several of one name the last. None for those that
    /// are not there, and for all where the body is not JSON.
    pub(crate) fn members(&self, names: &[&str]) -> Vec<Option<Json>> {
        let mut found = vec![None; names.len()];
        let mut json = serde_json::Deserializer::from_slice(&self.0);
        if (Members { names, found: &mut found }).deserialize(&mut json).is_err() {
            found.fill(None);
        }
        found
    }
}

/// Passes over all members of an object but some.
struct Members<'a> {
    names: &'a [&'a str],
    found: &'a mut [Option<Json>],
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match self.names.iter().position(|name| *name == key) {
                Some(index) => self.found[index] = Some(entries.next_value()?),
                None => _ = entries.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}
