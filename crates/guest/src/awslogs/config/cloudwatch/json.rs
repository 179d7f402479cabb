//! JSON with the lines that its parts stand in.

use crate::awslogs::config::problem::Problems;
use jsonc_parser::{CollectOptions, ParseOptions, ast, parse_to_ast};
use template_text::suggest::did_you_mean;

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line, counted from 1.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub line: usize,
    pub node: Node,
}

/// Parses a file's text. The first breach of JSON's grammar is a fatal problem.
pub fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match parse_to_ast(text, &CollectOptions::default(), &strict) {
        Ok(parsed) => match parsed.value {
            Some(value) => Some(node(text, value)),
            None => {
                problems.fail(None, "the file is empty", "write the agent's configuration into it");
                None
            }
        },
        Err(error) => {
            let what = format!("this is not JSON: {}", error.kind().to_string().to_lowercase());
            problems.fail(line(text, error.range().start), what, "");
            None
        }
    }
}

fn node(text: &str, value: ast::Value<'_>) -> Node {
    let (start, value) = match value {
        ast::Value::NullKeyword(null) => (null.range.start, Value::Null),
        ast::Value::BooleanLit(lit) => (lit.range.start, Value::Bool(lit.value)),
        ast::Value::NumberLit(lit) => (lit.range.start, Value::Number(lit.value.to_owned())),
        ast::Value::StringLit(lit) => (lit.range.start, Value::Text(lit.value.into_owned())),
        ast::Value::Array(array) => {
            let items = array.elements.into_iter().map(|element| node(text, element)).collect();
            (array.range.start, Value::List(items))
        }
        ast::Value::Object(object) => {
            let entries = object.properties.into_iter().map(|property| Entry {
                line: line(text, property.range.start),
                name: property.name.into_string(),
                node: node(text, property.value),
            });
            (object.range.start, Value::Object(entries.collect()))
        }
    };
    Node { line: line(text, start), value }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// An object that is read member by member.
pub struct Object<'a, 'p> {
    /// What it is called in problems: `logs.logs_collected`.
    path: &'static str,
    entries: &'a [Entry],
    /// The line that it begins in.
    pub line: usize,
    pub problems: &'p mut Problems,
}

impl<'a, 'p> Object<'a, 'p> {
    /// `node` as an object; anything else is a fatal problem.
    pub fn new(path: &'static str, node: &'a Node, problems: &'p mut Problems) -> Option<Self> {
        match &node.value {
            Value::Object(entries) => Some(Self { path, entries, line: node.line, problems }),
            other => {
                problems.fail(node.line, format!("{path} is {}, not an object", kind(other)), "");
                None
            }
        }
    }

    /// The member `name`; null counts as none.
    pub fn get(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.name == name && entry.node.value != Value::Null)
    }

    /// The member `name` as an object.
    pub fn object<'q>(&'q mut self, name: &str, path: &'static str) -> Option<Object<'a, 'q>> {
        let entry = self.get(name)?;
        Object::new(path, &entry.node, self.problems)
    }

    /// The member `name` as text with its line.
    pub fn text(&mut self, name: &str) -> Option<(&'a str, usize)> {
        let entry = self.get(name)?;
        match &entry.node.value {
            Value::Text(text) => Some((text, entry.line)),
            other => self.wrong(entry, other, "a string"),
        }
    }

    /// The member `name` as true or false.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let entry = self.get(name)?;
        match &entry.node.value {
            Value::Bool(value) => Some(*value),
            other => self.wrong(entry, other, "true or false"),
        }
    }

    /// The member `name` as a whole number with its line.
    pub fn number(&mut self, name: &str) -> Option<(i64, usize)> {
        let entry = self.get(name)?;
        match &entry.node.value {
            Value::Number(text) if text.parse::<i64>().is_ok() => {
                text.parse().ok().map(|number| (number, entry.line))
            }
            other => self.wrong(entry, other, "a whole number"),
        }
    }

    /// The elements of the member `name`.
    pub fn list(&mut self, name: &str) -> &'a [Node] {
        match self.get(name) {
            Some(Entry { node: Node { value: Value::List(items), .. }, .. }) => items,
            Some(entry) => self.wrong(entry, &entry.node.value, "a list").unwrap_or_default(),
            None => &[],
        }
    }

    fn wrong<T>(&mut self, entry: &Entry, value: &Value, expected: &str) -> Option<T> {
        let what = format!("{}.{} is {}, not {expected}", self.path, entry.name, kind(value));
        self.problems.fail(entry.line, what, "");
        None
    }

    /// Names the members that nobody knows, and those without effect here.
    pub fn name_unknown(&mut self, known: &[&str], without_effect: &[(&str, &str)]) {
        for entry in self.entries {
            let name = entry.name.as_str();
            if let Some((_, why)) = without_effect.iter().find(|(known, _)| *known == name) {
                self.problems.warn(entry.line, format!("{}.{name} has no effect", self.path), *why);
            } else if !known.contains(&name) {
                let advice = did_you_mean(name, known.iter().copied()).unwrap_or_default();
                self.problems.warn(entry.line, format!("{}.{name} is unknown", self.path), advice);
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}
