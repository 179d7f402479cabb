//! Whether a role's session may run an operation.

use std::sync::Arc;

use aws_wire::ecs as ecs_wire;
use aws_wire::{Error, ParsedRequest, Service};
use iam_policy::{Context, NamedPolicy, PolicyDocument, PolicyKind, Request, evaluate};

use super::managed;
use super::state::{PolicyRecord, RoleRecord};
use crate::store::GLOBAL;
use crate::{Ctx, Store};

/// Evaluates the role's policies, inline and attached, for the operation of a request.
///
/// The resource is the cluster for the ECS agent's operations that take one. Other operations are evaluated
/// on the resource `*`, so a policy that allows them only on certain resources does not allow them here.
///
/// # Errors
/// `AccessDenied` in AWS's words, which name the action, the resource and what is missing.
pub fn authorize(ctx: &Ctx, role: &str, request: &ParsedRequest) -> Result<(), Error> {
    let action = format!("{}:{}", prefix(request.service), request.operation);
    // Whoever has credentials may ask who they are ("GetCallerIdentity" in the STS API reference).
    if action == "sts:GetCallerIdentity" {
        return Ok(());
    }
    decide(ctx, role, &action, &resource(ctx, request), denied_code(request.service))
}

/// Evaluates one action on one resource.
pub fn decide(ctx: &Ctx, role: &str, action: &str, resource: &str, code: &'static str) -> Result<(), Error> {
    let documents = documents(&ctx.cloud.store, role)?;
    let policies: Vec<_> =
        documents.iter().map(|(name, document)| NamedPolicy { name, document }).collect();
    let context = Context::default()
        .with("aws:PrincipalArn", format!("arn:aws:iam::{}:role/{role}", ctx.account))
        .with("aws:RequestedRegion", ctx.region.to_string());
    let decision = evaluate(&policies, &Request { action, resource, principal: None, context: &context });
    match decision.denial(&ctx.caller_arn(), action, resource) {
        None => Ok(()),
        Some(message) => Err(Error::with_status(code, message, if code == "AccessDenied" { 403 } else { 400 })),
    }
}

/// The role's policies by name. A stored document was checked when it was put.
fn documents(store: &Store, role: &str) -> Result<Vec<(String, PolicyDocument)>, Error> {
    let Some(role) = store.get::<RoleRecord>(GLOBAL, role) else {
        // The role was deleted while its sessions live: they may do nothing any more.
        return Ok(Vec::new());
    };
    let inline = role.inline.iter().map(|(name, text)| (name.clone(), text.clone()));
    let attached = role.attached.iter().filter_map(|arn| {
        let own: Option<Arc<PolicyRecord>> = store.get(GLOBAL, arn);
        let text = match own {
            Some(policy) => policy.document()?.to_owned(),
            None => managed::find(arn)?.document.to_owned(),
        };
        Some((arn.clone(), text))
    });
    inline
        .chain(attached)
        .map(|(name, text)| {
            let document = PolicyDocument::parse(&text, PolicyKind::Identity)
                .map_err(|error| Error::internal(format!("policy {name} of role {}: {error}", role.name)))?;
            Ok((name, document))
        })
        .collect()
}

/// The resource that an operation is about, as the service authorization reference has it.
fn resource(ctx: &Ctx, request: &ParsedRequest) -> String {
    let cluster = |name: Option<String>| {
        let name = name.unwrap_or_else(|| "default".to_owned());
        if name.starts_with("arn:") { name } else { ctx.arn("ecs", &format!("cluster/{name}")) }
    };
    let named = match (request.service, request.operation.as_str()) {
        (Service::Ecs, "RegisterContainerInstance") => {
            aws_wire::decode_input::<ecs_wire::RegisterContainerInstanceRequest>(request).map(|input| input.cluster)
        }
        (Service::Ecs, "DeregisterContainerInstance") => {
            aws_wire::decode_input::<ecs_wire::DeregisterContainerInstanceRequest>(request)
                .map(|input| input.cluster)
        }
        (Service::Ecs, "SubmitTaskStateChange") => {
            aws_wire::decode_input::<ecs_wire::SubmitTaskStateChangeRequest>(request).map(|input| input.cluster)
        }
        (Service::Ecs, "SubmitContainerStateChange") => {
            aws_wire::decode_input::<ecs_wire::SubmitContainerStateChangeRequest>(request)
                .map(|input| input.cluster)
        }
        _ => return "*".to_owned(),
    };
    // An input that cannot be decoded is refused by the operation itself, with better words.
    named.map_or_else(|_| "*".to_owned(), cluster)
}

/// The service's prefix in policies.
fn prefix(service: Service) -> &'static str {
    match service {
        Service::AutoScaling => "autoscaling",
        Service::CloudFormation => "cloudformation",
        Service::Ec2 => "ec2",
        Service::Ecs => "ecs",
        Service::Iam => "iam",
        Service::Ssm => "ssm",
        Service::Sts => "sts",
    }
}

fn denied_code(service: Service) -> &'static str {
    match service {
        Service::Ecs | Service::Ssm => "AccessDeniedException",
        Service::Ec2 => "UnauthorizedOperation",
        Service::AutoScaling | Service::CloudFormation | Service::Iam | Service::Sts => "AccessDenied",
    }
}
