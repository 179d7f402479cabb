//! The `Conditions` section.

use indexmap::IndexMap;

use super::check_logical_id;
use crate::{
    function::{Function, Reader, Scope},
    node::{Entry, Map, Node, Value},
    span::Place,
};

pub(super) fn read(map: Map, reader: &mut Reader<'_>) -> IndexMap<String, Entry> {
    let section = Place::ROOT.child("Conditions");
    let mut conditions = IndexMap::new();
    for (name, Entry { key_span, node }) in map {
        let place = section.child(&name);
        check_logical_id("Condition", &name, key_span, &place, reader.errors);
        let before = reader.errors.len();
        let node = reader.read(node, Scope::Condition, &place);
        if !is_condition(&node) && reader.errors.len() == before {
            let message = "Template format error: Conditions can only be boolean operations on parameters and other conditions";
            reader.errors.add(&place, node.span, message);
        }
        conditions.insert(name, Entry { key_span, node });
    }
    conditions
}

fn is_condition(node: &Node) -> bool {
    match &node.value {
        Value::Function(function) => matches!(
            **function,
            Function::Equals(..)
                | Function::And(_)
                | Function::Or(_)
                | Function::Not(_)
                | Function::Condition(_)
        ),
        _ => false,
    }
}
