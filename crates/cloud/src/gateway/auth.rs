//! Who sends a request, and whether they may.

use aws_wire::sigv4::{self, CfnV1, Credential, Refusal, SigV4};
use aws_wire::{Error, ParsedRequest, Service};
use http::request::Parts;
use jiff::Timestamp;

use crate::context::{Caller, Ctx};
use crate::credentials::SessionCredentials;
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::store::GLOBAL;
use crate::{Cloud, Origin};

/// Finds out who sends a request and checks that they do.
///
/// Keys that the cloud issued (its account's own, roles' sessions) are verified whoever uses them. Any other
/// key is taken for the account itself, unverified, as local clouds' users are used to, but only from the
/// host and only while the listener is on a loopback address: whoever can reach that may ask for anything
/// anyway.
///
/// # Errors
/// AWS's own refusals: missing, unknown, expired or wrong credentials.
pub fn caller(
    cloud: &Cloud,
    exposed: bool,
    parts: &Parts,
    body: &[u8],
    origin: &Origin,
) -> Result<Caller, Error> {
    let refuse = |refusal: Refusal| refusal.into_error(parts);
    match Credential::of(parts).map_err(refuse)? {
        Credential::SigV4(signed) => match secret_of(cloud, &signed).map_err(refuse)? {
            Some((secret, caller)) => {
                sigv4::verify(parts, body, &secret)?;
                Ok(caller)
            }
            None if !exposed && *origin == Origin::Host && !signed.access_key_id.starts_with("ASIA") => {
                Ok(Caller::Root)
            }
            None => Err(refuse(Refusal::UnknownKey)),
        },
        Credential::CfnV1(proof) => instance(cloud, &proof, origin),
        Credential::None => Err(refuse(Refusal::Missing)),
    }
}

/// The secret of an issued key, and whose it is.
fn secret_of(cloud: &Cloud, signed: &SigV4) -> Result<Option<(String, Caller)>, Refusal> {
    if signed.access_key_id == cloud.root_key.access_key_id {
        return Ok(Some((cloud.root_key.secret_access_key.clone(), Caller::Root)));
    }
    let Some(session) = cloud.store.get::<SessionCredentials>(GLOBAL, &signed.access_key_id) else {
        return Ok(None);
    };
    if signed.session_token.as_deref() != Some(session.session_token.as_str()) {
        return Err(Refusal::UnknownKey);
    }
    if session.expired(Timestamp::now()) {
        return Err(Refusal::ExpiredToken);
    }
    Ok(Some((session.secret_access_key.clone(), session.caller())))
}

/// The instance that proves itself by its identity document: the signature must be the cloud's, and the document one
/// of an instance that lives and is in the VPC that the request comes from. It need not come from the instance's own
/// address: `cfn-init` may go through a proxy in another subnet. AWS looks at no address at all; another VPC and the
/// host are refused here because nothing leads from an instance to either.
fn instance(cloud: &Cloud, proof: &CfnV1, origin: &Origin) -> Result<Caller, Error> {
    let denied = |reason: &str| Error::with_status("AccessDenied", reason, 403);
    let genuine = cloud
        .identity
        .verify(proof.document.as_bytes(), &proof.signature)
        .map_err(|error| Error::internal(error.to_string()))?;
    if !genuine {
        return Err(denied("The signature of the instance identity document is not valid."));
    }
    let document: serde_json::Value = serde_json::from_str(&proof.document)
        .map_err(|_| denied("The instance identity document is not JSON."))?;
    let field = |name: &str| document.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let instance = cloud
        .store
        .get::<InstanceRecord>(field("region"), field("instanceId"))
        .filter(|instance| instance.state != InstanceState::Terminated)
        .ok_or_else(|| denied("The instance of the identity document does not exist."))?;
    let from_its_vpc = match origin {
        Origin::Host => false,
        Origin::Instance { vpc_id, .. } => instance.vpc_id == **vpc_id,
    };
    if !from_its_vpc {
        return Err(denied("The instance identity document is used from outside of the instance's VPC."));
    }
    Ok(Caller::Instance { instance_id: instance.id.clone() })
}

/// Whether the caller may run the operation.
///
/// The account itself and the cloud's services may everything. A role may what its policies allow. An
/// instance that only identified itself may ask CloudFormation about its stack and signal it, as
/// `cfn-init` and `cfn-signal` do; CloudFormation checks that the stack is its own.
///
/// # Errors
/// `AccessDenied` with who, what and why.
pub fn authorize(ctx: &Ctx, request: &ParsedRequest) -> Result<(), Error> {
    match &ctx.caller {
        Caller::Root | Caller::Service { .. } => Ok(()),
        Caller::Role { role, .. } => crate::iam::authorize(ctx, role, request),
        Caller::Instance { .. } => {
            let allowed = request.service == Service::CloudFormation
                && matches!(request.operation.as_str(), "DescribeStackResource" | "SignalResource");
            if allowed {
                return Ok(());
            }
            let message = format!(
                "User: {} is not authorized to perform: {}: an instance without a role may only describe and signal resources of its own stack",
                ctx.caller_arn(),
                request.operation
            );
            Err(Error::with_status("AccessDenied", message, 403))
        }
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
