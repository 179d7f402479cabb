//! Finding service, operation and region in a request.

mod common;

use aws_wire::{Protocol, ResponseFormat, Service, error_format, parse};
use common::{cloudformation, ec2, ecs, form, json};
use http::request::Builder;

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

fn post() -> Builder {
    http::Request::builder().method("POST").uri("/").header("x-amz-date", "20261121T000000Z")
}

#[test]
fn routes_by_credential_scope() {
    let parts = post()
        .header("host", "127.0.0.1:4566")
        .header("authorization", authorization("autoscaling"))
        .body(());
    let request = parse(&parts.unwrap().into_parts().0, b"Action=DescribeTags&Version=2011-01-01").unwrap();
    assert_eq!((request.service, request.operation.as_str()), (Service::AutoScaling, "DescribeTags"));
    assert_eq!(request.region.as_deref(), Some("eu-west-1"));
    assert_eq!((request.protocol, request.format), (Protocol::Query, ResponseFormat::QueryXml));
}

#[test]
fn routes_by_target() {
    let request = ecs("ListClusters", "{}").unwrap();
    assert_eq!((request.service, request.operation.as_str()), (Service::Ecs, "ListClusters"));
    assert_eq!(request.format, ResponseFormat::Json11);
    let parts = post()
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSSM.GetParameter");
    let request = parse(&parts.body(()).unwrap().into_parts().0, b"").unwrap();
    assert_eq!(request.format, ResponseFormat::Json10);
}

#[test]
fn routes_by_version_then_by_host() {
    let request = form("localhost:4566", "Action=GetCallerIdentity&Version=2011-06-15").unwrap();
    assert_eq!((request.service, request.region), (Service::Sts, None));
    let request = form("ec2.ap-south-1.amazonaws.com", "Action=DescribeVpcs").unwrap();
    assert_eq!((request.service, request.region.as_deref()), (Service::Ec2, Some("ap-south-1")));
    let request = form("iam.amazonaws.com:443", "Action=ListRoles").unwrap();
    assert_eq!((request.service, request.region), (Service::Iam, None));
}

#[test]
fn reads_presigned_get_requests() {
    let uri = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
               &X-Amz-Credential=AKID%2F20261121%2Fus-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261121T000000Z\
               &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let parts = http::Request::builder().uri(uri).body(()).unwrap().into_parts().0;
    let request = parse(&parts, b"").unwrap();
    assert_eq!((request.service, request.region.as_deref()), (Service::Sts, Some("us-west-2")));
    aws_wire::decode_input::<aws_wire::sts::GetCallerIdentityRequest>(&request).unwrap();
}

#[test]
fn answers_json_to_cfn_init() {
    let body = "Action=DescribeStackResource&ContentType=JSON&StackName=s&LogicalResourceId=l";
    assert_eq!(cloudformation(body).unwrap().format, ResponseFormat::QueryJson);
    let parts = post()
        .header("host", "cloudformation.us-east-1.amazonaws.com")
        .header("authorization", "CFN_V1 e30=:c2ln");
    let parts = parts.body(()).unwrap().into_parts().0;
    assert_eq!(error_format(&parts), (ResponseFormat::QueryJson, Some(Service::CloudFormation)));
}

#[test]
fn refuses_what_leads_nowhere() {
    let unsigned = |body: &str| form("localhost", body).unwrap_err();
    assert_eq!(unsigned("").code, "MissingAction");
    assert_eq!(unsigned("Action=ListBuckets").code, "MissingAction");
    assert_eq!(ec2("").unwrap_err().code, "MissingAction");
    assert_eq!(json("DynamoDB_20120810.ListTables", "{}").unwrap_err().code, "NotImplemented");
    let s3 = post().header("authorization", authorization("s3")).body(()).unwrap().into_parts().0;
    let error = parse(&s3, b"Action=X").unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("NotImplemented", 501));
    let cross =
        post().header("authorization", authorization("ecs")).header("x-amz-target", "AmazonSSM.GetParameter");
    let error = parse(&cross.body(()).unwrap().into_parts().0, b"{}").unwrap_err();
    assert_eq!(error.code, "InvalidSignatureException");
}

#[test]
fn refuses_bodies_that_are_not_the_protocols() {
    for body in ["[]", "{", "1", "\u{0}"] {
        assert_eq!(ecs("ListClusters", body).unwrap_err().code, "SerializationException", "{body}");
    }
    let parts =
        post().header("host", "ec2.us-east-1.amazonaws.com").header("content-type", "text/plain").body(());
    let error = parse(&parts.unwrap().into_parts().0, b"Action=DescribeVpcs").unwrap_err();
    assert_eq!(error.code, "MalformedQueryString");
}

#[test]
fn tells_unsupported_from_unknown_operations() {
    let refusal = |request: aws_wire::ParsedRequest| request.unknown_operation();
    assert_eq!(refusal(ec2("Action=CreateTransitGateway").unwrap()).code, "NotImplemented");
    assert_eq!(refusal(ec2("Action=MakeCoffee").unwrap()).code, "InvalidAction");
    let error = refusal(cloudformation("Action=MakeCoffee").unwrap());
    assert_eq!(error.message, "Could not find operation MakeCoffee for version 2010-05-15");
    assert_eq!(refusal(ecs("MakeCoffee", "").unwrap()).code, "UnknownOperationException");
    let stray = form("iam.amazonaws.com", "Action=ListRoles&Version=2009-01-01").unwrap_err();
    assert_eq!(stray.code, "InvalidAction");
}
