//! Tags: the keys and values that users put on resources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most tags that users may put on a resource.
pub const MAX_TAGS: usize = 50;
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;

/// A resource's tags, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// What is wrong with tags that a user sets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Keys may not be empty or too long.
    #[error("Tag key must be between 1 and {MAX_KEY_CHARS} characters long; '{0}' is not")]
    Key(String),
    /// Values may not be too long.
    #[error("The value of tag '{0}' is longer than {MAX_VALUE_CHARS} characters")]
    Value(String),
    /// `aws:` belongs to AWS.
    #[error("Tag keys starting with 'aws:' are reserved for internal use")]
    Reserved(String),
    /// One key twice in one request.
    #[error("Duplicate tag key '{0}' specified.")]
    Duplicate(String),
    /// Too many.
    #[error("The maximum number of tags per resource is {MAX_TAGS}")]
    TooMany,
}

impl Tags {
    /// No tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Sets a tag without any check: for the cloud's own `aws:…` tags.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Removes a tag; with a value given, only if it has that value.
    pub fn remove(&mut self, key: &str, value: Option<&str>) {
        if value.is_none_or(|value| self.get(key) == Some(value)) {
            self.0.remove(key);
        }
    }

    /// Removes all but the cloud's own `aws:…` tags.
    pub fn clear_users(&mut self) {
        self.0.retain(|key, _| is_reserved(key));
    }

    /// Adds or replaces tags that a user sets. `may_reserve` lets the cloud's own services set `aws:…` tags
    /// on behalf of a user.
    ///
    /// # Errors
    /// When a tag is not allowed or there would be too many; then nothing is changed.
    pub fn merge<K: Into<String>, V: Into<String>>(
        &mut self,
        tags: impl IntoIterator<Item = (K, V)>,
        may_reserve: bool,
    ) -> Result<(), TagError> {
        let mut added = BTreeMap::new();
        for (key, value) in tags {
            let (key, value) = (key.into(), value.into());
            check(&key, &value, may_reserve)?;
            if added.contains_key(&key) {
                return Err(TagError::Duplicate(key));
            }
            added.insert(key, value);
        }
        let mut merged = self.0.clone();
        merged.extend(added);
        if merged.keys().filter(|key| !is_reserved(key)).count() > MAX_TAGS {
            return Err(TagError::TooMany);
        }
        self.0 = merged;
        Ok(())
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(tags: I) -> Self {
        Self(tags.into_iter().collect())
    }
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn check(key: &str, value: &str, may_reserve: bool) -> Result<(), TagError> {
    if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
        return Err(TagError::Key(key.to_owned()));
    }
    if value.chars().count() > MAX_VALUE_CHARS {
        return Err(TagError::Value(key.to_owned()));
    }
    if is_reserved(key) && !may_reserve {
        return Err(TagError::Reserved(key.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_may_not_set() {
        let long = "k".repeat(129);
        for (tags, expected) in [
            (vec![("", "x")], TagError::Key(String::new())),
            (vec![(long.as_str(), "x")], TagError::Key(long.clone())),
            (vec![("AWS:x", "x")], TagError::Reserved("AWS:x".into())),
            (vec![("a", "1"), ("a", "2")], TagError::Duplicate("a".into())),
        ] {
            let mut stored = Tags::new();
            assert_eq!(stored.merge(tags, false), Err(expected));
            assert!(stored.is_empty());
        }
        assert_eq!(Tags::new().merge([("a", "v".repeat(257))], false), Err(TagError::Value("a".into())));
        let many = (0..51).map(|n| (n.to_string(), ""));
        assert_eq!(Tags::new().merge(many, false), Err(TagError::TooMany));
    }

    #[test]
    fn the_clouds_own_tags_do_not_count_and_stay() {
        let mut tags = Tags::new();
        tags.set("aws:autoscaling:groupName", "asg");
        tags.merge((0..50).map(|n| (n.to_string(), "")), false).unwrap();
        tags.clear_users();
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["aws:autoscaling:groupName"]);
    }

    #[test]
    fn a_tag_is_removed_only_with_the_value_given() {
        let mut tags = Tags::new();
        tags.merge([("a", "1"), ("b", "2")], false).unwrap();
        tags.remove("a", Some("other"));
        tags.remove("b", None);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "1")]);
    }
}
