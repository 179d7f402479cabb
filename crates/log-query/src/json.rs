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
    keys: Vec<(String, Node)>,
    elements: Vec<(Element, Node)>,
}

/// Which elements of an array a step goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    At(usize),
    Every,
}

impl Tree {
    /// A tree of flattened names: `a.0` is the element 0 of `a`, the member `0` of `a`, and what is named `a.0`.
    pub(crate) fn dotted() -> Tree {
        Tree { dotted: true, ..Tree::default() }
    }

    /// Wants the value at the end of some steps, and gives it a number.
    pub(crate) fn insert(&mut self, steps: &[Step], slot: usize) {
        self.root.grow(steps).slot = Some(slot);
    }

    /// Wants the value of a flattened name.
    pub(crate) fn insert_name(&mut self, name: &str, slot: usize) {
        self.root.grow_name(name, slot);
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
    /// The node at the end of some steps, made if need be.
    fn grow(&mut self, steps: &[Step]) -> &mut Node {
        let Some((step, rest)) = steps.split_first() else { return self };
        let next = match step {
            Step::Key(name) => child(&mut self.keys, name.clone()),
            Step::Index(index) => child(&mut self.elements, Element::At(*index)),
            Step::Every => child(&mut self.elements, Element::Every),
        };
        next.grow(rest)
    }

    fn grow_name(&mut self, name: &str, slot: usize) {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let go_on = |node: &mut Node| match rest {
            Some(rest) => node.grow_name(rest, slot),
            None => node.slot = Some(slot),
        };
        go_on(child(&mut self.keys, first.to_owned()));
        if let Ok(index) = first.parse() {
            go_on(child(&mut self.elements, Element::At(index)));
        }
    }

    fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.elements.is_empty()
    }

    fn key(&self, key: &str) -> Option<&Node> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }
}

fn child<K: PartialEq>(children: &mut Vec<(K, Node)>, key: K) -> &mut Node {
    let found = children.iter().position(|(known, _)| *known == key);
    let at = found.unwrap_or_else(|| {
        children.push((key, Node::default()));
        children.len() - 1
    });
    &mut children[at].1
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
        match self.node.is_leaf() {
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
        if self.node.elements.is_empty() {
            while array.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut index = 0;
        while let Some(raw) = array.next_element::<&'m RawValue>()? {
            let here = |element: Element| element == Element::At(index) || element == Element::Every;
            for (_, node) in self.node.elements.iter().filter(|(element, _)| here(*element)) {
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
