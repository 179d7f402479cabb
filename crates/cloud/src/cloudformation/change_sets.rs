//! Change sets: what a submission would do, kept until it is executed.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::cloudformation as wire;

use super::describe::{shown_parameters, shown_tags};
use super::engine::Host;
use super::events::{self, Journal};
use super::request::{PAGE, Request, invalid, refuse};
use super::stacks::{
    already_exists, check_name, check_updatable, in_state, obsolete_change_sets, parse_on_failure,
    template_body, updated_template,
};
use super::start::{self, Initiative};
use super::state::{ChangeSet, OnFailure, Stack};
use super::status::{ChangeSetStatus, ExecutionStatus, StackStatus};
use super::submission::{Checked, Submission};
use crate::api::paging::Order;
use crate::ids;

/// The words by which `aws cloudformation deploy` knows that there is nothing to do.
const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl<H: Host> Request<'_, H> {
    pub(super) fn create_change_set(
        &self,
        input: wire::CreateChangeSetInput,
    ) -> Result<wire::CreateChangeSetOutput, Error> {
        refuse_unsupported(&input)?;
        let requester = self.requester()?;
        let stack_name = input.stack_name.clone().unwrap_or_default();
        let set_name = input.change_set_name.clone().unwrap_or_default();
        let creates = match input.change_set_type.as_deref() {
            None | Some("UPDATE") => false,
            Some("CREATE") => true,
            Some(other) => {
                return Err(super::request::unsupported(
                    &format!("ChangeSetType {other}"),
                    "only CREATE and UPDATE are",
                ));
            }
        };
        let now = self.host.now();
        let existing = self.find_stack(&stack_name).filter(|stack| stack.status.exists());
        let stack = match (&existing, creates) {
            (None, true) => {
                check_name(&stack_name)?;
                Arc::new(start::new_stack(self.region, self.host.account(), &stack_name, now))
            }
            (Some(stack), true) if stack.status == StackStatus::ReviewInProgress => Arc::clone(stack),
            (Some(_), true) => return Err(already_exists(&stack_name)),
            (Some(stack), false) => Arc::clone(stack),
            (None, false) => return Err(invalid(format!("Stack [{stack_name}] does not exist"))),
        };
        if let Some(set) = self.find_change_set(&stack, &set_name) {
            return repeated(&set, input.client_token.as_deref());
        }
        if !creates {
            check_updatable(&stack)?;
        }
        let template = if creates {
            template_body(input.template_body.clone())?
        } else {
            updated_template(&stack, input.template_body.clone(), input.use_previous_template)?
        };
        let submission = Submission {
            template,
            parameters: &input.parameters,
            tags: &input.tags,
            capabilities: &input.capabilities,
            resource_types: &input.resource_types,
        };
        let checked = self.check(&stack, &submission)?;
        let plan = self.plan(&stack, &checked)?;
        let empty = plan.is_empty();
        let set = ChangeSet {
            region: self.region.to_owned(),
            id: format!(
                "arn:aws:cloudformation:{}:{}:changeSet/{set_name}/{}",
                self.region,
                self.host.account(),
                ids::uuid()
            ),
            name: set_name,
            stack_id: stack.id.clone(),
            stack_name: stack.name.clone(),
            description: input.description,
            creates,
            created: now,
            status: if empty { ChangeSetStatus::Failed } else { ChangeSetStatus::CreateComplete },
            status_reason: empty.then(|| NO_CHANGES.to_owned()),
            execution: if empty { ExecutionStatus::Unavailable } else { ExecutionStatus::Available },
            definition: checked.definition,
            changes: plan.changes,
            on_failure: input.on_stack_failure.as_deref().map(parse_on_failure).transpose()?,
            client_token: input.client_token.clone(),
        };
        let output =
            wire::CreateChangeSetOutput { id: Some(set.id.clone()), stack_id: Some(stack.id.clone()) };
        let token = input.client_token;
        let initiative = Initiative { requester, token };
        self.host.store().write(|tx| {
            if existing.is_none() {
                if tx.list::<Stack>(self.region).iter().any(|other| other.answers_to(&stack_name)) {
                    return Err(already_exists(&stack_name));
                }
                let mut journal = Journal::new(tx, Stack::clone(&stack), now);
                review(&mut journal, &initiative)?;
                journal.close()?;
            }
            Ok(tx.put(set)?)
        })?;
        Ok(output)
    }

    pub(super) fn describe_change_set(
        &self,
        input: wire::DescribeChangeSetInput,
    ) -> Result<wire::DescribeChangeSetOutput, Error> {
        self.requester()?;
        let set = self.change_set(input.stack_name.as_deref(), input.change_set_name.as_deref())?;
        let changes: Vec<(usize, wire::Change)> = set.changes.iter().cloned().enumerate().collect();
        let (changes, next_token) =
            self.page(changes, input.next_token.as_deref(), PAGE, Order::Fixed, |(n, _)| n.to_string())?;
        Ok(wire::DescribeChangeSetOutput {
            change_set_name: Some(set.name.clone()),
            change_set_id: Some(set.id.clone()),
            stack_id: Some(set.stack_id.clone()),
            stack_name: Some(set.stack_name.clone()),
            description: set.description.clone(),
            parameters: shown_parameters(&set.definition),
            creation_time: Some(set.created),
            execution_status: Some(set.execution.as_str().to_owned()),
            status: Some(set.status.as_str().to_owned()),
            status_reason: set.status_reason.clone(),
            rollback_configuration: Some(wire::RollbackConfiguration::default()),
            capabilities: set.definition.capabilities.clone(),
            tags: shown_tags(&set.definition),
            changes: changes.into_iter().map(|(_, change)| change).collect(),
            next_token,
            include_nested_stacks: Some(false),
            on_stack_failure: set.on_failure.map(on_failure_word),
            ..Default::default()
        })
    }

    pub(super) fn execute_change_set(
        &self,
        input: wire::ExecuteChangeSetInput,
    ) -> Result<wire::ExecuteChangeSetOutput, Error> {
        let by = Initiative { requester: self.requester()?, token: input.client_request_token.clone() };
        let set = self.change_set(input.stack_name.as_deref(), input.change_set_name.as_deref())?;
        if set.execution != ExecutionStatus::Available {
            return Err(Error::client(
                "InvalidChangeSetStatus",
                format!(
                    "ChangeSet [{}] cannot be executed in its current status of [{}]",
                    set.id,
                    match set.status {
                        ChangeSetStatus::Failed => set.status.as_str(),
                        ChangeSetStatus::CreateComplete => set.execution.as_str(),
                    }
                ),
            ));
        }
        let stack = self.stack(&set.stack_id)?;
        let on_failure = match (set.on_failure, input.disable_rollback) {
            (Some(_), Some(true)) => {
                return Err(invalid("DisableRollback cannot be given for a change set with OnStackFailure"));
            }
            (Some(chosen), _) => chosen,
            (None, Some(true)) => OnFailure::DoNothing,
            (None, _) => OnFailure::Rollback,
        };
        let retain = input.retain_except_on_create.unwrap_or_default();
        let blueprint = super::blueprint::Blueprint::compile(&set.definition, &stack, self.host.account())
            .map_err(|errors| super::submission::refused(errors.into_vec()))?;
        let checked = Checked { definition: set.definition.clone(), blueprint };
        if set.creates {
            self.execute_creation(&stack, &set, checked, by, on_failure, retain)?;
        } else {
            self.begin_update(&stack, checked, by, on_failure, |stack| {
                stack.change_set_id = Some(set.id.clone());
                stack.retain_except_on_create = retain;
                stack.disable_rollback = on_failure == OnFailure::DoNothing;
            })?;
        }
        // Kept, so that a waiter that looks at the change set itself still finds it.
        self.host.store().write(|tx| {
            tx.update::<ChangeSet>(self.region, &set.id, |set| {
                set.execution = ExecutionStatus::ExecuteComplete
            })
            .map_err(Error::from)
        })?;
        Ok(wire::ExecuteChangeSetOutput {})
    }

    fn execute_creation(
        &self,
        stack: &Stack,
        set: &ChangeSet,
        checked: Checked,
        by: Initiative,
        on_failure: OnFailure,
        retain: bool,
    ) -> Result<(), Error> {
        let now = self.host.now();
        let Checked { definition, blueprint } = checked;
        events::write(self.host.store(), self.region, &stack.id, now, |journal| {
            if journal.stack.status != StackStatus::ReviewInProgress {
                return Err(in_state(&journal.stack, "created"));
            }
            journal.stack.change_set_id = Some(set.id.clone());
            journal.stack.disable_rollback = on_failure == OnFailure::DoNothing;
            journal.stack.retain_except_on_create = retain;
            obsolete_change_sets(journal)?;
            Ok::<(), Error>(start::create(journal, definition, &blueprint, by, on_failure, now)?)
        })?;
        Ok(())
    }

    pub(super) fn delete_change_set(
        &self,
        input: wire::DeleteChangeSetInput,
    ) -> Result<wire::DeleteChangeSetOutput, Error> {
        self.requester()?;
        match self.change_set(input.stack_name.as_deref(), input.change_set_name.as_deref()) {
            Ok(set) => {
                self.host.store().write(|tx| {
                    tx.remove::<ChangeSet>(self.region, &set.id);
                    Ok::<(), Error>(())
                })?;
            }
            // Deleting one that is not there is no error where its stack is.
            Err(error) if error.code == "ChangeSetNotFound" => {}
            Err(error) => return Err(error),
        }
        Ok(wire::DeleteChangeSetOutput {})
    }

    pub(super) fn list_change_sets(
        &self,
        input: wire::ListChangeSetsInput,
    ) -> Result<wire::ListChangeSetsOutput, Error> {
        self.requester()?;
        let name = input.stack_name.unwrap_or_default();
        let stack =
            self.find_stack(&name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        let mut sets = self.host.store().list::<ChangeSet>(self.region);
        sets.retain(|set| set.stack_id == stack.id);
        let (sets, next_token) =
            self.page(sets, input.next_token.as_deref(), PAGE, Order::Ascending, |set| set.id.clone())?;
        let summaries = sets
            .iter()
            .map(|set| wire::ChangeSetSummary {
                stack_id: Some(set.stack_id.clone()),
                stack_name: Some(set.stack_name.clone()),
                change_set_id: Some(set.id.clone()),
                change_set_name: Some(set.name.clone()),
                execution_status: Some(set.execution.as_str().to_owned()),
                status: Some(set.status.as_str().to_owned()),
                status_reason: set.status_reason.clone(),
                creation_time: Some(set.created),
                description: set.description.clone(),
                include_nested_stacks: Some(false),
                ..Default::default()
            })
            .collect();
        Ok(wire::ListChangeSetsOutput { summaries, next_token })
    }

    fn find_change_set(&self, stack: &Stack, name: &str) -> Option<Arc<ChangeSet>> {
        let mut sets = self.host.store().list::<ChangeSet>(self.region).into_iter();
        sets.find(|set| set.stack_id == stack.id && (set.name == name || set.id == name))
    }

    /// The change set of this name of a stack, or of this id.
    ///
    /// # Errors
    /// `ChangeSetNotFound`, or that the stack does not exist.
    pub(super) fn change_set(
        &self,
        stack: Option<&str>,
        name: Option<&str>,
    ) -> Result<Arc<ChangeSet>, Error> {
        let name = name.unwrap_or_default();
        let not_found =
            || Error::with_status("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"), 404);
        if name.starts_with("arn:") {
            return self.host.store().get::<ChangeSet>(self.region, name).ok_or_else(not_found);
        }
        let Some(stack) = stack else {
            return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
        };
        let found =
            self.find_stack(stack).ok_or_else(|| invalid(format!("Stack [{stack}] does not exist")))?;
        self.find_change_set(&found, name).ok_or_else(not_found)
    }
}

/// Refuses what this cloud's change sets do not have.
fn refuse_unsupported(input: &wire::CreateChangeSetInput) -> Result<(), Error> {
    refuse(input.template_url.is_some(), "TemplateURL", "there is no S3; give the template in TemplateBody")?;
    refuse(!input.notification_arns.is_empty(), "NotificationARNs", "there is no SNS")?;
    refuse(input.role_arn.is_some(), "RoleARN", "operations run on behalf of the caller")?;
    refuse(!input.resources_to_import.is_empty(), "ResourcesToImport", "resources cannot be imported")?;
    refuse(input.include_nested_stacks == Some(true), "IncludeNestedStacks", "there are no nested stacks")?;
    refuse(
        input.import_existing_resources == Some(true),
        "ImportExistingResources",
        "resources cannot be imported",
    )?;
    refuse(input.deployment_mode.is_some(), "DeploymentMode", "drift is not detected")?;
    let triggers =
        input.rollback_configuration.as_ref().is_some_and(|given| !given.rollback_triggers.is_empty());
    refuse(triggers, "RollbackConfiguration", "there are no alarms that could trigger a rollback")
}

/// A stack comes to be by its first change set.
fn review(journal: &mut Journal<'_, '_>, by: &Initiative) -> Result<(), crate::store::StoreError> {
    tracing::debug!(stack = %journal.stack.name, token = ?by.token, "a change set makes a stack");
    journal.stack_becomes(StackStatus::ReviewInProgress, Some("User Initiated".to_owned()))
}

fn repeated(set: &ChangeSet, token: Option<&str>) -> Result<wire::CreateChangeSetOutput, Error> {
    if token.is_some() && set.client_token.as_deref() == token {
        return Ok(wire::CreateChangeSetOutput {
            id: Some(set.id.clone()),
            stack_id: Some(set.stack_id.clone()),
        });
    }
    Err(Error::client("AlreadyExistsException", format!("ChangeSet {} already exists", set.name)))
}

fn on_failure_word(on_failure: OnFailure) -> String {
    match on_failure {
        OnFailure::Rollback => "ROLLBACK",
        OnFailure::Delete => "DELETE",
        OnFailure::DoNothing => "DO_NOTHING",
    }
    .to_owned()
}
