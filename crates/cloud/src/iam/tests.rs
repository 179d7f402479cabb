//! IAM's operations against a store.

use aws_wire::iam::*;

use super::{IamService, instance_profile};
use crate::Ctx;
use crate::testing::Bench;

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"}]}"#;

fn role(ctx: &Ctx, name: &str) {
    let input = CreateRoleRequest {
        role_name: Some(name.into()),
        assume_role_policy_document: Some(TRUST.into()),
        ..CreateRoleRequest::default()
    };
    IamService.create_role(ctx, input).unwrap();
}

fn put_policy(ctx: &Ctx, document: &str) -> Result<(), aws_wire::Error> {
    let input = PutRolePolicyRequest {
        role_name: Some("web".into()),
        policy_name: Some("p".into()),
        policy_document: Some(document.into()),
    };
    IamService.put_role_policy(ctx, input)
}

fn delete_role(ctx: &Ctx) -> Result<(), aws_wire::Error> {
    IamService.delete_role(ctx, DeleteRoleRequest { role_name: Some("web".into()) })
}

#[test]
fn a_role_goes_only_when_nothing_hangs_on_it() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    role(&ctx, "web");
    put_policy(&ctx, POLICY).unwrap();
    let profile = || Some("web-profile".to_owned());
    let named = || CreateInstanceProfileRequest { instance_profile_name: profile(), ..Default::default() };
    IamService.create_instance_profile(&ctx, named()).unwrap();
    let add =
        AddRoleToInstanceProfileRequest { instance_profile_name: profile(), role_name: Some("web".into()) };
    IamService.add_role_to_instance_profile(&ctx, add.clone()).unwrap();
    assert_eq!(IamService.add_role_to_instance_profile(&ctx, add).unwrap_err().code, "LimitExceeded");

    assert_eq!(delete_role(&ctx).unwrap_err().code, "DeleteConflict");
    let remove = RemoveRoleFromInstanceProfileRequest {
        instance_profile_name: profile(),
        role_name: Some("web".into()),
    };
    IamService.remove_role_from_instance_profile(&ctx, remove).unwrap();
    assert!(delete_role(&ctx).unwrap_err().message.contains("must delete policies first"));
    let gone = DeleteRolePolicyRequest { role_name: Some("web".into()), policy_name: Some("p".into()) };
    IamService.delete_role_policy(&ctx, gone).unwrap();
    delete_role(&ctx).unwrap();
    assert_eq!(delete_role(&ctx).unwrap_err().code, "NoSuchEntity");
}

#[test]
fn a_profile_is_found_by_its_name_and_its_arn() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let input = CreateInstanceProfileRequest {
        instance_profile_name: Some("p".into()),
        path: Some("/team/".into()),
        ..Default::default()
    };
    let made = IamService.create_instance_profile(&ctx, input).unwrap().instance_profile.unwrap();
    let arn = made.arn.unwrap();
    assert_eq!(arn, "arn:aws:iam::123456789012:instance-profile/team/p");
    let store = &bench.cloud.store;
    assert_eq!(instance_profile(store, "p"), instance_profile(store, &arn));
    assert!(instance_profile(store, "p").is_some());
    assert!(instance_profile(store, "arn:aws:iam::123456789012:instance-profile/p").is_none());
}

#[test]
fn documents_are_answered_url_encoded_and_bad_ones_refused() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    role(&ctx, "web");
    put_policy(&ctx, POLICY).unwrap();
    let asked = GetRolePolicyRequest { role_name: Some("web".into()), policy_name: Some("p".into()) };
    let document = IamService.get_role_policy(&ctx, asked).unwrap().policy_document.unwrap();
    assert!(document.starts_with("%7B%22Version%22"), "{document}");
    for bad in ["", "{", "{}", r#"{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}"#] {
        assert_eq!(put_policy(&ctx, bad).unwrap_err().code, "MalformedPolicyDocument", "{bad}");
    }
}

#[test]
fn managed_policies_have_five_versions_and_are_kept_while_attached() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    role(&ctx, "web");
    let input = CreatePolicyRequest {
        policy_name: Some("m".into()),
        policy_document: Some(POLICY.into()),
        ..Default::default()
    };
    let arn = IamService.create_policy(&ctx, input).unwrap().policy.unwrap().arn;
    let version = || CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: Some(POLICY.into()),
        set_as_default: Some(true),
    };
    for number in 2..=5 {
        let made = IamService.create_policy_version(&ctx, version()).unwrap().policy_version.unwrap();
        assert_eq!(made.version_id, Some(format!("v{number}")));
    }
    assert_eq!(IamService.create_policy_version(&ctx, version()).unwrap_err().code, "LimitExceeded");
    let attach = AttachRolePolicyRequest { role_name: Some("web".into()), policy_arn: arn.clone() };
    IamService.attach_role_policy(&ctx, attach).unwrap();
    let delete = || DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(IamService.delete_policy(&ctx, delete()).unwrap_err().code, "DeleteConflict");
    let unknown = AttachRolePolicyRequest {
        role_name: Some("web".into()),
        policy_arn: Some("arn:aws:iam::aws:policy/Nonsense".into()),
    };
    assert_eq!(IamService.attach_role_policy(&ctx, unknown).unwrap_err().code, "NoSuchEntity");
}

#[test]
fn roles_are_listed_in_pages() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    for name in ["a", "b", "c"] {
        role(&ctx, name);
    }
    let first =
        IamService.list_roles(&ctx, ListRolesRequest { max_items: Some(2), ..Default::default() }).unwrap();
    assert_eq!((first.roles.len(), first.is_truncated), (2, Some(true)));
    let rest =
        IamService.list_roles(&ctx, ListRolesRequest { marker: first.marker, ..Default::default() }).unwrap();
    assert_eq!(rest.roles[0].role_name.as_deref(), Some("c"));
    assert_eq!((rest.is_truncated, rest.marker), (Some(false), None));
}
