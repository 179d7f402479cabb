//! A client of the API that costs as little as can be, for it shares the machine with what it measures.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The client; a copy shares its connections.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    endpoint: String,
}

impl Client {
    /// A client of an endpoint such as `http://127.0.0.1:4703`.
    pub fn new(endpoint: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector), endpoint: endpoint.to_owned() }
    }

    /// Calls an operation that is to succeed.
    pub async fn call(&self, operation: &str, input: &Value) -> Value {
        self.call_with(operation, Bytes::from(input.to_string())).await
    }

    /// [`Client::call`] with a body that is written already.
    pub async fn call_with(&self, operation: &str, body: Bytes) -> Value {
        let answer = self.open(operation, body).await.collect().await.expect("an answer").to_bytes();
        if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).expect("JSON") }
    }

    /// Calls an operation and gives the body of its answer as it comes.
    pub async fn open(&self, operation: &str, body: Bytes) -> Incoming {
        // A key that the cloud did not issue is trusted on a loopback listener, whatever its signature.
        let credential = "AKIDEXAMPLE/20260101/us-east-1/logs/aws4_request";
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=00"
                ),
            )
            .body(Full::new(body))
            .expect("a request");
        let answer = self.pool.request(request).await.expect("the cloud answers");
        let (parts, body) = answer.into_parts();
        if !parts.status.is_success() {
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            panic!("{operation}: {} {}", parts.status, String::from_utf8_lossy(&body));
        }
        body
    }
}
