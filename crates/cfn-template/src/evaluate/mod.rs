//! Evaluating a template: conditions, functions, references, policies, outputs.

mod cidr;
mod conditions;
mod dynamic;
mod engine;

use serde_json::{Map as JsonMap, Value as Json};

pub use conditions::Conditions;
pub use dynamic::{DynamicReference, dynamic_references};

use crate::{
    error::{Errors, TemplateError, TemplateErrors},
    node::Node,
    parameters::ParameterValues,
    policy::{CreationPolicy, UpdatePolicy},
    pseudo::PseudoParameters,
    span::Place,
    template::{DeletionPolicy, Resource, Template},
};
use engine::Engine;

/// What an evaluation must ask its surroundings. Nothing here may block.
pub trait Resolver {
    /// What `Ref` to a resource gives: its physical id, for most types. `None` when it has none yet.
    fn reference(&self, logical_id: &str) -> Option<String>;
    /// What `Fn::GetAtt` gives. `None` when the resource does not exist yet or has no such attribute.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Json>;
    /// The value that another stack exports under this name.
    fn import_value(&self, export: &str) -> Option<String>;
    /// The availability zones that `Fn::GetAZs` gives for a region.
    fn availability_zones(&self, region: &str) -> Option<Vec<String>>;
    /// The value of `{{resolve:SERVICE:REFERENCE}}`.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String>;
}

/// A resource with all functions in it evaluated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvaluatedResource {
    /// `Type`.
    pub type_: String,
    /// `Properties`.
    pub properties: JsonMap<String, Json>,
    /// `Metadata`.
    pub metadata: Option<Json>,
    /// `CreationPolicy`.
    pub creation_policy: Option<CreationPolicy>,
    /// `UpdatePolicy`.
    pub update_policy: Option<UpdatePolicy>,
    /// `DeletionPolicy`, `Delete` when left out.
    pub deletion_policy: DeletionPolicy,
    /// `UpdateReplacePolicy`, `Delete` when left out.
    pub update_replace_policy: DeletionPolicy,
}

/// One of the stack's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputValue {
    /// Its name in the template.
    pub name: String,
    /// `Value`.
    pub value: String,
    /// `Description`.
    pub description: Option<String>,
    /// `Name` under `Export`.
    pub export_name: Option<String>,
}

/// Evaluates a template's nodes with one set of parameters.
pub struct Evaluator<'a> {
    template: &'a Template,
    conditions: Conditions,
    parameters: &'a ParameterValues,
    pseudo: &'a PseudoParameters,
    resolver: &'a dyn Resolver,
}

impl<'a> Evaluator<'a> {
    /// Prepares an evaluation by evaluating all conditions.
    ///
    /// # Errors
    /// Conditions that cannot be evaluated, such as those that look for a key that a mapping does not have.
    pub fn new(
        template: &'a Template,
        parameters: &'a ParameterValues,
        pseudo: &'a PseudoParameters,
        resolver: &'a dyn Resolver,
    ) -> Result<Self, TemplateErrors> {
        let conditions = Conditions::evaluate(template, parameters, pseudo)?;
        Ok(Self { template, conditions, parameters, pseudo, resolver })
    }

    /// The conditions' values.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Everything in a resource.
    ///
    /// # Errors
    /// Everything in it that cannot be evaluated.
    pub fn resource(&self, resource: &Resource) -> Result<EvaluatedResource, TemplateErrors> {
        Ok(EvaluatedResource {
            type_: resource.type_.value.clone(),
            properties: self.properties(resource)?,
            metadata: self.metadata(resource)?,
            creation_policy: self.creation_policy(resource)?,
            update_policy: self.update_policy(resource)?,
            deletion_policy: resource.deletion_policy.unwrap_or_default(),
            update_replace_policy: resource.update_replace_policy.unwrap_or_default(),
        })
    }

    /// A resource's properties, dynamic references resolved. A property that is `AWS::NoValue` is not there.
    ///
    /// # Errors
    /// Everything in them that cannot be evaluated.
    pub fn properties(&self, resource: &Resource) -> Result<JsonMap<String, Json>, TemplateErrors> {
        let (section, id) = (Place::ROOT.child("Resources"), resource.logical_id.as_str());
        let parent = section.child(id);
        let place = parent.child("Properties");
        let mut errors = Errors::default();
        let mut properties = JsonMap::new();
        for (name, entry) in &resource.properties {
            let place = place.child(name);
            match self.engine(true).value(&entry.node, &place) {
                Ok(Some(value)) => {
                    properties.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        errors.into_result(properties)
    }

    /// A resource's metadata. Dynamic references stay as written, as on AWS.
    ///
    /// # Errors
    /// The first thing in it that cannot be evaluated.
    pub fn metadata(&self, resource: &Resource) -> Result<Option<Json>, TemplateErrors> {
        self.attribute(resource, "Metadata", resource.metadata.as_ref())
    }

    /// A resource's creation policy.
    ///
    /// # Errors
    /// What in it cannot be evaluated or is not a value it may have.
    pub fn creation_policy(&self, resource: &Resource) -> Result<Option<CreationPolicy>, TemplateErrors> {
        self.policy(resource, "CreationPolicy", resource.creation_policy.as_ref(), CreationPolicy::from_json)
    }

    /// A resource's update policy.
    ///
    /// # Errors
    /// What in it cannot be evaluated or is not a value it may have.
    pub fn update_policy(&self, resource: &Resource) -> Result<Option<UpdatePolicy>, TemplateErrors> {
        self.policy(resource, "UpdatePolicy", resource.update_policy.as_ref(), UpdatePolicy::from_json)
    }

    /// The stack's outputs, without those whose condition does not hold.
    ///
    /// # Errors
    /// Every output that cannot be evaluated or is no string.
    pub fn outputs(&self) -> Result<Vec<OutputValue>, TemplateErrors> {
        let mut errors = Errors::default();
        let mut outputs = Vec::new();
        for (name, output) in &self.template.outputs {
            if !self.conditions.allow(output.condition.as_ref()) {
                continue;
            }
            let (section, engine) = (Place::ROOT.child("Outputs"), self.engine(true));
            let place = section.child(name);
            let value = engine.text(&output.value, &place.child("Value"));
            let export =
                output.export.as_ref().map(|node| engine.text(node, &place.child("Export"))).transpose();
            match (value, export) {
                (Ok(value), Ok(export_name)) => outputs.push(OutputValue {
                    name: name.clone(),
                    value,
                    description: output.description.clone(),
                    export_name,
                }),
                (value, export) => {
                    errors.extend(value.err());
                    errors.extend(export.err());
                }
            }
        }
        errors.into_result(outputs)
    }

    fn attribute(
        &self,
        resource: &Resource,
        name: &str,
        node: Option<&Node>,
    ) -> Result<Option<Json>, TemplateErrors> {
        let Some(node) = node else { return Ok(None) };
        let section = Place::ROOT.child("Resources");
        let place = section.child(&resource.logical_id);
        Ok(self.engine(false).value(node, &place.child(name))?)
    }

    fn policy<T>(
        &self,
        resource: &Resource,
        name: &str,
        node: Option<&Node>,
        read: fn(&Json) -> Result<T, String>,
    ) -> Result<Option<T>, TemplateErrors> {
        let (Some(json), Some(node)) = (self.attribute(resource, name, node)?, node) else { return Ok(None) };
        let wrong = |message| {
            let path = format!("Resources/{}/{name}", resource.logical_id);
            TemplateError::new(message).at(node.span).path(path)
        };
        Ok(Some(read(&json).map_err(wrong)?))
    }

    fn engine(&self, dynamic: bool) -> Engine<'_> {
        Engine {
            template: self.template,
            parameters: self.parameters,
            pseudo: self.pseudo,
            resolver: Some(self.resolver),
            conditions: &self.conditions,
            dynamic,
        }
    }
}

/// The text of a JSON scalar; `None` for null, lists and objects.
pub(crate) fn scalar_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
