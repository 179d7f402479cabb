//! The forms a template may be written in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use cfn_template::Template;
use common::properties;
use serde_json::json;

/// The property `P` of the resource `R`.
fn value(text: &str) -> serde_json::Value {
    properties(text, &[]).unwrap_or_else(|errors| panic!("{text}\n{errors}"))["P"].clone()
}

#[test]
fn forms() {
    let cases = [
        ("a byte order mark", "\u{feff}Resources: {R: {Type: T, Properties: {P: 1}}}", json!(1)),
        (
            "JSON with a byte order mark",
            "\u{feff}{\"Resources\": {\"R\": {\"Type\": \"T\", \"Properties\": {\"P\": 1}}}}",
            json!(1),
        ),
        (
            "JSON with tabs",
            "{\n\t\"Resources\": {\n\t\t\"R\":\t{\"Type\": \"T\", \"Properties\": {\"P\": \"a\\tb\"}}}}",
            json!("a\tb"),
        ),
        (
            "JSON with escapes",
            r#"{"Resources": {"R": {"Type": "T", "Properties": {"P": "\ud83d\ude00 \u00e9 \/ \\ud83d\\ude00 \""}}}}"#,
            json!("😀 é / \\ud83d\\ude00 \""),
        ),
        (
            "carriage returns",
            "Resources:\r\n  R:\r\n    Type: T\r\n    Properties:\r\n      P: |\r\n        a\r\n        b\r\n",
            json!("a\nb\n"),
        ),
        (
            "a document marker",
            "# heading\n---\nResources:\n  R: {Type: T, Properties: {P: 1}}\n...\n",
            json!(1),
        ),
        ("an anchor that nothing uses", "Resources:\n  R: {Type: T, Properties: {P: &p 1}}", json!(1)),
        (
            "a YAML object of unquoted keys",
            "{Resources: {R: {Type: T, Properties: {P: [a,]}}}}",
            json!(["a"]),
        ),
        (
            "explicit types",
            "Resources: {R: {Type: T, Properties: {P: [!!str 1, !!int '2', ! 3]}}}",
            json!(["1", 2, "3"]),
        ),
        (
            "folded text",
            "Resources:\n  R:\n    Type: T\n    Properties:\n      P: !Sub >-\n        a\n        ${AWS::Region}\n",
            json!("a us-east-1"),
        ),
        (
            "nested short forms",
            "Resources:\n  R:\n    Type: T\n    Properties:\n      P:\n        Fn::Join:\n          - ','\n          - - !Sub '${AWS::Region}'\n            - !Select [0, !Split ['-', !Ref AWS::StackName]]\n",
            json!("us-east-1,stack"),
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(value(text), expected, "{name}");
    }
}

#[test]
fn every_node_knows_its_place() {
    let text = "Resources:\n  R:\n    Type: T\n    Properties:\n      P:\n        - a\n        - b: !Ref R2\n  R2: {Type: T}\n";
    let template = Template::parse(text).unwrap();
    let resource = &template.resources["R"];
    let place = |span: cfn_template::Span| (span.line, span.column);
    assert_eq!(place(resource.span), (2, 3));
    assert_eq!(place(resource.type_.span), (3, 11));
    let entry = &resource.properties["P"];
    assert_eq!((place(entry.key_span), place(entry.node.span)), ((5, 7), (6, 9)));
    let items = entry.node.as_list().unwrap();
    assert_eq!(place(items[0].span), (6, 11));
    assert_eq!(place(items[1].as_map().unwrap()["b"].node.span), (7, 14));
}
