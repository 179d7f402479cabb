//! Decisions and their reasons.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use iam_policy::{
    Context, Decision, NamedPolicy, Outcome, PolicyDocument, PolicyKind, Principal, Request, evaluate,
};
use serde_json::{Value as Json, json};

fn document(statements: Json, kind: PolicyKind) -> PolicyDocument {
    PolicyDocument::from_json(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

fn decide(statements: Json, action: &str, resource: &str, context: &Context) -> Decision {
    let document = document(statements, PolicyKind::Identity);
    let policies = [NamedPolicy { name: "p", document: &document }];
    evaluate(&policies, &Request { action, resource, principal: None, context })
}

const LOGS: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/stack/system";

#[test]
fn outcomes() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["ecs:Submit*", "ecs:Poll"], "Resource": "*"},
        {"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/stack*"},
        {"Sid": "NoKeys", "Effect": "Deny", "Action": "logs:AssociateKmsKey", "Resource": "*"},
        {"Effect": "Allow", "NotAction": ["iam:*", "ecs:*", "logs:*"], "NotResource": "arn:aws:s3:::secret/*"},
    ]);
    let cases = [
        ("ecs:SubmitTaskStateChange", "*", "allowed by statement 1 of policy p"),
        ("ECS:poll", "*", "allowed by statement 1 of policy p"),
        ("ecs:PollX", "*", "no statement allows it"),
        ("logs:PutLogEvents", LOGS, "allowed by statement 2 of policy p"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:us-east-1:123456789012:log-group:/other",
            "no statement allows it",
        ),
        ("logs:AssociateKmsKey", LOGS, "denied by statement NoKeys of policy p"),
        ("s3:GetObject", "arn:aws:s3:::open/a", "allowed by statement 4 of policy p"),
        ("s3:GetObject", "arn:aws:s3:::secret/a", "no statement allows it"),
        ("iam:GetUser", "*", "no statement allows it"),
    ];
    for (action, resource, expected) in cases {
        let decision = decide(statements.clone(), action, resource, &Context::default());
        assert_eq!(decision.to_string(), expected, "{action} {resource}");
    }
}

#[test]
fn a_deny_in_any_policy_wins() {
    let allow = document(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}), PolicyKind::Identity);
    let deny = document(json!({"Effect": "Deny", "Action": "ecs:*", "Resource": "*"}), PolicyKind::Identity);
    let context = Context::default();
    let request = Request { action: "ecs:Poll", resource: "*", principal: None, context: &context };
    let allow = NamedPolicy { name: "allow", document: &allow };
    let deny = NamedPolicy { name: "deny", document: &deny };
    assert_eq!(evaluate(&[], &request).outcome, Outcome::ImplicitDeny);
    assert!(evaluate(&[allow], &request).is_allowed());
    for policies in [[allow, deny], [deny, allow]] {
        let decision = evaluate(&policies, &request);
        assert_eq!(
            (decision.outcome, decision.statement.unwrap().policy),
            (Outcome::ExplicitDeny, "deny".into())
        );
    }
}

#[test]
fn denials_are_worded_as_on_aws() {
    let context = Context::default();
    let who = "arn:aws:sts::123456789012:assumed-role/r/i-1";
    let denial = |statements| decide(statements, "ecs:Poll", "*", &context).denial(who, "ecs:Poll", "*");
    assert_eq!(
        denial(json!({"Effect": "Allow", "Action": "ecs:X", "Resource": "*"})).unwrap(),
        format!(
            "User: {who} is not authorized to perform: ecs:Poll on resource: * because no identity-based policy allows the ecs:Poll action"
        )
    );
    assert_eq!(
        denial(json!({"Effect": "Deny", "Action": "ecs:*", "Resource": "*"})).unwrap(),
        format!(
            "User: {who} is not authorized to perform: ecs:Poll on resource: * with an explicit deny in an identity-based policy"
        )
    );
    assert_eq!(denial(json!({"Effect": "Allow", "Action": "ecs:*", "Resource": "*"})), None);
}

#[test]
fn trust() {
    let decide = |principal: Json, who: &Principal, condition: Json| {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition});
        let document = document(statement, PolicyKind::Trust);
        let context = Context::default().with("sts:ExternalId", "42");
        let policies = [NamedPolicy { name: "trust", document: &document }];
        let request =
            Request { action: "sts:AssumeRole", resource: "*", principal: Some(who), context: &context };
        evaluate(&policies, &request).is_allowed()
    };
    let ec2 = Principal::Service("ec2.amazonaws.com".into());
    let user = Principal::Aws {
        account: "123456789012".into(),
        arns: vec!["arn:aws:iam::123456789012:user/ann".into()],
    };
    let cases = [
        (json!({"Service": "ec2.amazonaws.com"}), &ec2, json!({}), true),
        (json!({"Service": ["ecs.amazonaws.com", "ec2.amazonaws.com"]}), &ec2, json!({}), true),
        (json!({"Service": "ecs.amazonaws.com"}), &ec2, json!({}), false),
        (json!({"Service": "ec2.amazonaws.com"}), &user, json!({}), false),
        (json!({"AWS": "arn:aws:iam::123456789012:user/ann"}), &user, json!({}), true),
        (
            json!({"AWS": "arn:aws:iam::123456789012:root"}),
            &user,
            json!({"StringEquals": {"sts:ExternalId": "42"}}),
            true,
        ),
        (json!({"AWS": "123456789012"}), &user, json!({"StringEquals": {"sts:ExternalId": "43"}}), false),
        (json!("*"), &user, json!({}), true),
    ];
    for (principal, who, condition, expected) in cases {
        assert_eq!(decide(principal.clone(), who, condition), expected, "{principal} {who:?}");
    }
}

/// The request of every condition test.
fn context() -> Context {
    let mut context = Context::default()
        .with("aws:username", "ann")
        .with("aws:SourceIp", "10.1.2.3")
        .with("aws:SecureTransport", "true")
        .with("aws:MultiFactorAuthAge", "300")
        .with("aws:CurrentTime", "2024-05-01T12:00:00Z")
        .with("aws:SourceArn", "arn:aws:ecs:us-east-1:123456789012:cluster/a/b")
        .with("aws:PrincipalTag/team", "red");
    context.set("aws:TagKeys", ["env", "team"].map(str::to_owned));
    context
}

#[test]
fn conditions() {
    let holds = |operator: &str, key: &str, value: Json| {
        let condition = json!({operator: {key: value}});
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
        decide(statement, "a:b", "*", &context()).is_allowed()
    };
    let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/a/b";
    let cases = [
        ("StringEquals", "aws:username", json!("ann"), true),
        ("StringEquals", "AWS:UserName", json!(["bob", "ann"]), true),
        ("StringEquals", "aws:username", json!("Ann"), false),
        ("StringEquals", "aws:username", json!("an*"), false),
        ("StringEquals", "aws:nothing", json!("ann"), false),
        ("StringEqualsIfExists", "aws:nothing", json!("ann"), true),
        ("StringEqualsIfExists", "aws:username", json!("bob"), false),
        ("StringNotEquals", "aws:username", json!("ann"), false),
        ("StringNotEquals", "aws:username", json!(["bob", "ann"]), false),
        ("StringNotEquals", "aws:username", json!("bob"), true),
        ("StringNotEquals", "aws:nothing", json!("bob"), true),
        ("StringEqualsIgnoreCase", "aws:username", json!("ANN"), true),
        ("StringNotEqualsIgnoreCase", "aws:username", json!("ANN"), false),
        ("StringLike", "aws:username", json!("a?*"), true),
        ("StringNotLike", "aws:username", json!("a*"), false),
        ("StringLike", "aws:username", json!("${aws:username}"), true),
        ("StringEquals", "aws:PrincipalTag/team", json!("${aws:PrincipalTag/unit, 'red'}"), true),
        ("StringEquals", "aws:PrincipalTag/team", json!("${aws:PrincipalTag/unit}"), false),
        ("NumericEquals", "aws:MultiFactorAuthAge", json!(300), true),
        ("NumericNotEquals", "aws:MultiFactorAuthAge", json!(300), false),
        ("NumericNotEquals", "aws:nothing", json!(300), true),
        ("NumericLessThan", "aws:MultiFactorAuthAge", json!("300"), false),
        ("NumericLessThanEquals", "aws:MultiFactorAuthAge", json!("300.0"), true),
        ("NumericGreaterThan", "aws:MultiFactorAuthAge", json!(299), true),
        ("NumericGreaterThanEquals", "aws:MultiFactorAuthAge", json!(301), false),
        ("NumericEquals", "aws:username", json!(1), false),
        ("DateLessThan", "aws:CurrentTime", json!("2024-05-02"), true),
        ("DateGreaterThan", "aws:CurrentTime", json!("2024-05-01T11:00:00Z"), true),
        ("DateGreaterThanEquals", "aws:CurrentTime", json!("1714564800"), true),
        ("DateEquals", "aws:CurrentTime", json!("2024-05-01T14:00:00+02:00"), true),
        ("DateNotEquals", "aws:CurrentTime", json!("2024-05-01T12:00:00Z"), false),
        ("Bool", "aws:SecureTransport", json!(true), true),
        ("Bool", "aws:SecureTransport", json!("false"), false),
        ("Bool", "aws:nothing", json!("false"), false),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", json!("true"), true),
        ("BinaryEquals", "aws:username", json!("ann"), true),
        ("IpAddress", "aws:SourceIp", json!("10.1.0.0/16"), true),
        ("IpAddress", "aws:SourceIp", json!(["10.2.0.0/16", "10.1.2.3"]), true),
        ("IpAddress", "aws:SourceIp", json!("2001:db8::/32"), false),
        ("IpAddress", "aws:SourceIp", json!("0.0.0.0/0"), true),
        ("NotIpAddress", "aws:SourceIp", json!("10.1.0.0/16"), false),
        ("NotIpAddress", "aws:SourceIp", json!("10.2.0.0/16"), true),
        ("ArnEquals", "aws:SourceArn", json!(arn), true),
        ("ArnLike", "aws:SourceArn", json!("arn:aws:ecs:*:123456789012:cluster/*"), true),
        ("ArnLike", "aws:SourceArn", json!("arn:aws:*"), false),
        ("ArnLike", "aws:SourceArn", json!("arn:*:cluster/a/b"), false),
        ("ArnNotLike", "aws:SourceArn", json!("arn:aws:ecs:*:*:*"), false),
        ("ArnNotEquals", "aws:SourceArn", json!("arn:aws:ecs:*:*:task/*"), true),
        ("ArnLike", "aws:username", json!("arn:aws:ecs:*:*:*"), false),
        ("Null", "aws:username", json!("false"), true),
        ("Null", "aws:username", json!(true), false),
        ("Null", "aws:nothing", json!(true), true),
        ("ForAllValues:StringEquals", "aws:TagKeys", json!(["env", "team", "x"]), true),
        ("ForAllValues:StringEquals", "aws:TagKeys", json!(["env"]), false),
        ("ForAllValues:StringEquals", "aws:nothing", json!(["env"]), true),
        ("ForAnyValue:StringEquals", "aws:TagKeys", json!(["env"]), true),
        ("ForAnyValue:StringEquals", "aws:TagKeys", json!(["x"]), false),
        ("ForAnyValue:StringEquals", "aws:nothing", json!(["x"]), false),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", json!(["env"]), true),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", json!(["env"]), false),
        ("ForAllValues:StringNotLike", "aws:TagKeys", json!(["x*"]), true),
    ];
    for (operator, key, value, expected) in cases {
        assert_eq!(holds(operator, key, value.clone()), expected, "{operator} {key} {value}");
    }
}

#[test]
fn every_condition_must_hold() {
    let allowed = |condition: Json| {
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
        decide(statement, "a:b", "*", &context()).is_allowed()
    };
    assert!(allowed(json!({"Bool": {"aws:SecureTransport": true}, "StringEquals": {"aws:username": "ann"}})));
    assert!(!allowed(
        json!({"Bool": {"aws:SecureTransport": true}, "StringEquals": {"aws:username": "bob"}})
    ));
    assert!(!allowed(json!({"StringEquals": {"aws:username": "ann", "aws:PrincipalTag/team": "blue"}})));
}

#[test]
fn variables_in_resources() {
    let statement =
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*"});
    let allowed = |resource| decide(statement.clone(), "s3:GetObject", resource, &context()).is_allowed();
    assert!(allowed("arn:aws:s3:::home/ann/x/y"));
    assert!(!allowed("arn:aws:s3:::home/bob/x"));
    let statement =
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:nothing}/*"});
    assert!(!decide(statement, "s3:GetObject", "arn:aws:s3:::home//x", &context()).is_allowed());
}

#[test]
fn the_old_version_knows_no_variables() {
    let document = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:username": "${aws:username}"}}}});
    let document = PolicyDocument::from_json(&document, PolicyKind::Trust).unwrap();
    let allowed = |name: &str| {
        let context = Context::default().with("aws:username", name);
        let who = Principal::Anonymous;
        let request =
            Request { action: "sts:AssumeRole", resource: "*", principal: Some(&who), context: &context };
        evaluate(&[NamedPolicy { name: "p", document: &document }], &request).is_allowed()
    };
    assert!(!allowed("ann"));
    assert!(allowed("${aws:username}"));
}
