//! Patterns on JSON: `{ $.level = "ERR*" && ($.took >= 3e3 || $.retry IS TRUE) }`.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::condition::{Condition, Parser, Test};
use super::cursor::Cursor;
use super::selector::Selector;
use super::{Extracted, PatternError};
use crate::json::{Scalar, Step, Tree};

/// A condition on the properties of a message that is JSON.
#[derive(Debug, Clone)]
pub(super) struct JsonPattern {
    /// What is asked for, by the number of its selector.
    condition: Condition<usize>,
    selectors: Vec<Selector>,
    /// The same selectors as a tree, along which a message is read once.
    tree: Tree,
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
        let mut tree = Tree::default();
        for (slot, selector) in selectors.iter().enumerate() {
            tree.insert(selector.steps.iter().cloned(), slot);
        }
        let literals = literals(&condition, &selectors);
        Ok(JsonPattern { condition, selectors, tree, literals })
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.may_match(message) && self.values(message).is_some_and(|values| self.holds(&values))
    }

    pub(super) fn extract(&self, message: &str) -> Option<Extracted> {
        let values = self.values(message).filter(|values| self.holds(values))?;
        let named = |(selector, found): (&Selector, &Values<'_>)| {
            let value = text(Scalar::of(found.first()?)?)?;
            Some((selector.written.clone(), value.into_owned()))
        };
        Some(self.selectors.iter().zip(&values).filter_map(named).collect())
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
            _ => values[*slot].iter().any(|raw| holds(test, raw)),
        })
    }

    /// What the selectors find in a message; `None` when it is not JSON.
    fn values<'m>(&self, message: &'m str) -> Option<Vec<Values<'m>>> {
        let mut values = vec![Values::new(); self.selectors.len()];
        self.tree.read(message, &mut |slot, raw| values[slot].push(raw)).then_some(values)
    }
}

/// The raw JSON of what a selector finds: more than one value only where it has `[*]`.
type Values<'m> = Vec<&'m str>;

/// The value as text, where it is one that has a text.
fn text(value: Scalar<'_>) -> Option<Cow<'_, str>> {
    match value {
        Scalar::Text(text) => Some(text),
        Scalar::Number(number) => Some(Cow::Borrowed(number)),
        Scalar::Bool(truth) => Some(Cow::Borrowed(spelling(truth))),
        Scalar::Null => None,
    }
}

fn spelling(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

/// Whether a test holds for what was found, as raw JSON. For arrays and objects no test holds.
fn holds(test: &Test, raw: &str) -> bool {
    match (test, Scalar::of(raw)) {
        (_, None) => false,
        (Test::IsNull, Some(value)) => matches!(value, Scalar::Null),
        (Test::IsBool(wanted), Some(value)) => matches!(value, Scalar::Bool(is) if is == *wanted),
        (test, Some(Scalar::Number(number))) => test.holds_for_number(number),
        (test, Some(Scalar::Text(text))) => test.holds_for_text(&text),
        (test, Some(Scalar::Bool(truth))) => test.holds_for_text(spelling(truth)),
        (_, Some(Scalar::Null)) => false,
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
            Step::Index(_) | Step::Every | Step::Part(..) => None,
        }));
        if let Test::Text { equal: true, text } = test {
            texts.extend(text.literal().map(str::to_owned));
        }
    }
    texts.dedup();
    texts.into_iter().map(|text| Finder::new(&text).into_owned()).collect()
}
