//! Tasks and services, of which this cloud has none yet: what is asked of them is answered by that truth.

use aws_wire::Error;
use aws_wire::ecs::*;

use super::clusters::{self, PAGE};
use super::container_instances;
use super::errors::{self, client, invalid};
use super::wire::{self, home};
use crate::Ctx;
use crate::api::paging::{Order, PageRequest, page};

/// Checks what a request says of its page; the page is empty.
fn empty_page(max: Option<i32>, token: Option<&str>) -> Result<(), Error> {
    page(Vec::<String>::new(), PageRequest { max, token }, PAGE, Order::Ascending, |item| item)
        .map(drop)
        .map_err(errors::paging)
}

/// `ListTasks`
pub fn list_tasks(ctx: &Ctx, input: ListTasksRequest) -> Result<ListTasksResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    if let Some(instance) = &input.container_instance {
        container_instances::find(ctx, &cluster, instance)?;
    }
    if input.service_name.is_some() {
        return Err(Error::client("ServiceNotFoundException", "Service not found."));
    }
    empty_page(input.max_results, input.next_token.as_deref())?;
    Ok(ListTasksResponse::default())
}

/// `DescribeTasks`
pub fn describe_tasks(ctx: &Ctx, input: DescribeTasksRequest) -> Result<DescribeTasksResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    if input.tasks.is_empty() || input.tasks.len() > 100 {
        return Err(invalid("Tasks must have between 1 and 100 elements."));
    }
    let failures =
        input.tasks.iter().map(|task| wire::missing(arn(ctx, "task", &cluster.id, task))).collect();
    Ok(DescribeTasksResponse { failures, ..Default::default() })
}

/// `ListServices`
pub fn list_services(ctx: &Ctx, input: ListServicesRequest) -> Result<ListServicesResponse, Error> {
    clusters::find(ctx, input.cluster.as_deref())?;
    empty_page(input.max_results, input.next_token.as_deref())?;
    Ok(ListServicesResponse::default())
}

/// `DescribeServices`
pub fn describe_services(
    ctx: &Ctx,
    input: DescribeServicesRequest,
) -> Result<DescribeServicesResponse, Error> {
    let cluster = clusters::find(ctx, input.cluster.as_deref())?;
    if input.services.is_empty() || input.services.len() > 10 {
        return Err(invalid("Services must have between 1 and 10 elements."));
    }
    let failures = input
        .services
        .iter()
        .map(|service| wire::missing(arn(ctx, "service", &cluster.id, service)))
        .collect();
    Ok(DescribeServicesResponse { failures, ..Default::default() })
}

fn arn(ctx: &Ctx, kind: &str, cluster: &str, given: &str) -> String {
    if given.starts_with("arn:") {
        return given.to_owned();
    }
    let home = home(ctx);
    format!("arn:aws:ecs:{}:{}:{kind}/{cluster}/{given}", home.region, home.account)
}

fn no_task(ctx: &Ctx, cluster: Option<&str>, task: Option<&str>) -> Error {
    match clusters::find(ctx, cluster) {
        Err(error) => error,
        Ok(_) => client(format!("The referenced task {} was not found.", task.unwrap_or("(none)"))),
    }
}

/// `SubmitTaskStateChange`. The agent's task is not one of ours.
pub fn submit_task(
    ctx: &Ctx,
    input: SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse, Error> {
    Err(no_task(ctx, input.cluster.as_deref(), input.task.as_deref()))
}

/// `SubmitContainerStateChange`. The agent's task is not one of ours.
pub fn submit_container(
    ctx: &Ctx,
    input: SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse, Error> {
    Err(no_task(ctx, input.cluster.as_deref(), input.task.as_deref()))
}

/// `SubmitAttachmentStateChanges`. No attachment can be known: only tasks and trunk interfaces have them.
pub fn submit_attachments(
    ctx: &Ctx,
    input: SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse, Error> {
    clusters::find(ctx, input.cluster.as_deref())?;
    match input.attachments.first() {
        None => Ok(SubmitAttachmentStateChangesResponse { acknowledgment: Some("ACK".to_owned()) }),
        Some(first) => {
            let arn = first.attachment_arn.as_deref().unwrap_or("(none)");
            Err(client(format!("The referenced attachment {arn} was not found.")))
        }
    }
}
