//! Putting an operation into a stack, for the engine to carry out.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::blueprint::Blueprint;
use super::events::Journal;
use super::state::{
    Attempt, Definition, Discard, DiscardState, OnFailure, Operation, OperationKind, Phase, Requester,
    Resource, Stack, Step, resource_key,
};
use super::status::StackStatus;
use crate::ids;
use crate::store::StoreError;

/// Who begins an operation, and how it is to be told from others.
#[derive(Debug, Clone)]
pub struct Initiative {
    /// Who.
    pub requester: Requester,
    /// Their `ClientRequestToken`.
    pub token: Option<String>,
}

const BY_USER: &str = "User Initiated";

/// A stack that is not stored yet.
pub fn new_stack(region: &str, account: &str, name: &str, now: Timestamp) -> Stack {
    Stack {
        region: region.to_owned(),
        id: format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{}", ids::uuid()),
        name: name.to_owned(),
        status: StackStatus::ReviewInProgress,
        status_reason: None,
        created: now,
        updated: None,
        deleted: None,
        definition: None,
        operation: None,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        change_set_id: None,
        disable_rollback: false,
        termination_protection: false,
        timeout_minutes: None,
        retain_except_on_create: false,
        last_event_ms: 0,
    }
}

fn operation(kind: OperationKind, phase: Phase, by: Initiative, on_failure: OnFailure) -> Operation {
    Operation {
        id: ids::uuid(),
        kind,
        phase,
        // Going forward takes none; other phases sort out first what is there.
        prepared: phase == Phase::Forward,
        failed: false,
        token: by.token,
        caller: by.requester,
        previous: None,
        on_failure,
        deadline: None,
        retain: BTreeSet::new(),
    }
}

/// Begins a creation.
///
/// # Errors
/// The store's.
pub fn create(
    journal: &mut Journal<'_, '_>,
    definition: Definition,
    blueprint: &Blueprint,
    by: Initiative,
    on_failure: OnFailure,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut operation = operation(OperationKind::Create, Phase::Forward, by, on_failure);
    operation.deadline = journal
        .stack
        .timeout_minutes
        .and_then(|minutes| now.checked_add(SignedDuration::from_mins(i64::from(minutes))).ok());
    journal.stack.operation = Some(operation);
    journal.stack.definition = Some(definition);
    for (logical_id, declared) in blueprint.resources() {
        let resource = Resource::new(&journal.stack, logical_id, &declared.type_, now);
        journal.tx.put(resource)?;
    }
    journal.stack_becomes(StackStatus::CreateInProgress, Some(BY_USER.to_owned()))
}

/// Begins an update.
///
/// # Errors
/// The store's.
pub fn update(
    journal: &mut Journal<'_, '_>,
    definition: Definition,
    blueprint: &Blueprint,
    by: Initiative,
    on_failure: OnFailure,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut operation = operation(OperationKind::Update, Phase::Forward, by, on_failure);
    operation.previous = journal.stack.definition.replace(definition);
    journal.stack.operation = Some(operation);
    journal.stack.updated = Some(now);
    let stack_id = journal.stack.id.clone();
    for resource in journal.tx.list::<Resource>(&journal.stack.region) {
        if resource.stack_id == stack_id {
            let stays = blueprint.resources().contains_key(&resource.logical_id);
            journal.tx.put(readied(Resource::clone(&resource), stays))?;
        }
    }
    for (logical_id, declared) in blueprint.resources() {
        let key = resource_key(&stack_id, logical_id);
        if journal.tx.get::<Resource>(&journal.stack.region, &key).is_none() {
            let resource = Resource::new(&journal.stack, logical_id, &declared.type_, now);
            journal.tx.put(resource)?;
        }
    }
    journal.stack_becomes(StackStatus::UpdateInProgress, Some(BY_USER.to_owned()))
}

/// A resource at the start of an update. What a failed attempt that was not rolled back has made is discarded.
fn readied(mut resource: Resource, stays: bool) -> Resource {
    if let Step::Failed(Some(Attempt { creates: true, target, .. })) = &resource.step
        && target.physical_id.is_some()
    {
        let what = target.clone();
        resource.discards.push(Discard { what, replaced: false, fresh: true, state: DiscardState::Waiting });
    }
    resource.before.clone_from(&resource.current);
    resource.step = if stays { Step::Waiting } else { Step::Done };
    resource.signals = None;
    resource
}

/// Begins a deletion, in place of whatever was being done.
///
/// # Errors
/// The store's.
pub fn delete(
    journal: &mut Journal<'_, '_>,
    by: Initiative,
    retain: BTreeSet<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut operation = operation(OperationKind::Delete, Phase::Sweep, by, OnFailure::DoNothing);
    operation.retain = retain;
    journal.stack.operation = Some(operation);
    journal.stack.deleted = Some(now);
    journal.stack_becomes(StackStatus::DeleteInProgress, Some(BY_USER.to_owned()))
}
