//! Requests as clients send them.

#![allow(dead_code, clippy::unwrap_used, reason = "test helpers, of which each test program uses some")]

use aws_wire::{Encoded, Error, ParsedRequest, parse};

/// A POST of form parameters to `host`.
pub fn form(host: &str, body: &str) -> Result<ParsedRequest, Error> {
    let request = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(())
        .unwrap();
    parse(&request.into_parts().0, body.as_bytes())
}

/// A JSON 1.1 request for `target`, e.g. `AmazonSSM.GetParameter`.
pub fn json(target: &str, body: &str) -> Result<ParsedRequest, Error> {
    let request = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", target)
        .body(())
        .unwrap();
    parse(&request.into_parts().0, body.as_bytes())
}

pub fn ec2(body: &str) -> Result<ParsedRequest, Error> {
    form("ec2.us-east-1.amazonaws.com", &format!("Version=2016-11-15&{body}"))
}

pub fn cloudformation(body: &str) -> Result<ParsedRequest, Error> {
    form("cloudformation.us-east-1.amazonaws.com", &format!("Version=2010-05-15&{body}"))
}

pub fn ecs(operation: &str, body: &str) -> Result<ParsedRequest, Error> {
    json(&format!("AmazonEC2ContainerServiceV20141113.{operation}"), body)
}

pub fn ssm(operation: &str, body: &str) -> Result<ParsedRequest, Error> {
    json(&format!("AmazonSSM.{operation}"), body)
}

pub fn logs(operation: &str, body: &str) -> Result<ParsedRequest, Error> {
    json(&format!("Logs_20140328.{operation}"), body)
}

/// The body as text.
pub fn text(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body).unwrap()
}
