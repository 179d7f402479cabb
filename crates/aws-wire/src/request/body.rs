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

    /// The value of a top-level member, the last where there are several; none also where the body is not JSON.
    pub(crate) fn member(&self, name: &str) -> Option<Json> {
        let mut json = serde_json::Deserializer::from_slice(&self.0);
        OneMember(name).deserialize(&mut json).ok().flatten()
    }
}

/// Passes over all members of an object but one.
struct OneMember<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for OneMember<'_> {
    type Value = Option<Json>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Json>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneMember<'_> {
    type Value = Option<Json>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<Json>, A::Error> {
        let mut found = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key == self.0 {
                found = Some(entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
