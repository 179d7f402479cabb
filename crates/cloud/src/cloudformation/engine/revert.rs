//! The way back of an update: every resource becomes what it was before.

use super::outcome::enter;
use super::{Advance, Host, Work};
use crate::cloudformation::state::{Attempt, Discard, DiscardState, Incarnation, Phase, Resource, Step};
use crate::cloudformation::status::{ResourceStatus, StackStatus};
use crate::store::StoreError;

impl<H: Host> Work<'_, H> {
    /// One advance of an update's rollback.
    pub(super) async fn revert(&mut self) -> Result<Advance, StoreError> {
        if !self.operation.prepared {
            return self.prepare_revert();
        }
        let mut moved = false;
        for logical_id in self.resources.keys().cloned().collect::<Vec<_>>() {
            let Some(resource) = self.resources.get(&logical_id) else { continue };
            match resource.step.clone() {
                Step::Waiting if self.may_revert(resource) => {
                    if let Some(before) = resource.before.clone() {
                        self.begin_update(&logical_id, before)?;
                        moved = true;
                    }
                }
                Step::Active(attempt) => moved |= self.drive(&logical_id, attempt).await?,
                Step::Waiting | Step::Done | Step::Failed(_) => {}
            }
        }
        self.end_revert(moved)
    }

    /// Whether everything that the resource needed before is as it was.
    fn may_revert(&self, resource: &Resource) -> bool {
        resource.before.as_ref().is_some_and(|before| {
            before
                .needs
                .iter()
                .all(|id| self.resources.get(id).is_none_or(|needed| needed.step == Step::Done))
        })
    }

    fn end_revert(&self, moved: bool) -> Result<Advance, StoreError> {
        let failed: Vec<&str> = self
            .resources
            .values()
            .filter(|resource| matches!(resource.step, Step::Failed(_)))
            .map(|resource| resource.logical_id.as_str())
            .collect();
        let running = self.resources.values().any(|resource| matches!(resource.step, Step::Active(_)));
        if !failed.is_empty() && !running {
            let reason = format!("The following resource(s) failed to update: [{}]. ", failed.join(", "));
            return self.transition(|journal| {
                journal.stack_becomes(StackStatus::UpdateRollbackFailed, Some(reason))?;
                journal.stack.operation = None;
                Ok(())
            });
        }
        if self.resources.values().all(|resource| resource.step == Step::Done) {
            return self.transition(|journal| {
                enter(journal, Phase::Sweep, true);
                journal.stack_becomes(StackStatus::UpdateRollbackCompleteCleanupInProgress, None)
            });
        }
        Ok(if moved { Advance::Moved } else { Advance::Waiting })
    }

    /// Sorts out what the failed update left: what it made is discarded, what it changed awaits its turn.
    fn prepare_revert(&mut self) -> Result<Advance, StoreError> {
        for logical_id in self.resources.keys().cloned().collect::<Vec<_>>() {
            self.settle(&logical_id)?;
            self.amend(&logical_id, |journal, resource| {
                let replaced = reinstate(resource);
                if replaced {
                    journal.resource_becomes(resource, ResourceStatus::UpdateInProgress, None)?;
                    journal.resource_becomes(resource, ResourceStatus::UpdateComplete, None)?;
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

    /// Ends a resource's attempt for good: something that it made becomes a discard, a change that may have
    /// happened becomes what is known of the resource.
    pub(super) fn settle(&mut self, logical_id: &str) -> Result<(), StoreError> {
        let Some(resource) = self.resources.get(logical_id) else { return Ok(()) };
        let attempt = match &resource.step {
            Step::Active(attempt) | Step::Failed(Some(attempt)) => attempt.clone(),
            Step::Done | Step::Waiting | Step::Failed(None) => return Ok(()),
        };
        let made = self.whereabouts(logical_id, attempt);
        self.amend(logical_id, |_, resource| {
            resource.step = Step::Done;
            match made {
                Some(Attempt { creates: true, target, .. }) => resource.discards.push(Discard {
                    what: target,
                    replaced: false,
                    fresh: true,
                    state: DiscardState::Waiting,
                }),
                Some(Attempt { creates: false, target, .. }) => resource.current = Some(target),
                None => {}
            }
            Ok(())
        })
    }

    /// The attempt with the id of what it made; none when it has made nothing.
    fn whereabouts(&self, logical_id: &str, mut attempt: Attempt) -> Option<Attempt> {
        if attempt.target.physical_id.is_some() {
            return Some(attempt);
        }
        // A service that cannot even be asked has nothing to delete that we could name.
        let found = self.find(logical_id, &attempt).unwrap_or_else(|failure| {
            tracing::warn!(stack = %self.stack.name, logical_id, reason = %failure.reason, "cannot look for what a failed creation made");
            None
        })?;
        attempt.target.physical_id = Some(found.physical_id);
        Some(attempt)
    }
}

/// Brings a settled resource's record back to what it was before the update, as far as records go. Tells
/// whether another incarnation was put back in its place. A resource that was changed in place is left
/// [`Step::Waiting`].
fn reinstate(resource: &mut Resource) -> bool {
    let id =
        |incarnation: &Option<Incarnation>| incarnation.as_ref().and_then(|known| known.physical_id.clone());
    resource.step = Step::Done;
    let Some(before) = resource.before.clone() else {
        discard_current(resource);
        return false;
    };
    if id(&resource.current) != before.physical_id {
        discard_current(resource);
        resource.discards.retain(|discard| discard.what.physical_id != before.physical_id);
        resource.type_.clone_from(&before.type_);
        resource.current = Some(before);
        return true;
    }
    let touched = resource
        .current
        .as_ref()
        .is_some_and(|current| current.properties != before.properties || current.tags != before.tags);
    if touched {
        resource.step = Step::Waiting;
    } else {
        resource.current = Some(before);
    }
    false
}

fn discard_current(resource: &mut Resource) {
    if let Some(what) = resource.current.take() {
        resource.discards.push(Discard { what, replaced: false, fresh: true, state: DiscardState::Waiting });
    }
}
