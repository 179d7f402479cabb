//! What holds for every input.

mod common;

use common::{check, host, source};
use packer_template::{Template, VarInputs, Variables};
use proptest::prelude::*;

/// Pieces that expressions are made of, so that more than the lexer is reached.
fn expression() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{"),
        Just("}}"),
        Just("{{-"),
        Just(" -}}"),
        Just(" "),
        Just("|"),
        Just("("),
        Just(")"),
        Just("."),
        Just(".A"),
        Just("$"),
        Just("$x"),
        Just(":="),
        Just("="),
        Just(","),
        Just("if "),
        Just("else"),
        Just("end"),
        Just("range "),
        Just("with "),
        Just("`a`"),
        Just("\\\"b\\\""),
        Just("'c'"),
        Just("1"),
        Just("-2.5"),
        Just("true"),
        Just("nil"),
        Just("user"),
        Just("upper"),
        Just("split"),
        Just("printf"),
        Just("index"),
        Just("slice"),
        Just("isotime"),
        Just("eq"),
        Just("and"),
        Just("/*"),
        Just("*/"),
        Just("é"),
        Just("\\n"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// JSON, nested a little.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.5e3".to_owned()),
        Just("20".to_owned()),
        Just("\"10s\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"amazon-ebs\"".to_owned()),
        Just("\"shell\"".to_owned()),
        expression().prop_map(|text| format!("\"{text}\"")),
    ];
    let key = prop_oneof![
        Just("type"),
        Just("builders"),
        Just("provisioners"),
        Just("post-processors"),
        Just("variables"),
        Just("only"),
        Just("override"),
        Just("ami_name"),
        Just("tags"),
        Just("tag"),
        Just("source_ami_filter"),
        Just("inline"),
        Just("launch_block_device_mappings"),
        Just("pause_before"),
        Just("_c"),
        Just("x"),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let entries = prop::collection::vec((key.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            entries.prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = check(&text);
    }

    #[test]
    fn no_json_makes_it_panic(text in json()) {
        let _ = check(&text);
    }

    #[test]
    fn no_builder_makes_it_panic(options in json()) {
        let _ = check(&format!(r#"{{"builders":[{{"type":"amazon-ebs","ami_name":{options},"tags":{options},
            "source_ami_filter":{options},"launch_block_device_mappings":{options},"ssh_port":{options},
            "ssh_timeout":{options},"temporary_iam_instance_profile_policy_document":{options}}}],
            "provisioners":[{{"type":"shell","inline":{options},"valid_exit_codes":{options},"execute_command":{options}}}]}}"#));
    }

    #[test]
    fn no_expression_makes_it_panic(text in expression()) {
        let _ = check(&format!(r#"{{"variables":{{"a":"{text}"}},"builders":[{{"type":"amazon-ebs","ami_name":"{text}","tags":{{"{text}":"{text}"}}}}]}}"#));
    }

    #[test]
    fn places_of_errors_are_in_the_file(text in json()) {
        if let Err(errors) = check(&text) {
            for error in &errors {
                let Some(place) = &error.place else { continue };
                let line = text.lines().nth(place.span.line - 1).unwrap_or_default();
                prop_assert!(place.span.column <= line.chars().count() + 1, "{error}");
            }
        }
    }

    #[test]
    fn strings_without_braces_stay_as_they_are(value in "[^{}\\\\\"\\p{C}]{0,40}") {
        let text = format!(r#"{{"variables":{{"a":"{value}"}},"builders":[{{"type":"amazon-ebs"}}]}}"#);
        let template = Template::parse(&source(&text)).expect("the template holds");
        let variables = Variables::resolve(&template, &VarInputs::default(), &host()).expect("a value");
        prop_assert_eq!(variables.get("a"), Some(value.as_str()));
    }

    #[test]
    fn strings_in_backquotes_stay_as_they_are(value in "[^`\\\\\"\\p{C}]{0,40}") {
        let text = format!(r#"{{"variables":{{"a":"{{{{`{value}`}}}}"}},"builders":[{{"type":"amazon-ebs"}}]}}"#);
        let template = Template::parse(&source(&text)).expect("the template holds");
        let variables = Variables::resolve(&template, &VarInputs::default(), &host()).expect("a value");
        prop_assert_eq!(variables.get("a"), Some(value.as_str()));
    }
}
