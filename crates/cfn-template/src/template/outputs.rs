//! The `Outputs` section.

use indexmap::IndexMap;

use super::{MAX_OUTPUTS, check_count, check_logical_id, check_members, first_span};
use crate::{
    function::{Reader, Scope},
    node::{Entry, Map, Node, Value},
    span::{Place, Span, Spanned},
};

/// One of the `Outputs`.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where its name stands.
    pub span: Span,
    /// `Description`.
    pub description: Option<String>,
    /// `Condition`: the output exists only when it holds.
    pub condition: Option<Spanned<String>>,
    /// `Value`.
    pub value: Node,
    /// `Name` under `Export`.
    pub export: Option<Node>,
}

pub(super) fn read(map: Map, reader: &mut Reader<'_>) -> IndexMap<String, Output> {
    let section = Place::ROOT.child("Outputs");
    check_count("Outputs", map.len(), MAX_OUTPUTS, first_span(&map), reader.errors);
    let mut outputs = IndexMap::new();
    for (name, Entry { key_span, node }) in map {
        let place = section.child(&name);
        check_logical_id("Output", &name, key_span, &place, reader.errors);
        let span = node.span;
        match node.value {
            Value::Map(members) => {
                if let Some(output) = output(key_span, members, &place, reader) {
                    outputs.insert(name, output);
                }
            }
            Value::Null => {}
            _ => reader.errors.add(
                &place,
                span,
                "Template format error: Every Outputs member must be an object.",
            ),
        }
    }
    outputs
}

fn output(span: Span, mut members: Map, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Output> {
    const KNOWN: [&str; 4] = ["Condition", "Description", "Export", "Value"];
    check_members(&members, &KNOWN, "Invalid template output property", place, reader.errors);
    let description = text_member(&members, "Description", place, reader);
    let condition = text_member(&members, "Condition", place, reader);
    let export =
        members.shift_remove("Export").and_then(|entry| export(entry, &place.child("Export"), reader));
    let Some(value) = members.shift_remove("Value") else {
        let message = "Template format error: Every Outputs member must contain a Value object";
        reader.errors.add(place, span, message);
        return None;
    };
    let place = place.child("Value");
    let value = reader.read(value.node, Scope::Value, &place);
    if matches!(value.value, Value::List(_) | Value::Map(_)) {
        let message = format!(
            "Template format error: The Value field of every Outputs member must evaluate to a \
                               String and not {}.",
            value.kind()
        );
        reader.errors.add(&place, value.span, message);
    }
    Some(Output { span, description: description.map(|text| text.value), condition, value, export })
}

fn export(entry: Entry, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Node> {
    let span = entry.node.span;
    if let Value::Map(mut map) = entry.node.value {
        check_members(&map, &["Name"], "Invalid template output export property", place, reader.errors);
        if let Some(name) = map.shift_remove("Name") {
            return Some(reader.read(name.node, Scope::Value, &place.child("Name")));
        }
    }
    reader.errors.add(place, span, "Template format error: Output Export must be an object with a Name.");
    None
}

fn text_member(map: &Map, key: &str, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let node = &map.get(key)?.node;
    let text = node.scalar_text();
    if text.is_none() && !matches!(node.value, Value::Null) {
        let message = format!("Template format error: Every {key} member must be a string.");
        reader.errors.add(&place.child(key), node.span, message);
    }
    text.map(|text| Spanned::new(node.span, text))
}
