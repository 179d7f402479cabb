//! Parameters into input types.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use aws_wire::autoscaling::CreateAutoScalingGroupType;
use aws_wire::cloudformation::{CreateStackInput, Parameter, SignalResourceInput};
use aws_wire::ec2::{AuthorizeSecurityGroupIngressRequest, DescribeInstancesRequest, RunInstancesRequest};
use aws_wire::ecs::{RegisterContainerInstanceRequest, SubmitTaskStateChangeRequest};
use aws_wire::logs::{FilterLogEventsRequest, PutLogEventsRequest, TagLogGroupRequest};
use aws_wire::ssm::{DescribeParametersRequest, PutParameterRequest};
use aws_wire::value::Structure;
use aws_wire::{ParsedRequest, decode_any, decode_input};
use common::{cloudformation, ec2, ecs, form, logs, ssm};

fn decode<T: Structure + Default>(request: ParsedRequest) -> T {
    decode_input(&request).unwrap()
}

fn refusal<T: Structure + Default + std::fmt::Debug>(request: ParsedRequest) -> (String, String) {
    let error = decode_input::<T>(&request).unwrap_err();
    (error.code, error.message)
}

#[test]
fn ec2_lists_structures_and_names() {
    let request = ec2(
        "Action=RunInstances&ImageId=ami-1&MinCount=1&MaxCount=2&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2\
         &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=8\
         &BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&EbsOptimized=false&IamInstanceProfile.Name=p\
         &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=a%26b",
    );
    let input: RunInstancesRequest = decode(request.unwrap());
    assert_eq!((input.min_count, input.max_count), (Some(1), Some(2)));
    assert_eq!(input.security_group_ids, ["sg-1", "sg-2"]);
    let ebs = input.block_device_mappings[0].ebs.as_ref().unwrap();
    assert_eq!((ebs.volume_size, ebs.delete_on_termination), (Some(8), Some(true)));
    assert_eq!(input.ebs_optimized, Some(false));
    assert_eq!(input.iam_instance_profile.unwrap().name.as_deref(), Some("p"));
    assert_eq!(input.tag_specifications[0].tags[0].value.as_deref(), Some("a&b"));
}

#[test]
fn ec2_filters_keep_their_order() {
    let values: String = (1..=12).map(|n| format!("&Filter.1.Value.{n}=v{n}")).collect();
    let input: DescribeInstancesRequest =
        decode(ec2(&format!("Action=DescribeInstances&Filter.1.Name=tag:Name{values}")).unwrap());
    let expected: Vec<String> = (1..=12).map(|n| format!("v{n}")).collect();
    assert_eq!(input.filters[0].values, expected);
}

#[test]
fn query_lists_maps_and_timestamps() {
    let input: CreateStackInput = decode(
        cloudformation(
            "Action=CreateStack&StackName=s&Parameters.member.1.ParameterKey=k&Parameters.member.1.ParameterValue=\
             &Capabilities.member.1=CAPABILITY_IAM&NotificationARNs=&TimeoutInMinutes=5&DisableRollback=true",
        )
        .unwrap(),
    );
    let parameter = Parameter {
        parameter_key: Some("k".into()),
        parameter_value: Some(String::new()),
        ..Parameter::default()
    };
    assert_eq!(input.parameters, [parameter]);
    assert_eq!(input.capabilities, ["CAPABILITY_IAM"]);
    assert!(input.notification_arns.is_empty());
    assert_eq!((input.timeout_in_minutes, input.disable_rollback), (Some(5), Some(true)));
    let request = form(
        "autoscaling.us-east-1.amazonaws.com",
        "Version=2011-01-01&Action=CreateAutoScalingGroup&AutoScalingGroupName=g&MinSize=0&MaxSize=1\
         &VPCZoneIdentifier=subnet-1%2Csubnet-2&Tags.member.1.Key=k&Tags.member.1.PropagateAtLaunch=true",
    );
    let input: CreateAutoScalingGroupType = decode(request.unwrap());
    assert_eq!(input.vpc_zone_identifier.as_deref(), Some("subnet-1,subnet-2"));
    assert_eq!(input.tags[0].propagate_at_launch, Some(true));
}

#[test]
fn json_structures_and_timestamps() {
    let input: SubmitTaskStateChangeRequest = decode(
        ecs(
            "SubmitTaskStateChange",
            r#"{"cluster":"c","executionStoppedAt":1770091506.789,"containers":[{"containerName":"n","exitCode":0}],"reason":null}"#,
        )
        .unwrap(),
    );
    assert_eq!(input.execution_stopped_at.unwrap().as_millisecond(), 1_770_091_506_789);
    assert_eq!(input.containers[0].exit_code, Some(0));
    assert_eq!(input.reason, None);
    let input: RegisterContainerInstanceRequest = decode(
        ecs(
            "RegisterContainerInstance",
            r#"{"totalResources":[{"name":"CPU","type":"INTEGER","integerValue":1024.0}]}"#,
        )
        .unwrap(),
    );
    assert_eq!(input.total_resources[0].integer_value, Some(1024));
}

#[test]
fn refuses_unknown_parameters() {
    for (request, code, named) in [
        (ec2("Action=RunInstances&MinCount=1&MaxCount=1&Colour=red"), "UnknownParameter", "Colour"),
        (
            ec2("Action=RunInstances&MinCount=1&MaxCount=1&Placement.Shelf=1"),
            "UnknownParameter",
            "Placement.Shelf",
        ),
        (
            ec2("Action=RunInstances&MinCount=1&MaxCount=1&SecurityGroupId.x=1"),
            "UnknownParameter",
            "SecurityGroupId.x",
        ),
        (ec2("Action=RunInstances&MinCount=1&MaxCount=1&ImageId.Foo=1"), "UnknownParameter", "ImageId.Foo"),
    ] {
        let (found, message) = refusal::<RunInstancesRequest>(request.unwrap());
        assert_eq!(found, code);
        assert_eq!(message, format!("The parameter {named} is not recognized"));
    }
    let (code, message) =
        refusal::<CreateStackInput>(cloudformation("Action=CreateStack&StackName=s&Tags.1.Key=k").unwrap());
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ValidationError", "The parameter Tags.1 is not recognized")
    );
    let (code, message) = refusal::<PutParameterRequest>(ssm("PutParameter", r#"{"Nmae":"n"}"#).unwrap());
    assert_eq!((code.as_str(), message.as_str()), ("SerializationException", "Unrecognized field: Nmae"));
}

#[test]
fn refuses_missing_parameters() {
    let (code, message) = refusal::<RunInstancesRequest>(ec2("Action=RunInstances&MaxCount=1").unwrap());
    assert_eq!(code, "MissingParameter");
    assert_eq!(message, "The request must contain the parameter MinCount");
    let (code, message) = refusal::<SignalResourceInput>(
        cloudformation("Action=SignalResource&StackName=s&Status=SUCCESS").unwrap(),
    );
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "2 validation errors detected: Value null at 'logicalResourceId' failed to satisfy constraint: Member must \
         not be null; Value null at 'uniqueId' failed to satisfy constraint: Member must not be null"
    );
    let (code, message) = refusal::<PutParameterRequest>(
        ssm("PutParameter", r#"{"Name":"n","Value":"v","Tags":[{"Key":"k"}]}"#).unwrap(),
    );
    assert_eq!(code, "ValidationException");
    assert!(message.contains("'tags.1.member.value'"), "{message}");
}

#[test]
fn refuses_values_out_of_limits() {
    let request =
        cloudformation("Action=SignalResource&StackName=&LogicalResourceId=l&UniqueId=u&Status=DONE")
            .unwrap();
    let (code, message) = refusal::<SignalResourceInput>(request);
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "2 validation errors detected: Value '' at 'stackName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1; Value 'DONE' at 'status' failed to satisfy constraint: Member must satisfy enum \
         value set: [SUCCESS, FAILURE]"
    );
    let (code, message) =
        refusal::<DescribeParametersRequest>(ssm("DescribeParameters", r#"{"MaxResults":51}"#).unwrap());
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "1 validation error detected: Value '51' at 'maxResults' failed to satisfy constraint: Member must have value \
         less than or equal to 50"
    );
}

#[test]
fn refuses_ill_typed_parameters() {
    for body in [
        "MinCount=one&MaxCount=1",
        "MinCount=1&MaxCount=99999999999",
        "MinCount=1&MaxCount=1&EbsOptimized=yes",
    ] {
        let (code, _) = refusal::<RunInstancesRequest>(ec2(&format!("Action=RunInstances&{body}")).unwrap());
        assert_eq!(code, "InvalidParameterValue", "{body}");
    }
    let scalar_for_list = ec2("Action=AuthorizeSecurityGroupIngress&IpPermissions=all").unwrap();
    assert_eq!(refusal::<AuthorizeSecurityGroupIngressRequest>(scalar_for_list).0, "InvalidParameterValue");
    for body in [
        r#"{"Name":1}"#,
        r#"{"Name":["a"]}"#,
        r#"{"Overwrite":"true"}"#,
        r#"{"Tags":{}}"#,
        r#"{"Tags":["x"]}"#,
    ] {
        let (code, _) = refusal::<PutParameterRequest>(ssm("PutParameter", body).unwrap());
        assert_eq!(code, "SerializationException", "{body}");
    }
}

#[test]
fn tells_given_lists_from_absent_ones() {
    let request = cloudformation("Action=UpdateStack&StackName=s&Tags=").unwrap();
    assert!(request.has("Tags") && !request.has("Capabilities"));
    let request = ecs("PutAttributes", r#"{"attributes":[],"cluster":null}"#).unwrap();
    assert!(request.has("attributes") && !request.has("cluster"));
}

#[test]
fn stores_and_restores_every_kind() {
    let request = ec2(
        "Action=RunInstances&MinCount=1&MaxCount=1&SecurityGroup.1=a&InstanceMarketOptions.SpotOptions.ValidUntil=2026-01-02",
    );
    let input: RunInstancesRequest = decode(request.unwrap());
    let stored = serde_json::to_string(&input).unwrap();
    assert!(
        stored.contains(r#""SecurityGroups":["a"]"#) && stored.contains("2026-01-02T00:00:00Z"),
        "{stored}"
    );
    assert_eq!(serde_json::from_str::<RunInstancesRequest>(&stored).unwrap(), input);
    let map = BTreeMap::from([("unknown", serde_json::json!([1])), ("MinCount", serde_json::json!(3))]);
    let input: RunInstancesRequest = serde_json::from_value(serde_json::to_value(map).unwrap()).unwrap();
    assert_eq!(input.min_count, Some(3));
}

#[test]
fn debug_hides_secrets() {
    let input: PutParameterRequest =
        decode(ssm("PutParameter", r#"{"Name":"n","Value":"hunter2"}"#).unwrap());
    assert_eq!(format!("{input:?}"), r#"PutParameterRequest { Name: "n", Value: "(sensitive)" }"#);
}

/// A body is decoded by a quick road when nothing is wrong with it, else by one that builds a tree of it: `decode_any`
/// only takes the second.
#[test]
fn both_roads_lead_to_the_same() {
    let put = |events: &str| format!(r#"{{"logGroupName":"g","logStreamName":"s","logEvents":{events}}}"#);
    for events in [
        "[]",
        r#"[{"timestamp":1,"message":"a"},{"message":"\u00e4\n\"","timestamp":0}]"#,
        r#"[{"timestamp":1.0,"message":"a"}]"#,
        r#"[null,{"timestamp":1,"message":"a"}]"#,
        r#"[{"timestamp":1,"message":""}]"#,
        r#"[{"timestamp":-1,"message":"a"}]"#,
        r#"[{"timestamp":1}]"#,
        r#"[{"timestamp":"1","message":"a"}]"#,
        r#"[{"timestamp":1,"message":"a","message":"b"}]"#,
        r#"[{"timestamp":1,"message":"a","colour":"red"}]"#,
        r#"[{"timestamp":1,"message":"\ud800"}]"#,
        r#"[{"timestamp":99999999999999999999,"message":"a"}]"#,
        r#"{"timestamp":1,"message":"a"}"#,
        "[",
    ] {
        let request = logs("PutLogEvents", &put(events)).unwrap();
        let quick = decode_input::<PutLogEventsRequest>(&request).map(|input| format!("{input:?}"));
        let slow = decode_any(&request).map(|input| {
            let stored = serde_json::to_string(input.as_ref()).unwrap();
            format!("{:?}", serde_json::from_str::<PutLogEventsRequest>(&stored).unwrap())
        });
        assert_eq!(quick, slow, "{events}");
    }
    let tags = logs("TagLogGroup", r#"{"logGroupName":"g","tags":{"a":"1","b":""}}"#).unwrap();
    assert_eq!(decode::<TagLogGroupRequest>(tags).tags.len(), 2);
}

#[test]
fn logs_words_its_limits_as_invalid_parameters() {
    let cases = [
        (
            r#"{"limit":10001}"#,
            "Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
        ),
        (
            r#"{"logStreamNamePrefix":""}"#,
            "Value '' at 'logStreamNamePrefix' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ];
    for (body, expected) in cases {
        let (code, message) = refusal::<FilterLogEventsRequest>(logs("FilterLogEvents", body).unwrap());
        assert_eq!(code, "InvalidParameterException");
        assert_eq!(message, format!("1 validation error detected: {expected}"));
    }
}

#[test]
fn single_texts_are_read_without_decoding_the_rest() {
    let body =
        r#"{"logEvents":[{"logGroupName":"no"},7],"logGroupName":"g","logGroupIdentifiers":["a","b",1]}"#;
    let request = logs("PutLogEvents", body).unwrap();
    let texts = request.texts(&["logGroupIdentifiers", "logStreamName", "logGroupName"]);
    assert_eq!(texts, [vec!["a", "b"], vec![], vec!["g"]]);
    assert_eq!(logs("PutLogEvents", "{7}").unwrap().texts(&["logGroupName"]), [[""; 0]]);
}
