//! What holds for every policy and request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use iam_policy::{
    Context, NamedPolicy, Outcome, PolicyDocument, PolicyKind, Request, evaluate, glob, glob_ignore_case,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Matching as one would write it down: exponential, and plainly right.
fn slow_glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => slow_glob(rest, text),
        (Some(('*', rest)), Some((_, tail))) => slow_glob(rest, text) || slow_glob(pattern, tail),
        (Some(('?', rest)), Some((_, tail))) => slow_glob(rest, tail),
        (Some((a, rest)), Some((b, tail))) => a == b && slow_glob(rest, tail),
        _ => false,
    }
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Any JSON.
fn json() -> impl Strategy<Value = Json> {
    let words = ["Allow", "Deny", "*", "2012-10-17", "ecs:Poll", "arn:aws:s3:::a", "${aws:x}", "true", ""];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i16>().prop_map(Json::from),
        prop::sample::select(words.to_vec()).prop_map(Json::from),
    ];
    let keys = [
        "Version",
        "Statement",
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "Principal",
        "Condition",
        "AWS",
        "Service",
        "StringLike",
        "Null",
        "aws:x",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(prop::sample::select(keys.to_vec()), inner, 0..6).prop_map(|map| {
                Json::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

fn statement() -> impl Strategy<Value = Json> {
    let actions = prop::sample::select(vec!["*", "ecs:*", "ecs:Poll", "logs:Put*", "iam:PassRole"]);
    let resources = prop::sample::select(vec!["*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/b"]);
    (any::<bool>(), actions, resources, any::<bool>()).prop_map(|(allow, action, resource, not)| {
        let effect = if allow { "Allow" } else { "Deny" };
        let element = if not { "NotAction" } else { "Action" };
        json!({"Effect": effect, element: action, "Resource": resource})
    })
}

fn document(statements: &[Json]) -> PolicyDocument {
    let json = json!({"Version": "2012-10-17", "Statement": statements});
    PolicyDocument::from_json(&json, PolicyKind::Identity).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn globs_match_as_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        prop_assert_eq!(glob(&pattern, &text), slow_glob(&characters(&pattern), &characters(&text)));
        prop_assert_eq!(glob_ignore_case(&pattern.to_uppercase(), &text), glob(&pattern, &text));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = PolicyDocument::parse(&text, PolicyKind::Identity);
    }

    #[test]
    fn no_json_panics(json in json()) {
        let _ = PolicyDocument::from_json(&json, PolicyKind::Identity);
        let _ = PolicyDocument::from_json(&json, PolicyKind::Trust);
        let statement = json!({"Version": "2012-10-17", "Statement": json});
        let _ = PolicyDocument::from_json(&statement, PolicyKind::Identity);
    }

    #[test]
    fn order_does_not_matter_and_denies_win(
        statements in prop::collection::vec(statement(), 1..6),
        action in prop::sample::select(vec!["ecs:Poll", "logs:PutLogEvents", "iam:PassRole"]),
        resource in prop::sample::select(vec!["*", "arn:aws:s3:::a/b", "arn:aws:s3:::a/c"]),
    ) {
        let context = Context::default();
        let request = Request { action, resource, principal: None, context: &context };
        let outcome = |statements: &[Json]| {
            let document = document(statements);
            evaluate(&[NamedPolicy { name: "p", document: &document }], &request).outcome
        };
        let each: Vec<Outcome> = statements.iter().map(|one| outcome(std::slice::from_ref(one))).collect();
        let expected = if each.contains(&Outcome::ExplicitDeny) {
            Outcome::ExplicitDeny
        } else if each.contains(&Outcome::Allow) {
            Outcome::Allow
        } else {
            Outcome::ImplicitDeny
        };
        let reversed: Vec<Json> = statements.iter().rev().cloned().collect();
        prop_assert_eq!(outcome(&statements), expected);
        prop_assert_eq!(outcome(&reversed), expected);
    }
}
