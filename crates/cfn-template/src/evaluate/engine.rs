//! The functions themselves.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::{Conditions, Resolver, cidr, dynamic, scalar_text};
use crate::{
    error::TemplateError,
    function::{Function, SubPart},
    node::{Map, Node, Value, float_json},
    parameters::ParameterValues,
    pseudo::{NO_VALUE, PseudoParameters},
    span::{Place, Span},
    template::Template,
};

/// A value, or `None` for `AWS::NoValue`.
type Evaluated = Result<Option<Json>, TemplateError>;

/// Everything a function may ask.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    pub(super) template: &'a Template,
    pub(super) parameters: &'a ParameterValues,
    pub(super) pseudo: &'a PseudoParameters,
    /// `None` while conditions are evaluated: they cannot ask about resources.
    pub(super) resolver: Option<&'a dyn Resolver>,
    pub(super) conditions: &'a Conditions,
    /// Whether dynamic references are resolved.
    pub(super) dynamic: bool,
}

impl Engine<'_> {
    /// Evaluates a node, then the dynamic references in what came out.
    pub(super) fn value(&self, node: &Node, place: &Place<'_>) -> Evaluated {
        match &node.value {
            Value::List(items) => self.list(items, place, Self::value).map(|items| Some(Json::Array(items))),
            Value::Map(map) => self.map(map, place, Self::value).map(|map| Some(Json::Object(map))),
            _ => {
                let value = self.plain(node, place)?;
                match (value, self.resolver.filter(|_| self.dynamic)) {
                    (Some(value), Some(resolver)) => dynamic::resolve(value, resolver)
                        .map(Some)
                        .map_err(|message| fail(node.span, place, message)),
                    (value, _) => Ok(value),
                }
            }
        }
    }

    /// Evaluates a node to a string.
    pub(super) fn text(&self, node: &Node, place: &Place<'_>) -> Result<String, TemplateError> {
        self.value(node, place)?.as_ref().and_then(scalar_text).ok_or_else(|| {
            let message = format!("Template error: the value at {place} must evaluate to a string");
            fail(node.span, place, message)
        })
    }

    fn plain(&self, node: &Node, place: &Place<'_>) -> Evaluated {
        Ok(Some(match &node.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => json!(flag),
            Value::Integer(number) => json!(number),
            Value::Float(number) => float_json(*number),
            Value::String(text) => json!(text),
            Value::List(items) => Json::Array(self.list(items, place, Self::plain)?),
            Value::Map(map) => Json::Object(self.map(map, place, Self::plain)?),
            Value::Function(function) => return self.function(function, node.span, place),
        }))
    }

    fn list(
        &self,
        items: &[Node],
        place: &Place<'_>,
        evaluate: fn(&Self, &Node, &Place<'_>) -> Evaluated,
    ) -> Result<Vec<Json>, TemplateError> {
        let values = items.iter().enumerate().map(|(index, item)| evaluate(self, item, &place.index(index)));
        values.filter_map(Result::transpose).collect()
    }

    fn map(
        &self,
        map: &Map,
        place: &Place<'_>,
        evaluate: fn(&Self, &Node, &Place<'_>) -> Evaluated,
    ) -> Result<JsonMap<String, Json>, TemplateError> {
        let members = map.iter().map(|(key, entry)| {
            let value = evaluate(self, &entry.node, &place.child(key))?;
            Ok(value.map(|value| (key.clone(), value)))
        });
        members.filter_map(Result::transpose).collect()
    }

    fn function(&self, function: &Function, span: Span, place: &Place<'_>) -> Evaluated {
        let at = |message: String| fail(span, place, message);
        let string = |node: &Node| self.string(node, function.name(), place);
        Ok(Some(match function {
            Function::Ref(name) if name.value == NO_VALUE => return Ok(None),
            Function::Ref(name) => self.reference(&name.value).map_err(at)?,
            Function::GetAtt { resource, attribute } => {
                let attribute = string(attribute)?;
                self.attribute(&resource.value, &attribute).map_err(at)?
            }
            Function::Sub { parts, variables } => self.sub(parts, variables, place)?,
            Function::Join { delimiter, values } => {
                let texts = self.texts(values, "Fn::Join", place)?;
                json!(texts.join(delimiter))
            }
            Function::Select { index, values } => self.select(index, values, place)?,
            Function::Split { delimiter, source } => {
                json!(string(source)?.split(delimiter.as_str()).collect::<Vec<_>>())
            }
            Function::FindInMap { map, top_key, second_key } => {
                let (map, top, second) = (string(map)?, string(top_key)?, string(second_key)?);
                self.find_in_map(&map, &top, &second).map_err(at)?
            }
            Function::Base64(node) => json!(BASE64_STANDARD.encode(string(node)?)),
            Function::ImportValue(node) => {
                let name = string(node)?;
                let value = self.resolver.and_then(|resolver| resolver.import_value(&name));
                json!(value.ok_or_else(|| at(format!("No export named {name} found.")))?)
            }
            Function::GetAzs(node) => {
                let region = Some(string(node)?).filter(|text| !text.is_empty());
                let region = region.unwrap_or_else(|| self.pseudo.region.clone());
                let zones = self.resolver.and_then(|resolver| resolver.availability_zones(&region));
                json!(
                    zones.ok_or_else(|| at(format!(
                        "Template error: Fn::GetAZs: unknown region '{region}'"
                    )))?
                )
            }
            Function::Cidr { block, count, bits } => {
                let bits = bits.as_ref().map(string).transpose()?;
                let blocks = cidr::blocks(&string(block)?, &string(count)?, bits.as_deref());
                json!(blocks.map_err(|error| at(error.to_string()))?)
            }
            Function::If { condition, then, otherwise } => {
                let branch = if self.conditions.holds(&condition.value) { then } else { otherwise };
                return self.plain(branch, place);
            }
            Function::Equals(..)
            | Function::And(_)
            | Function::Or(_)
            | Function::Not(_)
            | Function::Condition(_) => {
                let message =
                    format!("Template error: {} can be used only in the Conditions block", function.name());
                return Err(at(message));
            }
        }))
    }

    fn reference(&self, name: &str) -> Result<Json, String> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.to_json());
        }
        if let Some(value) = self.pseudo.get(name) {
            return Ok(value);
        }
        let id = self.resolver.and_then(|resolver| resolver.reference(name));
        id.map(Json::String).ok_or_else(|| self.unresolved(name))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Json, String> {
        let value = self.resolver.and_then(|resolver| resolver.attribute(resource, attribute));
        value.ok_or_else(|| match self.excluded(resource) {
            true => self.unresolved(resource),
            false => format!(
                "Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ),
        })
    }

    fn excluded(&self, resource: &str) -> bool {
        self.template.resources.get(resource).is_some_and(|resource| !self.conditions.include(resource))
    }

    fn unresolved(&self, name: &str) -> String {
        if self.excluded(name) || !self.template.resources.contains_key(name) {
            return format!(
                "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
            );
        }
        format!("Template error: resource {name} does not exist yet")
    }

    fn sub(&self, parts: &[SubPart], variables: &Map, place: &Place<'_>) -> Result<Json, TemplateError> {
        let mut out = String::new();
        for part in parts {
            match part {
                SubPart::Literal(text) => out.push_str(text),
                SubPart::Escaped(name) => out.push_str(&format!("${{{name}}}")),
                SubPart::Variable { name, span } => {
                    let value = match variables.get(name) {
                        Some(entry) => self.plain(&entry.node, place)?,
                        None if name == NO_VALUE => Some(json!("")),
                        None => Some(self.variable(name).map_err(|message| fail(*span, place, message))?),
                    };
                    let text = value.as_ref().and_then(scalar_text).ok_or_else(|| {
                        let message = format!(
                            "Template error: variable {name} in Fn::Sub does not resolve to a string"
                        );
                        fail(*span, place, message)
                    })?;
                    out.push_str(&text);
                }
            }
        }
        Ok(Json::String(out))
    }

    fn variable(&self, name: &str) -> Result<Json, String> {
        match name.split_once('.') {
            Some((resource, attribute)) => self.attribute(resource, attribute),
            None => self.reference(name),
        }
    }

    fn select(&self, index: &Node, values: &Node, place: &Place<'_>) -> Result<Json, TemplateError> {
        let text = self.string(index, "Fn::Select", place)?;
        let items = self.items(values, "Fn::Select", place)?;
        let found = text.trim().parse().ok().and_then(|index: usize| items.get(index).cloned());
        found.ok_or_else(|| {
            let message =
                format!("Template error: Fn::Select cannot select nonexistent value at index {text}");
            fail(index.span, place, message)
        })
    }

    fn find_in_map(&self, map: &str, top: &str, second: &str) -> Result<Json, String> {
        let value = self.template.mappings.get(map, top, second);
        value
            .map(|value| value.to_json())
            .ok_or_else(|| format!("Template error: Unable to get mapping for {map}::{top}::{second}"))
    }

    fn string(&self, node: &Node, function: &str, place: &Place<'_>) -> Result<String, TemplateError> {
        self.plain(node, place)?.as_ref().and_then(scalar_text).ok_or_else(|| {
            fail(
                node.span,
                place,
                format!("Template error: an argument of {function} must evaluate to a string"),
            )
        })
    }

    fn items(&self, node: &Node, function: &str, place: &Place<'_>) -> Result<Vec<Json>, TemplateError> {
        match self.plain(node, place)? {
            Some(Json::Array(items)) => Ok(items),
            _ => {
                let message = format!("Template error: an argument of {function} must evaluate to a list");
                Err(fail(node.span, place, message))
            }
        }
    }

    fn texts(&self, node: &Node, function: &str, place: &Place<'_>) -> Result<Vec<String>, TemplateError> {
        let items = self.items(node, function, place)?;
        let texts: Option<Vec<String>> = items.iter().map(scalar_text).collect();
        texts.ok_or_else(|| {
            fail(
                node.span,
                place,
                format!("Template error: every value of {function} must evaluate to a string"),
            )
        })
    }
}

fn fail(span: Span, place: &Place<'_>, message: impl Into<String>) -> TemplateError {
    TemplateError::new(message).at(span).path(place.to_string())
}
