//! The `Mappings` section.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{MAX_MAPPINGS, check_count, check_logical_id, first_span};
use crate::{
    error::Errors,
    node::{Map, Node, Value},
    span::Place,
};

/// A value in a mapping.
#[derive(Clone, Debug, PartialEq)]
pub enum MappingValue {
    /// A string, number or boolean.
    Scalar(Json),
    /// A list of those.
    List(Vec<Json>),
}

impl MappingValue {
    /// The value as JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => Json::Array(items.clone()),
        }
    }
}

type Second = IndexMap<String, MappingValue>;

/// The `Mappings` section: two levels of keys under each name.
#[derive(Clone, Debug, Default)]
pub struct Mappings(IndexMap<String, IndexMap<String, Second>>);

impl Mappings {
    /// Whether a mapping of that name is declared.
    pub fn contains(&self, map: &str) -> bool {
        self.0.contains_key(map)
    }

    /// The names of the mappings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The first-level keys of a mapping; none when there is no such mapping.
    pub fn top_keys(&self, map: &str) -> impl Iterator<Item = &str> {
        self.0.get(map).into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// The second-level keys under a first-level key; none when either is missing.
    pub fn second_keys(&self, map: &str, top: &str) -> impl Iterator<Item = &str> {
        self.0.get(map).and_then(|map| map.get(top)).into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// The value that `Fn::FindInMap` gives.
    pub fn get(&self, map: &str, top: &str, second: &str) -> Option<&MappingValue> {
        self.0.get(map)?.get(top)?.get(second)
    }

    pub(super) fn read(section: Map, errors: &mut Errors) -> Self {
        check_count("Mappings", section.len(), MAX_MAPPINGS, first_span(&section), errors);
        let root = Place::ROOT.child("Mappings");
        let mut mappings = IndexMap::new();
        for (name, entry) in section {
            let place = root.child(&name);
            check_logical_id("Mapping", &name, entry.key_span, &place, errors);
            let mut levels = IndexMap::new();
            for (key, node) in members(entry.node, &place, errors) {
                let place = place.child(&key);
                let values = members(node, &place, errors)
                    .into_iter()
                    .filter_map(|(second, node)| {
                        let value = value(&node, &place.child(&second), errors)?;
                        Some((second, value))
                    })
                    .collect();
                levels.insert(key, values);
            }
            mappings.insert(name, levels);
        }
        Self(mappings)
    }
}

fn members(node: Node, place: &Place<'_>, errors: &mut Errors) -> Vec<(String, Node)> {
    match node.value {
        Value::Map(map) => map.into_iter().map(|(key, entry)| (key, entry.node)).collect(),
        Value::Null => Vec::new(),
        _ => {
            let message = format!("Template format error: Every Mappings member {place} must be a map");
            errors.add(place, node.span, message);
            Vec::new()
        }
    }
}

fn value(node: &Node, place: &Place<'_>, errors: &mut Errors) -> Option<MappingValue> {
    let scalar = |node: &Node| node.scalar_text().is_some();
    match &node.value {
        Value::List(items) if items.iter().all(scalar) => {
            Some(MappingValue::List(items.iter().map(Node::to_json).collect()))
        }
        _ if scalar(node) => Some(MappingValue::Scalar(node.to_json())),
        Value::Null => None,
        Value::Map(map) if map.keys().any(|key| key == "Ref" || key.starts_with("Fn::")) => {
            errors.add(place, node.span, "Template format error: Mappings cannot contain functions");
            None
        }
        _ => {
            let message = "Template format error: Every Mappings attribute must be a String or a List.";
            errors.add(place, node.span, message);
            None
        }
    }
}
