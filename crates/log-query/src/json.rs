//! Reading a few values out of JSON without building the rest of it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One step into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
    /// Every element of an array.
    Every,
    /// A part of a flattened name: the member of an object, or the element of an array if it is a number.
    Part(String, Option<usize>),
}

impl Step {
    fn is_to_key(&self, key: &str) -> bool {
        match self {
            Step::Key(name) | Step::Part(name, _) => name == key,
            Step::Index(_) | Step::Every => false,
        }
    }

    fn is_to_element(&self, element: usize) -> bool {
        match self {
            Step::Index(index) | Step::Part(_, Some(index)) => *index == element,
            Step::Every => true,
            Step::Key(_) | Step::Part(_, None) => false,
        }
    }

    fn is_into_array(&self) -> bool {
        matches!(self, Step::Index(_) | Step::Every | Step::Part(_, Some(_)))
    }
}

/// The ways to the values that are wanted, as a tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// Whether a name with dots in it stands for the steps that they divide it into.
    dotted: bool,
    root: Node,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The number of the value that is here.
    slot: Option<usize>,
    next: Vec<(Step, Node)>,
}

impl Tree {
    /// A tree of flattened names: `a.0` is the element 0 of `a`, the member `0` of `a`, and what is named `a.0`.
    pub(crate) fn dotted() -> Tree {
        Tree { dotted: true, ..Tree::default() }
    }

    /// Wants the value at the end of some steps, and gives it a number.
    pub(crate) fn insert(&mut self, steps: impl IntoIterator<Item = Step>, slot: usize) {
        let end = steps.into_iter().fold(&mut self.root, Node::step);
        end.slot = Some(slot);
    }

    /// Wants the value of a flattened name.
    pub(crate) fn insert_name(&mut self, name: &str, slot: usize) {
        let part = |part: &str| Step::Part(part.to_owned(), part.parse().ok());
        self.insert(name.split('.').map(part), slot);
    }

    /// Reads a text and gives every value found, by its number and as it is written. Says whether the text is JSON:
    /// if not, some may have been given already.
    pub(crate) fn read<'m>(&self, text: &'m str, found: &mut impl FnMut(usize, &'m str)) -> bool {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let reader = Reader { node: &self.root, dotted: self.dotted, found };
        reader.deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
    }
}

impl Node {
    /// The node one step on, made if need be.
    fn step(&mut self, step: Step) -> &mut Node {
        let known = self.next.iter().position(|(known, _)| *known == step);
        let at = known.unwrap_or_else(|| {
            self.next.push((step, Node::default()));
            self.next.len() - 1
        });
        &mut self.next[at].1
    }

    fn key(&self, key: &str) -> Option<&Node> {
        self.next.iter().find(|(step, _)| step.is_to_key(key)).map(|(_, node)| node)
    }
}

/// Reads JSON along the tree and skips everything else.
struct Reader<'t, 'f, F> {
    node: &'t Node,
    dotted: bool,
    found: &'f mut F,
}

impl<'m, F: FnMut(usize, &'m str)> Reader<'_, '_, F> {
    /// Takes a value that has been skipped, and goes on into it if the tree does.
    fn take(self, raw: &'m RawValue) -> Result<(), serde_json::Error> {
        if let Some(slot) = self.node.slot {
            (self.found)(slot, raw.get());
        }
        match self.node.next.is_empty() {
            true => Ok(()),
            false => serde_json::Deserializer::from_str(raw.get()).deserialize_any(self),
        }
    }
}

impl<'m, F: FnMut(usize, &'m str)> DeserializeSeed<'m> for Reader<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'m>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node.slot {
            None => deserializer.deserialize_any(self),
            Some(_) => self.take(Deserialize::deserialize(deserializer)?).map_err(D::Error::custom),
        }
    }
}

impl<'m, F: FnMut(usize, &'m str)> Visitor<'m> for Reader<'_, '_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(node) = map.next_key_seed(KeyAmong { node: self.node, dotted: self.dotted })? {
            match node {
                Some(node) => map.next_value_seed(Reader { node, dotted: self.dotted, found: self.found })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut array: A) -> Result<(), A::Error> {
        if !self.node.next.iter().any(|(step, _)| step.is_into_array()) {
            while array.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut index = 0;
        while let Some(raw) = array.next_element::<&'m RawValue>()? {
            for (_, node) in self.node.next.iter().filter(|(step, _)| step.is_to_element(index)) {
                let reader = Reader { node, dotted: self.dotted, found: self.found };
                reader.take(raw).map_err(A::Error::custom)?;
            }
            index += 1;
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a name and finds its node under another.
struct KeyAmong<'t> {
    node: &'t Node,
    dotted: bool,
}

impl<'t, 'm> DeserializeSeed<'m> for KeyAmong<'t> {
    type Value = Option<&'t Node>;

    fn deserialize<D: Deserializer<'m>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for KeyAmong<'t> {
    type Value = Option<&'t Node>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a property")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(match self.dotted && key.contains('.') {
            true => key.split('.').try_fold(self.node, Node::key),
            false => self.node.key(key),
        })
    }
}

/// A value that is neither an array nor an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'m> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'m str),
    Text(Cow<'m, str>),
}

impl<'m> Scalar<'m> {
    /// What a text of JSON stands for; nothing for arrays and objects. `raw` has been read as JSON before.
    pub(crate) fn of(raw: &'m str) -> Option<Scalar<'m>> {
        match raw.as_bytes().first()? {
            b'n' => Some(Scalar::Null),
            b't' => Some(Scalar::Bool(true)),
            b'f' => Some(Scalar::Bool(false)),
            b'"' => Some(Scalar::Text(unescape(raw))),
            b'{' | b'[' => None,
            _ => Some(Scalar::Number(raw)),
        }
    }
}

/// The text that a JSON string, with its quotes, stands for.
fn unescape(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len() - 1).unwrap_or_default();
    match memchr::memchr(b'\\', inside.as_bytes()) {
        None => Cow::Borrowed(inside),
        // Half a surrogate pair is the one escape that has no text: its spelling stands for it.
        Some(_) => serde_json::from_str(raw).map_or(Cow::Borrowed(inside), Cow::Owned),
    }
}
