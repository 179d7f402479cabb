//! Reading evaluated properties, which have been brought to their schema's types, and handing them to services.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Failure, Owner, Problem, known};

/// A text property.
pub fn text(properties: &Value, name: &str) -> Option<String> {
    properties.get(name)?.as_str().map(str::to_owned)
}

/// A list of texts; empty when it is not given.
pub fn texts(properties: &Value, name: &str) -> Vec<String> {
    list(properties, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A list; empty when it is not given.
pub fn list<'v>(properties: &'v Value, name: &str) -> &'v [Value] {
    properties.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A number as the API's 32-bit one.
pub fn integer(properties: &Value, name: &str) -> Option<i32> {
    properties.get(name)?.as_i64().and_then(|number| i32::try_from(number).ok())
}

/// A boolean.
pub fn boolean(properties: &Value, name: &str) -> Option<bool> {
    properties.get(name)?.as_bool()
}

/// A JSON document as the text that services take.
pub fn document(properties: &Value, name: &str) -> Option<String> {
    properties.get(name).map(ToString::to_string)
}

/// Properties as a request of the API, whose members have the same names.
///
/// # Errors
/// When a value does not have the member's type.
pub fn request<T: DeserializeOwned>(properties: Value) -> Result<T, Failure> {
    serde_json::from_value(properties)
        .map_err(|error| Failure::new(format!("Properties validation failed: {error}")))
}

/// The properties but for some, which the API has otherwise.
pub fn without(properties: &Value, names: &[&str]) -> Value {
    let members = properties.as_object().into_iter().flatten();
    let kept: Map<String, Value> = members
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

/// A resource's tags: CloudFormation's own, the stack's, and those of its property `Tags`, which win.
pub fn tags(owner: &Owner, stack: &IndexMap<String, String>, properties: &Value) -> IndexMap<String, String> {
    let mut tags = owner.tags(stack);
    for tag in list(properties, "Tags") {
        if let (Some(key), Some(value)) = (text(tag, "Key"), text(tag, "Value")) {
            tags.insert(key, value);
        }
    }
    tags
}

/// What to set and what to remove to get from some tags to others.
pub fn tag_changes(
    before: &IndexMap<String, String>,
    after: &IndexMap<String, String>,
) -> (Vec<(String, String)>, Vec<String>) {
    let set = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), removed.cloned().collect())
}

/// What is in one list and not in the other.
pub fn difference(list: &[Value], other: &[Value]) -> Vec<Value> {
    list.iter().filter(|item| !other.contains(item)).cloned().collect()
}

/// Asks about a property's value, if it is given and known before anything is made; a refusal is a problem.
pub fn ask(
    properties: &Value,
    name: &str,
    problems: &mut Vec<Problem>,
    question: impl FnOnce(&str) -> Result<(), aws_wire::Error>,
) {
    if let Some(value) = properties.get(name).and_then(known)
        && let Err(error) = question(value)
    {
        problems.push(Problem::new(&[name], error.message));
    }
}

/// Asks about each known item of a list property.
pub fn ask_each(
    properties: &Value,
    name: &str,
    problems: &mut Vec<Problem>,
    question: impl Fn(&str) -> Result<(), aws_wire::Error>,
) {
    for (index, value) in list(properties, name).iter().enumerate() {
        if let Some(value) = known(value)
            && let Err(error) = question(value)
        {
            problems.push(Problem::new(&[name, &index.to_string()], error.message));
        }
    }
}

/// Takes a refusal for an answer: what was asked for is not there.
///
/// # Errors
/// Any other refusal.
pub fn absent<T>(answer: Result<T, aws_wire::Error>, codes: &[&str]) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if codes.iter().any(|code| error.code == *code) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_resources_own_tags_win() {
        let owner = Owner { stack_id: "arn".into(), stack_name: "s".into(), logical_id: "L".into() };
        let stack =
            IndexMap::from([("Env".to_owned(), "dev".to_owned()), ("Team".to_owned(), "a".to_owned())]);
        let tags = tags(&owner, &stack, &json!({"Tags": [{"Key": "Env", "Value": "live"}]}));
        assert_eq!(tags["Env"], "live");
        assert_eq!(tags["Team"], "a");
        assert_eq!(tags["aws:cloudformation:logical-id"], "L");
    }

    #[test]
    fn tag_changes_are_the_difference() {
        let map = |pairs: &[(&str, &str)]| -> IndexMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let (set, removed) = tag_changes(&map(&[("a", "1"), ("b", "1")]), &map(&[("b", "2"), ("c", "1")]));
        assert_eq!(set, [("b".to_owned(), "2".to_owned()), ("c".to_owned(), "1".to_owned())]);
        assert_eq!(removed, ["a"]);
    }
}
