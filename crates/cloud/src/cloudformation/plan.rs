//! What a submission would change in a stack, in the words of change sets.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::cloudformation as wire;
use cfn_template::diff::{
    Action, ChangeDetail, ChangeSource, Evaluation, PolicyAction, Replacement, RequiresRecreation,
    ResourceChange, StackView, diff,
};
use cfn_template::{Resolver, TemplateErrors};
use serde_json::Value;

use super::blueprint::{self, Blueprint};
use super::engine::Host;
use super::exports;
use super::request::{Request, invalid};
use super::state::{Resource, Stack, resource_key};
use super::status::StackStatus;
use super::submission::{Checked, refused};

/// What a change set shows for a value that only exists once it has been executed.
const KNOWN_AFTER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What a submission would change.
pub struct Plan {
    /// The resources that change.
    pub changes: Vec<wire::Change>,
    /// Whether something else changes: outputs, tags, or what a failed operation left half done.
    pub others: bool,
}

impl Plan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.others
    }
}

impl<H: Host> Request<'_, H> {
    /// Compares a checked submission with what the stack is.
    ///
    /// # Errors
    /// When something cannot be evaluated, or a resource would get another type.
    pub(super) fn plan(&self, stack: &Stack, checked: &Checked) -> Result<Plan, Error> {
        let resolver = Known { request: self, stack };
        let refuse = |errors: TemplateErrors| refused(errors.into_vec());
        let after_evaluator = checked.blueprint.evaluator(&resolver).map_err(refuse)?;
        let after =
            StackView::new(checked.blueprint.template(), checked.blueprint.values(), &after_evaluator)
                .map_err(refuse)?;
        let schemas = self.host.types().schemas();
        let previous = match (&stack.definition, stack.status) {
            (None, _) | (_, StackStatus::ReviewInProgress) => None,
            (Some(definition), _) => Some((
                definition,
                Blueprint::compile(definition, stack, self.host.account()).map_err(refuse)?,
            )),
        };
        let Some((definition, before)) = previous else {
            let changes =
                diff(None, &after, schemas.as_slice()).map_err(|error| invalid(error.to_string()))?;
            let changes = changes.iter().map(|change| self.shown(stack, change)).collect();
            return Ok(Plan { changes, others: true });
        };
        let before_evaluator = before.evaluator(&resolver).map_err(refuse)?;
        let view = StackView::new(before.template(), before.values(), &before_evaluator).map_err(refuse)?;
        let changes =
            diff(Some(&view), &after, schemas.as_slice()).map_err(|error| invalid(error.to_string()))?;
        let half_done = matches!(stack.status, StackStatus::CreateFailed | StackStatus::UpdateFailed);
        let others = half_done
            || definition.tags != checked.definition.tags
            || before.outputs(&resolver).ok() != checked.blueprint.outputs(&resolver).ok();
        Ok(Plan { changes: changes.iter().map(|change| self.shown(stack, change)).collect(), others })
    }

    fn shown(&self, stack: &Stack, change: &ResourceChange) -> wire::Change {
        let replacement = match change.replacement {
            Replacement::False => "False",
            Replacement::Conditional => "Conditional",
            Replacement::True => "True",
        };
        let action = match change.action {
            Action::Add => "Add",
            Action::Modify => "Modify",
            Action::Remove => "Remove",
        };
        let physical_id = self
            .resource(stack, &change.logical_id)
            .and_then(|resource| resource.current.as_ref().and_then(|current| current.physical_id.clone()));
        wire::Change {
            type_: Some("Resource".to_owned()),
            hook_invocation_count: None,
            resource_change: Some(wire::ResourceChange {
                policy_action: change.policy_action.map(policy_action),
                action: Some(action.to_owned()),
                logical_resource_id: Some(change.logical_id.clone()),
                physical_resource_id: physical_id,
                resource_type: Some(change.type_.clone()),
                replacement: (change.action == Action::Modify).then(|| replacement.to_owned()),
                scope: change.scope.iter().map(|attribute| attribute.name().to_owned()).collect(),
                details: change.details.iter().map(shown_detail).collect(),
                ..Default::default()
            }),
        }
    }

    /// The record of a stack's resource.
    pub(super) fn resource(&self, stack: &Stack, logical_id: &str) -> Option<Arc<Resource>> {
        self.host.store().get::<Resource>(&stack.region, &resource_key(&stack.id, logical_id))
    }
}

fn policy_action(action: PolicyAction) -> String {
    match action {
        PolicyAction::Delete => "Delete",
        PolicyAction::Retain => "Retain",
        PolicyAction::Snapshot => "Snapshot",
        PolicyAction::ReplaceAndDelete => "ReplaceAndDelete",
        PolicyAction::ReplaceAndRetain => "ReplaceAndRetain",
        PolicyAction::ReplaceAndSnapshot => "ReplaceAndSnapshot",
    }
    .to_owned()
}

fn shown_detail(detail: &ChangeDetail) -> wire::ResourceChangeDetail {
    let recreation = match detail.requires_recreation {
        RequiresRecreation::Never => "Never",
        RequiresRecreation::Conditionally => "Conditionally",
        RequiresRecreation::Always => "Always",
    };
    let source = match detail.source {
        ChangeSource::DirectModification => "DirectModification",
        ChangeSource::ParameterReference => "ParameterReference",
        ChangeSource::ResourceReference => "ResourceReference",
        ChangeSource::ResourceAttribute => "ResourceAttribute",
    };
    let evaluation = match detail.evaluation {
        Evaluation::Static => "Static",
        Evaluation::Dynamic => "Dynamic",
    };
    wire::ResourceChangeDetail {
        target: Some(wire::ResourceTargetDefinition {
            attribute: Some(detail.attribute.name().to_owned()),
            name: detail.name.clone(),
            requires_recreation: Some(recreation.to_owned()),
            ..Default::default()
        }),
        evaluation: Some(evaluation.to_owned()),
        change_source: Some(source.to_owned()),
        causing_entity: detail.causing_entity.clone(),
    }
}

/// Answers with what the stack's resources are now.
struct Known<'k, 'r, H: Host> {
    request: &'k Request<'r, H>,
    stack: &'k Stack,
}

impl<H: Host> Resolver for Known<'_, '_, H> {
    fn reference(&self, logical_id: &str) -> Option<String> {
        let resource = self.request.resource(self.stack, logical_id);
        let id = resource.and_then(|resource| resource.current.as_ref()?.physical_id.clone());
        Some(id.unwrap_or_else(|| KNOWN_AFTER.to_owned()))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let resource = self.request.resource(self.stack, logical_id);
        let value =
            resource.and_then(|resource| resource.current.as_ref()?.attributes.get(attribute).cloned());
        Some(value.unwrap_or_else(|| KNOWN_AFTER.into()))
    }

    fn import_value(&self, export: &str) -> Option<String> {
        exports::find(self.request.host.store(), &self.stack.region, export).map(|(_, value)| value)
    }

    fn availability_zones(&self, region: &str) -> Option<Vec<String>> {
        let region = if region.is_empty() { self.request.region } else { region };
        self.request.host.availability_zones(self.request.ctx, region)
    }

    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String> {
        blueprint::dynamic(self.request.host, self.request.ctx, service, reference)
    }
}
