//! The published vectors of AWS's signing test suite, with their intermediate texts, and what must be refused.

use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{canonical_request, verify_at};
use crate::sigv4::{Credential, Refusal, SigV4, canonical};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../tests/data/sigv4-vectors.json")).unwrap()
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

impl Vector {
    fn parts(&self) -> Parts {
        let mut builder = http::Request::builder().method(self.method.as_str()).uri(&self.uri);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(()).unwrap().into_parts().0
    }
}

fn signed(parts: &Parts) -> SigV4 {
    match Credential::of(parts).unwrap() {
        Credential::SigV4(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn then() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().unwrap()
}

#[test]
fn agrees_with_the_published_vectors() {
    for vector in vectors() {
        let (name, parts) = (&vector.name, vector.parts());
        let signed = signed(&parts);
        let request = canonical_request(&signed, &parts, vector.body.as_bytes()).unwrap();
        assert_eq!(request, vector.canonical_request, "{name}");
        let text = canonical::string_to_sign(&signed.date, &signed.scope, &request);
        assert_eq!(text, vector.string_to_sign, "{name}");
        assert_eq!(
            hex::encode(canonical::signature(SECRET, &signed.scope, &text)),
            vector.signature,
            "{name}"
        );
        assert_eq!(verify_at(&parts, vector.body.as_bytes(), SECRET, then()).as_ref(), Ok(&signed), "{name}");
        assert_eq!(
            verify_at(&parts, vector.body.as_bytes(), "other", then()),
            Err(Refusal::Mismatch),
            "{name}"
        );
        assert_eq!(verify_at(&parts, b"other body", SECRET, then()), Err(Refusal::Mismatch), "{name}");
    }
}

#[test]
fn exposes_who_signed_for_what() {
    for kind in ["header", "query"] {
        let signed = signed(&vector(&format!("get-vanilla-with-session-token ({kind})")).parts());
        assert_eq!(signed.access_key_id, "AKIDEXAMPLE");
        assert_eq!((signed.scope.region.as_str(), signed.scope.service.as_str()), ("us-east-1", "service"));
        assert!(signed.session_token.is_some_and(|token| token.starts_with("6e86")));
        assert_eq!(signed.expires, (kind == "query").then_some(3600));
    }
}

#[test]
fn holds_signatures_to_the_time() {
    let cases = [
        ("get-vanilla (header)", 299, true),
        ("get-vanilla (header)", 301, false),
        ("get-vanilla (header)", -299, true),
        ("get-vanilla (header)", -301, false),
        ("get-vanilla (query)", 3599, true),
        ("get-vanilla (query)", 3601, false),
        ("get-vanilla (query)", -301, false),
    ];
    for (name, later, good) in cases {
        let outcome =
            verify_at(&vector(name).parts(), b"", SECRET, then() + SignedDuration::from_secs(later));
        match outcome {
            Ok(_) => assert!(good, "{name} {later} s later"),
            Err(Refusal::Expired(_)) => assert!(!good, "{name} {later} s later"),
            Err(other) => panic!("{name} {later} s later: {other}"),
        }
    }
    let expired =
        verify_at(&vector(cases[1].0).parts(), b"", SECRET, then() + SignedDuration::from_secs(301));
    assert_eq!(
        expired.unwrap_err().to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
}

#[test]
fn refuses_what_a_signature_must_cover() {
    let mut parts = vector("get-vanilla (header)").parts();
    parts.headers.insert("x-amz-target", "Other.Operation".parse().unwrap());
    let refusal = verify_at(&parts, b"", SECRET, then()).unwrap_err();
    assert_eq!(refusal.to_string(), "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.");

    let mut parts = vector("get-vanilla (header)").parts();
    parts.headers.insert("host", "other.amazonaws.com".parse().unwrap());
    assert_eq!(verify_at(&parts, b"", SECRET, then()), Err(Refusal::Mismatch));
}

#[test]
fn tolerates_an_unsigned_payload_only_where_it_is_declared() {
    let mut parts = vector("post-vanilla (header)").parts();
    parts.headers.insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD".parse().unwrap());
    let refusal = verify_at(&parts, b"", SECRET, then()).unwrap_err();
    assert!(matches!(refusal, Refusal::WrongScope(_)), "the header itself must be signed: {refusal}");
}

fn with_authorization(value: &str) -> Parts {
    let builder = http::Request::builder().uri("/").header("x-amz-date", "20150830T123600Z");
    builder.header("authorization", value).body(()).unwrap().into_parts().0
}

#[test]
fn names_what_is_incomplete() {
    let credential = "Credential=AKID/20150830/us-east-1/ec2/aws4_request";
    for (value, named) in [
        (String::from("Basic dXNlcg=="), "'Basic'"),
        (format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host"), "'Signature'"),
        (format!("AWS4-HMAC-SHA256 {credential}, Signature=00"), "'SignedHeaders'"),
        (
            String::from("AWS4-HMAC-SHA256 Credential=AKID/ec2, SignedHeaders=host, Signature=00"),
            "'AKID/ec2'",
        ),
        (String::from("CFN_V1 e30="), "a document and a signature"),
        (String::from("CFN_V1 ?:x"), "not Base64"),
    ] {
        match Credential::of(&with_authorization(&value)) {
            Err(Refusal::Incomplete(message)) => assert!(message.contains(named), "{value}: {message}"),
            other => panic!("{value}: {other:?}"),
        }
    }
}

#[test]
fn reads_an_instance_identity() {
    match Credential::of(&with_authorization("CFN_V1 eyJpbnN0YW5jZUlkIjoiaS0xIn0=:c2lnbmF0dXJl")).unwrap() {
        Credential::CfnV1(identity) => {
            assert_eq!(identity.document, r#"{"instanceId":"i-1"}"#);
            assert_eq!(identity.signature, "c2lnbmF0dXJl");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_refusals_for_each_protocol() {
    let to =
        |host: &str| http::Request::builder().uri("/").header("host", host).body(()).unwrap().into_parts().0;
    let cases = [
        ("ec2.us-east-1.amazonaws.com", Refusal::Mismatch, "AuthFailure", 401),
        ("iam.amazonaws.com", Refusal::Mismatch, "SignatureDoesNotMatch", 403),
        ("ecs.us-east-1.amazonaws.com", Refusal::Mismatch, "InvalidSignatureException", 400),
        ("ec2.us-east-1.amazonaws.com", Refusal::Expired(String::new()), "RequestExpired", 400),
        ("sts.us-east-1.amazonaws.com", Refusal::UnknownKey, "InvalidClientTokenId", 403),
        ("sts.us-east-1.amazonaws.com", Refusal::Missing, "MissingAuthenticationToken", 403),
    ];
    for (host, refusal, code, status) in cases {
        let error = refusal.into_error(&to(host));
        assert_eq!((error.code.as_str(), error.status), (code, status), "{host}");
    }
}
