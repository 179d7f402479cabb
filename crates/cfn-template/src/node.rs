//! The value tree of a template: every node knows its place, functions are nodes of their own.

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::{function::Function, span::Span};

/// A value in the template and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value begins.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// An empty value (`~`, `null` or nothing). Refused everywhere but in `Metadata` of the template.
    Null,
    /// `true`, `false` and YAML 1.1's other spellings.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Map),
    /// An intrinsic function or condition function, in its short or long form.
    Function(Box<Function>),
}

/// A mapping, in the order written.
pub type Map = IndexMap<String, Entry>;

/// A mapping's member.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A node at a place.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value }
    }

    /// The text, when the node is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text CloudFormation sees in a scalar: numbers and booleans count as their text.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(float_json(*number).to_string().trim_matches('"').to_owned()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Function(_) => None,
        }
    }

    /// The members, when the node is a mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, when the node is a sequence.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The function, when the node is one.
    pub fn as_function(&self) -> Option<&Function> {
        match &self.value {
            Value::Function(function) => Some(function),
            _ => None,
        }
    }

    /// The member `key`, when the node is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).map(|entry| &entry.node)
    }

    /// What the node is, for error messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
            Value::Function(_) => "a function",
        }
    }

    /// The node as JSON, functions in their long form.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => float_json(*number),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect())
            }
            Value::Function(function) => function.to_json(),
        }
    }
}

/// JSON has no infinities; they stay the text that YAML has for them.
pub(crate) fn float_json(number: f64) -> Json {
    match serde_json::Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None if number.is_nan() => Json::from(".nan"),
        None if number > 0.0 => Json::from(".inf"),
        None => Json::from("-.inf"),
    }
}
