//! Describing stacks and their events.

use aws_wire::Error;
use aws_wire::cloudformation as wire;

use super::engine::Host;
use super::events;
use super::request::{PAGE, Request, invalid};
use super::state::{Definition, Stack};
use crate::api::paging::Order;

impl<H: Host> Request<'_, H> {
    pub(super) fn describe_stacks(
        &self,
        input: wire::DescribeStacksInput,
    ) -> Result<wire::DescribeStacksOutput, Error> {
        let mut stacks = match input.stack_name.as_deref() {
            Some(name) => vec![self.stack(name)?],
            None => {
                let mut stacks = self.host.store().list::<Stack>(self.region);
                stacks.retain(|stack| stack.status.exists());
                stacks
            }
        };
        for stack in &stacks {
            self.check_membership(stack)?;
        }
        stacks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        let (stacks, next_token) =
            self.page(stacks, input.next_token.as_deref(), PAGE, Order::Fixed, |stack| stack.id.clone())?;
        Ok(wire::DescribeStacksOutput {
            stacks: stacks.iter().map(|stack| shown(stack)).collect(),
            next_token,
        })
    }

    pub(super) fn list_stacks(&self, input: wire::ListStacksInput) -> Result<wire::ListStacksOutput, Error> {
        self.requester()?;
        let mut stacks = self.host.store().list::<Stack>(self.region);
        let wanted = &input.stack_status_filter;
        stacks
            .retain(|stack| wanted.is_empty() || wanted.iter().any(|status| status == stack.status.as_str()));
        stacks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        let (stacks, next_token) =
            self.page(stacks, input.next_token.as_deref(), PAGE, Order::Fixed, |stack| stack.id.clone())?;
        let stack_summaries = stacks.iter().map(|stack| summary(stack)).collect();
        Ok(wire::ListStacksOutput { stack_summaries, next_token })
    }

    pub(super) fn describe_stack_events(
        &self,
        input: wire::DescribeStackEventsInput,
    ) -> Result<wire::DescribeStackEventsOutput, Error> {
        self.requester()?;
        let name = input.stack_name.unwrap_or_default();
        let stack =
            self.find_stack(&name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        let events = events::newest_first(self.host.store(), &stack);
        let (events, next_token) =
            self.page(events, input.next_token.as_deref(), PAGE, Order::Fixed, |event| event.key.clone())?;
        let stack_events = events
            .iter()
            .map(|event| wire::StackEvent {
                stack_id: Some(event.stack_id.clone()),
                event_id: Some(event.event_id.clone()),
                stack_name: Some(event.stack_name.clone()),
                operation_id: event.operation_id.clone(),
                logical_resource_id: Some(event.logical_id.clone()),
                physical_resource_id: Some(event.physical_id.clone().unwrap_or_default()),
                resource_type: Some(event.type_.clone()),
                timestamp: Some(event.at),
                resource_status: Some(event.status.clone()),
                resource_status_reason: event.reason.clone(),
                resource_properties: event.properties.clone(),
                client_request_token: event.token.clone(),
                ..Default::default()
            })
            .collect();
        Ok(wire::DescribeStackEventsOutput { stack_events, next_token })
    }
}

/// A stack's parameters as callers see them.
pub(super) fn shown_parameters(definition: &Definition) -> Vec<wire::Parameter> {
    definition
        .parameters
        .iter()
        .map(|(name, value)| wire::Parameter {
            parameter_key: Some(name.clone()),
            parameter_value: Some(if value.no_echo {
                cfn_template::NO_ECHO_MASK.to_owned()
            } else {
                value.value.clone()
            }),
            use_previous_value: None,
            resolved_value: value.resolved.clone(),
        })
        .collect()
}

/// A stack's tags as callers see them.
pub(super) fn shown_tags(definition: &Definition) -> Vec<wire::Tag> {
    let tag =
        |(key, value): (&String, &String)| wire::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    definition.tags.iter().map(tag).collect()
}

fn description(stack: &Stack) -> Option<String> {
    let definition = stack.definition.as_ref()?;
    cfn_template::Template::parse(&definition.template).ok()?.description
}

fn shown(stack: &Stack) -> wire::Stack {
    let definition = stack.definition.as_ref();
    wire::Stack {
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        change_set_id: stack.change_set_id.clone(),
        description: description(stack),
        parameters: definition.map(shown_parameters).unwrap_or_default(),
        creation_time: Some(stack.created),
        deletion_time: stack.deleted,
        last_updated_time: stack.updated,
        rollback_configuration: Some(wire::RollbackConfiguration::default()),
        stack_status: Some(stack.status.as_str().to_owned()),
        stack_status_reason: stack.status_reason.clone(),
        disable_rollback: Some(stack.disable_rollback),
        timeout_in_minutes: stack.timeout_minutes,
        capabilities: definition.map(|definition| definition.capabilities.clone()).unwrap_or_default(),
        outputs: stack
            .outputs
            .iter()
            .map(|output| wire::Output {
                output_key: Some(output.key.clone()),
                output_value: Some(output.value.clone()),
                description: output.description.clone(),
                export_name: output.export_name.clone(),
            })
            .collect(),
        tags: definition.map(shown_tags).unwrap_or_default(),
        enable_termination_protection: Some(stack.termination_protection),
        drift_information: Some(wire::StackDriftInformation {
            stack_drift_status: Some("NOT_CHECKED".to_owned()),
            last_check_timestamp: None,
        }),
        retain_except_on_create: Some(stack.retain_except_on_create),
        ..Default::default()
    }
}

fn summary(stack: &Stack) -> wire::StackSummary {
    wire::StackSummary {
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        template_description: description(stack),
        creation_time: Some(stack.created),
        last_updated_time: stack.updated,
        deletion_time: stack.deleted,
        stack_status: Some(stack.status.as_str().to_owned()),
        stack_status_reason: stack.status_reason.clone(),
        drift_information: Some(wire::StackDriftInformationSummary {
            stack_drift_status: Some("NOT_CHECKED".to_owned()),
            last_check_timestamp: None,
        }),
        ..Default::default()
    }
}
