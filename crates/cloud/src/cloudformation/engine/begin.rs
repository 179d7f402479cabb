//! The way forward: which resources have their turn, and what each needs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cfn_template::Resolver;
use cfn_template::schema::{ResourceSchema, Update};
use serde_json::Value;

use super::{Advance, Host, Work};
use crate::cloudformation::blueprint::{self, Blueprint, Declared, Evaluated};
use crate::cloudformation::exports;
use crate::cloudformation::state::{Attempt, Incarnation, Resource, SignalWait, Step};
use crate::cloudformation::status::ResourceStatus;
use crate::cloudformation::types::ResourceType;
use crate::store::StoreError;

/// What a resource needs to become what its definition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cloudformation) enum Need {
    /// There is none yet.
    Create,
    /// Something differs that only a new one can have.
    Replace,
    /// Something differs that can be changed in place.
    Update,
    /// Only what CloudFormation itself keeps of it differs.
    Note,
    /// Nothing differs.
    Nothing,
}

/// Compares what exists with what is wanted. `replaces` tells of a property whether its change takes a
/// replacement.
pub(in crate::cloudformation) fn need(
    current: Option<&Incarnation>,
    target: &Incarnation,
    replaces: impl Fn(&str) -> bool,
) -> Need {
    let Some(current) = current else { return Need::Create };
    if current.type_ != target.type_
        || changed(&current.properties, &target.properties).iter().any(|name| replaces(name))
    {
        return Need::Replace;
    }
    if current.properties != target.properties || current.tags != target.tags {
        return Need::Update;
    }
    if current.metadata != target.metadata { Need::Note } else { Need::Nothing }
}

/// Whether a change to a property takes a new resource.
fn replaces(schema: &ResourceSchema, property: &str) -> bool {
    matches!(schema.update([property]), Update::Replacement | Update::Immutable | Update::Conditional)
}

/// The names of the properties that differ.
pub(in crate::cloudformation) fn changed<'v>(before: &'v Value, after: &'v Value) -> BTreeSet<&'v str> {
    let names =
        |value: &'v Value| value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str));
    names(before).chain(names(after)).filter(|name| before.get(name) != after.get(name)).collect()
}

impl<H: Host> Work<'_, H> {
    /// One advance of an operation towards its definition.
    pub(super) async fn forward(&mut self) -> Result<Advance, StoreError> {
        let Some(definition) = self.stack.definition.clone() else {
            return self.fail_forward(Some("the stack has no definition".to_owned()));
        };
        let blueprint = match self.blueprint(&definition) {
            Ok(blueprint) => blueprint,
            Err(reason) => return self.fail_forward(Some(reason)),
        };
        let mut moved = false;
        for (logical_id, declared) in blueprint.resources() {
            let Some(resource) = self.resources.get(logical_id) else { continue };
            match &resource.step {
                Step::Waiting if !self.any_failed() && self.ready(&declared.needs) => {
                    self.begin(&blueprint, logical_id, declared)?;
                    moved = true;
                }
                Step::Active(attempt) => {
                    let attempt = attempt.clone();
                    moved |= self.drive(logical_id, attempt).await?;
                }
                Step::Waiting | Step::Done | Step::Failed(_) => {}
            }
        }
        if self.any_failed() || self.past_deadline() {
            return self.fail_forward(None);
        }
        if blueprint.resources().keys().all(|id| self.resources.get(id).is_none_or(|r| r.step == Step::Done))
        {
            return self.succeed(&blueprint);
        }
        Ok(if moved { Advance::Moved } else { Advance::Waiting })
    }

    fn any_failed(&self) -> bool {
        self.resources.values().any(|resource| matches!(resource.step, Step::Failed(_)))
    }

    fn past_deadline(&self) -> bool {
        self.operation.deadline.is_some_and(|deadline| self.host.now() >= deadline)
    }

    /// Whether everything a resource needs is there.
    fn ready(&self, needs: &BTreeSet<String>) -> bool {
        needs.iter().all(|id| self.resources.get(id).is_none_or(|resource| resource.step == Step::Done))
    }

    /// Decides what a resource needs, writes it down, and makes the first call.
    fn begin(
        &mut self,
        blueprint: &Blueprint,
        logical_id: &str,
        declared: &Declared,
    ) -> Result<(), StoreError> {
        let Some(kind) = self.host.types().get(&declared.type_) else {
            return self.refuse(logical_id, format!("Unrecognized resource type: {}", declared.type_));
        };
        let scope = self.scope();
        let evaluated = blueprint.resource(logical_id, &scope, kind.schema());
        let imports = scope.imported.into_inner();
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(error) => return self.refuse(logical_id, error),
        };
        self.write(|journal| {
            journal.stack.imports.extend(imports);
            Ok(())
        })?;
        let target = self.target(declared, &evaluated);
        let current = self.resources.get(logical_id).and_then(|resource| resource.current.as_ref());
        match need(current, &target, |property| replaces(kind.schema(), property)) {
            Need::Create => self.begin_create(kind, logical_id, target, &evaluated, false),
            Need::Replace => self.begin_create(kind, logical_id, target, &evaluated, true),
            Need::Update => self.begin_update(logical_id, target),
            Need::Note => self.note(logical_id, target, true),
            Need::Nothing => self.note(logical_id, target, false),
        }
    }

    fn target(&self, declared: &Declared, evaluated: &Evaluated) -> Incarnation {
        Incarnation {
            type_: declared.type_.clone(),
            physical_id: None,
            properties: evaluated.properties.clone(),
            metadata: evaluated.metadata.clone(),
            tags: self
                .stack
                .definition
                .as_ref()
                .map(|definition| definition.tags.clone())
                .unwrap_or_default(),
            attributes: Default::default(),
            needs: declared.needs.clone(),
            deletion_policy: declared.deletion_policy,
            replace_policy: declared.replace_policy,
        }
    }

    fn begin_create(
        &mut self,
        kind: &dyn ResourceType<H::Ctx>,
        logical_id: &str,
        target: Incarnation,
        evaluated: &Evaluated,
        replaces: bool,
    ) -> Result<(), StoreError> {
        let name = kind.choose_name(&self.owner(logical_id), &target.properties);
        let now = self.host.now();
        let attempt = Attempt { creates: true, target, name, accepted: false, completed: false, since: now };
        let signals = evaluated.signals.as_ref().map(|policy| SignalWait {
            count: policy.count,
            deadline: now.checked_add(policy.timeout).unwrap_or(jiff::Timestamp::MAX),
            received: Default::default(),
        });
        let begun = attempt.clone();
        self.amend(logical_id, |journal, resource| {
            resource.type_.clone_from(&begun.target.type_);
            resource.step = Step::Active(begun);
            resource.signals = signals;
            if replaces {
                let reason =
                    "Requested update requires the creation of a new physical resource; hence creating one.";
                journal.resource_becomes(resource, ResourceStatus::UpdateInProgress, Some(reason.to_owned()))
            } else {
                resource.shown_id = None;
                journal.resource_becomes(resource, ResourceStatus::CreateInProgress, None)
            }
        })?;
        self.call_create(logical_id, &attempt)
    }

    pub(super) fn begin_update(
        &mut self,
        logical_id: &str,
        mut target: Incarnation,
    ) -> Result<(), StoreError> {
        let Some(current) = self.resources.get(logical_id).and_then(|resource| resource.current.clone())
        else {
            return self.refuse(logical_id, "there is nothing to update".to_owned());
        };
        target.physical_id.clone_from(&current.physical_id);
        target.attributes.clone_from(&current.attributes);
        let attempt = Attempt {
            creates: false,
            target,
            name: String::new(),
            accepted: false,
            completed: true,
            since: self.host.now(),
        };
        let begun = attempt.clone();
        self.amend(logical_id, |journal, resource| {
            resource.step = Step::Active(begun);
            journal.resource_becomes(resource, ResourceStatus::UpdateInProgress, None)
        })?;
        self.call_update(logical_id, &attempt)
    }

    /// Keeps what CloudFormation itself remembers of a resource; `tell` when a caller can see a difference.
    pub(super) fn note(
        &mut self,
        logical_id: &str,
        target: Incarnation,
        tell: bool,
    ) -> Result<(), StoreError> {
        self.amend(logical_id, |journal, resource| {
            if let Some(current) = &mut resource.current {
                let (physical_id, attributes) =
                    (current.physical_id.take(), std::mem::take(&mut current.attributes));
                *current = Incarnation { physical_id, attributes, ..target };
            }
            resource.step = Step::Done;
            if tell {
                journal.resource_becomes(resource, ResourceStatus::UpdateInProgress, None)?;
                journal.resource_becomes(resource, ResourceStatus::UpdateComplete, None)?;
            }
            Ok(())
        })
    }

    /// A resource fails before anything was called.
    pub(super) fn refuse(&mut self, logical_id: &str, reason: String) -> Result<(), StoreError> {
        let status = self.failed_status(logical_id);
        self.amend(logical_id, |journal, resource| {
            resource.step = Step::Failed(None);
            journal.resource_becomes(resource, status, Some(reason))
        })
    }

    /// The state of this resource when it fails: what exists already was to be updated.
    pub(super) fn failed_status(&self, logical_id: &str) -> ResourceStatus {
        let exists = self.resources.get(logical_id).is_some_and(|resource| resource.current.is_some());
        if exists { ResourceStatus::UpdateFailed } else { ResourceStatus::CreateFailed }
    }
}

impl<H: Host> Work<'_, H> {
    pub(super) fn scope(&self) -> Scope<'_, H> {
        Scope {
            host: self.host,
            ctx: &self.ctx,
            region: &self.stack.region,
            resources: &self.resources,
            imported: Default::default(),
        }
    }
}

/// What expressions in a template can refer to: the stack's finished resources, other stacks' exports, the
/// cloud.
pub(super) struct Scope<'w, H: Host> {
    host: &'w H,
    ctx: &'w H::Ctx,
    region: &'w str,
    resources: &'w BTreeMap<String, Resource>,
    /// The exports that were asked for.
    pub imported: RefCell<BTreeSet<String>>,
}

impl<H: Host> Scope<'_, H> {
    fn current(&self, logical_id: &str) -> Option<&Incarnation> {
        self.resources.get(logical_id)?.current.as_ref()
    }
}

impl<H: Host> Resolver for Scope<'_, H> {
    fn reference(&self, logical_id: &str) -> Option<String> {
        self.current(logical_id)?.physical_id.clone()
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        self.current(logical_id)?.attributes.get(attribute).cloned()
    }

    fn import_value(&self, export: &str) -> Option<String> {
        self.imported.borrow_mut().insert(export.to_owned());
        exports::find(self.host.store(), self.region, export).map(|(_, value)| value)
    }

    fn availability_zones(&self, region: &str) -> Option<Vec<String>> {
        let region = if region.is_empty() { self.region } else { region };
        self.host.availability_zones(self.ctx, region)
    }

    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String> {
        blueprint::dynamic(self.host, self.ctx, service, reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn incarnation(properties: Value) -> Incarnation {
        Incarnation {
            type_: "Test::A".into(),
            physical_id: Some("a-1".into()),
            properties,
            metadata: None,
            tags: Default::default(),
            attributes: Default::default(),
            needs: Default::default(),
            deletion_policy: Default::default(),
            replace_policy: Default::default(),
        }
    }

    #[test]
    fn what_a_resource_needs_follows_from_the_difference() {
        let replaces = |name: &str| name == "Name";
        let old = incarnation(json!({"Name": "a", "Size": 1}));
        let cases = [
            (None, json!({"Name": "a"}), Need::Create),
            (Some(&old), json!({"Name": "a", "Size": 1}), Need::Nothing),
            (Some(&old), json!({"Size": 1, "Name": "a"}), Need::Nothing),
            (Some(&old), json!({"Name": "a", "Size": 2}), Need::Update),
            (Some(&old), json!({"Name": "a"}), Need::Update),
            (Some(&old), json!({"Name": "b", "Size": 2}), Need::Replace),
            (Some(&old), json!({"Size": 1}), Need::Replace),
        ];
        for (current, properties, expected) in cases {
            assert_eq!(need(current, &incarnation(properties.clone()), replaces), expected, "{properties}");
        }
        let mut noted = old.clone();
        noted.metadata = Some(json!({"v": 2}));
        assert_eq!(need(Some(&old), &noted, replaces), Need::Note);
    }
}
