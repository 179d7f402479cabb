use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_wire::ec2::{Ec2 as _, RunInstancesRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::ec2::Ec2Service;
use crate::testing::{Bench, IMAGE};

/// A request with this `Authorization`, or with none.
fn request(authorization: Option<&str>) -> Parts {
    let mut builder =
        http::Request::post("/").header("host", "localhost").header("x-amz-date", "20260101T000000Z");
    if let Some(value) = authorization {
        builder = builder.header("authorization", value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn signed_by(key: &str) -> Parts {
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
    );
    request(Some(&value))
}

#[test]
fn keys_that_the_cloud_did_not_issue_are_believed_only_on_a_loopback_listener() {
    let bench = Bench::new();
    let inside = Origin::Instance { vpc_id: Arc::from("vpc-1"), address: Ipv4Addr::new(10, 0, 0, 4) };
    // key, exposed, origin, believed
    let table = [
        ("test", false, Origin::Host, true),
        ("AKIAIOSFODNN7EXAMPLE", false, Origin::Host, true),
        ("test", true, Origin::Host, false),
        ("ASIAUNKNOWN", false, Origin::Host, false),
        ("test", false, inside, false),
    ];
    for (key, exposed, origin, believed) in table {
        let found = caller(&bench.cloud, exposed, &signed_by(key), b"", &origin);
        assert_eq!(found.is_ok(), believed, "{key} {exposed} {origin:?}: {found:?}");
    }
}

#[test]
fn the_accounts_own_key_is_verified_always() {
    let bench = Bench::new();
    let parts = signed_by(&bench.cloud.root_key.access_key_id);
    assert!(caller(&bench.cloud, false, &parts, b"", &Origin::Host).is_err(), "the signature is wrong");
}

#[test]
fn an_unsigned_request_is_refused() {
    let bench = Bench::new();
    let error = caller(&bench.cloud, false, &request(None), b"", &Origin::Host).unwrap_err();
    assert!(error.code.starts_with("MissingAuthenticationToken"), "{}", error.code);
}

#[test]
fn an_instance_proves_itself_only_from_within_its_vpc() {
    let bench = Bench::new();
    let input = RunInstancesRequest {
        image_id: Some(IMAGE.into()),
        instance_type: Some("t2.micro".into()),
        min_count: Some(1),
        max_count: Some(1),
        ..Default::default()
    };
    let launched = Ec2Service.run_instances(&bench.ctx(), input).unwrap().instances.remove(0);
    let id = launched.instance_id.unwrap();
    let record = bench.cloud.store.get::<InstanceRecord>(crate::testing::REGION, &id).unwrap();
    let own = Origin::Instance { vpc_id: Arc::from(record.vpc_id.as_str()), address: record.private_address };
    // Where cfn-init is given a proxy, it is the proxy that calls.
    let proxy = Origin::Instance { vpc_id: Arc::from(record.vpc_id.as_str()), address: Ipv4Addr::LOCALHOST };
    let elsewhere = Origin::Instance { vpc_id: Arc::from("vpc-other"), address: record.private_address };

    let document = format!(r#"{{"instanceId": "{id}", "region": "us-east-1"}}"#);
    let signature = bench.cloud.identity.sign(&document).unwrap();
    let proof = |document: &str| request(Some(&format!("CFN_V1 {}:{signature}", STANDARD.encode(document))));
    let ask = |parts: &Parts, origin: &Origin| caller(&bench.cloud, false, parts, b"", origin);

    for origin in [&own, &proxy] {
        assert_eq!(ask(&proof(&document), origin).unwrap(), Caller::Instance { instance_id: id.clone() });
    }
    for origin in [&elsewhere, &Origin::Host] {
        assert_eq!(ask(&proof(&document), origin).unwrap_err().code, "AccessDenied");
    }
    let forged = document.replace("us-east-1", "us-east-2");
    assert_eq!(ask(&proof(&forged), &own).unwrap_err().code, "AccessDenied");
}
