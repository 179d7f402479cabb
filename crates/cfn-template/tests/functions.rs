//! Every function: what it gives, and what is wrong with what it cannot give.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::properties;
use serde_json::{Value as Json, json};

const HEAD: &str = "
Parameters:
  Name: {Type: String, Default: web}
  Count: {Type: Number, Default: 2}
  Zones: {Type: CommaDelimitedList, Default: 'a, b,c'}
  Key: {Type: String, Default: us-east-1}
Mappings:
  Images:
    us-east-1: {Ami: ami-1, Sizes: [s, m], Port: 80}
Conditions:
  IsWeb: !Equals [!Ref Name, web]
  IsOne: !Equals [!Ref Count, 1]
  Neither: !Not [!Or [!Condition IsWeb, {Condition: IsOne}]]
  Both: !And [!Condition IsWeb, !Not [!Condition IsOne]]
Resources:
  Other: {Type: T}
  R:
    Type: T
    Properties:
      P: ";

fn evaluate(written: &str) -> Result<Json, String> {
    let properties = properties(&format!("{HEAD}{written}\n"), &[])
        .map_err(|errors| errors.first().unwrap().message.clone())?;
    Ok(properties.get("P").cloned().unwrap_or(json!("(removed)")))
}

#[test]
fn values() {
    let cases = [
        // Scalars keep their types.
        ("80", json!(80)),
        ("1.5", json!(1.5)),
        ("true", json!(true)),
        ("'80'", json!("80")),
        ("2012-10-17", json!("2012-10-17")),
        ("'{a: 1}'", json!("{a: 1}")),
        ("{a: [1, {b: no}]}", json!({"a": [1, {"b": false}]})),
        // Ref
        ("!Ref Name", json!("web")),
        ("{Ref: Count}", json!("2")),
        ("!Ref Zones", json!(["a", "b", "c"])),
        ("!Ref Other", json!("id-Other")),
        ("!Ref AWS::Region", json!("us-east-1")),
        ("!Ref AWS::AccountId", json!("123456789012")),
        ("!Ref AWS::StackName", json!("stack")),
        ("!Ref AWS::Partition", json!("aws")),
        ("!Ref AWS::URLSuffix", json!("amazonaws.com")),
        ("!Ref AWS::NotificationARNs", json!(["arn:sns"])),
        ("!Ref AWS::NoValue", json!("(removed)")),
        ("[1, !Ref AWS::NoValue, 2]", json!([1, 2])),
        ("{a: !Ref AWS::NoValue, b: 1}", json!({"b": 1})),
        // GetAtt
        ("!GetAtt Other.Arn", json!("arn:Other")),
        ("!GetAtt [Other, Arn]", json!("arn:Other")),
        ("{'Fn::GetAtt': [Other, Arn]}", json!("arn:Other")),
        ("{'Fn::GetAtt': Other.Arn}", json!("arn:Other")),
        ("!GetAtt Other.Ips", json!(["10.0.0.1", "10.0.0.2"])),
        // Sub
        ("!Sub '${Name}-${AWS::Region}-${Other}-${Other.Arn}'", json!("web-us-east-1-id-Other-arn:Other")),
        ("!Sub '${!Name} $Name ${ Name } $'", json!("${Name} $Name web $")),
        ("!Sub ['${A}-${Name}', {A: !Ref Count}]", json!("2-web")),
        ("!Sub ['${Name}', {Name: mine}]", json!("mine")),
        ("!Sub plain", json!("plain")),
        // Join, Split, Select
        ("!Join ['-', [a, !Ref Name, 1, true]]", json!("a-web-1-true")),
        ("!Join [',', !Ref Zones]", json!("a,b,c")),
        ("!Join ['', [a, !Ref AWS::NoValue, b]]", json!("ab")),
        ("!Join ['/', !Split ['-', a-b]]", json!("a/b")),
        ("!Split [',', 'a,b,']", json!(["a", "b", ""])),
        ("!Select [1, [a, b]]", json!("b")),
        ("!Select ['0', !Ref Zones]", json!("a")),
        ("!Select [!Ref Count, !GetAZs '']", json!("us-east-1c")),
        ("!Select [0, !GetAZs {Ref: 'AWS::Region'}]", json!("us-east-1a")),
        ("!Select [1, [{a: 1}, {b: 2}]]", json!({"b": 2})),
        // FindInMap
        ("!FindInMap [Images, !Ref AWS::Region, Ami]", json!("ami-1")),
        ("!FindInMap [Images, us-east-1, Sizes]", json!(["s", "m"])),
        ("!FindInMap [Images, !Ref Key, Port]", json!(80)),
        // If
        ("!If [IsWeb, yes-it-is, no-it-is-not]", json!("yes-it-is")),
        ("!If [IsOne, 1, !Ref AWS::NoValue]", json!("(removed)")),
        ("!If [Both, !If [Neither, 1, 2], 3]", json!(2)),
        ("!If [IsWeb, {a: !Ref Name}, []]", json!({"a": "web"})),
        // Base64, ImportValue, GetAZs, Cidr
        ("{'Fn::Base64': !Sub 'hi ${Name}'}", json!("aGkgd2Vi")),
        ("!Base64 hello", json!("aGVsbG8=")),
        ("!ImportValue net-vpc", json!("vpc-1")),
        ("!ImportValue {'Fn::Sub': 'net-vpc'}", json!("vpc-1")),
        ("!GetAZs us-west-2", json!(["us-west-2a", "us-west-2b", "us-west-2c"])),
        ("!Cidr [10.0.0.0/16, 2, 8]", json!(["10.0.0.0/24", "10.0.1.0/24"])),
        ("!Select [1, !Cidr [10.0.0.0/16, !Ref Count]]", json!("10.0.1.0/24")),
        // Dynamic references, in text and in what functions give
        ("'{{resolve:ssm:/a:1}}'", json!("</a:1>")),
        ("!Sub 'x{{resolve:ssm:/${Name}}}y'", json!("x</web>y")),
        ("!Join ['', ['{{resolve:ssm:', a, '}}{{resolve:ssm:b}}']]", json!("<a><b>")),
    ];
    for (written, expected) in cases {
        assert_eq!(evaluate(written), Ok(expected), "{written}");
    }
}

#[test]
fn wrong_arguments() {
    let cases = [
        ("!Ref [a]", "every Ref object must have a single String value"),
        ("!Ref ''", "every Ref object must have a single String value"),
        ("!GetAtt Other", "Fn::GetAtt object requires two non-empty parameters"),
        ("!GetAtt [Other, Arn, x]", "Fn::GetAtt object requires two non-empty parameters"),
        ("!GetAtt [Other, !Sub x]", "Fn::GetAtt object requires two non-empty parameters"),
        ("!GetAtt Other.Nope", "resource Other does not support attribute type Nope in Fn::GetAtt"),
        ("!Sub [a, b]", "Fn::Sub intrinsic functions don't specify expected arguments"),
        ("!Sub {a: b}", "Fn::Sub intrinsic functions don't specify expected arguments"),
        ("!Sub '${a b}'", "variable names in Fn::Sub syntax"),
        ("!Sub '${}'", "variable names in Fn::Sub syntax"),
        ("!Sub '${Zones}'", "variable Zones in Fn::Sub does not resolve to a string"),
        ("!Join [a]", "every Fn::Join object requires two parameters"),
        ("!Join [[a], [b]]", "every Fn::Join object requires two parameters"),
        ("!Join [',', !Sub x]", "every Fn::Join object requires two parameters"),
        ("!Join [',', !Ref Name]", "an argument of Fn::Join must evaluate to a list"),
        ("!Join [',', [{a: b}]]", "every value of Fn::Join must evaluate to a string"),
        ("!Select [a]", "Fn::Select requires a list argument"),
        ("!Select [3, [a]]", "Fn::Select cannot select nonexistent value at index 3"),
        ("!Select [x, [a]]", "Fn::Select cannot select nonexistent value at index x"),
        ("!Split ['', a]", "every Fn::Split object requires two parameters"),
        ("!FindInMap [Images, a]", "every Fn::FindInMap object requires three parameters"),
        ("!FindInMap [Images, !Ref Name, Ami]", "Unable to get mapping for Images::web::Ami"),
        ("!FindInMap [Images, us-east-1, Nope]", "Unable to get mapping for Images::us-east-1::Nope"),
        ("!FindInMap [Nope, a, b]", "Mapping named 'Nope' is not present"),
        ("!FindInMap [Images, a, b, {DefaultValue: c}]", "DefaultValue of Fn::FindInMap needs the transform"),
        ("!FindInMap [Images, !Sub x, b]", "every Fn::FindInMap object requires three parameters"),
        ("!If [IsWeb, a]", "Fn::If requires a list argument with three elements"),
        ("!If [Nope, a, b]", "unresolved condition dependency Nope in Fn::If"),
        ("!Base64 [a]", "every Fn::Base64 object must have a String-typed value"),
        ("!ImportValue nope", "No export named nope found."),
        ("!ImportValue {Ref: Other}", "the attribute in Fn::ImportValue must not depend on any resources"),
        ("!GetAZs mars-1", "unknown region 'mars-1'"),
        ("!Cidr [10.0.0.0/16]", "every Fn::Cidr object requires two or three parameters"),
        ("!Cidr [10.0.0.0/30, 5, 2]", "5 blocks of 2 bits do not fit into 10.0.0.0/30"),
        ("!Equals [a, b]", "Fn::Equals can be used only in the Conditions block"),
        ("!Foo a", "Encountered unsupported function: !Foo"),
        ("{'Fn::Foo': a}", "Encountered unsupported function: Fn::Foo Supported functions are: [Ref,"),
        ("{'Fn::Sub': a, b: c}", "Fn::Sub must be the only member of its object"),
        ("!Transform {Name: x}", "Fn::Transform: macros and transforms are not supported"),
        ("{'Fn::ForEach::X': []}", "it needs the transform AWS::LanguageExtensions"),
        ("'{{resolve:vault:x}}'", "dynamic references to vault are not supported"),
    ];
    for (written, expected) in cases {
        let message = evaluate(written).unwrap_err();
        assert!(message.contains(expected), "{written}: {message}");
    }
}

#[test]
fn conditions() {
    let with = |condition: &str| {
        let text = format!(
            "Parameters:\n  A: {{Type: String, Default: '1'}}\nConditions:\n  C: {condition}\n  T: !Equals [1, 1]\n  \
             F: !Equals [a, b]\nResources:\n  R: {{Type: T, Properties: {{P: !If [C, 1, 0]}}}}\n"
        );
        properties(&text, &[])
            .map(|json| json["P"] == 1)
            .map_err(|errors| errors.first().unwrap().message.clone())
    };
    for (condition, expected) in [
        ("!Equals [!Ref A, 1]", true),
        ("!Equals [true, 'true']", true),
        ("!Equals ['', '']", true),
        ("!Equals [a, A]", false),
        ("!Not [!Condition T]", false),
        ("!And [!Condition T, !Condition F]", false),
        ("!Or [!Condition F, !Condition T]", true),
        ("!Or [!Condition F, !Condition F]", false),
        ("!Condition T", true),
        ("{Condition: F}", false),
        ("!Equals [!Select [0, !Split [',', 'x,y']], x]", true),
        ("!Equals [!Join ['', [!Ref A, 2]], '12']", true),
        ("!Equals [!Sub '${AWS::Region}', us-east-1]", true),
    ] {
        assert_eq!(with(condition), Ok(expected), "{condition}");
    }
    for (condition, expected) in [
        ("!Equals [a]", "every Fn::Equals object requires a list of 2 string parameters"),
        ("!Not [a]", "every Fn::Not object requires one boolean parameter"),
        ("!And [!Condition T]", "every Fn::And object requires a list of at least 2"),
        ("a", "Conditions can only be boolean operations"),
        ("!Ref A", "Conditions can only be boolean operations"),
        ("!Condition Nope", "unresolved condition dependency Nope"),
        ("!Not [!Condition C]", "condition C depends on itself"),
        (
            "!Equals [!Ref R, a]",
            "Unresolved dependencies [R]. Cannot reference resources in the Conditions block",
        ),
        ("!Equals [!GetAtt R.Arn, a]", "Fn::GetAtt cannot be used in the Conditions block"),
        ("!If [T, !Condition T, !Condition F]", "Fn::If cannot be used in the Conditions block"),
    ] {
        let message = with(condition).unwrap_err();
        assert!(message.contains(expected), "{condition}: {message}");
    }
}
