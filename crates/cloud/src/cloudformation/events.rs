//! The journal of a stack: every change of state is written together with the event that tells of it.

use jiff::Timestamp;
use serde_json::Value;

use super::state::{Event, Resource, Stack, uuid_of};
use super::status::{ResourceStatus, StackStatus};
use crate::ids;
use crate::store::{Store, StoreError, Tx};

/// The resource type under which a stack appears among its own events.
pub const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// A transaction on one stack. The stack is read at its start and written at its end.
pub struct Journal<'t, 's> {
    /// The transaction, for further records.
    pub tx: &'t mut Tx<'s>,
    /// The stack as this transaction changes it.
    pub stack: Stack,
    now: Timestamp,
}

/// Runs a transaction on a stack. `None` when the stack is not there.
///
/// # Errors
/// The closure's, or the store's own.
pub fn write<R, E: From<StoreError>>(
    store: &Store,
    region: &str,
    stack_id: &str,
    now: Timestamp,
    change: impl FnOnce(&mut Journal<'_, '_>) -> Result<R, E>,
) -> Result<Option<R>, E> {
    store.write(|tx| {
        let Some(stack) = tx.get::<Stack>(region, stack_id) else { return Ok(None) };
        let mut journal = Journal::new(tx, Stack::clone(&stack), now);
        let result = change(&mut journal)?;
        journal.close()?;
        Ok(Some(result))
    })
}

impl<'t, 's> Journal<'t, 's> {
    /// A journal for a stack within a transaction; [`Journal::close`] writes the stack.
    pub fn new(tx: &'t mut Tx<'s>, stack: Stack, now: Timestamp) -> Self {
        Self { tx, stack, now }
    }

    /// Writes the stack.
    ///
    /// # Errors
    /// The store's.
    pub fn close(self) -> Result<(), StoreError> {
        self.tx.put(self.stack)
    }

    /// Puts the stack into a state and tells of it.
    ///
    /// # Errors
    /// The store's.
    pub fn stack_becomes(&mut self, status: StackStatus, reason: Option<String>) -> Result<(), StoreError> {
        self.stack.status = status;
        self.stack.status_reason.clone_from(&reason);
        let (name, id) = (self.stack.name.clone(), self.stack.id.clone());
        let subject = Subject { logical_id: name, physical_id: Some(id), type_: STACK_TYPE.to_owned() };
        self.append(subject, ids::uuid(), status.as_str(), reason, None)
    }

    /// Puts a resource into a state, tells of it, and writes the resource.
    ///
    /// # Errors
    /// The store's.
    pub fn resource_becomes(
        &mut self,
        resource: &mut Resource,
        status: ResourceStatus,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        resource.status = Some(status);
        resource.reason.clone_from(&reason);
        resource.changed = self.now;
        if let Some(id) = resource.newest().and_then(|newest| newest.physical_id.clone()) {
            resource.shown_id = Some(id);
        }
        let properties = resource.newest().map(|newest| newest.properties.clone());
        self.tell(resource, resource.shown_id.clone(), status, reason, properties)?;
        self.tx.put(resource.clone())
    }

    /// Tells of a resource's state without changing it: for things that the resource has left behind.
    ///
    /// # Errors
    /// The store's.
    pub fn tell(
        &mut self,
        resource: &Resource,
        physical_id: Option<String>,
        status: ResourceStatus,
        reason: Option<String>,
        properties: Option<Value>,
    ) -> Result<(), StoreError> {
        let subject =
            Subject { logical_id: resource.logical_id.clone(), physical_id, type_: resource.type_.clone() };
        let time = self.next_time();
        let event_id = format!("{}-{status}-{}", resource.logical_id, in_milliseconds(time));
        self.append_at(time, subject, event_id, status.as_str(), reason, properties)
    }

    fn append(
        &mut self,
        subject: Subject,
        event_id: String,
        status: &str,
        reason: Option<String>,
        properties: Option<Value>,
    ) -> Result<(), StoreError> {
        let time = self.next_time();
        self.append_at(time, subject, event_id, status, reason, properties)
    }

    fn append_at(
        &mut self,
        time: i64,
        subject: Subject,
        event_id: String,
        status: &str,
        reason: Option<String>,
        properties: Option<Value>,
    ) -> Result<(), StoreError> {
        let operation = self.stack.operation.as_ref();
        let event = Event {
            region: self.stack.region.clone(),
            key: format!("{}/{time:016}", uuid_of(&self.stack.id)),
            event_id,
            stack_id: self.stack.id.clone(),
            stack_name: self.stack.name.clone(),
            logical_id: subject.logical_id,
            physical_id: subject.physical_id,
            type_: subject.type_,
            at: Timestamp::from_millisecond(time).unwrap_or(self.now),
            status: status.to_owned(),
            reason,
            properties: properties.map(|properties| properties.to_string()),
            token: operation.and_then(|operation| operation.token.clone()),
            operation_id: operation.map(|operation| operation.id.clone()),
        };
        self.tx.put(event)
    }

    /// The event's time: now, but always later than the event before, so that time gives the order.
    fn next_time(&mut self) -> i64 {
        let time = self.now.as_millisecond().max(self.stack.last_event_ms + 1);
        self.stack.last_event_ms = time;
        time
    }
}

/// What an event is about.
struct Subject {
    logical_id: String,
    physical_id: Option<String>,
    type_: String,
}

fn in_milliseconds(time: i64) -> String {
    Timestamp::from_millisecond(time).map(|at| format!("{at:.3}")).unwrap_or_else(|_| time.to_string())
}

/// A stack's events, newest first.
pub fn newest_first(store: &Store, stack: &Stack) -> Vec<std::sync::Arc<Event>> {
    let mut events = store.list::<Event>(&stack.region);
    events.retain(|event| event.stack_id == stack.id);
    events.reverse();
    events
}
