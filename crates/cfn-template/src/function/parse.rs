//! From `{Fn::Name: argument}` to [`Function`], with every argument's shape checked.

use super::{Function, SubPart, sub};
use crate::{
    error::Errors,
    node::{Entry, Map, Node, Value},
    source::Source,
    span::{Place, Span, Spanned},
};

/// Which functions may stand where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Resources and outputs: everything but condition functions.
    Value,
    /// The `Conditions` section: condition functions and functions of parameters and mappings.
    Condition,
}

/// Reads functions out of a plain value tree.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) errors: &'a mut Errors,
}

impl Reader<'_> {
    /// The same tree with every function recognised. A function in error stays a plain object: its error is
    /// recorded, and a template with an error is not used.
    pub(crate) fn read(&mut self, node: Node, scope: Scope, place: &Place<'_>) -> Node {
        let Node { span, value } = node;
        let value = match value {
            Value::List(items) => Value::List(self.read_items(items, scope, place)),
            Value::Map(map) => match function_name(&map, scope) {
                Some(name) => return self.read_function(span, name, map, scope, place),
                None => Value::Map(self.read_members(map, scope, place)),
            },
            other => other,
        };
        Node::new(span, value)
    }

    fn read_items(&mut self, items: Vec<Node>, scope: Scope, place: &Place<'_>) -> Vec<Node> {
        let read = |(index, item)| self.read(item, scope, &place.index(index));
        items.into_iter().enumerate().map(read).collect()
    }

    fn read_members(&mut self, map: Map, scope: Scope, place: &Place<'_>) -> Map {
        let mut members = Map::with_capacity(map.len());
        for (key, Entry { key_span, node }) in map {
            if key.starts_with("Fn::") {
                let message = format!("Template error: {key} must be the only member of its object");
                self.errors.add(&place.child(&key), key_span, message);
            }
            let node = self.read(node, scope, &place.child(&key));
            members.insert(key, Entry { key_span, node });
        }
        members
    }

    fn read_function(&mut self, span: Span, name: String, map: Map, scope: Scope, place: &Place<'_>) -> Node {
        let here = place.child(&name);
        let Some(Entry { key_span, node: argument }) = map.into_values().next() else {
            return Node::new(span, Value::Map(Map::new()));
        };
        if !super::FUNCTIONS.contains(&name.as_str()) {
            let (message, hint) = super::unknown_function(&name);
            self.errors.hint(&here, key_span, message, hint);
            return Node::new(span, Value::Null);
        }
        if !allowed(&name, scope) {
            let message = match scope {
                Scope::Value => format!("Template error: {name} can be used only in the Conditions block"),
                Scope::Condition => format!("Template error: {name} cannot be used in the Conditions block"),
            };
            self.errors.add(&here, key_span, message);
            return Node::new(span, Value::Null);
        }
        match self.arguments(&name, argument, scope, &here) {
            Ok(function) => Node::new(span, Value::Function(Box::new(function))),
            Err(Shape(span, message)) => {
                // The usual cause is a shell's `${NAME:-default}` in user data.
                let hint =
                    (message == SUB_NAME).then(|| "write ${!…} for text that is no variable".to_owned());
                self.errors.hint(&here, span, message, hint);
                Node::new(span, Value::Null)
            }
        }
    }

    fn arguments(
        &mut self,
        name: &str,
        node: Node,
        scope: Scope,
        place: &Place<'_>,
    ) -> Result<Function, Shape> {
        match name {
            "Ref" => Ok(Function::Ref(name_of(
                node,
                "Template error: every Ref object must have a single String value.",
            )?)),
            "Condition" => Ok(Function::Condition(name_of(
                node,
                "Template error: every Condition object must have a single String value.",
            )?)),
            "Fn::GetAtt" => self.get_att(node, place),
            "Fn::Sub" => self.sub(node, scope, place),
            "Fn::Join" => {
                let (span, [delimiter, values]) = self.fixed(node, scope, place, JOIN)?;
                let delimiter = literal(&delimiter).ok_or(Shape(delimiter.span, JOIN.into()))?;
                list_like(&values, JOIN).map_err(|message| Shape(span, message))?;
                Ok(Function::Join { delimiter, values })
            }
            "Fn::Select" => {
                let (_, [index, values]) = self.fixed(node, scope, place, SELECT)?;
                list_like(&values, SELECT).map_err(|message| Shape(values.span, message))?;
                Ok(Function::Select { index, values })
            }
            "Fn::Split" => {
                let (_, [delimiter, source]) = self.fixed(node, scope, place, SPLIT)?;
                let delimiter = literal(&delimiter)
                    .filter(|text| !text.is_empty())
                    .ok_or(Shape(delimiter.span, SPLIT.into()))?;
                string_like(&source, SPLIT)?;
                Ok(Function::Split { delimiter, source })
            }
            "Fn::FindInMap" => self.find_in_map(node, scope, place),
            "Fn::Base64" => Ok(Function::Base64(self.string(node, scope, place, BASE64)?)),
            "Fn::ImportValue" => Ok(Function::ImportValue(self.string(node, scope, place, IMPORT)?)),
            "Fn::GetAZs" => Ok(Function::GetAzs(self.string(node, scope, place, GET_AZS)?)),
            "Fn::Cidr" => self.cidr(node, scope, place),
            "Fn::If" => {
                let (_, [condition, then, otherwise]) = self.fixed(node, scope, place, IF)?;
                Ok(Function::If { condition: name_of(condition, IF)?, then, otherwise })
            }
            "Fn::Equals" => {
                let (_, [left, right]) = self.fixed(node, scope, place, EQUALS)?;
                Ok(Function::Equals(left, right))
            }
            "Fn::Not" => {
                let (_, [operand]) = self.fixed(node, scope, place, NOT)?;
                boolean_like(&operand, NOT)?;
                Ok(Function::Not(operand))
            }
            "Fn::And" => Ok(Function::And(self.operands(node, scope, place, "Fn::And")?)),
            _ => Ok(Function::Or(self.operands(node, scope, place, "Fn::Or")?)),
        }
    }

    /// A list of exactly `N` arguments, read.
    fn fixed<const N: usize>(
        &mut self,
        node: Node,
        scope: Scope,
        place: &Place<'_>,
        message: &str,
    ) -> Result<(Span, [Node; N]), Shape> {
        let span = node.span;
        let Value::List(items) = node.value else { return Err(Shape(span, message.into())) };
        if items.len() != N {
            return Err(Shape(span, message.into()));
        }
        let items = self.read_items(items, scope, place);
        items.try_into().map(|items| (span, items)).map_err(|_| Shape(span, message.into()))
    }

    fn string(&mut self, node: Node, scope: Scope, place: &Place<'_>, message: &str) -> Result<Node, Shape> {
        let node = self.read(node, scope, place);
        string_like(&node, message)?;
        Ok(node)
    }

    fn operands(
        &mut self,
        node: Node,
        scope: Scope,
        place: &Place<'_>,
        name: &str,
    ) -> Result<Vec<Node>, Shape> {
        let message = format!(
            "Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
        );
        let span = node.span;
        let Value::List(items) = node.value else { return Err(Shape(span, message)) };
        if !(2..=10).contains(&items.len()) {
            return Err(Shape(span, message));
        }
        let items = self.read_items(items, scope, place);
        items.iter().try_for_each(|item| boolean_like(item, &message))?;
        Ok(items)
    }

    fn get_att(&mut self, node: Node, place: &Place<'_>) -> Result<Function, Shape> {
        let span = node.span;
        let shape = || Shape(span, GET_ATT.into());
        let (resource, attribute) = match node.value {
            Value::String(text) => {
                let (resource, attribute) = text.split_once('.').ok_or_else(shape)?;
                (
                    Spanned::new(span, resource.to_owned()),
                    Node::new(span, Value::String(attribute.to_owned())),
                )
            }
            Value::List(items) => {
                let [resource, attribute]: [Node; 2] = items.try_into().map_err(|_| shape())?;
                (name_of(resource, GET_ATT)?, self.read(attribute, Scope::Value, &place.index(1)))
            }
            _ => return Err(shape()),
        };
        let named = match &attribute.value {
            Value::String(name) => !name.is_empty(),
            Value::Function(function) => matches!(**function, Function::Ref(_)),
            _ => false,
        };
        if resource.value.is_empty() || !named {
            return Err(shape());
        }
        Ok(Function::GetAtt { resource, attribute })
    }

    fn sub(&mut self, node: Node, scope: Scope, place: &Place<'_>) -> Result<Function, Shape> {
        let span = node.span;
        let (text, variables) = match node.value {
            Value::List(items) => {
                let [text, variables]: [Node; 2] = items.try_into().map_err(|_| Shape(span, SUB.into()))?;
                let Value::Map(map) = variables.value else { return Err(Shape(variables.span, SUB.into())) };
                (text, self.read_members(map, scope, &place.index(1)))
            }
            _ => (node, Map::new()),
        };
        let Some(written) = literal(&text) else { return Err(Shape(text.span, SUB.into())) };
        let mut parts = Vec::new();
        for piece in sub::pieces(&written) {
            parts.push(match piece {
                sub::Piece::Literal(text) => SubPart::Literal(text.to_owned()),
                sub::Piece::Escaped(name) => SubPart::Escaped(name.to_owned()),
                sub::Piece::Variable(name) => {
                    let span = self.source.find(text.span, &["${", name]);
                    if !sub::is_name(name) {
                        return Err(Shape(span, SUB_NAME.into()));
                    }
                    SubPart::Variable { name: name.to_owned(), span }
                }
            });
        }
        Ok(Function::Sub { parts, variables })
    }

    fn find_in_map(&mut self, node: Node, scope: Scope, place: &Place<'_>) -> Result<Function, Shape> {
        if let Value::List(items) = &node.value
            && let [_, _, _, default] = items.as_slice()
        {
            let message = "Template error: DefaultValue of Fn::FindInMap needs the transform \
                           AWS::LanguageExtensions, which is not supported";
            return Err(Shape(default.span, message.into()));
        }
        let (_, [map, top_key, second_key]) = self.fixed(node, scope, place, FIND_IN_MAP)?;
        for key in [&map, &top_key, &second_key] {
            let simple = match &key.value {
                Value::Function(function) => {
                    matches!(**function, Function::Ref(_) | Function::FindInMap { .. })
                }
                _ => literal(key).is_some(),
            };
            if !simple {
                return Err(Shape(key.span, FIND_IN_MAP.into()));
            }
        }
        Ok(Function::FindInMap { map, top_key, second_key })
    }

    fn cidr(&mut self, node: Node, scope: Scope, place: &Place<'_>) -> Result<Function, Shape> {
        let span = node.span;
        let Value::List(items) = node.value else { return Err(Shape(span, CIDR.into())) };
        let mut items = self.read_items(items, scope, place).into_iter();
        let (Some(block), Some(count), bits, None) = (items.next(), items.next(), items.next(), items.next())
        else {
            return Err(Shape(span, CIDR.into()));
        };
        Ok(Function::Cidr { block, count, bits })
    }
}

/// A wrong argument: where, and what it should have been.
struct Shape(Span, String);

const JOIN: &str = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and \
                    (2) a list of strings to be joined or a function that returns a list of strings (such as \
                    Fn::GetAZs) to be joined.";
const SELECT: &str =
    "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
const SPLIT: &str = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and \
                     (2) a string to be split or a function that returns a string to be split.";
const FIND_IN_MAP: &str = "Template error: every Fn::FindInMap object requires three parameters, the map name, \
                           map key and the attribute for return value";
const BASE64: &str = "Template error: every Fn::Base64 object must have a String-typed value.";
const IMPORT: &str = "Template error: every Fn::ImportValue object must have a String-typed value.";
const GET_AZS: &str = "Template error: every Fn::GetAZs object must have a String-typed value.";
const CIDR: &str = "Template error: every Fn::Cidr object requires two or three parameters, the ip block, the \
                    number of CIDRs to generate and the number of subnet bits of each";
const IF: &str = "Template error: Fn::If requires a list argument with three elements";
const EQUALS: &str = "Template error: every Fn::Equals object requires a list of 2 string parameters.";
const NOT: &str = "Template error: every Fn::Not object requires one boolean parameter.";
const GET_ATT: &str = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource \
                       name and the resource attribute";
const SUB: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. \
                   Specify a string as first argument, and an optional second argument to specify a mapping of \
                   values to replace in the string";
const SUB_NAME: &str = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric \
                        characters, underscores, periods, and colons";

/// The function an object is, if it is one: its only key is `Ref` or begins with `Fn::`. `Condition` is a
/// function only among conditions; elsewhere it is data, such as a part of an IAM statement.
fn function_name(map: &Map, scope: Scope) -> Option<String> {
    let (name, _) = map.first().filter(|_| map.len() == 1)?;
    let condition = name == "Condition" && scope == Scope::Condition;
    (name == "Ref" || condition || name.starts_with("Fn::")).then(|| name.clone())
}

fn allowed(name: &str, scope: Scope) -> bool {
    let boolean = matches!(name, "Condition" | "Fn::And" | "Fn::Equals" | "Fn::Not" | "Fn::Or");
    let of_resources =
        matches!(name, "Fn::GetAtt" | "Fn::ImportValue" | "Fn::GetAZs" | "Fn::Base64" | "Fn::Cidr");
    match scope {
        Scope::Value => !boolean,
        Scope::Condition => !of_resources && name != "Fn::If",
    }
}

fn name_of(node: Node, message: &str) -> Result<Spanned<String>, Shape> {
    match node.value {
        Value::String(name) if !name.is_empty() => Ok(Spanned::new(node.span, name)),
        _ => Err(Shape(node.span, message.into())),
    }
}

/// The text of a scalar that is no function.
fn literal(node: &Node) -> Option<String> {
    node.scalar_text()
}

fn list_like(node: &Node, message: &str) -> Result<(), String> {
    let good = match &node.value {
        Value::List(_) => true,
        Value::Function(function) => function.may_be_list(),
        // The place of a function whose own error is recorded already.
        Value::Null => true,
        _ => false,
    };
    if good { Ok(()) } else { Err(message.to_owned()) }
}

fn string_like(node: &Node, message: &str) -> Result<(), Shape> {
    match &node.value {
        Value::List(_) | Value::Map(_) => Err(Shape(node.span, message.into())),
        _ => Ok(()),
    }
}

fn boolean_like(node: &Node, message: &str) -> Result<(), Shape> {
    let good = match &node.value {
        Value::Function(function) => {
            matches!(
                **function,
                Function::Condition(_)
                    | Function::Equals(..)
                    | Function::And(_)
                    | Function::Or(_)
                    | Function::Not(_)
            )
        }
        Value::Null => true,
        _ => false,
    };
    if good { Ok(()) } else { Err(Shape(node.span, message.into())) }
}
