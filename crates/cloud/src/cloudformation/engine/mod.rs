//! The engine: brings stacks to what their definitions say, one small durable step at a time.
//!
//! Everything it does follows from the records, so it does not matter how often it is interrupted:
//!
//! 1. What is about to be done (under which name, with which properties) is written.
//! 2. The service is called.
//! 3. What came of it is written.
//!
//! Where an engine finds the first but not the last, it looks for what the call has made before it makes it
//! again. A stack is worked on by one task at a time, so steps of one stack never overlap; handlers only put
//! operations into stacks and signals into resources.

mod begin;
mod drive;
pub mod names;
mod outcome;
mod revert;
pub mod signals;
mod supervisor;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::blueprint::Blueprint;
use super::events::{self, Journal};
use super::state::{Definition, Operation, OperationKind, Phase, Requester, Resource, Stack};
use super::types::{Owner, Types};
use crate::store::{Store, StoreError};

pub use supervisor::run;

/// What the engine needs from its surroundings.
pub trait Host: Send + Sync + 'static {
    /// The context that services are called with.
    type Ctx: Send + Sync;

    /// Where the records are.
    fn store(&self) -> &Store;
    /// The account's number.
    fn account(&self) -> &str;
    /// The context for calls on behalf of who asked for an operation.
    fn ctx(&self, region: &str, requester: &Requester) -> Self::Ctx;
    /// The resource types.
    fn types(&self) -> &Types<Self::Ctx>;
    /// The time.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    /// The region's availability zones.
    fn availability_zones(&self, ctx: &Self::Ctx, region: &str) -> Option<Vec<String>>;
    /// The value of an SSM parameter.
    fn ssm_parameter(&self, ctx: &Self::Ctx, name: &str) -> Option<String>;
    /// The first of these ids or names of an AWS-specific parameter type that does not exist.
    ///
    /// # Errors
    /// When the service cannot be asked, or the type cannot be checked.
    fn missing(&self, ctx: &Self::Ctx, kind: &str, values: &[String]) -> Result<Option<String>, String>;
    /// Whether an instance belongs to a stack.
    fn belongs(&self, ctx: &Self::Ctx, instance: &str, stack: &Stack) -> bool;
    /// Finds out from outside why instances failed to signal success.
    fn diagnose(&self, instances: &[String]) -> impl Future<Output = Option<String>> + Send;
}

/// How long a deletion that is refused because the resource is in use is tried again.
const PATIENCE: Duration = Duration::from_secs(90);

/// Works on stacks.
pub struct Engine<H> {
    host: Arc<H>,
}

/// What an advance of a stack came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// Something was done; there may be more to do at once.
    Moved,
    /// Everything begun needs time.
    Waiting,
    /// The stack has no operation.
    Idle,
}

/// One stack's records and what they are worked on with, for one advance.
struct Work<'e, H: Host> {
    host: &'e H,
    ctx: H::Ctx,
    stack: Stack,
    operation: Operation,
    resources: BTreeMap<String, Resource>,
}

impl<H: Host> Engine<H> {
    /// An engine in its surroundings.
    pub fn new(host: Arc<H>) -> Self {
        Self { host }
    }

    /// Does what can be done for a stack now.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn advance(&self, region: &str, stack_id: &str) -> Result<Advance, StoreError> {
        let Some(mut work) = self.load(region, stack_id) else { return Ok(Advance::Idle) };
        match work.operation.phase {
            Phase::Forward => work.forward().await,
            Phase::Revert => work.revert().await,
            Phase::Sweep => work.sweep(),
        }
    }

    fn load(&self, region: &str, stack_id: &str) -> Option<Work<'_, H>> {
        let store = self.host.store();
        let stack = Stack::clone(store.get::<Stack>(region, stack_id)?.as_ref());
        let operation = stack.operation.clone()?;
        let resources = store
            .list::<Resource>(region)
            .into_iter()
            .filter(|resource| resource.stack_id == stack_id)
            .map(|resource| (resource.logical_id.clone(), Resource::clone(&resource)))
            .collect();
        let ctx = self.host.ctx(region, &operation.caller);
        Some(Work { host: &self.host, ctx, stack, operation, resources })
    }
}

impl<H: Host> Work<'_, H> {
    /// The stack's definition, compiled. It has been validated when it was submitted, so that it fails here
    /// means that this version of the program reads it differently.
    fn blueprint(&self, definition: &Definition) -> Result<Blueprint, String> {
        Blueprint::compile(definition, &self.stack, self.host.account()).map_err(|errors| errors.to_string())
    }

    fn owner(&self, logical_id: &str) -> Owner {
        Owner {
            stack_id: self.stack.id.clone(),
            stack_name: self.stack.name.clone(),
            logical_id: logical_id.to_owned(),
        }
    }

    /// Writes to the stack's records in one transaction.
    fn write<R>(
        &self,
        change: impl FnOnce(&mut Journal<'_, '_>) -> Result<R, StoreError>,
    ) -> Result<Option<R>, StoreError> {
        events::write(self.host.store(), &self.stack.region, &self.stack.id, self.host.now(), change)
    }

    /// Writes to the stack's records unless another operation has taken this one's place.
    fn transition(
        &self,
        change: impl FnOnce(&mut Journal<'_, '_>) -> Result<(), StoreError>,
    ) -> Result<Advance, StoreError> {
        let id = &self.operation.id;
        self.write(|journal| {
            if journal.stack.operation.as_ref().is_some_and(|operation| operation.id == *id) {
                change(journal)?;
            }
            Ok(())
        })?;
        Ok(Advance::Moved)
    }

    /// Changes a resource's record as it is in the store now (handlers may have added signals), and keeps the
    /// new one.
    fn amend(
        &mut self,
        logical_id: &str,
        change: impl FnOnce(&mut Journal<'_, '_>, &mut Resource) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let key = super::state::resource_key(&self.stack.id, logical_id);
        let region = self.stack.region.clone();
        let amended = self.write(|journal| {
            let Some(resource) = journal.tx.get::<Resource>(&region, &key) else { return Ok(None) };
            let mut resource = Resource::clone(&resource);
            change(journal, &mut resource)?;
            journal.tx.put(resource.clone())?;
            Ok(Some(resource))
        })?;
        if let Some(resource) = amended.flatten() {
            self.resources.insert(logical_id.to_owned(), resource);
        }
        Ok(())
    }

    fn creating(&self) -> bool {
        self.operation.kind == OperationKind::Create
    }
}
