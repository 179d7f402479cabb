//! The `Resources` section.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{MAX_RESOURCES, check_count, check_logical_id, check_members, first_span};
use template_text::suggest::did_you_mean;

use crate::{
    function::{Reader, Scope},
    node::{Entry, Map, Node, Value},
    policy,
    span::{Place, Span, Spanned},
};

const ATTRIBUTES: [&str; 9] = [
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// One of the `Resources`.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its logical id.
    pub logical_id: String,
    /// Where its logical id stands.
    pub span: Span,
    /// `Type`, such as `AWS::EC2::Instance`.
    pub type_: Spanned<String>,
    /// `Properties`; empty when left out.
    pub properties: Map,
    /// `DependsOn`; empty when left out.
    pub depends_on: Vec<Spanned<String>>,
    /// `Condition`: the resource exists only when it holds.
    pub condition: Option<Spanned<String>>,
    /// `Metadata`.
    pub metadata: Option<Node>,
    /// `CreationPolicy`.
    pub creation_policy: Option<Node>,
    /// `UpdatePolicy`.
    pub update_policy: Option<Node>,
    /// `DeletionPolicy`, when given.
    pub deletion_policy: Option<DeletionPolicy>,
    /// `UpdateReplacePolicy`, when given.
    pub update_replace_policy: Option<DeletionPolicy>,
}

impl Resource {
    /// The nodes that may hold functions, with the attribute each belongs to.
    pub fn nodes(&self) -> impl Iterator<Item = (&'static str, &Node)> {
        let properties = self.properties.values().map(|entry| ("Properties", &entry.node));
        properties
            .chain(self.metadata.as_ref().map(|node| ("Metadata", node)))
            .chain(self.creation_policy.as_ref().map(|node| ("CreationPolicy", node)))
            .chain(self.update_policy.as_ref().map(|node| ("UpdatePolicy", node)))
    }
}

/// What happens to a resource that its stack no longer needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It is kept and forgotten.
    Retain,
    /// It is kept, unless it is deleted because its creation failed. Not a value of `UpdateReplacePolicy`.
    RetainExceptOnCreate,
    /// A snapshot is made of it before it is deleted.
    Snapshot,
}

impl DeletionPolicy {
    const NAMES: [&'static str; 4] = ["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"];

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Delete, Self::Retain, Self::RetainExceptOnCreate, Self::Snapshot]
            .into_iter()
            .find(|policy| policy.name() == name)
    }

    /// The policy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => Self::NAMES[0],
            Self::Retain => Self::NAMES[1],
            Self::RetainExceptOnCreate => Self::NAMES[2],
            Self::Snapshot => Self::NAMES[3],
        }
    }
}

impl fmt::Display for DeletionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn read(map: Map, reader: &mut Reader<'_>) -> IndexMap<String, Resource> {
    let section = Place::ROOT.child("Resources");
    check_count("Resources", map.len(), MAX_RESOURCES, first_span(&map), reader.errors);
    let mut resources = IndexMap::new();
    for (name, Entry { key_span, node }) in map {
        let place = section.child(&name);
        check_logical_id("Resource", &name, key_span, &place, reader.errors);
        let span = node.span;
        match node.value {
            Value::Map(members) => {
                if let Some(resource) = resource(&name, key_span, members, &place, reader) {
                    resources.insert(name, resource);
                }
            }
            Value::Null => {}
            _ => {
                let message = format!("Template format error: [/{place}] resource definition is malformed");
                reader.errors.add(&place, span, message);
            }
        }
    }
    resources
}

fn resource(
    id: &str,
    span: Span,
    mut map: Map,
    place: &Place<'_>,
    reader: &mut Reader<'_>,
) -> Option<Resource> {
    check_members(&map, &ATTRIBUTES, "Invalid template resource property", place, reader.errors);
    let type_ = type_of(&map, span, place, reader);
    let properties = properties(map.shift_remove("Properties"), &place.child("Properties"), reader);
    let mut values = |name: &str, reader: &mut Reader<'_>| {
        let node = map.shift_remove(name)?.node;
        let place = place.child(name);
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            let message = format!("Template format error: Every {name} member must be an object.");
            reader.errors.add(&place, node.span, message);
            return None;
        }
        Some(reader.read(node, Scope::Value, &place))
    };
    let metadata = values("Metadata", reader);
    let creation_policy = values("CreationPolicy", reader);
    let update_policy = values("UpdatePolicy", reader);
    if let Some(node) = &creation_policy {
        policy::check_creation_policy(node, &place.child("CreationPolicy"), reader.errors);
    }
    if let Some(node) = &update_policy {
        policy::check_update_policy(node, &place.child("UpdatePolicy"), reader.errors);
    }
    Some(Resource {
        logical_id: id.to_owned(),
        span,
        depends_on: depends_on(&map, place, reader),
        condition: condition(&map, place, reader),
        deletion_policy: deletion_policy(&map, "DeletionPolicy", id, place, reader),
        update_replace_policy: deletion_policy(&map, "UpdateReplacePolicy", id, place, reader),
        type_: type_?,
        properties,
        metadata,
        creation_policy,
        update_policy,
    })
}

fn type_of(map: &Map, span: Span, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let Some(entry) = map.get("Type") else {
        let message =
            format!("Template format error: [/{place}] Every Resources object must contain a Type member.");
        reader.errors.add(place, span, message);
        return None;
    };
    match entry.node.as_str() {
        Some(name) => Some(Spanned::new(entry.node.span, name.to_owned())),
        None => {
            let message = format!("Template format error: [/{place}] Every Type member must be a string.");
            reader.errors.add(&place.child("Type"), entry.node.span, message);
            None
        }
    }
}

fn properties(entry: Option<Entry>, place: &Place<'_>, reader: &mut Reader<'_>) -> Map {
    let Some(entry) = entry else { return Map::new() };
    let node = reader.read(entry.node, Scope::Value, place);
    match node.value {
        Value::Map(map) => map,
        Value::Null => Map::new(),
        _ => {
            reader.errors.add(place, node.span, "Template format error: Properties must be an object.");
            Map::new()
        }
    }
}

fn depends_on(map: &Map, place: &Place<'_>, reader: &mut Reader<'_>) -> Vec<Spanned<String>> {
    let Some(entry) = map.get("DependsOn") else { return Vec::new() };
    let items = match &entry.node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let names: Vec<_> =
        items.iter().filter_map(|item| Some(Spanned::new(item.span, item.as_str()?.to_owned()))).collect();
    if names.len() != items.len() && !matches!(entry.node.value, Value::Null) {
        let message = "Template format error: DependsOn must be a string or list of strings.";
        reader.errors.add(&place.child("DependsOn"), entry.node.span, message);
    }
    names
}

fn condition(map: &Map, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let node = &map.get("Condition")?.node;
    let name = node.as_str().map(|name| Spanned::new(node.span, name.to_owned()));
    if name.is_none() && !matches!(node.value, Value::Null) {
        let message = "Template format error: Every Condition member must be a string.";
        reader.errors.add(&place.child("Condition"), node.span, message);
    }
    name
}

fn deletion_policy(
    map: &Map,
    attribute: &str,
    id: &str,
    place: &Place<'_>,
    reader: &mut Reader<'_>,
) -> Option<DeletionPolicy> {
    let node = &map.get(attribute)?.node;
    let policy = node
        .as_str()
        .and_then(DeletionPolicy::parse)
        .filter(|policy| attribute == "DeletionPolicy" || *policy != DeletionPolicy::RetainExceptOnCreate);
    if policy.is_none() && !matches!(node.value, Value::Null) {
        let given = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
        let message = format!("Template format error: Unrecognized {attribute} {given} for resource {id}");
        let hint = did_you_mean(&given, DeletionPolicy::NAMES);
        reader.errors.hint(&place.child(attribute), node.span, message, hint);
    }
    policy
}
