//! Calls to the ECS API, in JSON 1.1.

use crate::aws::credentials::CredentialProvider;
use crate::aws::domain;
use crate::aws::http::{Http, HttpError, Request, Response};
use crate::aws::imds::ImdsError;
use crate::aws::sign::{Scope, SignError, signed_headers};
use serde_json::Value;
use std::time::{Duration, SystemTime};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// ECS answered with an error.
    #[error("{code}: {message}")]
    Service {
        /// The error's name.
        code: String,
        /// Its message.
        message: String,
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
    /// The answer lacks what it should have.
    #[error("the answer to {operation} has no {member}")]
    Missing {
        /// The call.
        operation: &'static str,
        /// What is missing.
        member: &'static str,
    },
}

impl ApiError {
    fn is(&self, name: &str, part: &str) -> bool {
        matches!(self, Self::Service { code, message }
            if code == name && message.to_ascii_lowercase().contains(part))
    }

    /// Whether the cluster does not exist.
    pub fn is_cluster_not_found(&self) -> bool {
        self.is("ClusterNotFoundException", "") || self.is("ClientException", "cluster not found")
    }

    /// Whether the container instance named in the call is not, or no longer, registered.
    pub fn is_instance_not_registered(&self) -> bool {
        !self.is_cluster_not_found()
            && ["not found", "inactive", "not registered", "deregistered"]
                .iter()
                .any(|part| self.is("ClientException", part) || self.is("InvalidParameterException", part))
    }

    /// Whether trying again cannot help. `InvalidParameterException` is about the request itself.
    pub fn is_terminal(&self) -> bool {
        self.is("InvalidParameterException", "")
            || self.is("ClientException", "container instance type changes are not supported")
    }
}

/// The ECS API: a trait so that tests can answer.
pub trait EcsApi: Sync {
    /// Calls `operation` with `input` and returns its output.
    fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError>;
}

/// The real API.
pub struct EcsClient<'a> {
    /// Sends the requests.
    pub http: &'a dyn Http,
    /// Signs them.
    pub credentials: &'a dyn CredentialProvider,
    /// The region signed for.
    pub region: String,
    /// The endpoint, without a slash at its end.
    pub endpoint: String,
}

/// The ECS endpoint of a region.
pub fn endpoint(region: &str) -> String {
    format!("https://ecs.{region}.{}", domain(region))
}

impl EcsApi for EcsClient<'_> {
    fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError> {
        let url = format!("{}/", self.endpoint);
        let body = input.to_string().into_bytes();
        let authority = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, rest)| rest);
        let headers = [
            ("host".to_owned(), authority.to_owned()),
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), format!("{TARGET}.{operation}")),
        ];
        let scope = Scope { region: &self.region, service: "ecs", time: SystemTime::now() };
        let credentials = self.credentials.credentials()?;
        let signed = signed_headers(&credentials, scope, "POST", &url, &headers, &body)?;
        let mut request = Request::new("POST", url).timeout(TIMEOUT);
        request.headers = headers.into_iter().skip(1).chain(signed).collect();
        request.body = body;
        let response = self.http.send(&request)?;
        if !response.is_success() {
            return Err(service_error(&response));
        }
        serde_json::from_slice(&response.body).map_err(|err| ApiError::Service {
            code: "SerializationError".to_owned(),
            message: format!("the answer to {operation} is not JSON: {err}"),
        })
    }
}

fn service_error(response: &Response) -> ApiError {
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let member = |names: [&str; 2]| {
        names.iter().find_map(|name| answer.get(name)).and_then(Value::as_str).map(str::to_owned)
    };
    // The name may come with its namespace before a hash.
    let code = member(["__type", "code"]).map(|name| name.rsplit('#').next().unwrap_or_default().to_owned());
    ApiError::Service {
        code: code.unwrap_or_else(|| format!("HTTP {}", response.status)),
        message: member(["message", "Message"]).unwrap_or_else(|| response.text().trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> ApiError {
        service_error(&Response { status: 400, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn errors_are_told_apart() {
        let cluster = error(r#"{"__type":"x#ClientException","message":"Cluster not found."}"#);
        assert_eq!(cluster.to_string(), "ClientException: Cluster not found.");
        assert!(cluster.is_cluster_not_found() && !cluster.is_instance_not_registered());
        assert!(error(r#"{"__type":"ClusterNotFoundException","Message":"x"}"#).is_cluster_not_found());
        let gone = error(r#"{"__type":"ClientException","message":"The container instance is INACTIVE"}"#);
        assert!(gone.is_instance_not_registered() && !gone.is_terminal());
        assert!(error(r#"{"__type":"InvalidParameterException","message":"x"}"#).is_terminal());
        assert_eq!(error("busy").to_string(), "HTTP 400: busy");
    }
}
