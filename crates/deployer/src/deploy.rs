//! Makes or changes a stack by a change set, as `aws cloudformation deploy` does.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, ResourceChange, Stack, StackStatus, Tag,
};

use crate::clients::Clients;
use crate::error::{Error, sdk};

/// What is to be deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployment {
    /// The stack's name.
    pub stack: String,
    /// The template's text.
    pub template: String,
    /// Values of parameters. Those not given keep their value when a stack is updated.
    pub parameters: BTreeMap<String, String>,
    /// The names of the template's parameters.
    pub declared: Vec<String>,
    /// Capabilities acknowledged, e.g. `CAPABILITY_NAMED_IAM`.
    pub capabilities: Vec<String>,
    /// Tags of the stack.
    pub tags: BTreeMap<String, String>,
    /// Keep what was made when the deployment fails.
    pub disable_rollback: bool,
}

/// A change set that waits to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The stack's id.
    pub stack_id: String,
    /// The change set's id.
    pub change_set_id: String,
    /// Whether the stack is made new.
    pub creates: bool,
    /// What will happen.
    pub changes: Vec<PlannedChange>,
}

/// What a change set will do to one resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlannedChange {
    /// `Add`, `Modify`, `Remove`, …
    pub action: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// E.g. `AWS::ECS::Cluster`.
    pub resource_type: String,
    /// `True`, `False` or `Conditional` for a modified resource.
    pub replacement: Option<String>,
}

/// Plans a deployment; none when the stack is already as described.
///
/// # Errors
/// When CloudFormation refuses the template, its parameters or the change set.
pub async fn plan(clients: &Clients, deployment: &Deployment) -> Result<Option<Planned>, Error> {
    let existing = existing_stack(clients, &deployment.stack).await?;
    let creates = existing
        .as_ref()
        .is_none_or(|stack| matches!(stack.stack_status, Some(StackStatus::ReviewInProgress)));
    let name = format!("drydock-{}", nanoseconds());
    let request = clients
        .cloudformation
        .create_change_set()
        .stack_name(&deployment.stack)
        .change_set_name(&name)
        .change_set_type(if creates { ChangeSetType::Create } else { ChangeSetType::Update })
        .template_body(&deployment.template)
        .set_parameters(Some(parameters(deployment, existing.as_ref().filter(|_| !creates))))
        .set_capabilities(Some(
            deployment.capabilities.iter().map(|c| Capability::from(c.as_str())).collect(),
        ))
        .set_tags((!deployment.tags.is_empty()).then(|| {
            deployment.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
        }));
    let made = request.send().await.map_err(|error| sdk("CreateChangeSet", error))?;
    let change_set_id = made.id.unwrap_or(name);
    let stack_id = made.stack_id.unwrap_or_else(|| deployment.stack.clone());
    let planned = Planned { stack_id, change_set_id, creates, changes: Vec::new() };
    settle(clients, deployment, planned).await
}

/// Waits until the change set is made and reads what it holds.
async fn settle(
    clients: &Clients,
    deployment: &Deployment,
    mut planned: Planned,
) -> Result<Option<Planned>, Error> {
    let mut page = loop {
        let page = described(clients, &planned, None).await?;
        match page.status {
            Some(ChangeSetStatus::CreateComplete) => break page,
            Some(ChangeSetStatus::Failed) => {
                discard(clients, &planned).await?;
                let reason = page.status_reason.unwrap_or_default();
                if no_changes(&reason) {
                    return Ok(None);
                }
                return Err(Error::ChangeSet { stack: deployment.stack.clone(), reason });
            }
            _ => tokio::time::sleep(clients.poll).await,
        }
    };
    loop {
        let changes = page.changes.take().into_iter().flatten().filter_map(|change| change.resource_change);
        planned.changes.extend(changes.map(planned_change));
        let Some(token) = page.next_token.take() else { return Ok(Some(planned)) };
        page = described(clients, &planned, Some(token)).await?;
    }
}

/// A page of the change set; none is the first one.
async fn described(
    clients: &Clients,
    planned: &Planned,
    page: Option<String>,
) -> Result<DescribeChangeSetOutput, Error> {
    clients
        .cloudformation
        .describe_change_set()
        .change_set_name(&planned.change_set_id)
        .stack_name(&planned.stack_id)
        .set_next_token(page)
        .send()
        .await
        .map_err(|error| sdk("DescribeChangeSet", error))
}

fn planned_change(change: ResourceChange) -> PlannedChange {
    PlannedChange {
        action: change.action.map(|action| action.as_str().to_owned()).unwrap_or_default(),
        logical_id: change.logical_resource_id.unwrap_or_default(),
        resource_type: change.resource_type.unwrap_or_default(),
        replacement: change.replacement.map(|replacement| replacement.as_str().to_owned()),
    }
}

/// Executes a planned deployment; follow its events to learn what becomes of it.
///
/// # Errors
/// When CloudFormation refuses to execute the change set.
pub async fn execute(clients: &Clients, deployment: &Deployment, planned: &Planned) -> Result<(), Error> {
    clients
        .cloudformation
        .execute_change_set()
        .change_set_name(&planned.change_set_id)
        .stack_name(&planned.stack_id)
        .set_disable_rollback(deployment.disable_rollback.then_some(true))
        .send()
        .await
        .map_err(|error| sdk("ExecuteChangeSet", error))?;
    Ok(())
}

/// Throws a planned deployment away; a stack that only existed for it goes too.
///
/// # Errors
/// When CloudFormation refuses.
pub async fn discard(clients: &Clients, planned: &Planned) -> Result<(), Error> {
    clients
        .cloudformation
        .delete_change_set()
        .change_set_name(&planned.change_set_id)
        .stack_name(&planned.stack_id)
        .send()
        .await
        .map_err(|error| sdk("DeleteChangeSet", error))?;
    if planned.creates { delete(clients, &planned.stack_id).await } else { Ok(()) }
}

/// Deletes a stack; follow its events to learn what becomes of it.
///
/// # Errors
/// When CloudFormation refuses.
pub async fn delete(clients: &Clients, stack_id: &str) -> Result<(), Error> {
    clients
        .cloudformation
        .delete_stack()
        .stack_name(stack_id)
        .send()
        .await
        .map_err(|error| sdk("DeleteStack", error))?;
    Ok(())
}

/// The stack of that name or id, if there is one.
///
/// # Errors
/// When CloudFormation cannot be asked.
pub async fn existing_stack(clients: &Clients, stack: &str) -> Result<Option<Stack>, Error> {
    match clients.cloudformation.describe_stacks().stack_name(stack).send().await {
        Ok(found) => Ok(found.stacks.unwrap_or_default().into_iter().next()),
        Err(error) => match sdk("DescribeStacks", error) {
            Error::Refused { code, message, .. }
                if code == "ValidationError" && message.contains("does not exist") =>
            {
                Ok(None)
            }
            error => Err(error),
        },
    }
}

/// The parameters of the request: those given, and for an update the previous value of every other one that
/// the stack already has (new ones take their default), as `aws cloudformation deploy` does it.
fn parameters(deployment: &Deployment, existing: Option<&Stack>) -> Vec<Parameter> {
    let previous: Vec<&str> = existing
        .map(|stack| stack.parameters().iter().filter_map(|p| p.parameter_key()).collect())
        .unwrap_or_default();
    let given = deployment
        .parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let kept = deployment
        .declared
        .iter()
        .filter(|key| !deployment.parameters.contains_key(*key) && previous.contains(&key.as_str()))
        .map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
    given.chain(kept).collect()
}

/// Whether a failed change set only says that there is nothing to do.
fn no_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn nanoseconds() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_the_parameters_that_are_not_given() {
        let deployment = Deployment {
            parameters: BTreeMap::from([("Count".to_owned(), "3".to_owned())]),
            declared: vec!["Count".into(), "Vpc".into(), "New".into()],
            ..Deployment::default()
        };
        let stack = Stack::builder()
            .parameters(Parameter::builder().parameter_key("Count").build())
            .parameters(Parameter::builder().parameter_key("Vpc").build())
            .build();
        let request = parameters(&deployment, Some(&stack));
        let keys: Vec<_> =
            request.iter().map(|p| (p.parameter_key().unwrap_or_default(), p.use_previous_value())).collect();
        assert_eq!(keys, [("Count", None), ("Vpc", Some(true))]);
        assert_eq!(parameters(&deployment, None).len(), 1, "a new stack takes the defaults");
    }

    #[test]
    fn a_change_set_without_changes_is_no_failure() {
        assert!(no_changes("The submitted information didn't contain changes. Submit different information"));
        assert!(no_changes("No updates are to be performed."));
        assert!(!no_changes("Parameters: [X] must have values"));
    }
}
