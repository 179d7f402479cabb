//! The query and ec2 protocols' parameters.

use crate::decode::path::Path;
use crate::decode::refusal::Refusals;
use crate::decode::scalar;
use crate::request::FormNode;
use crate::schema::{List, Map, Type, bare};
use crate::value::{ListFill, MapFill, Slot, Structure};
use crate::{Error, service::Protocol};

pub(super) struct Decoder<'r> {
    pub(super) refusals: &'r mut Refusals,
}

impl Decoder<'_> {
    pub(super) fn structure(
        &mut self,
        node: &FormNode,
        structure: &mut dyn Structure,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        let members = structure.schema().members;
        for (name, child) in &node.children {
            let found = members.iter().position(|member| member.query == name);
            let here = path.member(name);
            let Some(index) = found else { return Err(self.refusals.unknown(&here)) };
            let Some(slot) = structure.slot(index) else { return Err(self.refusals.unknown(&here)) };
            self.value(child, slot, &members[index].kind, &here)?;
        }
        for member in members.iter().filter(|member| member.required) {
            if !node.children.contains_key(member.query) {
                self.refusals.missing(&path.member(member.query));
            }
        }
        Ok(())
    }

    fn value(&mut self, node: &FormNode, slot: Slot<'_>, kind: &Type, path: &Path<'_>) -> Result<(), Error> {
        match (slot, kind) {
            (Slot::List(list), Type::List(model)) => self.list(node, list, model, path),
            (Slot::Map(map), Type::Map(model)) => self.map(node, map, model, path),
            (Slot::Structure(structure), _) => {
                self.refuse_text(node, kind, path)?;
                self.structure(node, structure, path)
            }
            (slot, _) => self.scalar(node, slot, kind, path),
        }
    }

    fn scalar(&mut self, node: &FormNode, slot: Slot<'_>, kind: &Type, path: &Path<'_>) -> Result<(), Error> {
        if let Some(name) = node.children.keys().next() {
            return Err(self.refusals.unknown(&path.member(name)));
        }
        let text = node.value.as_deref().unwrap_or_default();
        let done = match slot {
            Slot::String(place) => {
                self.refusals.check_string(text, kind, path);
                set(place, Some(text.to_owned()))
            }
            Slot::Integer(place) => {
                let number: Option<i32> = text.parse().ok();
                self.refusals.check_number(number.map(i64::from), kind, path);
                set(place, number)
            }
            Slot::Long(place) => {
                let number = text.parse().ok();
                self.refusals.check_number(number, kind, path);
                set(place, number)
            }
            Slot::Double(place) => set(place, text.parse().ok().filter(|number: &f64| number.is_finite())),
            Slot::Boolean(place) => set(place, scalar::boolean(text)),
            Slot::Timestamp(place) => set(place, scalar::timestamp(text)),
            Slot::Blob(place) => set(place, scalar::blob(text)),
            Slot::Document(_) | Slot::List(_) | Slot::Map(_) | Slot::Structure(_) => false,
        };
        if done { Ok(()) } else { Err(self.refusals.ill_typed(path, text, kind)) }
    }

    /// `Name.N` where flattened (always so in ec2), else `Name.member.N`; `Name=` is an empty list.
    fn list(
        &mut self,
        node: &FormNode,
        list: &mut dyn ListFill,
        model: &List,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        self.refuse_text(node, &model.element, path)?;
        let item = bare(model.item);
        let is_flat = model.flattened || self.refusals.protocol() == Protocol::Ec2;
        let items = if is_flat { Some(node) } else { node.child(item) };
        if let Some(stray) =
            node.children.keys().find(|name| if is_flat { !is_number(name) } else { *name != item })
        {
            return Err(self.refusals.unknown(&path.member(stray)));
        }
        let Some(items) = items else { return Ok(()) };
        if let Some(stray) = items.children.keys().find(|name| !is_number(name)) {
            return Err(self.refusals.unknown(&path.member(item).member(stray)));
        }
        for (position, (_, child)) in items.items().into_iter().enumerate() {
            let here = path.item((!is_flat).then_some(item), position + 1);
            self.value(child, list.push(), &model.element, &here)?;
        }
        Ok(())
    }

    /// `Name.entry.N.key` and `.value`, without `entry` where flattened.
    fn map(
        &mut self,
        node: &FormNode,
        map: &mut dyn MapFill,
        model: &Map,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        self.refuse_text(node, &model.element, path)?;
        let is_flat = model.flattened;
        if let Some(stray) = node.children.keys().find(|name| !is_flat && *name != "entry") {
            return Err(self.refusals.unknown(&path.member(stray)));
        }
        let entries = if is_flat { Some(node) } else { node.child("entry") };
        for (position, (_, entry)) in entries.map(FormNode::items).unwrap_or_default().into_iter().enumerate()
        {
            let here = path.item((!is_flat).then_some("entry"), position + 1);
            let (key_name, value_name) = (bare(model.key), bare(model.value));
            let Some(key) = entry.child(key_name).and_then(|node| node.value.clone()) else {
                self.refusals.missing(&here.member(key_name));
                continue;
            };
            let Some(value) = entry.child(value_name) else {
                self.refusals.missing(&here.member(value_name));
                continue;
            };
            self.value(value, map.entry(key), &model.element, &here.member(value_name))?;
        }
        Ok(())
    }

    /// A list, map or structure has parts, not a text of its own.
    fn refuse_text(&self, node: &FormNode, kind: &Type, path: &Path<'_>) -> Result<(), Error> {
        match node.value.as_deref() {
            None | Some("") => Ok(()),
            Some(text) => Err(self.refusals.ill_typed(path, text, kind)),
        }
    }
}

fn is_number(name: &str) -> bool {
    name.parse::<u32>().is_ok()
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}
