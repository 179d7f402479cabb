//! What a node refers to.

use crate::{
    evaluate::Conditions,
    function::{Function, SubPart},
    node::{Node, Value},
    span::Span,
};

/// A reference by `Ref`, `Fn::GetAtt` or `Fn::Sub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// A resource's logical id, or for [`ReferenceKind::Ref`] also a parameter or pseudo parameter.
    pub name: &'a str,
    /// What is asked of it.
    pub kind: ReferenceKind<'a>,
    /// Where it stands.
    pub span: Span,
    /// The function it is in: `Ref`, `Fn::GetAtt` or `Fn::Sub`.
    pub function: &'static str,
}

/// What a reference asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind<'a> {
    /// What `Ref` gives.
    Ref,
    /// An attribute; `None` when its name is a parameter's value.
    Attribute(Option<&'a str>),
}

/// Which branches of `Fn::If` count.
#[derive(Clone, Copy)]
pub(crate) enum Branches<'a> {
    /// Both: for checking that every reference leads somewhere.
    Both,
    /// Neither: for what holds whatever the parameters are.
    Neither,
    /// The one that is taken.
    Taken(&'a Conditions),
}

/// The references in a node, in the order written.
pub(crate) fn references<'a>(node: &'a Node, branches: Branches<'_>) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    functions(node, branches, &mut |function, span| found.extend(direct(function, span)));
    found
}

/// Calls `visit` with every function in a node, outer before inner.
pub(crate) fn functions<'a>(
    node: &'a Node,
    branches: Branches<'_>,
    visit: &mut dyn FnMut(&'a Function, Span),
) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| functions(item, branches, visit)),
        Value::Map(map) => map.values().for_each(|entry| functions(&entry.node, branches, visit)),
        Value::Function(function) => {
            visit(function, node.span);
            for argument in taken(function, branches) {
                functions(argument, branches, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => {}
    }
}

fn taken<'a>(function: &'a Function, branches: Branches<'_>) -> Vec<&'a Node> {
    match (function, branches) {
        (Function::If { .. }, Branches::Neither) => Vec::new(),
        (Function::If { condition, then, otherwise }, Branches::Taken(conditions)) => {
            vec![if conditions.holds(&condition.value) { then } else { otherwise }]
        }
        _ => function.arguments(),
    }
}

/// The references a function makes itself, not those in its arguments.
fn direct(function: &Function, span: Span) -> Vec<Reference<'_>> {
    let name = function.name();
    match function {
        Function::Ref(target) => {
            vec![Reference {
                name: &target.value,
                kind: ReferenceKind::Ref,
                span: target.span,
                function: name,
            }]
        }
        Function::GetAtt { resource, attribute } => {
            let kind = ReferenceKind::Attribute(attribute.as_str());
            vec![Reference { name: &resource.value, kind, span, function: name }]
        }
        Function::Sub { parts, variables } => parts
            .iter()
            .filter_map(|part| match part {
                SubPart::Variable { name, span } if !variables.contains_key(name) => {
                    Some(variable(name, *span))
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn variable(text: &str, span: Span) -> Reference<'_> {
    let (name, kind) = match text.split_once('.') {
        Some((name, attribute)) => (name, ReferenceKind::Attribute(Some(attribute))),
        None => (text, ReferenceKind::Ref),
    };
    Reference { name, kind, span, function: "Fn::Sub" }
}
