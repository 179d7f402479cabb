//! Creating, updating and deleting stacks.

use std::collections::BTreeSet;

use aws_wire::Error;
use aws_wire::cloudformation as wire;

use super::engine::Host;
use super::events::{self, Journal};
use super::exports;
use super::request::{Request, invalid, refuse, unsupported};
use super::start::{self, Initiative};
use super::state::{ChangeSet, OnFailure, Stack};
use super::status::{ExecutionStatus, StackStatus};
use super::submission::{Checked, Submission};

const NO_S3: &str = "there is no S3; give the template in TemplateBody";
const NO_SNS: &str = "there is no SNS";
const NO_ROLE: &str = "operations run on behalf of the caller";
const NO_STACK_POLICY: &str = "stack policies are not enforced";
const NO_TRIGGERS: &str = "there are no alarms that could trigger a rollback";

impl<H: Host> Request<'_, H> {
    pub(super) fn create_stack(
        &self,
        input: wire::CreateStackInput,
    ) -> Result<wire::CreateStackOutput, Error> {
        refuse(input.template_url.is_some(), "TemplateURL", NO_S3)?;
        refuse(!input.notification_arns.is_empty(), "NotificationARNs", NO_SNS)?;
        refuse(input.role_arn.is_some(), "RoleARN", NO_ROLE)?;
        refuse(input.stack_policy_body.is_some(), "StackPolicyBody", NO_STACK_POLICY)?;
        refuse(input.stack_policy_url.is_some(), "StackPolicyURL", NO_STACK_POLICY)?;
        refuse(has_triggers(input.rollback_configuration.as_ref()), "RollbackConfiguration", NO_TRIGGERS)?;
        let name = input.stack_name.clone().unwrap_or_default();
        check_name(&name)?;
        let on_failure = on_failure(input.on_failure.as_deref(), input.disable_rollback)?;
        let by = Initiative { requester: self.requester()?, token: input.client_request_token.clone() };
        if let Some(existing) = self.find_stack(&name) {
            return self.repeated_creation(&existing, by.token.as_deref());
        }
        let now = self.host.now();
        let mut stack = start::new_stack(self.region, self.host.account(), &name, now);
        let submission = Submission {
            template: template_body(input.template_body)?,
            parameters: &input.parameters,
            tags: &input.tags,
            capabilities: &input.capabilities,
            resource_types: &input.resource_types,
        };
        let Checked { definition, blueprint } = self.check(&stack, &submission)?;
        stack.timeout_minutes = input.timeout_in_minutes;
        stack.disable_rollback = on_failure == OnFailure::DoNothing;
        stack.termination_protection = input.enable_termination_protection.unwrap_or_default();
        stack.retain_except_on_create = input.retain_except_on_create.unwrap_or_default();
        let stack_id = stack.id.clone();
        self.host.store().write(|tx| {
            // Checked again where nobody else can write: two requests may have come at once.
            if tx.list::<Stack>(self.region).iter().any(|other| other.answers_to(&name)) {
                return Err(already_exists(&name));
            }
            let mut journal = Journal::new(tx, stack, now);
            start::create(&mut journal, definition, &blueprint, by, on_failure, now)?;
            Ok(journal.close()?)
        })?;
        Ok(wire::CreateStackOutput { stack_id: Some(stack_id), operation_id: None })
    }

    /// A request that a client sends again, with the same token, is answered as the first time.
    fn repeated_creation(
        &self,
        stack: &Stack,
        token: Option<&str>,
    ) -> Result<wire::CreateStackOutput, Error> {
        let created_with =
            events::newest_first(self.host.store(), stack).last().and_then(|event| event.token.clone());
        match token {
            Some(token) if created_with.as_deref() == Some(token) => {
                Ok(wire::CreateStackOutput { stack_id: Some(stack.id.clone()), operation_id: None })
            }
            _ => Err(already_exists(&stack.name)),
        }
    }

    pub(super) fn update_stack(
        &self,
        input: wire::UpdateStackInput,
    ) -> Result<wire::UpdateStackOutput, Error> {
        refuse(input.template_url.is_some(), "TemplateURL", NO_S3)?;
        refuse(!input.notification_arns.is_empty(), "NotificationARNs", NO_SNS)?;
        refuse(input.role_arn.is_some(), "RoleARN", NO_ROLE)?;
        refuse(input.stack_policy_body.is_some(), "StackPolicyBody", NO_STACK_POLICY)?;
        refuse(input.stack_policy_url.is_some(), "StackPolicyURL", NO_STACK_POLICY)?;
        refuse(
            input.stack_policy_during_update_body.is_some(),
            "StackPolicyDuringUpdateBody",
            NO_STACK_POLICY,
        )?;
        refuse(
            input.stack_policy_during_update_url.is_some(),
            "StackPolicyDuringUpdateURL",
            NO_STACK_POLICY,
        )?;
        refuse(has_triggers(input.rollback_configuration.as_ref()), "RollbackConfiguration", NO_TRIGGERS)?;
        let by = Initiative { requester: self.requester()?, token: input.client_request_token.clone() };
        let stack = self.named(input.stack_name.as_deref())?;
        check_updatable(&stack)?;
        let submission = Submission {
            template: updated_template(&stack, input.template_body, input.use_previous_template)?,
            parameters: &input.parameters,
            tags: &input.tags,
            capabilities: &input.capabilities,
            resource_types: &input.resource_types,
        };
        let checked = self.check(&stack, &submission)?;
        let plan = self.plan(&stack, &checked)?;
        if plan.is_empty() {
            return Err(invalid("No updates are to be performed."));
        }
        let on_failure = if input.disable_rollback.unwrap_or_default() {
            OnFailure::DoNothing
        } else {
            OnFailure::Rollback
        };
        let retain = input.retain_except_on_create;
        self.begin_update(&stack, checked, by, on_failure, |stack| {
            stack.retain_except_on_create = retain.unwrap_or_default();
        })?;
        Ok(wire::UpdateStackOutput { stack_id: Some(stack.id.clone()), operation_id: None })
    }

    /// Begins an update of a stack that still has the state it was checked in.
    pub(super) fn begin_update(
        &self,
        stack: &Stack,
        checked: Checked,
        by: Initiative,
        on_failure: OnFailure,
        amend: impl FnOnce(&mut Stack),
    ) -> Result<(), Error> {
        let now = self.host.now();
        let Checked { definition, blueprint } = checked;
        let begun = events::write(self.host.store(), self.region, &stack.id, now, |journal| {
            check_updatable(&journal.stack)?;
            amend(&mut journal.stack);
            obsolete_change_sets(journal)?;
            Ok::<(), Error>(start::update(journal, definition, &blueprint, by, on_failure, now)?)
        })?;
        begun.ok_or_else(|| invalid(format!("Stack with id {} does not exist", stack.name)))
    }

    pub(super) fn delete_stack(&self, input: wire::DeleteStackInput) -> Result<(), Error> {
        refuse(input.role_arn.is_some(), "RoleARN", NO_ROLE)?;
        refuse(
            input.deletion_mode.as_deref().is_some_and(|mode| mode != "STANDARD"),
            "DeletionMode FORCE_DELETE_STACK",
            "it would leave resources behind; use RetainResources",
        )?;
        let by = Initiative { requester: self.requester()?, token: input.client_request_token };
        // As on AWS, deleting a stack that is not there is no error.
        let Some(stack) = self.find_stack(input.stack_name.as_deref().unwrap_or_default()) else {
            return Ok(());
        };
        if stack.status == StackStatus::DeleteComplete || stack.status == StackStatus::DeleteInProgress {
            return Ok(());
        }
        let retain: BTreeSet<String> = input.retain_resources.into_iter().collect();
        let now = self.host.now();
        events::write(self.host.store(), self.region, &stack.id, now, |journal| {
            self.check_deletable(&journal.stack, &retain)?;
            let mine = journal.stack.id.clone();
            for set in journal.tx.list::<ChangeSet>(self.region) {
                if set.stack_id == mine {
                    journal.tx.remove::<ChangeSet>(self.region, &set.id);
                }
            }
            if journal.stack.status == StackStatus::ReviewInProgress {
                journal.stack.deleted = Some(now);
                return Ok(journal.stack_becomes(StackStatus::DeleteComplete, None)?);
            }
            Ok::<(), Error>(start::delete(journal, by, retain, now)?)
        })?;
        Ok(())
    }

    fn check_deletable(&self, stack: &Stack, retain: &BTreeSet<String>) -> Result<(), Error> {
        if stack.termination_protection {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if !stack.status.deletable() {
            return Err(in_state(stack, "deleted"));
        }
        if !retain.is_empty() && stack.status != StackStatus::DeleteFailed {
            return Err(invalid(format!(
                "Invalid operation on stack [{}]. Resources can only be retained when the stack is in state \
                 DELETE_FAILED; it is in state {}",
                stack.id, stack.status
            )));
        }
        for name in stack.outputs.iter().filter_map(|output| output.export_name.as_deref()) {
            let users = exports::importers(self.host.store(), self.region, name);
            if !users.is_empty() {
                return Err(invalid(format!(
                    "Export {name} cannot be deleted as it is in use by {}",
                    users.join(", ")
                )));
            }
        }
        Ok(())
    }

    pub(super) fn cancel_update_stack(&self, input: wire::CancelUpdateStackInput) -> Result<(), Error> {
        self.requester()?;
        let stack = self.named(input.stack_name.as_deref())?;
        let now = self.host.now();
        events::write(self.host.store(), self.region, &stack.id, now, |journal| {
            if journal.stack.status != StackStatus::UpdateInProgress {
                return Err(invalid(format!(
                    "CancelUpdateStack cannot be called from current stack status {}",
                    journal.stack.status
                )));
            }
            if let Some(operation) = &mut journal.stack.operation {
                // The engine takes a deadline that has passed as a failure of the whole.
                operation.deadline = Some(now);
                operation.on_failure = OnFailure::Rollback;
            }
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn continue_update_rollback(
        &self,
        _: wire::ContinueUpdateRollbackInput,
    ) -> Result<wire::ContinueUpdateRollbackOutput, Error> {
        Err(unsupported("ContinueUpdateRollback", "delete the stack, or update it to what it should be"))
    }

    pub(super) fn update_termination_protection(
        &self,
        input: wire::UpdateTerminationProtectionInput,
    ) -> Result<wire::UpdateTerminationProtectionOutput, Error> {
        self.requester()?;
        let stack = self.named(input.stack_name.as_deref())?;
        let enable = input.enable_termination_protection.unwrap_or_default();
        self.host.store().write(|tx| {
            tx.update::<Stack>(self.region, &stack.id, |stack| stack.termination_protection = enable)
                .map_err(Error::from)
        })?;
        Ok(wire::UpdateTerminationProtectionOutput { stack_id: Some(stack.id.clone()) })
    }
}

/// The way of a failure that the caller has chosen.
fn on_failure(chosen: Option<&str>, disable_rollback: Option<bool>) -> Result<OnFailure, Error> {
    match (chosen, disable_rollback) {
        (Some(_), Some(_)) => {
            Err(invalid("You can specify either DisableRollback or OnFailure, but not both"))
        }
        (None, disabled) => {
            Ok(if disabled.unwrap_or_default() { OnFailure::DoNothing } else { OnFailure::Rollback })
        }
        (Some(word), None) => parse_on_failure(word),
    }
}

/// `ROLLBACK`, `DELETE` or `DO_NOTHING`.
pub(super) fn parse_on_failure(word: &str) -> Result<OnFailure, Error> {
    match word {
        "ROLLBACK" => Ok(OnFailure::Rollback),
        "DELETE" => Ok(OnFailure::Delete),
        "DO_NOTHING" => Ok(OnFailure::DoNothing),
        other => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member \
             must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]"
        ))),
    }
}

fn has_triggers(configuration: Option<&wire::RollbackConfiguration>) -> bool {
    configuration.is_some_and(|given| !given.rollback_triggers.is_empty())
}

/// A new stack's name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let valid = name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if valid {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must \
         satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

/// A template given in a request.
pub(super) fn template_body(body: Option<String>) -> Result<String, Error> {
    let body = body.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    if body.len() > cfn_template::MAX_INLINE_BYTES {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must \
             have length less than or equal to {}",
            cfn_template::MAX_INLINE_BYTES
        )));
    }
    Ok(body)
}

/// The template of an update: a new one or the one in force.
pub(super) fn updated_template(
    stack: &Stack,
    body: Option<String>,
    previous: Option<bool>,
) -> Result<String, Error> {
    if !previous.unwrap_or_default() {
        return template_body(body);
    }
    if body.is_some() {
        return Err(invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL."));
    }
    stack
        .definition
        .as_ref()
        .map(|definition| definition.template.clone())
        .ok_or_else(|| invalid(format!("Stack [{}] has no template yet", stack.name)))
}

pub(super) fn already_exists(name: &str) -> Error {
    Error::client("AlreadyExistsException", format!("Stack [{name}] already exists"))
}

pub(super) fn in_state(stack: &Stack, verb: &str) -> Error {
    invalid(format!("Stack:{} is in {} state and can not be {verb}.", stack.id, stack.status))
}

pub(super) fn check_updatable(stack: &Stack) -> Result<(), Error> {
    if stack.status.updatable() { Ok(()) } else { Err(in_state(stack, "updated")) }
}

/// Change sets that were made for what the stack was cannot be executed any more.
pub(super) fn obsolete_change_sets(journal: &mut Journal<'_, '_>) -> Result<(), crate::store::StoreError> {
    for set in journal.tx.list::<ChangeSet>(&journal.stack.region) {
        if set.stack_id == journal.stack.id && set.execution == ExecutionStatus::Available {
            let mut set = ChangeSet::clone(&set);
            set.execution = ExecutionStatus::Obsolete;
            journal.tx.put(set)?;
        }
    }
    Ok(())
}
