//! A whole stack: from text to what the service needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use cfn_template::{
    Conditions, Evaluator, Graph, Template,
    diff::{Action, Attribute, ChangeSource, Evaluation, PolicyAction, Replacement, StackView, diff},
    schema::{Kind, Property, ResourceSchema, check_types},
};
use common::{World, parameters, pseudo};
use serde_json::json;

const CLUSTER: &str = include_str!("cluster.yml");

const GIVEN: [(&str, &str); 3] = [("Capacity", "2"), ("Subnets", "subnet-1, subnet-2"), ("Vpc", "vpc-1")];

const SCHEMAS: [&ResourceSchema; 4] = [
    &ResourceSchema {
        type_name: "AWS::ECS::Cluster",
        properties: &[
            Property::new("ClusterName", Kind::String).replaces(),
            Property::new("Tags", Kind::Tags),
        ],
        attributes: &["Arn"],
    },
    &ResourceSchema {
        type_name: "AWS::EC2::SecurityGroup",
        properties: &[
            Property::new("GroupDescription", Kind::String).required().replaces(),
            Property::new("VpcId", Kind::String).replaces(),
            Property::new("SecurityGroupIngress", Kind::List(&RULE)),
        ],
        attributes: &["GroupId", "VpcId"],
    },
    &ResourceSchema {
        type_name: "AWS::EC2::LaunchTemplate",
        properties: &[Property::new("LaunchTemplateData", Kind::Json).required()],
        attributes: &["LatestVersionNumber"],
    },
    &ResourceSchema {
        type_name: "AWS::AutoScaling::AutoScalingGroup",
        properties: &[
            Property::new("LaunchTemplate", Kind::Object(SPECIFICATION)),
            Property::new("MinSize", Kind::Integer).required(),
            Property::new("MaxSize", Kind::Integer).required(),
            Property::new("DesiredCapacity", Kind::Integer),
            Property::new("VPCZoneIdentifier", Kind::List(&Kind::String)),
            Property::new("Tags", Kind::List(&Kind::Object(GROUP_TAG))),
        ],
        attributes: &[],
    },
];
const RULE: Kind = Kind::Object(&[
    Property::new("IpProtocol", Kind::String).required(),
    Property::new("FromPort", Kind::Integer),
    Property::new("ToPort", Kind::Integer),
    Property::new("CidrIp", Kind::String),
]);
const SPECIFICATION: &[Property] =
    &[Property::new("LaunchTemplateId", Kind::String), Property::new("Version", Kind::String).required()];
const GROUP_TAG: &[Property] = &[
    Property::new("Key", Kind::String).required(),
    Property::new("Value", Kind::String).required(),
    Property::new("PropagateAtLaunch", Kind::Boolean).required(),
];

/// The view of the template under parameters, and what a change from `GIVEN` to `given` brings.
fn changes(
    before: &str,
    was: &[(&str, &str)],
    after: &str,
    now: &[(&str, &str)],
) -> Result<Vec<cfn_template::diff::ResourceChange>, String> {
    let (before, after) = (Template::parse(before).unwrap(), Template::parse(after).unwrap());
    let (was, now) = (parameters(&before, was), parameters(&after, now));
    let pseudo = pseudo();
    let old = Evaluator::new(&before, &was, &pseudo, &Versions).unwrap();
    let new = Evaluator::new(&after, &now, &pseudo, &Versions).unwrap();
    let old = StackView::new(&before, &was, &old).unwrap();
    let new = StackView::new(&after, &now, &new).unwrap();
    diff(Some(&old), &new, SCHEMAS.as_slice()).map_err(|error| error.to_string())
}

/// [`World`], in which launch templates have versions too.
struct Versions;

impl cfn_template::Resolver for Versions {
    fn reference(&self, logical_id: &str) -> Option<String> {
        World.reference(logical_id)
    }
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<serde_json::Value> {
        match attribute {
            "LatestVersionNumber" => Some(json!("1")),
            _ => World.attribute(logical_id, attribute),
        }
    }
    fn import_value(&self, export: &str) -> Option<String> {
        World.import_value(export)
    }
    fn availability_zones(&self, region: &str) -> Option<Vec<String>> {
        World.availability_zones(region)
    }
    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String> {
        World.dynamic(service, reference)
    }
}

#[test]
fn the_cluster_evaluates() {
    let template = Template::parse(CLUSTER).unwrap();
    check_types(&template, &SCHEMAS).unwrap();
    let (values, pseudo) = (parameters(&template, &GIVEN), pseudo());
    let evaluator = Evaluator::new(&template, &values, &pseudo, &Versions).unwrap();
    let group = evaluator.resource(&template.resources["Group"]).unwrap();
    assert_eq!(
        cfn_template::schema::conform(&template.resources["Group"], group.properties, SCHEMAS[3])
            .map(serde_json::Value::Object),
        Ok(json!({
            "LaunchTemplate": {"LaunchTemplateId": "id-Launch", "Version": "1"},
            "MinSize": 0,
            "MaxSize": 4,
            "DesiredCapacity": 2,
            "VPCZoneIdentifier": ["subnet-1", "subnet-2"],
            "Tags": [{"Key": "Name", "Value": "stack-instance", "PropagateAtLaunch": true}],
        }))
    );
    let signal = group.creation_policy.unwrap().resource_signal.unwrap();
    assert_eq!((signal.count, signal.timeout.as_secs()), (2, 900));

    let launch = evaluator.resource(&template.resources["Launch"]).unwrap();
    let metadata = launch.metadata.unwrap();
    let env = &metadata["AWS::CloudFormation::Init"]["config"]["commands"]["10_join"]["env"];
    assert_eq!(*env, json!({"ECS_CLUSTER": "id-Cluster", "AWS_DEFAULT_REGION": "us-east-1"}));

    let outputs = evaluator.outputs().unwrap();
    let shown: Vec<_> = outputs
        .iter()
        .map(|output| (output.name.as_str(), output.value.as_str(), output.export_name.as_deref()))
        .collect();
    assert_eq!(shown, [("ClusterArn", "arn:Cluster", Some("stack-cluster"))]);
}

#[test]
fn resources_are_made_in_order() {
    let template = Template::parse(CLUSTER).unwrap();
    let values = parameters(&template, &GIVEN);
    let conditions = Conditions::evaluate(&template, &values, &pseudo()).unwrap();
    let graph = Graph::new(&template, &conditions).unwrap();
    assert_eq!(graph.order(), ["Cluster", "Firewall", "Launch", "Group"]);
    assert_eq!(graph.dependencies("Launch").collect::<Vec<_>>(), ["Firewall", "Cluster"]);
    assert_eq!(graph.dependents("Cluster").collect::<Vec<_>>(), ["Launch"]);
    assert!(!graph.contains("Bastion"));
}

#[test]
fn a_cycle_under_a_condition_is_found() {
    let text = "Parameters: {P: {Type: String}}\nConditions: {C: !Equals [!Ref P, x]}\nResources:\n  \
                A: {Type: T, Properties: {P: !If [C, !Ref B, 1]}}\n  B: {Type: T, DependsOn: A}\n";
    let template = Template::parse(text).unwrap();
    let graph = |value| {
        let values = parameters(&template, &[("P", value)]);
        Graph::new(&template, &Conditions::evaluate(&template, &values, &pseudo()).unwrap())
    };
    assert_eq!(graph("y").unwrap().order(), ["A", "B"]);
    let error = graph("x").unwrap_err();
    assert_eq!(error.first().unwrap().message, "Circular dependency between resources: [A, B]");
}

#[test]
fn the_same_stack_has_no_changes() {
    assert_eq!(changes(CLUSTER, &GIVEN, CLUSTER, &GIVEN), Ok(vec![]));
}

#[test]
fn a_parameter_changes_in_place() {
    let now = [("Capacity", "3"), ("Subnets", "subnet-1, subnet-2"), ("Vpc", "vpc-1")];
    let changes = changes(CLUSTER, &GIVEN, CLUSTER, &now).unwrap();
    let [group] = changes.as_slice() else { panic!("{changes:#?}") };
    assert_eq!(
        (group.logical_id.as_str(), group.action, group.replacement),
        ("Group", Action::Modify, Replacement::False)
    );
    assert_eq!(group.scope, [Attribute::Properties, Attribute::CreationPolicy]);
    let detail = &group.details[0];
    assert_eq!(
        (detail.name.as_deref(), detail.source),
        (Some("DesiredCapacity"), ChangeSource::ParameterReference)
    );
    assert_eq!(detail.causing_entity.as_deref(), Some("Capacity"));
    let change = &detail.changes[0];
    assert_eq!(
        (change.path.as_str(), &change.before, &change.after),
        ("/Properties/DesiredCapacity", &Some(json!("2")), &Some(json!("3")))
    );
    assert_eq!(group.details[1].changes[0].path, "/CreationPolicy/ResourceSignal/Count");
}

#[test]
fn a_replacement_spreads() {
    let after = CLUSTER.replace("ClusterName: example", "ClusterName: another");
    let changes = changes(CLUSTER, &GIVEN, &after, &GIVEN).unwrap();
    let shown: Vec<_> = changes
        .iter()
        .map(|change| (change.logical_id.as_str(), change.replacement, change.scope.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("Cluster", Replacement::True, vec![Attribute::Properties]),
            ("Launch", Replacement::False, vec![Attribute::Properties, Attribute::Metadata]),
            ("Group", Replacement::False, vec![Attribute::Properties]),
        ]
    );
    assert_eq!(changes[0].policy_action, Some(PolicyAction::ReplaceAndDelete));
    let detail = &changes[2].details[0];
    assert_eq!(
        (detail.source, detail.evaluation, detail.causing_entity.as_deref()),
        (ChangeSource::ResourceAttribute, Evaluation::Dynamic, Some("Launch.LatestVersionNumber"))
    );
}

#[test]
fn resources_come_and_go() {
    let with = CLUSTER.replace("Conditions:\n", "Conditions:\n  Unused: !Equals [a, b]\n");
    let now =
        [("Capacity", "2"), ("Subnets", "subnet-1, subnet-2"), ("Vpc", "vpc-1"), ("WithBastion", "true")];
    let added = changes(CLUSTER, &GIVEN, &with, &now).unwrap();
    assert_eq!((added.len(), added[0].logical_id.as_str(), added[0].action), (1, "Bastion", Action::Add));
    let removed = changes(&with, &now, CLUSTER, &GIVEN).unwrap();
    assert_eq!(
        (removed.len(), removed[0].action, removed[0].policy_action),
        (1, Action::Remove, Some(PolicyAction::Retain))
    );
}

#[test]
fn a_type_cannot_change() {
    let after = CLUSTER.replace("Type: AWS::ECS::Cluster", "Type: AWS::EC2::LaunchTemplate");
    assert_eq!(
        changes(CLUSTER, &GIVEN, &after, &GIVEN).unwrap_err(),
        "Update of resource type is not permitted. The new template modifies resource type of the following \
         resources: [Cluster]"
    );
}

#[test]
fn a_resource_that_a_condition_excludes_cannot_be_referred_to() {
    let text = "Conditions: {Never: !Equals [a, b]}\nResources:\n  A: {Type: T, Condition: Never}\n  \
                R: {Type: T, Properties: {P: !Ref A}}\n";
    let template = Template::parse(text).unwrap();
    let (values, pseudo) = (parameters(&template, &[]), pseudo());
    struct Nothing;
    impl cfn_template::Resolver for Nothing {
        fn reference(&self, _: &str) -> Option<String> {
            None
        }
        fn attribute(&self, _: &str, _: &str) -> Option<serde_json::Value> {
            None
        }
        fn import_value(&self, _: &str) -> Option<String> {
            None
        }
        fn availability_zones(&self, _: &str) -> Option<Vec<String>> {
            None
        }
        fn dynamic(&self, _: &str, _: &str) -> Result<String, String> {
            Err("no".into())
        }
    }
    let evaluator = Evaluator::new(&template, &values, &pseudo, &Nothing).unwrap();
    let error = evaluator.properties(&template.resources["R"]).unwrap_err();
    let error = error.first().unwrap();
    assert_eq!(
        (error.message.as_str(), error.path.as_str()),
        (
            "Template format error: Unresolved resource dependencies [A] in the Resources block of the template",
            "Resources/R/Properties/P"
        )
    );
}

#[test]
fn unsupported_things_are_refused_by_name_and_line() {
    let text = "Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    Properties:
      ClusterNam: a
      Tags: [{Key: a}]
  Other:
    Type: AWS::ECS::Clusters
  Firewall:
    Type: AWS::EC2::SecurityGroup
    Properties:
      VpcId: [a]
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: http, ToPort: '80', Cidr: x}
        - !If [Always, {IpProtocol: [tcp]}, !Ref AWS::NoValue]
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: !GetAZs ''
      MaxSize: !GetAtt Cluster.Size
      VPCZoneIdentifier: !Join [',', [a]]
      Tags: [{Key: a, Value: 1, PropagateAtLaunch: maybe}]
      LaunchTemplate: !Sub x
Conditions: {Always: !Equals [1, 1]}
";
    let template = Template::parse(text).unwrap();
    let errors = check_types(&template, &SCHEMAS).unwrap_err();
    let shown: Vec<String> =
        errors.iter().map(|error| format!("{}: {}", error.span.unwrap().line, error.message)).collect();
    assert_eq!(
        shown,
        [
            "5: Encountered unsupported property ClusterNam",
            "6: Property Value cannot be empty.",
            "8: Template format error: Unrecognized resource types: [AWS::ECS::Clusters]",
            "9: Property GroupDescription cannot be empty.",
            "12: Value of property VpcId must be of type String",
            "14: Value of property FromPort must be of type Integer",
            "14: Encountered unsupported property Cidr",
            "15: Value of property IpProtocol must be of type String",
            "19: Value of property MinSize must be of type Integer, which Fn::GetAZs does not give",
            "20: Template error: resource Cluster does not support attribute type Size in Fn::GetAtt",
            "21: Value of property VPCZoneIdentifier must be of type List of String, which Fn::Join does not give",
            "22: Value of property PropagateAtLaunch must be of type Boolean",
            "23: Value of property LaunchTemplate must be of type Object, which Fn::Sub does not give",
        ]
    );
    assert_eq!(errors.first().unwrap().suggestion.as_deref(), Some("did you mean 'ClusterName'?"));
}

#[test]
fn evaluated_values_are_checked_too() {
    let template = Template::parse(CLUSTER).unwrap();
    let resource = &template.resources["Group"];
    let properties = json!({"MinSize": "none", "MaxSize": "4", "VPCZoneIdentifier": "subnet-1"});
    let serde_json::Value::Object(properties) = properties else { unreachable!() };
    let errors = cfn_template::schema::conform(resource, properties, SCHEMAS[3]).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "Value of property MinSize must be of type Integer",
            "Value of property VPCZoneIdentifier must be of type List of String",
        ]
    );
    assert_eq!(
        BTreeMap::from([("line", errors.first().unwrap().span.unwrap().line)])["line"],
        resource.properties["MinSize"].key_span.line
    );
}
