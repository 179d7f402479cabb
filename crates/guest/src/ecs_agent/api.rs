//! Calls to the ECS API, in JSON 1.1.

use crate::aws::credentials::CredentialProvider;
use crate::aws::domain;
use crate::aws::http::{Http, HttpError};
use crate::aws::imds::ImdsError;
use crate::aws::json::{Body, CallError, JsonService};
use crate::aws::sign::SignError;
use serde_json::Value;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

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
        let service = JsonService {
            http: self.http,
            credentials: self.credentials,
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            signing_name: "ecs",
            target: TARGET,
        };
        Ok(service.call(operation, Body::from(input))?)
    }
}

impl From<CallError> for ApiError {
    fn from(err: CallError) -> Self {
        match err {
            CallError::Service { code, message, .. } => Self::Service { code, message },
            CallError::Http(err) => Self::Http(err),
            CallError::Credentials(err) => Self::Credentials(err),
            CallError::Sign(err) => Self::Sign(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::http::Response;
    use crate::aws::json::service_error;

    fn error(body: &str) -> ApiError {
        ApiError::from(service_error(&Response { status: 400, body: body.as_bytes().to_vec() }))
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
