//! Signed calls in JSON 1.1, the protocol of ECS and CloudWatch Logs.

use super::credentials::CredentialProvider;
use super::http::{Http, HttpError, Request, Response};
use super::imds::ImdsError;
use super::sign::{Scope, SignError, signed_headers};
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service answered with an error.
    #[error("{code}: {message}")]
    Service {
        /// The answer's status.
        status: u16,
        /// The error's name.
        code: String,
        /// Its message.
        message: String,
        /// The whole answer, null when it is not JSON.
        answer: Value,
    },
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There are no credentials.
    #[error("no credentials: {0}")]
    Credentials(#[from] ImdsError),
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A service that is called in JSON 1.1.
pub struct JsonService<'a> {
    /// Sends the requests.
    pub http: &'a dyn Http,
    /// Signs them.
    pub credentials: &'a dyn CredentialProvider,
    /// The region signed for.
    pub region: String,
    /// The address, without a slash at its end.
    pub endpoint: String,
    /// The name signed for.
    pub signing_name: &'static str,
    /// What stands before an operation's name in `x-amz-target`.
    pub target: &'static str,
}

/// The body of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The bytes as sent.
    pub bytes: Vec<u8>,
    /// How the JSON is encoded in them (`gzip`); None when it is not.
    pub encoding: Option<&'static str>,
}

impl From<&Value> for Body {
    fn from(input: &Value) -> Self {
        Self { bytes: input.to_string().into_bytes(), encoding: None }
    }
}

impl JsonService<'_> {
    /// Calls `operation` and returns its output; null when there is none.
    ///
    /// # Errors
    /// When the service answers with an error or not at all, or the call cannot be signed.
    pub fn call(&self, operation: &str, body: Body) -> Result<Value, CallError> {
        let url = format!("{}/", self.endpoint);
        let authority = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, rest)| rest);
        let mut headers = vec![
            ("host".to_owned(), authority.to_owned()),
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), format!("{}.{operation}", self.target)),
        ];
        headers.extend(body.encoding.map(|encoding| ("content-encoding".to_owned(), encoding.to_owned())));
        let scope = Scope { region: &self.region, service: self.signing_name, time: SystemTime::now() };
        let credentials = self.credentials.credentials()?;
        let signed = signed_headers(&credentials, scope, "POST", &url, &headers, &body.bytes)?;
        let mut request = Request::new("POST", url).timeout(TIMEOUT);
        request.headers = headers.into_iter().skip(1).chain(signed).collect();
        request.body = body.bytes;
        let response = self.http.send(&request)?;
        if !response.is_success() {
            return Err(service_error(&response));
        }
        if response.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&response.body).map_err(|err| CallError::Service {
            status: response.status,
            code: "SerializationError".to_owned(),
            message: format!("the answer to {operation} is not JSON: {err}"),
            answer: Value::Null,
        })
    }
}

/// The error that an answer tells of.
pub fn service_error(response: &Response) -> CallError {
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let member = |names: [&str; 2]| {
        names.iter().find_map(|name| answer.get(name)).and_then(Value::as_str).map(str::to_owned)
    };
    // The name may come with its namespace before a hash.
    let code = member(["__type", "code"]).map(|name| name.rsplit('#').next().unwrap_or_default().to_owned());
    CallError::Service {
        status: response.status,
        code: code.unwrap_or_else(|| format!("HTTP {}", response.status)),
        message: member(["message", "Message"]).unwrap_or_else(|| response.text().trim().to_owned()),
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::credentials::Credentials;
    use crate::testing::{Reply, Server, http_client};

    struct Keys;
    impl CredentialProvider for Keys {
        fn credentials(&self) -> Result<Credentials, ImdsError> {
            Ok(Credentials::permanent("AKID", "secret"))
        }
    }

    #[test]
    fn a_call_is_signed_with_all_its_headers() {
        let server = Server::start(|request| match request.header("x-amz-target") {
            Some("Logs_20140328.Fail") => {
                Reply::new(400, r#"{"__type":"com#SomeException","message":"why"}"#)
            }
            _ => Reply::new(200, "{\"a\":1}"),
        });
        let http = http_client();
        let service = JsonService {
            http: &*http,
            credentials: &Keys,
            region: "eu-west-1".into(),
            endpoint: server.url(""),
            signing_name: "logs",
            target: "Logs_20140328",
        };
        let body = Body { bytes: b"zipped".to_vec(), encoding: Some("gzip") };
        assert_eq!(service.call("Put", body).unwrap()["a"], 1);
        let request = &server.requests()[0];
        assert_eq!(
            (request.header("content-encoding"), request.body.as_slice()),
            (Some("gzip"), &b"zipped"[..])
        );
        let authorization = request.header("authorization").unwrap();
        assert!(authorization.contains("/eu-west-1/logs/aws4_request"), "{authorization}");
        assert!(
            authorization.contains("SignedHeaders=content-encoding;content-type;host"),
            "{authorization}"
        );
        let error = service.call("Fail", Body::from(&Value::Null)).unwrap_err();
        assert_eq!(error.to_string(), "SomeException: why");
    }
}
