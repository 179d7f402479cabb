//! What IAM accepts and refuses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use iam_policy::{Matcher, PolicyDocument, PolicyKind, Version};
use serde_json::{Value as Json, json};

fn identity(statement: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn parse(json: &Json, kind: PolicyKind) -> Result<PolicyDocument, String> {
    PolicyDocument::parse(&json.to_string(), kind).map_err(|error| error.to_string())
}

#[test]
fn accepted() {
    let allow = json!({"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"});
    let cases = [
        (PolicyKind::Identity, identity(allow.clone())),
        (
            PolicyKind::Identity,
            identity(
                json!([allow, {"Sid": "b", "Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "arn:aws:s3:::a/*"}]),
            ),
        ),
        (
            PolicyKind::Identity,
            identity(
                json!({"Effect": "Allow", "Action": "*", "Resource": ["arn:aws:logs:*", "arn:aws:logs:us-east-1:123456789012:log-group:/a*"]}),
            ),
        ),
        (
            PolicyKind::Identity,
            identity(
                json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::${aws:username}/*", "Condition": {"Bool": {"aws:SecureTransport": true}, "ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b*"]}, "NumericLessThan": {"aws:MultiFactorAuthAge": 3600}}}),
            ),
        ),
        (
            PolicyKind::Trust,
            identity(
                json!({"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}),
            ),
        ),
        (
            PolicyKind::Trust,
            json!({"Version": "2008-10-17", "Id": "x", "Statement": [{"Sid": "", "Effect": "Allow", "Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]}, "Action": "sts:*"}]}),
        ),
        (
            PolicyKind::Trust,
            json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}),
        ),
        (
            PolicyKind::Trust,
            identity(
                json!({"Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"}, "Action": "sts:AssumeRoleWithWebIdentity"}),
            ),
        ),
    ];
    for (kind, document) in cases {
        assert_eq!(parse(&document, kind).err(), None, "{document}");
    }
}

#[test]
fn what_is_read() {
    let document = identity(json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": ["*"]}));
    let document = parse(&document, PolicyKind::Identity).unwrap();
    assert_eq!(document.version, Version::V2012);
    assert_eq!(document.statements[0].action, Matcher::Except(vec!["iam:*".into()]));
    assert_eq!(document.statements[0].resource, Some(Matcher::Only(vec!["*".into()])));
}

#[test]
fn refused() {
    let with = |member: &str, value: Json| {
        let mut statement = json!({"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"});
        statement[member] = value;
        identity(statement)
    };
    let without = |member: &str| {
        let mut statement = json!({"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"});
        statement.as_object_mut().unwrap().remove(member);
        identity(statement)
    };
    let cases = [
        (json!([]), "Syntax errors in policy. (a policy is an object)"),
        (json!({"Version": "2012-10-17"}), "Syntax errors in policy. (Statement is missing)"),
        (
            json!({"Version": "2012-10-17", "Statement": []}),
            "Syntax errors in policy. (Statement: there is no statement)",
        ),
        (
            json!({"Version": "2012-10-17", "Statements": []}),
            "'Statements' is none of Version, Id, Statement",
        ),
        (
            json!({"Version": "2020-01-01", "Statement": []}),
            "Syntax errors in policy. (Version: the version is",
        ),
        (json!({"Statement": []}), "Policy document must be version 2012-10-17 or greater. (Version)"),
        (identity(json!(["a"])), "Syntax errors in policy. (Statement/0: a statement is an object)"),
        (with("Actions", json!("a:b")), "'Actions' is none of Sid"),
        (with("Sid", json!("a b")), "Statement IDs (SID) must be alpha-numeric."),
        (
            with("Effect", json!("allow")),
            "Syntax errors in policy. (Statement/Effect: the effect is Allow or Deny)",
        ),
        (without("Effect"), "Missing required field Effect (Statement)"),
        (without("Action"), "Policy statement must contain actions. (Statement)"),
        (without("Resource"), "Policy statement must contain resources. (Statement)"),
        (with("NotAction", json!("a:b")), "Action and NotAction exclude each other"),
        (with("Action", json!([])), "Syntax errors in policy. (Statement/Action: the list is empty)"),
        (with("Action", json!([1])), "must be a list of strings"),
        (
            with("Action", json!("Poll")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement/Action: 'Poll')",
        ),
        (with("Action", json!("e c:Poll")), "Vendor e c is not valid"),
        (with("Action", json!("ecs:")), "must be prefaced by a vendor"),
        (
            with("Resource", json!("bucket")),
            "Resource bucket must be in ARN format or \"*\". (Statement/Resource)",
        ),
        (with("Resource", json!("arn:aws:s3")), "Resource arn:aws:s3 must be in ARN format"),
        (
            with("Principal", json!("*")),
            "Policy document should not specify a principal. (Statement/Principal)",
        ),
        (with("Condition", json!("x")), "a condition is an object"),
        (
            with("Condition", json!({"StringIs": {"aws:a": "b"}})),
            "Invalid Condition type : StringIs. (Statement/Condition)",
        ),
        (with("Condition", json!({"StringEquals": {"a": "b"}})), "must be prefaced by a vendor"),
        (
            with("Condition", json!({"StringEquals": {"aws:a": {}}})),
            "Statement/Condition/StringEquals/aws:a: a condition's value is",
        ),
        (
            with("Condition", json!({"NumericEquals": {"aws:a": "many"}})),
            "NumericEquals cannot compare with 'many'",
        ),
        (
            with("Condition", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}})),
            "IpAddress cannot compare with '10.0.0.0/33'",
        ),
        (
            with("Condition", json!({"DateLessThan": {"aws:CurrentTime": "soon"}})),
            "DateLessThan cannot compare with 'soon'",
        ),
        (
            identity(
                json!([{"Sid": "a", "Effect": "Allow", "Action": "a:b", "Resource": "*"}, {"Sid": "a", "Effect": "Allow", "Action": "a:b", "Resource": "*"}]),
            ),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ];
    for (document, expected) in cases {
        let error = parse(&document, PolicyKind::Identity).unwrap_err();
        assert!(error.contains(expected), "{document}: {error}");
    }
    let error = PolicyDocument::parse("{", PolicyKind::Identity).unwrap_err();
    assert!(error.to_string().starts_with("Syntax errors in policy. (EOF"), "{error}");
}

#[test]
fn refused_as_trust_policy() {
    let with = |principal: Json, action: &str| {
        identity(json!({"Effect": "Allow", "Principal": principal, "Action": action}))
    };
    let ec2 = json!({"Service": "ec2.amazonaws.com"});
    let cases = [
        (
            identity(json!({"Effect": "Allow", "Action": "sts:AssumeRole"})),
            "Missing required field Principal (Statement)",
        ),
        (identity(json!({"Effect": "Allow", "Principal": ec2})), "Missing required field Action (Statement)"),
        (
            identity(
                json!({"Effect": "Allow", "Principal": ec2, "Action": "sts:AssumeRole", "Resource": "*"}),
            ),
            "Has prohibited field Resource (Statement/Resource)",
        ),
        (with(ec2.clone(), "ec2:RunInstances"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (with(ec2, "*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (
            with(json!({"Service": "ec2"}), "sts:AssumeRole"),
            "Invalid principal in policy: \"SERVICE\":\"ec2\" (Statement/Principal)",
        ),
        (with(json!({"AWS": "ann"}), "sts:AssumeRole"), "Invalid principal in policy: \"AWS\":\"ann\""),
        (
            with(json!({"AWS": "arn:aws:iam::123456789012:role/*"}), "sts:AssumeRole"),
            "Invalid principal in policy",
        ),
        (
            with(json!({"User": "ann"}), "sts:AssumeRole"),
            "a principal is AWS, Service, Federated or CanonicalUser",
        ),
        (with(json!("ann"), "sts:AssumeRole"), "a principal is \"*\" or an object"),
    ];
    for (document, expected) in cases {
        let error = parse(&document, PolicyKind::Trust).unwrap_err();
        assert!(error.contains(expected), "{document}: {error}");
    }
}

#[test]
fn white_space_has_no_size() {
    assert_eq!(iam_policy::size("{ \"a\" :\n 1 }"), 7);
}
