//! Deleting what nobody needs any more: after an update, on the way back, or with the whole stack.
//!
//! The order is the reverse of creation: a thing is deleted once nothing that needed it is left.

use super::{Advance, Host, PATIENCE, Work};
use crate::cloudformation::events::Journal;
use crate::cloudformation::state::{
    Discard, DiscardState, Incarnation, OperationKind, Policy, Resource, Step,
};
use crate::cloudformation::status::ResourceStatus;
use crate::cloudformation::types::{Existing, Failure};
use crate::store::StoreError;

/// Where a discard is: the resource's logical id and the index in its list.
type Slot = (String, usize);

impl<H: Host> Work<'_, H> {
    /// One advance of a sweep.
    pub(super) fn sweep(&mut self) -> Result<Advance, StoreError> {
        if !self.operation.prepared {
            return self.prepare_sweep();
        }
        let mut moved = false;
        // From the back, so that a place in a list still holds when one behind it has been removed.
        for slot in deletable(self.resources.values()).iter().rev() {
            moved |= self.delete(slot)?;
        }
        let open = deletable(self.resources.values());
        if !open.is_empty() {
            return Ok(if moved { Advance::Moved } else { Advance::Waiting });
        }
        let stuck: Vec<String> = self
            .resources
            .values()
            .filter(|resource| resource.discards.iter().any(|discard| discard.state == DiscardState::Failed))
            .map(|resource| resource.logical_id.clone())
            .collect();
        self.swept(&stuck)
    }

    /// Decides what goes. After an update that succeeded: what left the template. On the way back of an update
    /// nothing more than its own discards. Otherwise everything.
    fn prepare_sweep(&mut self) -> Result<Advance, StoreError> {
        let all = self.operation.kind != OperationKind::Update;
        let kept = match (&self.stack.definition, all || self.operation.failed) {
            (Some(definition), false) => self
                .blueprint(definition)
                .ok()
                .map(|blueprint| blueprint.resources().keys().cloned().collect()),
            _ => None::<std::collections::BTreeSet<String>>,
        };
        let fresh = self.creating();
        for logical_id in self.resources.keys().cloned().collect::<Vec<_>>() {
            self.settle(&logical_id)?;
            let goes = all || kept.as_ref().is_some_and(|kept| !kept.contains(&logical_id));
            self.amend(&logical_id, |_, resource| {
                resource.step = Step::Done;
                for discard in &mut resource.discards {
                    discard.state = DiscardState::Waiting;
                }
                if goes && let Some(what) = resource.current.take() {
                    let state = DiscardState::Waiting;
                    resource.discards.push(Discard { what, replaced: false, fresh, state });
                }
                Ok(())
            })?;
        }
        self.transition(|journal| {
            if let Some(operation) = &mut journal.stack.operation {
                operation.prepared = true;
            }
            Ok(())
        })
    }

    /// Takes one deletion a step further; tells whether anything was done.
    fn delete(&mut self, (logical_id, index): &Slot) -> Result<bool, StoreError> {
        let Some(discard) = self.resources.get(logical_id).and_then(|r| r.discards.get(*index)).cloned()
        else {
            return Ok(false);
        };
        match &discard.state {
            DiscardState::Failed => Ok(false),
            DiscardState::Waiting if self.keeps(logical_id, &discard) => self.skip(logical_id, *index),
            DiscardState::Waiting => {
                self.begin_delete(logical_id, *index)?;
                self.call_delete(logical_id, *index, &discard.what)
            }
            DiscardState::Deleting { accepted: false, .. } => {
                self.call_delete(logical_id, *index, &discard.what)
            }
            DiscardState::Deleting { accepted: true, .. } => {
                match self
                    .existing(logical_id, &discard.what, |kind, ctx, existing| kind.deleted(ctx, existing))
                {
                    Ok(false) => Ok(false),
                    Ok(true) => self.gone(logical_id, *index),
                    Err(failure) => self.stuck(logical_id, *index, failure.reason),
                }
            }
        }
    }

    /// Whether a discard is to be left standing.
    fn keeps(&self, logical_id: &str, discard: &Discard) -> bool {
        if self.operation.retain.contains(logical_id) {
            return true;
        }
        let policy =
            if discard.replaced { discard.what.replace_policy } else { discard.what.deletion_policy };
        let failed_creation = discard.fresh && self.operation.failed;
        match policy {
            Policy::Delete => false,
            Policy::Retain => !(failed_creation && self.stack.retain_except_on_create),
            Policy::RetainExceptOnCreate => !failed_creation,
        }
    }

    fn begin_delete(&mut self, logical_id: &str, index: usize) -> Result<(), StoreError> {
        let give_up = self.host.now().checked_add(PATIENCE).unwrap_or(jiff::Timestamp::MAX);
        self.amend(logical_id, |journal, resource| {
            let Some(discard) = resource.discards.get_mut(index) else { return Ok(()) };
            discard.state = DiscardState::Deleting { accepted: false, give_up };
            tell(journal, resource, index, ResourceStatus::DeleteInProgress, None)
        })
    }

    fn call_delete(
        &mut self,
        logical_id: &str,
        index: usize,
        what: &Incarnation,
    ) -> Result<bool, StoreError> {
        let answer = self.existing(logical_id, what, |kind, ctx, existing| {
            kind.delete(ctx, existing)?;
            kind.deleted(ctx, existing)
        });
        match answer {
            Ok(true) => self.gone(logical_id, index),
            Ok(false) => {
                self.amend(logical_id, |_, resource| {
                    if let Some(Discard { state: DiscardState::Deleting { accepted, .. }, .. }) =
                        resource.discards.get_mut(index)
                    {
                        *accepted = true;
                    }
                    Ok(())
                })?;
                Ok(true)
            }
            Err(failure) if failure.transient && self.has_patience(logical_id, index) => Ok(false),
            Err(failure) => self.stuck(logical_id, index, failure.reason),
        }
    }

    fn has_patience(&self, logical_id: &str, index: usize) -> bool {
        let discard = self.resources.get(logical_id).and_then(|resource| resource.discards.get(index));
        match discard.map(|discard| &discard.state) {
            Some(DiscardState::Deleting { give_up, .. }) => self.host.now() < *give_up,
            Some(DiscardState::Waiting) => true,
            Some(DiscardState::Failed) | None => false,
        }
    }

    /// Asks a discarded thing's type; what has no id was never made.
    fn existing(
        &self,
        logical_id: &str,
        what: &Incarnation,
        ask: impl FnOnce(
            &dyn crate::cloudformation::types::ResourceType<H::Ctx>,
            &H::Ctx,
            &Existing<'_>,
        ) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let Some(physical_id) = &what.physical_id else { return Ok(true) };
        let owner = self.owner(logical_id);
        let existing = Existing {
            owner: &owner,
            physical_id,
            properties: &what.properties,
            attributes: &what.attributes,
        };
        ask(self.kind(&what.type_)?, &self.ctx, &existing)
    }

    fn gone(&mut self, logical_id: &str, index: usize) -> Result<bool, StoreError> {
        self.leave(logical_id, index, ResourceStatus::DeleteComplete)
    }

    fn skip(&mut self, logical_id: &str, index: usize) -> Result<bool, StoreError> {
        self.leave(logical_id, index, ResourceStatus::DeleteSkipped)
    }

    /// The stack has nothing to do with the discard any more.
    fn leave(&mut self, logical_id: &str, index: usize, status: ResourceStatus) -> Result<bool, StoreError> {
        self.amend(logical_id, |journal, resource| {
            tell(journal, resource, index, status, None)?;
            if index < resource.discards.len() {
                resource.discards.remove(index);
            }
            Ok(())
        })?;
        Ok(true)
    }

    fn stuck(&mut self, logical_id: &str, index: usize, reason: String) -> Result<bool, StoreError> {
        self.amend(logical_id, |journal, resource| {
            if let Some(discard) = resource.discards.get_mut(index) {
                discard.state = DiscardState::Failed;
            }
            tell(journal, resource, index, ResourceStatus::DeleteFailed, Some(reason))
        })?;
        Ok(true)
    }
}

/// The discards whose turn it is: nothing that is still to be deleted needs them, and they have not failed.
fn deletable<'r>(resources: impl Iterator<Item = &'r Resource> + Clone) -> Vec<Slot> {
    let needed = |logical_id: &str| {
        resources.clone().any(|other| {
            other.logical_id != logical_id
                && other.discards.iter().any(|discard| discard.what.needs.contains(logical_id))
        })
    };
    resources
        .clone()
        .filter(|resource| !needed(&resource.logical_id))
        .flat_map(|resource| {
            resource
                .discards
                .iter()
                .enumerate()
                .filter(|(_, discard)| discard.state != DiscardState::Failed)
                .map(|(index, _)| (resource.logical_id.clone(), index))
        })
        .collect()
}

/// Tells of a discard's state. The resource itself takes it on when nothing else stands for it.
fn tell(
    journal: &mut Journal<'_, '_>,
    resource: &mut Resource,
    index: usize,
    status: ResourceStatus,
    reason: Option<String>,
) -> Result<(), StoreError> {
    let Some(what) = resource.discards.get(index).map(|discard| discard.what.clone()) else { return Ok(()) };
    if resource.current.is_none() {
        resource.shown_id.clone_from(&what.physical_id);
        return journal.resource_becomes(resource, status, reason);
    }
    journal.tell(resource, what.physical_id, status, reason, Some(what.properties))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn resource(logical_id: &str, needs: &[&str], failed: bool) -> Resource {
        let what = Incarnation {
            type_: "Test::A".into(),
            physical_id: Some(logical_id.to_lowercase()),
            properties: json!({}),
            metadata: None,
            tags: Default::default(),
            attributes: Default::default(),
            needs: needs.iter().map(|id| (*id).to_owned()).collect(),
            deletion_policy: Policy::Delete,
            replace_policy: Policy::Delete,
        };
        let state = if failed { DiscardState::Failed } else { DiscardState::Waiting };
        Resource {
            region: "r".into(),
            key: logical_id.into(),
            stack_id: "s".into(),
            logical_id: logical_id.into(),
            type_: "Test::A".into(),
            status: None,
            reason: None,
            changed: Timestamp::UNIX_EPOCH,
            shown_id: None,
            current: None,
            before: None,
            discards: vec![Discard { what, replaced: false, fresh: false, state }],
            step: Step::Done,
            signals: None,
        }
    }

    #[test]
    fn things_are_deleted_before_what_they_need() {
        let cases: [(&[Resource], &[&str]); 3] = [
            (
                &[
                    resource("Group", &["Config"], false),
                    resource("Config", &["Wall"], false),
                    resource("Wall", &[], false),
                ],
                &["Group"],
            ),
            (
                &[
                    resource("Config", &["Wall"], false),
                    resource("Wall", &[], false),
                    resource("Other", &[], false),
                ],
                &["Config", "Other"],
            ),
            // What a stuck one needs has to stay; the rest goes.
            (
                &[
                    resource("Config", &["Wall"], true),
                    resource("Wall", &[], false),
                    resource("Other", &[], false),
                ],
                &["Other"],
            ),
        ];
        for (resources, expected) in cases {
            let found: Vec<String> = deletable(resources.iter()).into_iter().map(|(id, _)| id).collect();
            assert_eq!(found, expected);
        }
    }
}
