//! Parameters: every type, every constraint, every message.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use cfn_template::{Lookup, Template};
use common::map;
use serde_json::json;

fn template(declaration: &str) -> Template {
    Template::parse(&format!("Parameters:\n  P: {declaration}\nResources:\n  R: {{Type: T}}\n")).unwrap()
}

fn messages(template: &Template, given: &[(&str, &str)], previous: &[(&str, &str)]) -> Vec<String> {
    match template.resolve_parameters(&map(given), &map(previous)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn errors_are_placed_at_the_declaration() {
    let template = template("{Type: Number}");
    let located = |given: &[(&str, &str)]| match template.resolve_parameters(&map(given), &BTreeMap::new()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.locate(&template).to_string()).collect(),
    };
    assert_eq!(located(&[]), ["Parameters: [P] must have values (line 2, column 3, at Parameters/P)"]);
    assert_eq!(
        located(&[("P", "x")]),
        ["Parameter 'P' must be a number. (line 2, column 3, at Parameters/P)"]
    );
    assert_eq!(located(&[("P", "1"), ("Q", "x")]), ["Parameters: [Q] do not exist in the template"]);
}

#[test]
fn values_are_typed() {
    let cases = [
        ("{Type: String}", "a,b", json!("a,b")),
        ("{Type: Number}", "2", json!("2")),
        ("{Type: List<Number>}", "1, 2", json!(["1", "2"])),
        ("{Type: CommaDelimitedList}", "a , b", json!(["a", "b"])),
        ("{Type: CommaDelimitedList}", "", json!([])),
        ("{Type: 'AWS::EC2::VPC::Id'}", "vpc-1", json!("vpc-1")),
        ("{Type: 'List<AWS::EC2::Subnet::Id>'}", "subnet-1,subnet-2", json!(["subnet-1", "subnet-2"])),
        ("{Type: 'AWS::SSM::Parameter::Name'}", "/a", json!("/a")),
    ];
    for (declaration, given, expected) in cases {
        let values =
            template(declaration).resolve_parameters(&map(&[("P", given)]), &BTreeMap::new()).unwrap();
        assert_eq!(values.get("P").unwrap().to_json(), expected, "{declaration}");
    }
}

#[test]
fn constraints() {
    let cases = [
        ("{Type: Number}", "many", "Parameter 'P' must be a number."),
        ("{Type: Number}", "", "Parameter 'P' must be a number."),
        ("{Type: Number}", "inf", "Parameter 'P' must be a number."),
        ("{Type: List<Number>}", "1,b", "Parameter 'P' must be a number."),
        ("{Type: Number, MinValue: 1}", "0", "Parameter 'P' must be a number not less than 1"),
        ("{Type: Number, MaxValue: 4}", "5", "Parameter 'P' must be a number not greater than 4"),
        ("{Type: String, MinLength: 3}", "ab", "Parameter 'P' must contain at least 3 characters"),
        ("{Type: String, MaxLength: 3}", "abcd", "Parameter 'P' must contain at most 3 characters"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "ab1", "Parameter 'P' must match pattern [a-z]+"),
        ("{Type: String, AllowedPattern: 'a|b'}", "ab", "Parameter 'P' must match pattern a|b"),
        ("{Type: String, AllowedValues: [a, 1]}", "b", "Parameter 'P' must be one of AllowedValues"),
        (
            "{Type: CommaDelimitedList, AllowedValues: [a, b]}",
            "a,c",
            "Parameter 'P' must be one of AllowedValues",
        ),
        (
            "{Type: String, AllowedValues: [a], ConstraintDescription: must be a}",
            "b",
            "Parameter P failed to satisfy constraint: must be a",
        ),
    ];
    for (declaration, given, expected) in cases {
        assert_eq!(messages(&template(declaration), &[("P", given)], &[]), [expected], "{declaration}");
    }
    for (declaration, given) in [
        ("{Type: Number, MinValue: 1, MaxValue: 4}", "4"),
        ("{Type: Number}", "-1.5"),
        ("{Type: String, AllowedValues: [a, 1]}", "1"),
        ("{Type: String, AllowedValues: [yes, no]}", "true"),
        ("{Type: String, MinLength: 2, MaxLength: 2}", "éé"),
    ] {
        assert_eq!(messages(&template(declaration), &[("P", given)], &[]), [""; 0], "{declaration}");
    }
}

#[test]
fn all_is_reported_at_once() {
    let text = "Parameters:\n  A: {Type: String}\n  B: {Type: String}\n  C: {Type: Number}\n  Desert: {Type: String, Default: d}\n\
                Resources:\n  R: {Type: T}\n";
    let template = Template::parse(text).unwrap();
    assert_eq!(
        messages(&template, &[("C", "x"), ("Bee", "1"), ("Dune", "1")], &[]),
        [
            "Parameters: [A, B] must have values",
            "Parameters: [Bee, Dune] do not exist in the template",
            "Parameter 'C' must be a number.",
        ]
    );
    assert_eq!(
        messages(&template, &[("Dessert", "1")], &[("A", "1"), ("B", "1"), ("C", "1")]),
        ["Parameters: [Dessert] do not exist in the template; did you mean 'Desert'?"]
    );
}

#[test]
fn given_goes_before_previous_before_default() {
    let template = template("{Type: String, Default: default}");
    let value = |given: &[(&str, &str)], previous: &[(&str, &str)]| {
        template.resolve_parameters(&map(given), &map(previous)).unwrap().get("P").unwrap().given.clone()
    };
    assert_eq!(value(&[], &[]), "default");
    assert_eq!(value(&[], &[("P", "previous")]), "previous");
    assert_eq!(value(&[("P", "given")], &[("P", "previous")]), "given");
}

#[test]
fn secrets_are_masked() {
    let template = template("{Type: String, NoEcho: true}");
    let values = template.resolve_parameters(&map(&[("P", "secret")]), &BTreeMap::new()).unwrap();
    let value = values.get("P").unwrap();
    assert_eq!((value.shown(), value.to_json()), ("****", json!("secret")));
}

#[test]
fn lookups_are_told() {
    let resolve = |declaration: &str, given: &str| {
        template(declaration).resolve_parameters(&map(&[("P", given)]), &BTreeMap::new()).unwrap()
    };
    let exists = |kind, values: &[&str]| Lookup::Exists {
        parameter: "P".into(),
        kind,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    assert_eq!(resolve("{Type: String}", "x").lookups(), []);
    assert_eq!(
        resolve("{Type: 'AWS::EC2::KeyPair::KeyName'}", "k").lookups(),
        [exists("AWS::EC2::KeyPair::KeyName", &["k"])]
    );
    let name = || ("P".to_owned(), "/a".to_owned());
    let (parameter, name_) = name();
    assert_eq!(
        resolve("{Type: 'AWS::SSM::Parameter::Name'}", "/a").lookups(),
        [Lookup::SsmName { parameter, name: name_ }]
    );
    let mut values = resolve("{Type: 'AWS::SSM::Parameter::Value<List<AWS::EC2::Image::Id>>'}", "/a");
    let (parameter, name) = name();
    assert_eq!(values.lookups(), [Lookup::SsmValue { parameter, name }]);
    values.set_ssm("P", "ami-1,ami-2");
    assert_eq!(values.lookups(), [exists("AWS::EC2::Image::Id", &["ami-1", "ami-2"])]);
    assert_eq!(values.get("P").unwrap().to_json(), json!(["ami-1", "ami-2"]));
    assert_eq!(values.get("P").unwrap().shown(), "/a");
}
