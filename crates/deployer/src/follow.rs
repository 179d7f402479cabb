//! Follows a stack operation to its end and tells what happens on the way.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{Stack, StackEvent};

use crate::clients::Clients;
use crate::deploy::existing_stack;
use crate::error::{Error, sdk};
use crate::fail_fast::FailFast;
use crate::instances::{self, StackInstance};
use crate::phase::Phase;

/// A resource's change of status.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ResourceEvent {
    /// The event's id.
    pub id: String,
    /// When, in RFC 3339.
    pub time: String,
    /// The resource's name in the template; the stack's name for the stack itself.
    pub logical_id: String,
    /// The resource's own id, once it has one.
    pub physical_id: String,
    /// E.g. `AWS::ECS::Cluster`.
    pub resource_type: String,
    /// E.g. `CREATE_COMPLETE`.
    pub status: String,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

impl ResourceEvent {
    /// Whether something failed.
    pub fn failed(&self) -> bool {
        self.status.ends_with("_FAILED") || self.status.ends_with("ROLLBACK_IN_PROGRESS")
    }
}

/// Something that happened during a stack operation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Progress {
    /// A resource changed its status.
    Resource(ResourceEvent),
    /// An instance came a step further.
    Instance(StackInstance),
    /// An instance was given up by `--fail-fast`.
    GivenUp {
        /// The instance.
        instance_id: String,
        /// The resource that waited for its signal.
        logical_id: String,
        /// What its console said last.
        console_tail: Vec<String>,
    },
}

/// Is told what happens.
pub trait Observer {
    /// Takes note of one happening.
    fn observe(&mut self, progress: Progress);
    /// Is called between two looks, for a display that shows time passing.
    fn tick(&mut self) {}
}

/// How a stack operation ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// The stack's last status; `DELETE_COMPLETE` when it is gone.
    pub status: String,
    /// CloudFormation's reason for it.
    pub status_reason: Option<String>,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The events of resources that failed by themselves, first to last: the cause is the first.
    pub failures: Vec<ResourceEvent>,
}

impl Outcome {
    /// Whether the stack is as it was asked to be.
    pub fn succeeded(&self) -> bool {
        matches!(
            self.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE" | "IMPORT_COMPLETE"
        )
    }
}

/// The events of a stack in the order that they happened.
///
/// # Errors
/// When CloudFormation cannot be asked.
pub async fn events(clients: &Clients, stack: &str) -> Result<Vec<ResourceEvent>, Error> {
    events_since(clients, stack, &BTreeSet::new()).await
}

/// The events not yet `seen`, in the order that they happened. The service lists the newest first, so the
/// first seen one ends the reading.
async fn events_since(
    clients: &Clients,
    stack: &str,
    seen: &BTreeSet<String>,
) -> Result<Vec<ResourceEvent>, Error> {
    let mut fresh = Vec::new();
    let mut pages = clients.cloudformation.describe_stack_events().stack_name(stack).into_paginator().send();
    'pages: while let Some(page) = pages.next().await {
        let page = page.map_err(|error| sdk("DescribeStackEvents", error))?;
        for event in page.stack_events.unwrap_or_default() {
            if event.event_id.as_ref().is_some_and(|id| seen.contains(id)) {
                break 'pages;
            }
            fresh.push(resource_event(event));
        }
    }
    fresh.reverse();
    Ok(fresh)
}

/// A time in RFC 3339, always with three digits after the second: columns of times stay straight.
fn milliseconds(time: DateTime) -> String {
    let text = time.to_string();
    let whole = text.trim_end_matches('Z').split('.').next().unwrap_or_default();
    format!("{whole}.{:03}Z", time.subsec_nanos() / 1_000_000)
}

fn resource_event(event: StackEvent) -> ResourceEvent {
    ResourceEvent {
        time: event.timestamp.map(milliseconds).unwrap_or_default(),
        status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        id: event.event_id.unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.unwrap_or_default(),
        resource_type: event.resource_type.unwrap_or_default(),
        reason: event.resource_status_reason,
    }
}

/// Follows one stack operation.
pub struct Follower<'a> {
    clients: &'a Clients,
    stack_id: String,
    seen: BTreeSet<String>,
    phases: BTreeMap<String, Phase>,
    failures: Vec<ResourceEvent>,
    fail_fast: Option<FailFast>,
}

impl<'a> Follower<'a> {
    /// A follower of what happens to the stack from now on: make it before the operation begins.
    ///
    /// # Errors
    /// When CloudFormation cannot be asked.
    pub async fn from_now(clients: &'a Clients, stack_id: &str) -> Result<Self, Error> {
        let mut follower = Self::from_start(clients, stack_id);
        if existing_stack(clients, stack_id).await?.is_some() {
            follower.seen = events(clients, stack_id).await?.into_iter().map(|event| event.id).collect();
        }
        Ok(follower)
    }

    /// A follower that begins with the stack's first event.
    pub fn from_start(clients: &'a Clients, stack_id: &str) -> Self {
        Self {
            clients,
            stack_id: stack_id.to_owned(),
            seen: BTreeSet::new(),
            phases: BTreeMap::new(),
            failures: Vec::new(),
            fail_fast: None,
        }
    }

    /// Gives instances up as soon as they can no longer signal.
    pub fn fail_fast(mut self, fail_fast: FailFast) -> Self {
        self.fail_fast = Some(fail_fast);
        self
    }

    /// Follows until the stack is at rest.
    ///
    /// # Errors
    /// When a service cannot be asked.
    pub async fn to_the_end(mut self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        loop {
            // The status is read before the events, so that the last events are never missed.
            let stack = existing_stack(self.clients, &self.stack_id).await?;
            self.tell_events(stack.is_some(), observer).await?;
            let Some(stack) = stack else { return Ok(self.outcome("DELETE_COMPLETE", None)) };
            let status =
                stack.stack_status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default();
            if at_rest(&status) {
                return Ok(self.outcome(&status, Some(stack)));
            }
            self.tell_instances(observer).await?;
            observer.tick();
            tokio::time::sleep(self.clients.poll).await;
        }
    }

    async fn tell_events(&mut self, exists: bool, observer: &mut dyn Observer) -> Result<(), Error> {
        let fresh = match events_since(self.clients, &self.stack_id, &self.seen).await {
            Err(_) if !exists => return Ok(()),
            fresh => fresh?,
        };
        for event in fresh {
            self.seen.insert(event.id.clone());
            if event.status.ends_with("_FAILED") && !cancelled(&event) {
                self.failures.push(event.clone());
            }
            if let Some(fail_fast) = &mut self.fail_fast {
                fail_fast.saw(&event);
            }
            observer.observe(Progress::Resource(event));
        }
        Ok(())
    }

    async fn tell_instances(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let resources = instances::resources(self.clients, &self.stack_id).await?;
        let found = instances::of_stack(self.clients, &resources).await?;
        for instance in &found {
            if self.phases.get(&instance.id) != Some(&instance.phase) {
                self.phases.insert(instance.id.clone(), instance.phase.clone());
                observer.observe(Progress::Instance(instance.clone()));
            }
        }
        if let Some(fail_fast) = &mut self.fail_fast {
            for lost in fail_fast.lost(&found, std::time::Instant::now()) {
                fail_fast.give_up(self.clients, &self.stack_id, lost).await?;
                observer.observe(Progress::GivenUp {
                    instance_id: lost.id.clone(),
                    logical_id: lost.logical_id.clone(),
                    console_tail: lost.console_tail.clone(),
                });
            }
        }
        Ok(())
    }

    fn outcome(self, status: &str, stack: Option<Stack>) -> Outcome {
        let outputs = stack
            .iter()
            .flat_map(|stack| stack.outputs())
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
            .collect();
        Outcome {
            status: status.to_owned(),
            status_reason: stack.and_then(|stack| stack.stack_status_reason),
            outputs,
            failures: self.failures,
        }
    }
}

/// Whether a resource failed only because another did.
fn cancelled(event: &ResourceEvent) -> bool {
    event.reason.as_deref().is_some_and(|reason| {
        reason.starts_with("Resource creation cancelled") || reason.starts_with("Resource update cancelled")
    })
}

/// Whether nothing more will happen to a stack in this status.
pub fn at_rest(status: &str) -> bool {
    !status.ends_with("_IN_PROGRESS") || status == "REVIEW_IN_PROGRESS"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_at_rest_when_nothing_is_in_progress() {
        for (status, rest) in [
            ("CREATE_COMPLETE", true),
            ("ROLLBACK_COMPLETE", true),
            ("ROLLBACK_IN_PROGRESS", false),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", false),
            ("REVIEW_IN_PROGRESS", true),
            ("DELETE_FAILED", true),
        ] {
            assert_eq!(at_rest(status), rest, "{status}");
        }
    }
}
