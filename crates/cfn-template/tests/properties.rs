//! What holds for every text and every value.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use cfn_template::{Template, render_all};
use common::properties;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const PIECES: [&str; 40] = [
    "Resources:",
    "Parameters:",
    "Conditions:",
    "Outputs:",
    "Mappings:",
    "\n",
    "\n  ",
    "\n    ",
    "\n      ",
    "A:",
    "B:",
    "Type: T",
    "Type: String",
    "Properties:",
    "Value: ",
    "!Ref A",
    "!Sub '${A.B}${'",
    "!GetAtt A.B",
    "!If [A, ",
    "!Join ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "- ",
    "!",
    "'",
    "\"",
    "&a ",
    "*a",
    "|",
    ">-",
    "\t",
    "~",
    "Fn::Sub: ",
    "Ref: ",
    "é",
    "#",
    ": ",
];

/// Texts that come near to being templates.
fn nearly_template() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..40).prop_map(|pieces| pieces.concat())
}

/// A string that reads as one of YAML's other types as often as not.
fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[ -~éß😀\t\n]{0,12}".prop_map(Json::from),
        prop::sample::select(vec![
            "yes", "null", "~", "1e3", "0777", "- a", "a: b", "!Ref", "", "{{", "${!A}"
        ])
        .prop_map(Json::from),
    ]
}

/// A value with functions in their long form.
fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        4 => scalar(),
        1 => Just(json!({"Ref": "Name"})),
        1 => Just(json!({"Fn::GetAtt": ["Other", "Arn"]})),
        1 => Just(json!({"Fn::Sub": "x${Name}y${Other.Arn}"})),
        1 => Just(json!({"Fn::Join": ["-", ["a", {"Ref": "Name"}]]})),
        1 => Just(json!({"Fn::If": ["Yes", {"Ref": "Other"}, 1]})),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Writes a value as YAML, functions in their short form.
fn yaml(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            if let Some((name, argument)) =
                map.iter().next().filter(|(name, _)| *name == "Ref" || name.starts_with("Fn::"))
            {
                let argument = match argument {
                    Json::Array(parts) if name == "Fn::GetAtt" => {
                        parts.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(".")
                    }
                    other => yaml(other),
                };
                return format!("!{} {argument}", name.trim_start_matches("Fn::"));
            }
            let members: Vec<_> =
                map.iter().map(|(key, value)| format!("\"{key}\": {}", yaml(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn json_template(value: &Json) -> String {
    json!({
        "Parameters": {"Name": {"Type": "String", "Default": "web"}},
        "Conditions": {"Yes": {"Fn::Equals": [{"Ref": "Name"}, "web"]}},
        "Resources": {"Other": {"Type": "T"}, "R": {"Type": "T", "Properties": {"P": value}}},
    })
    .to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        if let Err(errors) = Template::parse(&text) {
            prop_assert!(!render_all(&errors, "f", &text).is_empty());
        }
    }

    #[test]
    fn no_near_template_panics(text in nearly_template()) {
        if let Err(errors) = Template::parse(&text) {
            prop_assert!(!render_all(&errors, "f", &text).is_empty());
        }
    }

    #[test]
    fn yaml_and_json_evaluate_alike(value in value()) {
        let json = json_template(&value);
        let yaml = format!(
            "Parameters: {{Name: {{Type: String, Default: web}}}}\nConditions: {{'Yes': !Equals [!Ref Name, web]}}\n\
             Resources:\n  Other: {{Type: T}}\n  R:\n    Type: T\n    Properties:\n      P: {}\n",
            yaml(&value)
        );
        let (json, yaml) = (properties(&json, &[]), properties(&yaml, &[]));
        prop_assert!(json.is_ok(), "{json:?}");
        prop_assert_eq!(json, yaml);
    }

    #[test]
    fn a_tree_written_as_json_reads_as_itself(value in value()) {
        let template = Template::parse(&json_template(&value)).unwrap();
        let written = template.resources["R"].properties["P"].node.to_json();
        prop_assert_eq!(written, value);
    }
}
