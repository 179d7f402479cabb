//! Carrying an attempt through: the call, the wait for the resource, the wait for its signals.

use super::signals::{self, Verdict};
use super::{Host, Work};
use crate::cloudformation::state::{Attempt, Discard, DiscardState, Resource, SignalWait, Step};
use crate::cloudformation::status::ResourceStatus;
use crate::cloudformation::types::{
    Attributes, Change, Existing, Failure, Made, Owner, Progress, ResourceType, Wanted,
};
use crate::store::StoreError;

impl<H: Host> Work<'_, H> {
    /// Does what can be done for a running attempt; tells whether anything was.
    pub(super) async fn drive(&mut self, logical_id: &str, attempt: Attempt) -> Result<bool, StoreError> {
        if !attempt.accepted {
            // Only an engine that was interrupted between writing and calling leaves an attempt like this.
            self.resume(logical_id, &attempt)?;
            return Ok(true);
        }
        if !attempt.completed {
            self.call_complete(logical_id, &attempt)?;
            return Ok(true);
        }
        match self.stabilize(logical_id, &attempt) {
            Err(failure) => self.fail(logical_id, failure.reason).map(|()| true),
            Ok(Progress::Pending) => self.await_signals(logical_id, &attempt, None).await,
            Ok(Progress::Ready(attributes)) => {
                self.await_signals(logical_id, &attempt, Some(attributes)).await
            }
        }
    }

    fn resume(&mut self, logical_id: &str, attempt: &Attempt) -> Result<(), StoreError> {
        if !attempt.creates {
            return self.call_update(logical_id, attempt);
        }
        match self.find(logical_id, attempt) {
            Ok(Some(made)) => self.accepted(logical_id, made),
            Ok(None) => self.call_create(logical_id, attempt),
            Err(failure) => self.fail(logical_id, failure.reason),
        }
    }

    /// What an attempt whose answer was never written has made.
    pub(super) fn find(&self, logical_id: &str, attempt: &Attempt) -> Result<Option<Made>, Failure> {
        let owner = self.owner(logical_id);
        self.kind(&attempt.target.type_)?.find(&self.ctx, &wanted(&owner, attempt))
    }

    pub(super) fn kind(&self, name: &str) -> Result<&dyn ResourceType<H::Ctx>, Failure> {
        self.host.types().get(name).ok_or_else(|| Failure::new(format!("Unrecognized resource type: {name}")))
    }

    pub(super) fn call_create(&mut self, logical_id: &str, attempt: &Attempt) -> Result<(), StoreError> {
        let owner = self.owner(logical_id);
        let wanted = wanted(&owner, attempt);
        match self.kind(&attempt.target.type_).and_then(|kind| kind.create(&self.ctx, &wanted)) {
            Ok(made) => self.accepted(logical_id, made),
            Err(failure) => self.fail(logical_id, failure.reason),
        }
    }

    /// The service has accepted a creation.
    fn accepted(&mut self, logical_id: &str, made: Made) -> Result<(), StoreError> {
        self.amend(logical_id, |journal, resource| {
            let replaces = resource.current.is_some();
            if let Step::Active(attempt) = &mut resource.step {
                attempt.accepted = true;
                attempt.target.physical_id = Some(made.physical_id);
                attempt.target.attributes = made.attributes;
            }
            let status =
                if replaces { ResourceStatus::UpdateInProgress } else { ResourceStatus::CreateInProgress };
            journal.resource_becomes(resource, status, Some("Resource creation Initiated".to_owned()))
        })
    }

    /// The further calls that a creation takes, made once its id is known.
    fn call_complete(&mut self, logical_id: &str, attempt: &Attempt) -> Result<(), StoreError> {
        let owner = self.owner(logical_id);
        let id = attempt.target.physical_id.as_deref().unwrap_or_default();
        let wanted = wanted(&owner, attempt);
        match self.kind(&attempt.target.type_).and_then(|kind| kind.complete(&self.ctx, id, &wanted)) {
            Ok(()) => self.amend(logical_id, |_, resource| {
                if let Step::Active(attempt) = &mut resource.step {
                    attempt.completed = true;
                }
                Ok(())
            }),
            Err(failure) => self.fail(logical_id, failure.reason),
        }
    }

    pub(super) fn call_update(&mut self, logical_id: &str, attempt: &Attempt) -> Result<(), StoreError> {
        let Some(current) = self.resources.get(logical_id).and_then(|resource| resource.current.clone())
        else {
            return self.fail(logical_id, "there is nothing to update".to_owned());
        };
        let owner = self.owner(logical_id);
        let change = Change {
            owner: &owner,
            physical_id: current.physical_id.as_deref().unwrap_or_default(),
            before: &current.properties,
            after: &attempt.target.properties,
            tags_before: &current.tags,
            tags: &attempt.target.tags,
        };
        match self.kind(&attempt.target.type_).and_then(|kind| kind.update(&self.ctx, &change)) {
            Ok(()) => self.amend(logical_id, |_, resource| {
                if let Step::Active(attempt) = &mut resource.step {
                    attempt.accepted = true;
                }
                Ok(())
            }),
            Err(failure) => self.fail(logical_id, failure.reason),
        }
    }

    fn stabilize(&self, logical_id: &str, attempt: &Attempt) -> Result<Progress, Failure> {
        let owner = self.owner(logical_id);
        let existing = Existing {
            owner: &owner,
            physical_id: attempt.target.physical_id.as_deref().unwrap_or_default(),
            properties: &attempt.target.properties,
            attributes: &attempt.target.attributes,
        };
        self.kind(&attempt.target.type_)?.stabilize(&self.ctx, &existing)
    }

    /// Completes an attempt whose resource is `stable` once its signals, if it waits for any, have come.
    async fn await_signals(
        &mut self,
        logical_id: &str,
        attempt: &Attempt,
        stable: Option<Attributes>,
    ) -> Result<bool, StoreError> {
        let waits = if attempt.creates { self.signals(logical_id) } else { None };
        let verdict =
            waits.as_ref().map_or(Verdict::Satisfied, |wait| signals::verdict(wait, self.host.now()));
        match (verdict, stable) {
            (Verdict::Satisfied, Some(attributes)) => self.complete(logical_id, attributes).map(|()| true),
            (Verdict::Satisfied, None) => Ok(false),
            (Verdict::Waiting, _) => Ok(false),
            (verdict, _) => {
                let signallers = match &verdict {
                    // Signals need not come from instances; those that do have their ids.
                    Verdict::Failed { by } if by.iter().all(|id| id.starts_with("i-")) => by.clone(),
                    _ => self.silent(logical_id, attempt),
                };
                let reason =
                    waits.as_ref().and_then(|wait| signals::reason(&verdict, wait)).unwrap_or_default();
                let found = self.host.diagnose(&signallers).await;
                self.fail(logical_id, with_diagnosis(reason, found)).map(|()| true)
            }
        }
    }

    /// The instances that should signal and have not.
    fn silent(&self, logical_id: &str, attempt: &Attempt) -> Vec<String> {
        let Ok(kind) = self.kind(&attempt.target.type_) else { return Vec::new() };
        let mut instances =
            kind.signallers(&self.ctx, attempt.target.physical_id.as_deref().unwrap_or_default());
        if let Some(wait) = self.signals(logical_id) {
            instances.retain(|instance| !wait.received.contains_key(instance));
        }
        instances
    }

    /// The wait as it is in the store now: signals come at any time.
    fn signals(&self, logical_id: &str) -> Option<SignalWait> {
        let key = &self.resources.get(logical_id)?.key;
        self.host.store().get::<Resource>(&self.stack.region, key)?.signals.clone()
    }

    fn complete(&mut self, logical_id: &str, attributes: Attributes) -> Result<(), StoreError> {
        self.amend(logical_id, |journal, resource| {
            let Step::Active(attempt) = std::mem::replace(&mut resource.step, Step::Done) else {
                return Ok(());
            };
            let mut made = attempt.target;
            made.attributes = attributes;
            let previous = resource.current.replace(made);
            let status = match (&previous, attempt.creates) {
                (None, _) => ResourceStatus::CreateComplete,
                (Some(_), _) => ResourceStatus::UpdateComplete,
            };
            if let (Some(what), true) = (previous, attempt.creates) {
                resource.discards.push(Discard {
                    what,
                    replaced: true,
                    fresh: false,
                    state: DiscardState::Waiting,
                });
            }
            journal.resource_becomes(resource, status, None)
        })
    }

    /// An attempt fails. What it may have made is kept in mind for the way back.
    pub(super) fn fail(&mut self, logical_id: &str, reason: String) -> Result<(), StoreError> {
        let status = self.failed_status(logical_id);
        self.amend(logical_id, |journal, resource| {
            let attempt = match std::mem::replace(&mut resource.step, Step::Done) {
                Step::Active(attempt) | Step::Failed(Some(attempt)) => Some(attempt),
                Step::Done | Step::Waiting | Step::Failed(None) => None,
            };
            resource.step = Step::Failed(attempt);
            journal.resource_becomes(resource, status, Some(reason))
        })
    }
}

fn wanted<'a>(owner: &'a Owner, attempt: &'a Attempt) -> Wanted<'a> {
    Wanted { owner, name: &attempt.name, properties: &attempt.target.properties, tags: &attempt.target.tags }
}

fn with_diagnosis(reason: String, found: Option<String>) -> String {
    match found {
        Some(found) => format!("{reason}. {found}"),
        None => reason,
    }
}
