//! What a change set says: how a stack's resources differ between what it is and what it is to become.

mod compare;
mod resource;

use std::collections::BTreeMap;

use indexmap::IndexSet;
use serde_json::Value as Json;

use crate::{
    error::TemplateErrors,
    evaluate::{Conditions, EvaluatedResource, Evaluator},
    graph::Graph,
    parameters::ParameterValues,
    schema::{ResourceSchema, Update},
    template::{DeletionPolicy, Template},
};

/// A stack as it is or is to become.
#[derive(Clone, Debug)]
pub struct StackView<'a> {
    /// Its template.
    pub template: &'a Template,
    /// Its parameters' values.
    pub parameters: &'a ParameterValues,
    /// Its conditions' values.
    pub conditions: Conditions,
    /// Its resources, evaluated; those that conditions exclude left out.
    pub resources: BTreeMap<String, EvaluatedResource>,
}

impl<'a> StackView<'a> {
    /// Evaluates all of a template's resources. The evaluator's resolver must answer for resources that do not
    /// exist yet as well (CloudFormation shows `{{changeSet:KNOWN_AFTER_APPLY}}` for what they will give).
    ///
    /// # Errors
    /// Everything that cannot be evaluated.
    pub fn new(
        template: &'a Template,
        parameters: &'a ParameterValues,
        evaluator: &Evaluator<'_>,
    ) -> Result<Self, TemplateErrors> {
        let conditions = evaluator.conditions().clone();
        let mut resources = BTreeMap::new();
        for (id, resource) in template.resources.iter().filter(|(_, resource)| conditions.include(resource)) {
            resources.insert(id.clone(), evaluator.resource(resource)?);
        }
        Ok(Self { template, parameters, conditions, resources })
    }
}

/// What changes to properties do to resources of each type.
pub trait UpdateRules {
    /// What a change at `path` within the properties of a resource of this type does: `["Tags", "0", "Value"]`.
    fn update(&self, type_name: &str, path: &[&str]) -> Update;
}

impl UpdateRules for [&ResourceSchema] {
    fn update(&self, type_name: &str, path: &[&str]) -> Update {
        let schema = self.iter().find(|schema| schema.type_name == type_name);
        schema.map_or(Update::Mutable, |schema| schema.update(path.iter().copied()))
    }
}

/// A difference that no change set can make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// A logical id has another type now.
    #[error(
        "Update of resource type is not permitted. The new template modifies resource type of the following \
         resources: [{}]", .0.join(", ")
    )]
    TypeChanged(Vec<String>),
    /// The template's resources depend on one another in a circle.
    #[error(transparent)]
    Template(#[from] TemplateErrors),
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed, in place or by replacement.
    Modify,
    /// It is no longer part of the stack.
    Remove,
}

/// Whether a change replaces a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replacement {
    /// It does not.
    False,
    /// It depends on what is not known before the change is made.
    Conditional,
    /// It does.
    True,
}

/// The part of a resource that a change is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `Properties`.
    Properties,
    /// The property `Tags`, which change sets tell apart from other properties.
    Tags,
    /// `Metadata`.
    Metadata,
    /// `CreationPolicy`.
    CreationPolicy,
    /// `UpdatePolicy`.
    UpdatePolicy,
    /// `DeletionPolicy`.
    DeletionPolicy,
    /// `UpdateReplacePolicy`.
    UpdateReplacePolicy,
}

impl Attribute {
    /// The name that the API has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Properties => "Properties",
            Self::Tags => "Tags",
            Self::Metadata => "Metadata",
            Self::CreationPolicy => "CreationPolicy",
            Self::UpdatePolicy => "UpdatePolicy",
            Self::DeletionPolicy => "DeletionPolicy",
            Self::UpdateReplacePolicy => "UpdateReplacePolicy",
        }
    }
}

/// Whether a change to a property replaces its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequiresRecreation {
    /// It does not.
    Never,
    /// It may.
    Conditionally,
    /// It does.
    Always,
}

/// Why a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSource {
    /// The template says something else.
    DirectModification,
    /// A parameter has another value.
    ParameterReference,
    /// A resource that is referred to may be replaced.
    ResourceReference,
    /// An attribute of a resource that is changed may change.
    ResourceAttribute,
}

/// Whether a change is certain before the change set is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// It is.
    Static,
    /// It depends on what other changes bring about.
    Dynamic,
}

/// A difference within a value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueChange {
    /// Where, within the resource: `/Properties/Tags/0/Value`.
    pub path: String,
    /// What is there now; `None` when nothing is.
    pub before: Option<Json>,
    /// What is to be there; `None` when nothing is.
    pub after: Option<Json>,
}

/// One reason for a change to a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeDetail {
    /// The part of the resource.
    pub attribute: Attribute,
    /// The property, where the part is `Properties`.
    pub name: Option<String>,
    /// Whether it replaces the resource.
    pub requires_recreation: RequiresRecreation,
    /// Whether it is certain.
    pub evaluation: Evaluation,
    /// Where it comes from.
    pub source: ChangeSource,
    /// The parameter, resource or `RESOURCE.ATTRIBUTE` it comes from, for sources other than the template.
    pub causing_entity: Option<String>,
    /// What differs; empty when that is not known yet.
    pub changes: Vec<ValueChange>,
}

/// What a change does with a resource that is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// It is deleted.
    Delete,
    /// It is kept and forgotten.
    Retain,
    /// A snapshot is made of it, then it is deleted.
    Snapshot,
    /// It is replaced, then deleted.
    ReplaceAndDelete,
    /// It is replaced, then kept and forgotten.
    ReplaceAndRetain,
    /// It is replaced, then a snapshot is made of it, then it is deleted.
    ReplaceAndSnapshot,
}

/// What happens to one resource and why.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    /// The resource.
    pub logical_id: String,
    /// Its type.
    pub type_: String,
    /// What happens to it.
    pub action: Action,
    /// Whether it is replaced; [`Replacement::False`] unless it is modified.
    pub replacement: Replacement,
    /// What happens to what is no longer needed of it, if anything is.
    pub policy_action: Option<PolicyAction>,
    /// The parts of it that change.
    pub scope: Vec<Attribute>,
    /// Why it is modified.
    pub details: Vec<ChangeDetail>,
}

/// The changes from one stack to another: resources of the new template in the order they are made, then those
/// that are removed. Resources that stay as they are have no entry. `before` is `None` for a stack that is not
/// there yet.
///
/// # Errors
/// When a resource's type changes.
pub fn diff(
    before: Option<&StackView<'_>>,
    after: &StackView<'_>,
    rules: &(impl UpdateRules + ?Sized),
) -> Result<Vec<ResourceChange>, DiffError> {
    let graph = Graph::new(after.template, &after.conditions)?;
    let existing = |id: &str| before.and_then(|before| before.resources.get(id));
    let mut changes: Vec<ResourceChange> = Vec::new();
    let mut retyped = Vec::new();
    for id in graph.order() {
        let Some(now) = after.resources.get(id) else { continue };
        match (before, existing(id)) {
            (Some(before), Some(was)) if was.type_ == now.type_ => {
                // What a resource refers to comes before it, so the changes so far are all that matter to it.
                let pair = resource::Pair { id, was, now, before, after, earlier: &changes };
                changes.extend(pair.change(rules));
            }
            (_, Some(_)) => retyped.push(id.clone()),
            (_, None) => changes.push(plain(id, now, Action::Add, None)),
        }
    }
    if !retyped.is_empty() {
        return Err(DiffError::TypeChanged(retyped));
    }
    for (id, was) in before.iter().flat_map(|before| &before.resources) {
        if !after.resources.contains_key(id) {
            let policy = match was.deletion_policy {
                DeletionPolicy::Delete => PolicyAction::Delete,
                DeletionPolicy::Retain | DeletionPolicy::RetainExceptOnCreate => PolicyAction::Retain,
                DeletionPolicy::Snapshot => PolicyAction::Snapshot,
            };
            changes.push(plain(id, was, Action::Remove, Some(policy)));
        }
    }
    Ok(changes)
}

fn plain(
    id: &str,
    resource: &EvaluatedResource,
    action: Action,
    policy_action: Option<PolicyAction>,
) -> ResourceChange {
    ResourceChange {
        logical_id: id.to_owned(),
        type_: resource.type_.clone(),
        action,
        replacement: Replacement::False,
        policy_action,
        scope: Vec::new(),
        details: Vec::new(),
    }
}

fn scope(details: &[ChangeDetail]) -> Vec<Attribute> {
    let attributes: IndexSet<Attribute> = details.iter().map(|detail| detail.attribute).collect();
    attributes.into_iter().collect()
}
