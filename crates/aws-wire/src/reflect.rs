//! `Debug` of generated structures: present members only, secrets hidden.

use std::fmt;

use crate::value::{ListRead, MapRead, Node, Structure};

/// Formats `structure` with its shape's name, without members that are absent or empty.
pub(crate) fn debug(structure: &dyn Structure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let schema = structure.schema();
    let mut out = f.debug_struct(schema.name);
    for (index, member) in schema.members.iter().enumerate() {
        let node = structure.get(index);
        match node {
            _ if is_empty(node) => {}
            _ if member.sensitive => _ = out.field(member.name, &"(sensitive)"),
            _ => _ = out.field(member.name, &Shown(node)),
        }
    }
    out.finish()
}

fn is_empty(node: Node<'_>) -> bool {
    match node {
        Node::Absent => true,
        Node::List(list) => list.count() == 0,
        Node::Map(map) => map.is_empty(),
        _ => false,
    }
}

struct Shown<'a>(Node<'a>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Node::Absent => f.write_str("None"),
            Node::String(text) => text.fmt(f),
            Node::Integer(number) => number.fmt(f),
            Node::Double(number) => number.fmt(f),
            Node::Boolean(truth) => truth.fmt(f),
            Node::Timestamp(time) => time.fmt(f),
            Node::Blob(bytes) => write!(f, "{} bytes", bytes.len()),
            Node::Document(document) => document.fmt(f),
            Node::List(list) => debug_list(list, f),
            Node::Map(map) => debug_map(map, f),
            Node::Structure(structure) => debug(structure, f),
        }
    }
}

fn debug_list(list: &dyn ListRead, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_list().entries((0..list.count()).map(|index| Shown(list.get(index)))).finish()
}

fn debug_map(map: &dyn MapRead, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut out = f.debug_map();
    map.for_each(&mut |key, value| {
        out.entry(&key, &Shown(value));
    });
    out.finish()
}
