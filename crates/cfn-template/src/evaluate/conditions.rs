//! The values of a template's conditions.

use std::collections::BTreeMap;

use crate::{
    error::{Errors, TemplateError, TemplateErrors},
    evaluate::engine::Engine,
    function::Function,
    node::{Node, Value},
    parameters::ParameterValues,
    pseudo::PseudoParameters,
    span::{Place, Spanned},
    template::{Resource, Template},
};

/// The values of a template's conditions under one set of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(BTreeMap<String, bool>);

impl Conditions {
    /// Evaluates every condition of a template.
    ///
    /// # Errors
    /// Every condition that cannot be evaluated.
    pub fn evaluate(
        template: &Template,
        parameters: &ParameterValues,
        pseudo: &PseudoParameters,
    ) -> Result<Self, TemplateErrors> {
        let none = Self::default();
        let engine =
            Engine { template, parameters, pseudo, resolver: None, conditions: &none, dynamic: false };
        let mut known = Known { engine, values: BTreeMap::new(), open: Vec::new() };
        let mut errors = Errors::default();
        for name in template.conditions.keys() {
            if let Err(error) = known.named(name) {
                errors.push(error);
            }
        }
        let values = std::mem::take(&mut known.values);
        errors.into_result(Self(values))
    }

    /// Whether the condition of that name holds; one that is not declared does not.
    pub fn holds(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }

    /// Whether a resource is part of the stack.
    pub fn include(&self, resource: &Resource) -> bool {
        self.allow(resource.condition.as_ref())
    }

    pub(crate) fn allow(&self, condition: Option<&Spanned<String>>) -> bool {
        condition.is_none_or(|name| self.holds(&name.value))
    }
}

/// Conditions evaluated so far.
struct Known<'a> {
    engine: Engine<'a>,
    values: BTreeMap<String, bool>,
    open: Vec<String>,
}

impl Known<'_> {
    fn named(&mut self, name: &str) -> Result<bool, TemplateError> {
        if let Some(value) = self.values.get(name) {
            return Ok(*value);
        }
        let Some(entry) = self.engine.template.conditions.get(name) else {
            return Err(TemplateError::new(format!(
                "Template error: unresolved condition dependency {name}"
            )));
        };
        if self.open.iter().any(|open| open == name) {
            let message = format!("Template error: condition {name} depends on itself");
            return Err(TemplateError::new(message).at(entry.key_span));
        }
        self.open.push(name.to_owned());
        let section = Place::ROOT.child("Conditions");
        let value = self.boolean(&entry.node, &section.child(name));
        self.open.pop();
        self.values.insert(name.to_owned(), value.clone()?);
        value
    }

    fn boolean(&mut self, node: &Node, place: &Place<'_>) -> Result<bool, TemplateError> {
        let Value::Function(function) = &node.value else {
            let message = "Template format error: Conditions can only be boolean operations on parameters and other conditions";
            return Err(TemplateError::new(message).at(node.span).path(place.to_string()));
        };
        match &**function {
            Function::Condition(name) => self.named(&name.value),
            Function::Not(operand) => Ok(!self.boolean(operand, place)?),
            Function::And(operands) => self.all(operands, place, true),
            Function::Or(operands) => Ok(!self.all(operands, place, false)?),
            Function::Equals(left, right) => {
                let left = self.engine.value(left, place)?.map(comparable);
                let right = self.engine.value(right, place)?.map(comparable);
                Ok(left == right)
            }
            other => {
                let message = format!("Template error: {} is not a condition", other.name());
                Err(TemplateError::new(message).at(node.span).path(place.to_string()))
            }
        }
    }

    /// Whether every operand is `wanted`. All are evaluated, so that errors do not depend on order.
    fn all(&mut self, operands: &[Node], place: &Place<'_>, wanted: bool) -> Result<bool, TemplateError> {
        let mut all = true;
        for operand in operands {
            all &= self.boolean(operand, place)? == wanted;
        }
        Ok(all)
    }
}

/// `Fn::Equals` compares text: the number 1 equals the string "1".
fn comparable(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Array(items) => Json::Array(items.into_iter().map(comparable).collect()),
        Json::Object(map) => {
            Json::Object(map.into_iter().map(|(key, value)| (key, comparable(value))).collect())
        }
        scalar => super::scalar_text(&scalar).map_or(Json::Null, Json::String),
    }
}
