//! Errors with their places, as they are shown.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use cfn_template::{Template, render_all};

/// Each template has everything wrong that its name says, and only that.
fn show(text: &str) -> String {
    let errors = Template::parse(text).unwrap_err();
    render_all(&errors, "stack.yml", text)
}

macro_rules! errors {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), show($text));
        }
    )*};
}

errors! {
    broken_yaml: "Resources:\n  A:\n    Type: T\n   B: x\n";
    broken_json: "{\n  \"Resources\": {\n    \"A\": {\"Type\": \"T\",}\n  }\n}\n";
    tab_indentation: "Resources:\n\tA:\n\t\tType: T\n";
    unfinished_flow: "Resources: {A: {Type: T}\n";
    no_document: "";
    a_list: "- a\n";
    two_documents: "Resources: {A: {Type: T}}\n---\nResources: {}\n";
    no_resources: "Description: nothing\n";
    empty_resources: "Resources: {}\n";
    null_resources: "Resources:\n";
    duplicate_keys: "Resources:\n  A: {Type: T}\n  B: {Type: T}\n  A: {Type: T}\n";
    duplicate_keys_in_json: "{\"Resources\": {\"A\": {\"Type\": \"T\", \"Type\": \"T\"}}}";
    alias: "Resources:\n  A: &a {Type: T}\n  B: *a\n";
    merge: "Resources:\n  A:\n    <<: {Type: T}\n";
    binary_tag: "Resources:\n  A:\n    Type: T\n    Properties: {P: !!binary aGk=}\n";
    sections: "AWSTemplateFormatVersion: 2010-09-10\nDescription: [a]\nResource: {}\nTransform: AWS::Serverless-2016-10-31\nRules: {}\nResources:\n  A: {Type: T}\n";
    logical_ids: "Parameters:\n  my-name: {Type: String}\n  AWS::Mine: {Type: String}\nResources:\n  my_bucket: {Type: T}\nOutputs:\n  out.put: {Value: 1}\n";
    resource_attributes: "Resources:\n  A:\n    Type: T\n    Property: {}\n    Dependson: B\n  B: {Properties: {}}\n  C: T\n  D: {Type: [T]}\n  E: {Type: T, DependsOn: {a: b}, Metadata: x, Properties: [1]}\n";
    nulls: "Resources:\n  A:\n    Type: T\n    Properties:\n      P:\n      Q: [1, ~]\n";
    policies: "Resources:\n  A:\n    Type: T\n    DeletionPolicy: Retian\n    UpdateReplacePolicy: RetainExceptOnCreate\n    CreationPolicy:\n      ResourceSignals: {Count: 1}\n      ResourceSignal: {Cout: 1, Timeout: PT13H}\n    UpdatePolicy:\n      AutoScalingRollingUpdate: {PauseTime: 5 minutes}\n";
    parameters: "Parameters:\n  A: {Type: Strin}\n  B: {Default: 1}\n  C: {Type: String, AllowedPattern: '(?<=a)b'}\n  D: {Type: Number, Default: many}\n  E: {Type: String, AllowedValues: [], MinLength: x, NoEcho: maybe}\n  F: {Type: String, Defualt: a}\n  G: {Type: String, Default: c, AllowedValues: [a, b]}\nResources:\n  R: {Type: T}\n";
    references: "Parameters:\n  VpcId: {Type: String}\nResources:\n  Cluster: {Type: T}\n  A:\n    Type: T\n    DependsOn: Clutser\n    Condition: Nope\n    Properties:\n      A: !Ref VpcIdd\n      B: !GetAtt Custer.Arn\n      C: !Sub |\n        one ${Cluster}\n        two ${Clustr.Arn} ${AWS::Regin}\n      D: !GetAtt VpcId.Arn\nOutputs:\n  O:\n    Value: !Ref Nowhere\n";
    functions: "Resources:\n  A:\n    Type: T\n    Properties:\n      A: !Reff B\n      B: {'Fn::Subb': x}\n      C: !GetAt A.B\n      D: {'Fn::Length': []}\n";
    shell_in_sub: "Resources:\n  A:\n    Type: T\n    Properties:\n      A: !Sub |\n        echo ${HOSTNAME}\n      B: !Sub |\n        echo ${A:-b}\n";
    mappings: "Mappings:\n  M:\n    a: {b: {c: d}, e: !Ref x}\n    f: g\nResources:\n  A: {Type: T, Properties: {P: !FindInMap [M, aa, b], Q: !FindInMap [N, a, b]}}\n";
    outputs: "Resources:\n  A: {Type: T}\nOutputs:\n  A: {Description: no value}\n  B: {Value: [1]}\n  C: {Value: 1, Export: name}\n  D: x\n  E: {Value: 1, Valu: 2}\n";
    cycle: "Resources:\n  Z: {Type: T}\n  A: {Type: T, Properties: {P: !Ref B}}\n  B: {Type: T, DependsOn: C}\n  C: {Type: T, Properties: {P: !Sub '${A.Arn}'}}\n";
    self_reference: "Resources:\n  A: {Type: T, Properties: {P: !GetAtt A.Arn}}\n";
    one_error_is_told_once: "Parameters:\n  P: {Type: Strin}\nResources:\n  A: {Properties: {}}\n  B: {Type: T, DependsOn: A, Properties: {P: !Ref P}}\n";
    name_of_both: "Parameters:\n  A: {Type: String}\nResources:\n  A: {Type: T}\n";
}

#[test]
fn there_are_limits() {
    let resources: String = (0..501).map(|n| format!("  R{n}: {{Type: T}}\n")).collect();
    let errors = Template::parse(&format!("Resources:\n{resources}")).unwrap_err();
    assert_eq!(
        errors.first().unwrap().message,
        "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    );
    let deep =
        format!("Resources: {{A: {{Type: T, Properties: {{P: {}{}}}}}}}", "[".repeat(200), "]".repeat(200));
    assert!(Template::parse(&deep).unwrap_err().first().unwrap().message.contains("nested deeper"));
    let long = format!("# {}\n", "x".repeat(1_000_001));
    assert_eq!(
        Template::parse(&long).unwrap_err().first().unwrap().message,
        "Template may not exceed 1000000 bytes in size."
    );
}

#[test]
fn a_summary_fits_on_a_line() {
    let errors = Template::parse("Resourcez: {}\nOutput: {}\nResources: {A: {Type: T}}").unwrap_err();
    assert_eq!(
        errors.summary(),
        "Invalid template property or properties [Resourcez] (line 1, column 1, at Resourcez); did you mean \
         'Resources'? (and 1 more error)"
    );
}
