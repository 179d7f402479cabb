//! Intrinsic and condition functions.

mod parse;
mod sub;

use serde_json::{Value as Json, json};

pub(crate) use parse::{Reader, Scope};
pub use sub::SubPart;

use template_text::suggest::did_you_mean;

use crate::{
    node::{Entry, Map, Node, Value},
    span::{Span, Spanned},
};

/// A function and its arguments. Argument shapes are checked while parsing, so that evaluating and walking need
/// not do it again.
#[derive(Clone, Debug)]
pub enum Function {
    /// `Ref`: a parameter, a pseudo parameter or a resource.
    Ref(Spanned<String>),
    /// `Fn::GetAtt`.
    GetAtt {
        /// The resource's logical id.
        resource: Spanned<String>,
        /// The attribute's name: a string, or a `Ref` to a parameter.
        attribute: Node,
    },
    /// `Fn::Sub`.
    Sub {
        /// The template string, taken apart.
        parts: Vec<SubPart>,
        /// Variables of its own, from the two-argument form.
        variables: Map,
    },
    /// `Fn::Join`.
    Join {
        /// What stands between two values.
        delimiter: String,
        /// A list, or a function that gives one.
        values: Node,
    },
    /// `Fn::Select`.
    Select {
        /// Which item, from 0.
        index: Node,
        /// A list, or a function that gives one.
        values: Node,
    },
    /// `Fn::Split`.
    Split {
        /// Where to cut.
        delimiter: String,
        /// What to cut.
        source: Node,
    },
    /// `Fn::FindInMap`.
    FindInMap {
        /// The mapping's name.
        map: Node,
        /// The first key.
        top_key: Node,
        /// The second key.
        second_key: Node,
    },
    /// `Fn::Base64`.
    Base64(Node),
    /// `Fn::ImportValue`.
    ImportValue(Node),
    /// `Fn::GetAZs`; an empty string means the stack's region.
    GetAzs(Node),
    /// `Fn::Cidr`.
    Cidr {
        /// The block to cut up.
        block: Node,
        /// How many blocks to make, 1 to 256.
        count: Node,
        /// How many host bits each has; 8 when left out.
        bits: Option<Node>,
    },
    /// `Fn::If`.
    If {
        /// The condition's name.
        condition: Spanned<String>,
        /// The value when it holds.
        then: Node,
        /// The value when it does not.
        otherwise: Node,
    },
    /// `Fn::Equals`.
    Equals(Node, Node),
    /// `Fn::And` of 2 to 10 conditions.
    And(Vec<Node>),
    /// `Fn::Or` of 2 to 10 conditions.
    Or(Vec<Node>),
    /// `Fn::Not`.
    Not(Node),
    /// `Condition`: another condition by name.
    Condition(Spanned<String>),
}

/// Every function with the tag of its short form.
const FUNCTIONS: [&str; 17] = [
    "Ref",
    "Condition",
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
];

/// Functions that CloudFormation has and this implementation refuses, with the reason.
const REFUSED: [(&str, &str); 12] = [
    ("Fn::Transform", "macros and transforms are not supported"),
    ("Fn::ForEach", "it needs the transform AWS::LanguageExtensions, which is not supported"),
    ("Fn::Length", "it needs the transform AWS::LanguageExtensions, which is not supported"),
    ("Fn::ToJsonString", "it needs the transform AWS::LanguageExtensions, which is not supported"),
    ("Fn::GetStackOutput", "reading another stack's outputs this way is not supported"),
    ("Fn::Contains", "the Rules section, to which it belongs, is not supported"),
    ("Fn::EachMemberEquals", "the Rules section, to which it belongs, is not supported"),
    ("Fn::EachMemberIn", "the Rules section, to which it belongs, is not supported"),
    ("Fn::RefAll", "the Rules section, to which it belongs, is not supported"),
    ("Fn::ValueOf", "the Rules section, to which it belongs, is not supported"),
    ("Fn::ValueOfAll", "the Rules section, to which it belongs, is not supported"),
    ("Fn::Implies", "the Rules section, to which it belongs, is not supported"),
];

/// The long name of a short-form tag, including the functions that are refused later.
pub(crate) fn long_name(tag: &str) -> Option<&'static str> {
    let names = FUNCTIONS.iter().copied().chain(REFUSED.iter().map(|(name, _)| *name));
    names.into_iter().find(|name| short_name(name) == tag)
}

fn short_name(name: &str) -> &str {
    name.strip_prefix("Fn::").unwrap_or(name)
}

/// Message and hint for a tag that names no function.
pub(crate) fn unknown_tag(tag: &str) -> (String, Option<String>) {
    let near = did_you_mean(tag, FUNCTIONS.iter().map(|name| short_name(name)));
    let hint = near.map(|hint| hint.replacen('\'', "'!", 1));
    (format!("Template error: Encountered unsupported function: !{tag}"), hint)
}

/// Message and hint for a long-form name that is not one of the functions known here.
pub(crate) fn unknown_function(name: &str) -> (String, Option<String>) {
    if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| refused_name(refused, name)) {
        return (format!("Template error: Encountered unsupported function: {name}: {reason}"), None);
    }
    let hint = did_you_mean(name, FUNCTIONS);
    let supported = FUNCTIONS.join(", ");
    let message = format!(
        "Template error: Encountered unsupported function: {name} Supported functions are: [{supported}]"
    );
    (message, hint)
}

/// `Fn::ForEach` carries the name of its loop: `Fn::ForEach::Buckets`.
fn refused_name(refused: &str, name: &str) -> bool {
    name.strip_prefix(refused).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A function in its long form: `{name: argument}`. `GetAtt A.B` becomes `[A, B]`.
pub(crate) fn wrap(name: &str, argument: Node) -> Node {
    let span = argument.span;
    let mut map = Map::new();
    map.insert(name.to_owned(), Entry { key_span: span, node: argument });
    Node::new(span, Value::Map(map))
}

impl Function {
    /// The function's long name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ref(_) => "Ref",
            Self::GetAtt { .. } => "Fn::GetAtt",
            Self::Sub { .. } => "Fn::Sub",
            Self::Join { .. } => "Fn::Join",
            Self::Select { .. } => "Fn::Select",
            Self::Split { .. } => "Fn::Split",
            Self::FindInMap { .. } => "Fn::FindInMap",
            Self::Base64(_) => "Fn::Base64",
            Self::ImportValue(_) => "Fn::ImportValue",
            Self::GetAzs(_) => "Fn::GetAZs",
            Self::Cidr { .. } => "Fn::Cidr",
            Self::If { .. } => "Fn::If",
            Self::Equals(..) => "Fn::Equals",
            Self::And(_) => "Fn::And",
            Self::Or(_) => "Fn::Or",
            Self::Not(_) => "Fn::Not",
            Self::Condition(_) => "Condition",
        }
    }

    /// The nodes among the arguments that may hold functions themselves.
    pub fn arguments(&self) -> Vec<&Node> {
        match self {
            Self::Ref(_) | Self::Condition(_) => Vec::new(),
            Self::GetAtt { attribute, .. } => vec![attribute],
            Self::Sub { variables, .. } => variables.values().map(|entry| &entry.node).collect(),
            Self::Join { values, .. } => vec![values],
            Self::Select { index, values } => vec![index, values],
            Self::Split { source, .. } => vec![source],
            Self::FindInMap { map, top_key, second_key } => vec![map, top_key, second_key],
            Self::Base64(node) | Self::ImportValue(node) | Self::GetAzs(node) | Self::Not(node) => vec![node],
            Self::Cidr { block, count, bits } => [block, count].into_iter().chain(bits).collect(),
            Self::If { then, otherwise, .. } => vec![then, otherwise],
            Self::Equals(left, right) => vec![left, right],
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().collect(),
        }
    }

    /// Whether the function can give a list: `Ref` and `If` depend on what they lead to, and count as such.
    pub fn may_be_list(&self) -> bool {
        !matches!(self, Self::Sub { .. } | Self::Join { .. } | Self::Base64(_))
    }

    /// The function as JSON, in its long form.
    pub fn to_json(&self) -> Json {
        json!({ self.name(): self.argument_json() })
    }

    fn argument_json(&self) -> Json {
        match self {
            Self::Ref(name) | Self::Condition(name) => json!(name.value),
            Self::GetAtt { resource, attribute } => json!([resource.value, attribute.to_json()]),
            Self::Sub { parts, variables } => {
                let text: String = parts.iter().map(SubPart::source).collect();
                if variables.is_empty() {
                    return Json::String(text);
                }
                json!([text, Node::new(Span::default(), Value::Map(variables.clone())).to_json()])
            }
            Self::Join { delimiter, values } => json!([delimiter, values.to_json()]),
            Self::Select { index, values } => json!([index.to_json(), values.to_json()]),
            Self::Split { delimiter, source } => json!([delimiter, source.to_json()]),
            Self::Base64(node) | Self::ImportValue(node) | Self::GetAzs(node) => node.to_json(),
            Self::If { condition, then, otherwise } => {
                json!([condition.value, then.to_json(), otherwise.to_json()])
            }
            Self::FindInMap { .. }
            | Self::Cidr { .. }
            | Self::Equals(..)
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_) => Json::Array(self.arguments().into_iter().map(Node::to_json).collect()),
        }
    }
}
