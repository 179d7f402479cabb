//! Describing a stack's resources, and signals to them.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::cloudformation as wire;

use super::engine::Host;
use super::events;
use super::request::{PAGE, Request, invalid};
use super::state::{Resource, Signal, Stack, resource_key};
use super::status::ResourceStatus;
use crate::api::paging::Order;

impl<H: Host> Request<'_, H> {
    /// The metadata is the evaluated one, as JSON text: it is what `cfn-init` reads.
    pub(super) fn describe_stack_resource(
        &self,
        input: wire::DescribeStackResourceInput,
    ) -> Result<wire::DescribeStackResourceOutput, Error> {
        let name = input.stack_name.unwrap_or_default();
        let stack =
            self.find_stack(&name).ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
        self.check_membership(&stack)?;
        let logical_id = input.logical_resource_id.unwrap_or_default();
        let resource = self.begun(&stack, &logical_id)?;
        let metadata = resource.newest().and_then(|newest| newest.metadata.as_ref());
        let detail = wire::StackResourceDetail {
            stack_name: Some(stack.name.clone()),
            stack_id: Some(stack.id.clone()),
            logical_resource_id: Some(resource.logical_id.clone()),
            physical_resource_id: resource.shown_id.clone(),
            resource_type: Some(resource.type_.clone()),
            last_updated_timestamp: Some(resource.changed),
            resource_status: resource.status.map(|status| status.as_str().to_owned()),
            resource_status_reason: resource.reason.clone(),
            metadata: Some(metadata.map_or_else(|| "{}".to_owned(), ToString::to_string)),
            drift_information: Some(drift_detail()),
            ..Default::default()
        };
        Ok(wire::DescribeStackResourceOutput { stack_resource_detail: Some(detail) })
    }

    pub(super) fn describe_stack_resources(
        &self,
        input: wire::DescribeStackResourcesInput,
    ) -> Result<wire::DescribeStackResourcesOutput, Error> {
        self.requester()?;
        let stack = match (&input.stack_name, &input.physical_resource_id) {
            (Some(name), None) => self
                .find_stack(name)
                .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))?,
            (None, Some(physical_id)) => self.owner_of(physical_id)?,
            _ => return Err(invalid("Exactly one of StackName and PhysicalResourceId must be specified")),
        };
        let mut resources = self.resources(&stack);
        if let Some(logical_id) = &input.logical_resource_id {
            resources.retain(|resource| resource.logical_id == *logical_id);
            if resources.is_empty() {
                return Err(no_resource(&stack, logical_id));
            }
        }
        let stack_resources = resources
            .iter()
            .map(|resource| wire::StackResource {
                stack_name: Some(stack.name.clone()),
                stack_id: Some(stack.id.clone()),
                logical_resource_id: Some(resource.logical_id.clone()),
                physical_resource_id: resource.shown_id.clone(),
                resource_type: Some(resource.type_.clone()),
                timestamp: Some(resource.changed),
                resource_status: resource.status.map(|status| status.as_str().to_owned()),
                resource_status_reason: resource.reason.clone(),
                drift_information: Some(drift_detail()),
                ..Default::default()
            })
            .collect();
        Ok(wire::DescribeStackResourcesOutput { stack_resources })
    }

    pub(super) fn list_stack_resources(
        &self,
        input: wire::ListStackResourcesInput,
    ) -> Result<wire::ListStackResourcesOutput, Error> {
        self.requester()?;
        let stack = self.named(input.stack_name.as_deref())?;
        let resources = self.resources(&stack);
        let (resources, next_token) =
            self.page(resources, input.next_token.as_deref(), PAGE, Order::Ascending, |r| r.key.clone())?;
        let stack_resource_summaries = resources
            .iter()
            .map(|resource| wire::StackResourceSummary {
                logical_resource_id: Some(resource.logical_id.clone()),
                physical_resource_id: resource.shown_id.clone(),
                resource_type: Some(resource.type_.clone()),
                last_updated_timestamp: Some(resource.changed),
                resource_status: resource.status.map(|status| status.as_str().to_owned()),
                resource_status_reason: resource.reason.clone(),
                drift_information: Some(wire::StackResourceDriftInformationSummary {
                    stack_resource_drift_status: Some("NOT_CHECKED".to_owned()),
                    last_check_timestamp: None,
                }),
                ..Default::default()
            })
            .collect();
        Ok(wire::ListStackResourcesOutput { stack_resource_summaries, next_token })
    }

    /// A signal is in the store before it is acknowledged; the engine counts it from there.
    pub(super) fn signal_resource(&self, input: wire::SignalResourceInput) -> Result<(), Error> {
        let stack = self.named(input.stack_name.as_deref())?;
        self.check_membership(&stack)?;
        let logical_id = input.logical_resource_id.unwrap_or_default();
        let unique_id = input.unique_id.unwrap_or_default();
        if unique_id.is_empty() || unique_id.len() > 64 {
            return Err(invalid(format!(
                "1 validation error detected: Value '{unique_id}' at 'uniqueId' failed to satisfy constraint: \
                 Member must have length between 1 and 64"
            )));
        }
        let success = match input.status.as_deref() {
            Some("SUCCESS") => true,
            Some("FAILURE") => false,
            other => {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{}' at 'status' failed to satisfy constraint: Member \
                     must satisfy enum value set: [SUCCESS, FAILURE]",
                    other.unwrap_or_default()
                )));
            }
        };
        let now = self.host.now();
        events::write(self.host.store(), self.region, &stack.id, now, |journal| {
            let key = resource_key(&stack.id, &logical_id);
            let resource = journal.tx.get::<Resource>(self.region, &key);
            let mut resource = match resource {
                Some(resource) if resource.status.is_some() => Resource::clone(&resource),
                _ => return Err(no_resource(&stack, &logical_id)),
            };
            let status = signalable(&resource)?;
            let Some(wait) = &mut resource.signals else {
                return Err(invalid(format!(
                    "Resource {logical_id} does not wait for signals: it has no CreationPolicy"
                )));
            };
            // The first signal of a unique id counts; the same one again is acknowledged and changes nothing.
            if wait.received.contains_key(&unique_id) {
                return Ok(());
            }
            wait.received.insert(unique_id.clone(), Signal { success, at: now });
            let word = if success { "SUCCESS" } else { "FAILURE" };
            let reason = format!("Received {word} signal with UniqueId {unique_id}");
            Ok::<(), Error>(journal.resource_becomes(&mut resource, status, Some(reason))?)
        })?;
        Ok(())
    }

    /// A stack's resources with which anything has been done, by logical id.
    fn resources(&self, stack: &Stack) -> Vec<Arc<Resource>> {
        let mut resources = self.host.store().list::<Resource>(self.region);
        resources.retain(|resource| resource.stack_id == stack.id && resource.status.is_some());
        resources
    }

    fn begun(&self, stack: &Stack, logical_id: &str) -> Result<Arc<Resource>, Error> {
        self.resource(stack, logical_id)
            .filter(|resource| resource.status.is_some())
            .ok_or_else(|| no_resource(stack, logical_id))
    }

    fn owner_of(&self, physical_id: &str) -> Result<Arc<Stack>, Error> {
        let resources = self.host.store().list::<Resource>(self.region);
        resources
            .iter()
            .find(|resource| {
                resource.current.as_ref().and_then(|c| c.physical_id.as_deref()) == Some(physical_id)
            })
            .and_then(|resource| self.find_stack(&resource.stack_id))
            .ok_or_else(|| invalid(format!("Stack for {physical_id} does not exist")))
    }
}

/// The state of a resource that can be signalled.
fn signalable(resource: &Resource) -> Result<ResourceStatus, Error> {
    match resource.status {
        Some(status @ (ResourceStatus::CreateInProgress | ResourceStatus::UpdateInProgress)) => Ok(status),
        status => Err(invalid(format!(
            "Resource {} is in {} state and cannot be signaled",
            resource.logical_id,
            status.map_or("no", ResourceStatus::as_str)
        ))),
    }
}

fn no_resource(stack: &Stack, logical_id: &str) -> Error {
    invalid(format!("Resource {logical_id} does not exist for stack {}", stack.name))
}

fn drift_detail() -> wire::StackResourceDriftInformation {
    wire::StackResourceDriftInformation {
        stack_resource_drift_status: Some("NOT_CHECKED".to_owned()),
        last_check_timestamp: None,
    }
}
