//! Requests through the gateway, from their parsing to their answers.

use aws_wire::Encoded;
use bytes::Bytes;
use http::request::Parts;

use super::Gateway;
use crate::Origin;
use crate::logs::Reply;
use crate::testing::{Bench, IMAGE};

/// The head of a request to EC2, signed with a key that the cloud did not issue.
fn parts(region: &str) -> Parts {
    let credential = format!("AKIDEXAMPLE/20260101/{region}/ec2/aws4_request");
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=00");
    http::Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-amz-date", "20260101T000000Z")
        .header("authorization", authorization)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn ask(gateway: &Gateway, region: &str, parameters: &str) -> Encoded {
    let body = Bytes::from(format!("Version=2016-11-15&Action={parameters}"));
    let Reply::Whole(answer) = gateway.run(&parts(region), &body, Origin::Host) else {
        panic!("{parameters}: a stream");
    };
    assert_eq!(answer.status, 200, "{parameters}: {:?}", answer.body);
    answer
}

/// The answer's request id, which stands in its body and its header, and the rest of its body.
fn told_apart(answer: &Encoded) -> (String, String) {
    let (_, id) = answer.headers.iter().find(|(name, _)| *name == "x-amzn-requestid").unwrap();
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(body.contains(&format!("<requestId>{id}</requestId>")), "{body}");
    (id.clone(), body.replace(id, ""))
}

#[tokio::test]
async fn the_same_question_gets_the_same_answer_until_something_changes() {
    let bench = Bench::new();
    let gateway = Gateway::new(bench.cloud.clone(), false);
    let describe = |region| told_apart(&ask(&gateway, region, "DescribeInstances"));
    let launch = format!("RunInstances&ImageId={IMAGE}&InstanceType=t2.micro&MinCount=1&MaxCount=1");

    let (first_id, none) = describe("us-east-1");
    let (second_id, again) = describe("us-east-1");
    assert_ne!(first_id, second_id);
    assert_eq!(none, again);
    assert!(!none.contains("<instanceId>"), "{none}");

    ask(&gateway, "us-east-1", &launch);
    let (_, one) = describe("us-east-1");
    assert_eq!(one.matches("<instanceId>").count(), 1, "{one}");
    assert_eq!(describe("us-east-1").1, one);
    assert!(!describe("eu-west-1").1.contains("<instanceId>"), "another region");

    ask(&gateway, "us-east-1", &launch);
    assert_eq!(describe("us-east-1").1.matches("<instanceId>").count(), 2);
}
