//! Outputs and errors into answers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use aws_wire::cloudformation::{
    DescribeStackResourceOutput, DescribeStacksOutput, Output, Stack, StackResourceDetail,
};
use aws_wire::ec2::{DescribeInstancesResult, Instance, Reservation, Tag};
use aws_wire::ecs::{Cluster, DescribeClustersResponse, RegisterContainerInstanceResponse};
use aws_wire::iam::GetRoleRequest;
use aws_wire::{Encoded, Error, ResponseFormat, Service, encode_error, encode_output};
use common::{cloudformation, ec2, ecs, form, text};
use jiff::Timestamp;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn moment() -> Option<Timestamp> {
    Some("2026-02-03T04:05:06.7891Z".parse().unwrap())
}

/// The body without its XML head and with the request id made fixed.
fn body(encoded: &Encoded, request_id: &str) -> String {
    text(encoded).trim_start_matches(HEAD).replace(request_id, "ID")
}

#[test]
fn ec2_xml() {
    let instance = Instance {
        instance_id: Some("i-1".into()),
        launch_time: moment(),
        ebs_optimized: Some(false),
        ami_launch_index: Some(0),
        tags: vec![Tag { key: Some("a<b".into()), value: Some("\"x\" & y>\r\n\u{1}é".into()) }],
        ..Instance::default()
    };
    let reservation = Reservation {
        reservation_id: Some("r-1".into()),
        instances: vec![instance],
        ..Reservation::default()
    };
    let output =
        DescribeInstancesResult { reservations: vec![reservation], ..DescribeInstancesResult::default() };
    let request = ec2("Action=DescribeInstances").unwrap();
    let encoded = encode_output(&request, &output);
    assert_eq!((encoded.status, encoded.content_type), (200, "text/xml;charset=UTF-8"));
    let body = body(&encoded, &request.request_id);
    assert!(
        body.starts_with(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>ID</requestId>"
        ),
        "{body}"
    );
    for element in [
        "<reservationSet><item>",
        "<reservationId>r-1</reservationId>",
        "<groupSet/>",
        "<launchTime>2026-02-03T04:05:06.789Z</launchTime>",
        "<ebsOptimized>false</ebsOptimized>",
        "<amiLaunchIndex>0</amiLaunchIndex>",
        "<tagSet><item><key>a&lt;b</key><value>&quot;x&quot; &amp; y&gt;&#xD;\n\u{fffd}é</value></item></tagSet>",
    ] {
        assert!(body.contains(element), "no {element} in {body}");
    }
    assert!(
        !body.contains("nextToken") && body.ends_with("</reservationSet></DescribeInstancesResponse>"),
        "{body}"
    );
}

#[test]
fn operations_without_output() {
    let request = ec2("Action=DeleteVpc&VpcId=vpc-1").unwrap();
    assert_eq!(
        body(&encode_output(&request, &()), &request.request_id),
        "<DeleteVpcResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>ID</requestId>\
         <return>true</return></DeleteVpcResponse>"
    );
    let request = form("iam.amazonaws.com", "Action=DeleteRole&RoleName=r").unwrap();
    assert_eq!(
        body(&encode_output(&request, &()), &request.request_id),
        "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>\
         <RequestId>ID</RequestId></ResponseMetadata></DeleteRoleResponse>"
    );
    assert_eq!(text(&encode_output(&ecs("TagResource", "{}").unwrap(), &())), "{}");
}

#[test]
fn query_xml() {
    let output = Output {
        output_key: Some("Url".into()),
        output_value: Some("http://x/?a=1&b=2".into()),
        ..Output::default()
    };
    let stack = Stack {
        stack_name: Some("s".into()),
        creation_time: moment(),
        outputs: vec![output],
        ..Stack::default()
    };
    let request = cloudformation("Action=DescribeStacks").unwrap();
    let encoded = encode_output(&request, &DescribeStacksOutput { stacks: vec![stack], next_token: None });
    assert_eq!(encoded.content_type, "text/xml");
    let body = body(&encoded, &request.request_id);
    for element in [
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>",
        "<CreationTime>2026-02-03T04:05:06.789Z</CreationTime>",
        "<Outputs><member><OutputKey>Url</OutputKey><OutputValue>http://x/?a=1&amp;b=2</OutputValue></member></Outputs>",
        "<Tags/>",
        "</Stacks></DescribeStacksResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DescribeStacksResponse>",
    ] {
        assert!(body.contains(element), "no {element} in {body}");
    }
}

#[test]
fn query_json() {
    let detail = StackResourceDetail {
        stack_name: Some("s".into()),
        last_updated_timestamp: moment(),
        metadata: Some("{\"a\":\"b\\n\"}".into()),
        ..StackResourceDetail::default()
    };
    let request = cloudformation("Action=DescribeStackResource&ContentType=JSON&StackName=s").unwrap();
    let encoded =
        encode_output(&request, &DescribeStackResourceOutput { stack_resource_detail: Some(detail) });
    assert_eq!(encoded.content_type, "application/json");
    let json: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    let detail = &json["DescribeStackResourceResponse"]["DescribeStackResourceResult"]["StackResourceDetail"];
    assert_eq!(detail["LastUpdatedTimestamp"], 1_770_091_506.789);
    assert_eq!(detail["Metadata"], "{\"a\":\"b\\n\"}");
    assert_eq!(json["DescribeStackResourceResponse"]["ResponseMetadata"]["RequestId"], request.request_id);
}

#[test]
fn plain_json() {
    let cluster = Cluster {
        cluster_name: Some("a\"\\\n\u{1}é".into()),
        registered_container_instances_count: Some(0),
        ..Cluster::default()
    };
    let output = DescribeClustersResponse { clusters: vec![cluster], ..DescribeClustersResponse::default() };
    let encoded = encode_output(&ecs("DescribeClusters", "{}").unwrap(), &output);
    assert_eq!(encoded.content_type, "application/x-amz-json-1.1");
    let json: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(json["failures"], serde_json::json!([]));
    assert_eq!(json["clusters"][0]["clusterName"], "a\"\\\n\u{1}é");
    assert_eq!(json["clusters"][0]["registeredContainerInstancesCount"], 0);
    assert_eq!(json["clusters"][0].get("status"), None);
    let mut output = RegisterContainerInstanceResponse::default();
    output.container_instance.get_or_insert_default().registered_at =
        Some("1970-01-01T00:00:01Z".parse().unwrap());
    let json = encode_output(&ecs("RegisterContainerInstance", "{}").unwrap(), &output);
    assert!(text(&json).contains("\"registeredAt\":1,"), "{}", text(&json));
}

#[test]
fn errors_of_each_protocol() {
    let error = Error::client("Some.Code", "a < b");
    let encode = |format, service| encode_error(format, Some(service), "ID", &error);
    assert_eq!(
        text(&encode(ResponseFormat::Ec2Xml, Service::Ec2)).trim_start_matches(HEAD),
        "<Response><Errors><Error><Code>Some.Code</Code><Message>a &lt; b</Message></Error></Errors>\
         <RequestID>ID</RequestID></Response>"
    );
    assert_eq!(
        text(&encode(ResponseFormat::QueryXml, Service::Sts)),
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>Some.Code</Code><Message>a &lt; b</Message></Error><RequestId>ID</RequestId></ErrorResponse>"
    );
    let json = encode(ResponseFormat::Json11, Service::Ecs);
    assert_eq!(text(&json), r#"{"__type":"Some.Code","message":"a < b"}"#);
    assert!(json.headers.contains(&("x-amzn-errortype", "Some.Code".into())));
    assert!(json.headers.contains(&("x-amzn-requestid", "ID".into())));
    let json: serde_json::Value =
        serde_json::from_slice(&encode(ResponseFormat::QueryJson, Service::CloudFormation).body).unwrap();
    assert_eq!(json["Error"], serde_json::json!({"Code": "Some.Code", "Message": "a < b", "Type": "Sender"}));
}

#[test]
fn error_statuses_come_from_the_models() {
    for (service, code, status) in [
        (Service::Iam, "NoSuchEntity", 404),
        (Service::Iam, "EntityAlreadyExists", 409),
        (Service::Ecs, "ClusterNotFoundException", 400),
        (Service::Ecs, "ServerException", 500),
        (Service::Ec2, "InvalidInstanceID.NotFound", 400),
    ] {
        let encoded = encode_error(ResponseFormat::QueryXml, Some(service), "ID", &Error::client(code, ""));
        assert_eq!(encoded.status, status, "{code}");
    }
    let unauthorized = Error::with_status("NoSuchEntity", "", 401);
    assert_eq!(encode_error(ResponseFormat::QueryXml, Some(Service::Iam), "ID", &unauthorized).status, 401);
}

#[test]
fn dispatch_decodes_calls_and_encodes() {
    struct Nobody;
    impl aws_wire::iam::Iam<()> for Nobody {
        fn get_role(&self, (): &(), input: GetRoleRequest) -> Result<aws_wire::iam::GetRoleResponse, Error> {
            let name = input.role_name.unwrap_or_default();
            Err(Error::client("NoSuchEntity", format!("The role with name {name} cannot be found.")))
        }
    }
    let call = |body: &str| {
        let request = form("iam.amazonaws.com", body).unwrap();
        aws_wire::iam::dispatch(&Nobody, &(), &request).unwrap_err()
    };
    assert_eq!(call("Action=GetRole&RoleName=r").message, "The role with name r cannot be found.");
    assert_eq!(call("Action=GetRole").code, "ValidationError");
    assert_eq!(call("Action=ListRoles").status, 501);
    assert_eq!(call("Action=CreateUser&UserName=u").code, "NotImplemented");
    assert_eq!(call("Action=Nonsense").code, "InvalidAction");
}
