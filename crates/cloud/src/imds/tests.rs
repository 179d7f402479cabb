//! The metadata service against a store.

use std::sync::Arc;

use aws_wire::ec2::{Ec2 as _, InstanceMetadataOptionsRequest, RunInstancesRequest};
use http_body_util::BodyExt;

use super::*;
use crate::ec2::Ec2Service;
use crate::ec2::state::InstanceRecord;
use crate::testing::{Bench, IMAGE, REGION};

struct Asked {
    imds: Imds,
    origin: Origin,
}

impl Asked {
    /// The service as a new instance sees it.
    fn by_instance(bench: &Bench, tokens: &str) -> Self {
        let input = RunInstancesRequest {
            image_id: Some(IMAGE.into()),
            instance_type: Some("t2.micro".into()),
            min_count: Some(1),
            max_count: Some(1),
            user_data: Some("aGVsbG8=".into()),
            metadata_options: Some(InstanceMetadataOptionsRequest {
                http_tokens: Some(tokens.into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let launched = Ec2Service.run_instances(&bench.ctx(), input).unwrap().instances.remove(0);
        let id = launched.instance_id.unwrap();
        let record = bench.cloud.store.get::<InstanceRecord>(REGION, &id).unwrap();
        let origin =
            Origin::Instance { vpc_id: Arc::from(record.vpc_id.as_str()), address: record.private_address };
        Self { imds: Imds::new(Arc::clone(&bench.cloud)), origin }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        });
        let response = self.imds.answer(&method, path, &headers.collect(), &self.origin);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn version_one_answers_unless_tokens_are_required() {
    let bench = Bench::new();
    let asked = Asked::by_instance(&bench, "optional");
    assert_eq!(asked.ask(Method::GET, "/latest/user-data", &[]).await, (200, "hello".into()));
    assert_eq!(asked.ask(Method::GET, "/1999-01-01/user-data", &[]).await.0, 404);
    assert_eq!(asked.ask(Method::GET, "/latest/meta-data/ami-id", &[]).await, (200, IMAGE.into()));
    assert_eq!(asked.ask(Method::POST, "/latest/user-data", &[]).await.0, 405);
    let required = Asked::by_instance(&bench, "required");
    assert_eq!(required.ask(Method::GET, "/latest/user-data", &[]).await.0, 401);
}

#[tokio::test]
async fn a_token_opens_the_metadata_of_its_own_instance() {
    let bench = Bench::new();
    let asked = Asked::by_instance(&bench, "required");
    let put = async |ttl: &str| asked.ask(Method::PUT, "/latest/api/token", &[(TTL_HEADER, ttl)]).await;
    for wrong in ["0", "21601", "x"] {
        assert_eq!(put(wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(asked.ask(Method::PUT, "/latest/api/token", &[]).await.0, 400);
    let proxied = [(TTL_HEADER, "60"), ("x-forwarded-for", "10.0.0.1")];
    assert_eq!(asked.ask(Method::PUT, "/latest/api/token", &proxied).await.0, 403);

    let (status, token) = put("60").await;
    assert_eq!(status, 200);
    let with = [(TOKEN_HEADER, token.as_str())];
    assert_eq!(asked.ask(Method::GET, "/latest/user-data", &with).await, (200, "hello".into()));
    assert_eq!(asked.ask(Method::GET, "/latest/user-data", &[(TOKEN_HEADER, "bad")]).await.0, 401);
    let other = Asked::by_instance(&bench, "required");
    assert_eq!(other.ask(Method::GET, "/latest/user-data", &with).await.0, 401);
}

#[tokio::test]
async fn the_document_is_signed_by_the_clouds_key() {
    let bench = Bench::new();
    let asked = Asked::by_instance(&bench, "optional");
    let (_, document) = asked.ask(Method::GET, "/latest/dynamic/instance-identity/document", &[]).await;
    let (_, signature) = asked.ask(Method::GET, "/latest/dynamic/instance-identity/signature", &[]).await;
    assert!(bench.cloud.identity.verify(document.as_bytes(), &signature).unwrap());
}

#[tokio::test]
async fn nobody_known_gets_nothing() {
    let bench = Bench::new();
    let mut asked = Asked::by_instance(&bench, "optional");
    asked.origin = Origin::Host;
    assert_eq!(asked.ask(Method::GET, "/latest/meta-data/", &[]).await.0, 404);
}
