//! STS's operations against a store.

use aws_wire::iam::{CreateRoleRequest, Iam as _};
use aws_wire::sts::*;

use super::StsService;
use crate::iam::IamService;
use crate::testing::Bench;
use crate::{Caller, Ctx};

fn assume(ctx: &Ctx, principal: &str) -> Result<AssumeRoleResponse, aws_wire::Error> {
    let trust = format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}]}}"#
    );
    let role = CreateRoleRequest {
        role_name: Some("r".into()),
        assume_role_policy_document: Some(trust),
        ..Default::default()
    };
    IamService.create_role(ctx, role).unwrap();
    let input = AssumeRoleRequest {
        role_arn: Some("arn:aws:iam::123456789012:role/r".into()),
        role_session_name: Some("me".into()),
        ..Default::default()
    };
    StsService.assume_role(ctx, input)
}

#[test]
fn the_account_assumes_a_role_that_trusts_it() {
    let bench = Bench::new();
    let answer = assume(&bench.ctx(), r#"{"AWS": "arn:aws:iam::123456789012:root"}"#).unwrap();
    let user = answer.assumed_role_user.unwrap();
    assert_eq!(user.arn.as_deref(), Some("arn:aws:sts::123456789012:assumed-role/r/me"));
    assert!(answer.credentials.unwrap().access_key_id.unwrap().starts_with("ASIA"));
}

#[test]
fn a_role_that_trusts_only_a_service_is_not_assumed() {
    let bench = Bench::new();
    let error = assume(&bench.ctx(), r#"{"Service": "ec2.amazonaws.com"}"#).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("AccessDenied", 403));
}

#[test]
fn a_session_tells_its_role() {
    let bench = Bench::new();
    let caller = Caller::Role { role: "r".into(), session: "i-1".into() };
    let ctx = Ctx { caller, ..bench.ctx() };
    let identity = StsService.get_caller_identity(&ctx, GetCallerIdentityRequest::default()).unwrap();
    assert_eq!(identity.arn.as_deref(), Some("arn:aws:sts::123456789012:assumed-role/r/i-1"));
    assert!(StsService.get_session_token(&ctx, GetSessionTokenRequest::default()).is_err());
}
