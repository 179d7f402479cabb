//! STS: who calls, and sessions of roles.

#[cfg(test)]
mod tests;

use aws_wire::Error;
use aws_wire::sts::*;
use iam_policy::{Context, NamedPolicy, PolicyDocument, PolicyKind, Principal, Request, evaluate};
use jiff::SignedDuration;

use crate::credentials::SessionCredentials;
use crate::iam::state::RoleRecord;
use crate::store::GLOBAL;
use crate::{Caller, Ctx};

/// The service.
pub struct StsService;

impl Sts<Ctx> for StsService {
    fn get_caller_identity(
        &self,
        ctx: &Ctx,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Error> {
        Ok(GetCallerIdentityResponse {
            user_id: Some(user_id(ctx)),
            account: Some(ctx.account.to_string()),
            arn: Some(ctx.caller_arn()),
        })
    }

    fn assume_role(&self, ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
        assume_role(ctx, input)
    }

    fn get_session_token(
        &self,
        ctx: &Ctx,
        input: GetSessionTokenRequest,
    ) -> Result<GetSessionTokenResponse, Error> {
        if ctx.caller != Caller::Root {
            return Err(Error::with_status(
                "AccessDenied",
                "Cannot call GetSessionToken with session credentials",
                403,
            ));
        }
        let seconds = lifetime(input.duration_seconds.unwrap_or(43_200), 900, 129_600)?;
        let session = keep(ctx, SessionCredentials::new(None, "session", seconds))?;
        Ok(GetSessionTokenResponse { credentials: Some(session) })
    }
}

/// `UserId` as the IAM guide's table of principal keys has it.
fn user_id(ctx: &Ctx) -> String {
    match &ctx.caller {
        Caller::Role { role, session } => {
            let id = ctx.cloud.store.get::<RoleRecord>(GLOBAL, role).map(|role| role.role_id.clone());
            format!("{}:{session}", id.unwrap_or_default())
        }
        Caller::Instance { instance_id } => instance_id.clone(),
        Caller::Root | Caller::Service { .. } => ctx.account.to_string(),
    }
}

fn assume_role(ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
    refuse_unsupported(&input)?;
    let arn = input.role_arn.unwrap_or_default();
    let session_name = input.role_session_name.unwrap_or_default();
    let denied = || {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            ctx.caller_arn()
        );
        Error::with_status("AccessDenied", message, 403)
    };
    let role = ctx
        .cloud
        .store
        .list::<RoleRecord>(GLOBAL)
        .into_iter()
        .find(|role| role.arn == arn)
        .ok_or_else(denied)?;
    if !trusts(ctx, &role)? {
        return Err(denied());
    }
    let seconds = lifetime(input.duration_seconds.unwrap_or(3600), 900, role.max_session_duration)?;
    let credentials = keep(ctx, SessionCredentials::new(Some(&role.name), &session_name, seconds))?;
    Ok(AssumeRoleResponse {
        credentials: Some(credentials),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: Some(format!("{}:{session_name}", role.role_id)),
            arn: Some(format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", ctx.account, role.name)),
        }),
        ..AssumeRoleResponse::default()
    })
}

fn refuse_unsupported(input: &AssumeRoleRequest) -> Result<(), Error> {
    let given = [
        ("Policy", input.policy.is_some()),
        ("PolicyArns", !input.policy_arns.is_empty()),
        ("Tags", !input.tags.is_empty()),
        ("ExternalId", input.external_id.is_some()),
        ("SerialNumber", input.serial_number.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(Error::client("ValidationError", format!("{name} is not supported by this cloud.")))
        }
        None => Ok(()),
    }
}

/// Whether the role's trust policy lets the caller assume it.
fn trusts(ctx: &Ctx, role: &RoleRecord) -> Result<bool, Error> {
    let document = PolicyDocument::parse(&role.trust, PolicyKind::Trust)
        .map_err(|error| Error::internal(format!("trust policy of {}: {error}", role.name)))?;
    let arns = match &ctx.caller {
        Caller::Role { role, .. } => {
            vec![ctx.caller_arn(), format!("arn:aws:iam::{}:role/{role}", ctx.account)]
        }
        Caller::Root | Caller::Service { .. } | Caller::Instance { .. } => vec![ctx.caller_arn()],
    };
    let principal = Principal::Aws { account: ctx.account.to_string(), arns };
    let context = Context::default();
    let request =
        Request { action: "sts:AssumeRole", resource: "*", principal: Some(&principal), context: &context };
    Ok(evaluate(&[NamedPolicy { name: "trust", document: &document }], &request).is_allowed())
}

fn lifetime(seconds: i32, least: i32, most: i32) -> Result<SignedDuration, Error> {
    if (least..=most).contains(&seconds) {
        return Ok(SignedDuration::from_secs(seconds.into()));
    }
    let message = format!("The requested DurationSeconds must be between {least} and {most}.");
    Err(Error::client("ValidationError", message))
}

fn keep(ctx: &Ctx, session: SessionCredentials) -> Result<Credentials, Error> {
    let answer = Credentials {
        access_key_id: Some(session.access_key_id.clone()),
        secret_access_key: Some(session.secret_access_key.clone()),
        session_token: Some(session.session_token.clone()),
        expiration: Some(session.expiration),
    };
    ctx.cloud.store.write(|tx| tx.put(session))?;
    Ok(answer)
}
