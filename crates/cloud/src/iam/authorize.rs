//! Whether a role's session may run an operation.

use std::sync::Arc;

use aws_wire::{Error, ParsedRequest, Service};
use iam_policy::{Context, NamedPolicy, PolicyDocument, PolicyKind, Request, evaluate};

use super::managed;
use super::state::{PolicyRecord, RoleRecord};
use crate::ecs::authorization::About;
use crate::store::GLOBAL;
use crate::{Ctx, Store};

/// Evaluates the role's policies, inline and attached, for the operation of a request.
///
/// The operations of ECS and CloudWatch Logs are evaluated on what they are about. Other services' are evaluated on the resource `*`, so a
/// policy that allows them only on certain resources does not allow them here.
///
/// # Errors
/// `AccessDenied` in AWS's words, which name the action, the resource and what is missing.
pub fn authorize(ctx: &Ctx, role: &str, request: &ParsedRequest) -> Result<(), Error> {
    let action = format!("{}:{}", prefix(request.service), request.operation);
    // Whoever has credentials may ask who they are ("GetCallerIdentity" in the STS API reference).
    if action == "sts:GetCallerIdentity" {
        return Ok(());
    }
    let about = match request.service {
        Service::Ecs => crate::ecs::authorization::about(ctx, request),
        Service::Logs => crate::logs::about(ctx, request),
        _ => About::anything(),
    };
    let code = denied_code(request.service);
    decide(ctx, role, &action, &about, code)
}

/// Evaluates one action on all that it is about.
///
/// # Errors
/// `AccessDenied`, or the `code` given, for the first resource on which it is not allowed.
pub fn decide(ctx: &Ctx, role: &str, action: &str, about: &About, code: &'static str) -> Result<(), Error> {
    let documents = documents(&ctx.cloud.store, role)?;
    let policies: Vec<_> = documents.iter().map(|(name, document)| NamedPolicy { name, document }).collect();
    let mut context = Context::default()
        .with("aws:PrincipalArn", format!("arn:aws:iam::{}:role/{role}", ctx.account))
        .with("aws:RequestedRegion", ctx.region.to_string());
    if let Some(cluster) = &about.cluster {
        context = context.with("ecs:cluster", cluster.as_str());
    }
    for resource in &about.resources {
        let decision = evaluate(&policies, &Request { action, resource, principal: None, context: &context });
        if let Some(message) = decision.denial(&ctx.caller_arn(), action, resource) {
            return Err(Error::with_status(code, message, if code == "AccessDenied" { 403 } else { 400 }));
        }
    }
    Ok(())
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

/// The service's prefix in policies.
fn prefix(service: Service) -> &'static str {
    match service {
        Service::AutoScaling => "autoscaling",
        Service::CloudFormation => "cloudformation",
        Service::Ec2 => "ec2",
        Service::Ecs => "ecs",
        Service::Iam => "iam",
        Service::Logs => "logs",
        Service::Ssm => "ssm",
        Service::Sts => "sts",
    }
}

fn denied_code(service: Service) -> &'static str {
    match service {
        Service::Ecs | Service::Logs | Service::Ssm => "AccessDeniedException",
        Service::Ec2 => "UnauthorizedOperation",
        Service::AutoScaling | Service::CloudFormation | Service::Iam | Service::Sts => "AccessDenied",
    }
}
