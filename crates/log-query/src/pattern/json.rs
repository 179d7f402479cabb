//! Patterns on JSON: `{ $.level = "ERR*" && ($.took >= 3e3 || $.retry IS TRUE) }`.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::condition::{Condition, Parser, Test};
use super::cursor::Cursor;
use super::selector::{Selector, Step};
use super::{Extracted, PatternError};

/// A condition on the properties of a message that is JSON.
#[derive(Debug, Clone)]
pub(super) struct JsonPattern {
    /// What is asked for, by the number of its selector.
    condition: Condition<usize>,
    selectors: Vec<Selector>,
    /// The same selectors as a tree, along which a message is read once.
    tree: Node,
    /// What every matching message contains that writes no character as an escape.
    literals: Vec<Finder<'static>>,
}

impl JsonPattern {
    pub(super) fn parse(pattern: &str) -> Result<JsonPattern, PatternError> {
        let mut cursor = Cursor::new(pattern);
        cursor.skip_spaces();
        cursor.next();
        let mut selectors: Vec<Selector> = Vec::new();
        let subject = |cursor: &mut Cursor<'_>| {
            let selector = Selector::parse(cursor)?;
            let known = selectors.iter().position(|known| known.steps == selector.steps);
            Ok(known.unwrap_or_else(|| {
                selectors.push(selector);
                selectors.len() - 1
            }))
        };
        let condition = Parser { cursor: &mut cursor, subject, regexes: &mut 0, states: true }.condition()?;
        cursor.skip_spaces();
        if !cursor.eat("}") {
            return Err(cursor.expected("'}', '&&' or '||'"));
        }
        cursor.skip_spaces();
        if cursor.peek().is_some() {
            return Err(cursor.error("nothing may follow the closing '}'"));
        }
        let mut tree = Node::default();
        for (slot, selector) in selectors.iter().enumerate() {
            tree.grow(&selector.steps).slot = Some(slot);
        }
        let literals = literals(&condition, &selectors);
        Ok(JsonPattern { condition, selectors, tree, literals })
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.may_match(message) && self.values(message).is_some_and(|values| self.holds(&values))
    }

    pub(super) fn extract(&self, message: &str) -> Option<Extracted> {
        let values = self.values(message).filter(|values| self.holds(values))?;
        let text = |(selector, found): (&Selector, &Values<'_>)| {
            let value = Value::of(found.first()?);
            Some((selector.written.clone(), value.text()?.into_owned()))
        };
        Some(self.selectors.iter().zip(&values).filter_map(text).collect())
    }

    /// Whether it is worth while to read a message as JSON.
    fn may_match(&self, message: &str) -> bool {
        let bytes = message.as_bytes();
        matches!(message.trim_start().as_bytes().first(), Some(b'{' | b'['))
            && (self.literals.iter().all(|literal| literal.find(bytes).is_some())
                || memchr::memchr(b'\\', bytes).is_some())
    }

    fn holds(&self, values: &[Values<'_>]) -> bool {
        self.condition.holds(&|slot: &usize, test: &Test| match test {
            Test::NotExists => values[*slot].is_empty(),
            _ => values[*slot].iter().any(|raw| holds(test, &Value::of(raw))),
        })
    }

    /// What the selectors find in a message; `None` when it is not JSON.
    fn values<'m>(&self, message: &'m str) -> Option<Vec<Values<'m>>> {
        let mut values = vec![Values::new(); self.selectors.len()];
        let mut deserializer = serde_json::Deserializer::from_str(message);
        Reader { node: &self.tree, values: &mut values }.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(values)
    }
}

/// The raw JSON of what a selector finds: more than one value only where it has `[*]`.
type Values<'m> = Vec<&'m str>;

/// A value of JSON, as far as tests tell values apart.
enum Value<'m> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'m str),
    Text(Cow<'m, str>),
    /// An array or an object, which no test holds for.
    Composite,
}

impl<'m> Value<'m> {
    fn of(raw: &&'m str) -> Value<'m> {
        match raw.as_bytes().first() {
            Some(b'n') => Value::Null,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => Value::Text(unescape(raw)),
            Some(b'{' | b'[') => Value::Composite,
            _ => Value::Number(raw),
        }
    }

    /// The value as text; arrays, objects and null are none.
    fn text(self) -> Option<Cow<'m, str>> {
        match self {
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(Cow::Borrowed(number)),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            Value::Null | Value::Composite => None,
        }
    }
}

/// The text that a JSON string stands for. `raw` has been parsed before, with its quotes.
fn unescape(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len() - 1).unwrap_or_default();
    match memchr::memchr(b'\\', inside.as_bytes()) {
        None => Cow::Borrowed(inside),
        // A lone surrogate is the one escape that has no text; the spelling stands for it.
        Some(_) => serde_json::from_str(raw).map_or(Cow::Borrowed(inside), Cow::Owned),
    }
}

fn holds(test: &Test, value: &Value<'_>) -> bool {
    match (test, value) {
        (Test::IsNull, value) => matches!(value, Value::Null),
        (Test::IsBool(wanted), value) => matches!(value, Value::Bool(is) if is == wanted),
        (test, Value::Number(number)) => test.holds_for_number(number),
        (test, Value::Text(text)) => test.holds_for_text(text),
        (test, Value::Bool(is)) => test.holds_for_text(if *is { "true" } else { "false" }),
        (_, Value::Null | Value::Composite) => false,
    }
}

/// What a message without escapes contains if the condition is to hold: names of properties and texts, which JSON
/// can write in one other way only, with a backslash.
fn literals(condition: &Condition<usize>, selectors: &[Selector]) -> Vec<Finder<'static>> {
    let mut texts: Vec<String> = Vec::new();
    for (slot, test) in condition.certain_tests() {
        if matches!(test, Test::NotExists) {
            continue;
        }
        let keys = selectors[*slot].steps.iter().rev();
        texts.extend(keys.filter_map(|step| match step {
            Step::Key(name) => Some(format!("\"{name}\"")),
            Step::Index(_) | Step::Every => None,
        }));
        if let Test::Text { equal: true, text } = test {
            texts.extend(text.literal().map(str::to_owned));
        }
    }
    texts.dedup();
    texts.into_iter().map(|text| Finder::new(&text).into_owned()).collect()
}

/// Selectors as a tree.
#[derive(Debug, Clone, Default)]
struct Node {
    /// The selector that ends here.
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
struct Reader<'t, 'v, 'm> {
    node: &'t Node,
    values: &'v mut [Values<'m>],
}

impl<'m> Reader<'_, '_, 'm> {
    /// Takes a value that has been skipped, and goes on into it if the tree does.
    fn take(self, raw: &'m RawValue) -> Result<(), serde_json::Error> {
        if let Some(slot) = self.node.slot {
            self.values[slot].push(raw.get());
        }
        match self.node.keys.is_empty() && self.node.elements.is_empty() {
            true => Ok(()),
            false => serde_json::Deserializer::from_str(raw.get()).deserialize_any(self),
        }
    }
}

impl<'m> DeserializeSeed<'m> for Reader<'_, '_, 'm> {
    type Value = ();

    fn deserialize<D: Deserializer<'m>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node.slot {
            None => deserializer.deserialize_any(self),
            Some(_) => self.take(Deserialize::deserialize(deserializer)?).map_err(D::Error::custom),
        }
    }
}

impl<'m> Visitor<'m> for Reader<'_, '_, 'm> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(node) = map.next_key_seed(KeyAmong(&self.node.keys))? {
            match node {
                Some(node) => map.next_value_seed(Reader { node, values: self.values })?,
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
                Reader { node, values: self.values }.take(raw).map_err(A::Error::custom)?;
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

/// Reads a name and finds its node among some.
struct KeyAmong<'t>(&'t [(String, Node)]);

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
        Ok(self.0.iter().find(|(name, _)| name == key).map(|(_, node)| node))
    }
}
