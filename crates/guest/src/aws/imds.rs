//! The instance metadata service, version 2 with a fall-back to version 1.

use super::credentials::Credentials;
use super::http::{Http, HttpError, Request, Response};
use super::retry::{Retriable, Retry};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where every EC2 instance finds its metadata.
pub const DEFAULT_ENDPOINT: &str = "http://169.254.169.254";
/// How long a session token is asked for.
const TOKEN_TTL: Duration = Duration::from_secs(21_600);
/// The service is one hop away; a longer wait means that it is not there.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why metadata cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImdsError {
    /// The environment says not to ask.
    #[error("the instance metadata service is disabled by AWS_EC2_METADATA_DISABLED")]
    Disabled,
    /// The service does not answer.
    #[error("cannot reach the instance metadata service: {0}")]
    Unreachable(#[from] HttpError),
    /// The service has no such item, or refuses it.
    #[error("the instance metadata service answered {status} for {path}")]
    Status {
        /// The item asked for.
        path: String,
        /// The answer's status.
        status: u16,
    },
    /// The item is not in the form it should have.
    #[error("the instance metadata service's {path} is not as expected: {reason}")]
    Malformed {
        /// The item asked for.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Retriable for ImdsError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_) => Retry::Limited,
            Self::Status { status: 503, .. } => Retry::Forever,
            // cfn-bootstrap counts 404 among the passing errors: metadata may appear a moment after boot.
            Self::Status { status: 404 | 408 | 500.., .. } => Retry::Limited,
            Self::Disabled | Self::Malformed { .. } | Self::Status { .. } => Retry::Never,
        }
    }
}

/// The parts of the instance identity document that the tools use.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityDocument {
    /// The instance's id.
    pub instance_id: String,
    /// The region it runs in.
    pub region: String,
}

/// A client of the metadata service.
pub struct Imds {
    http: Arc<dyn Http>,
    endpoint: String,
    disabled: bool,
    token: Mutex<Option<Token>>,
}

struct Token {
    /// None where the service knows only version 1.
    value: Option<String>,
    renew_at: Instant,
}

impl Imds {
    /// A client of the service at `endpoint`.
    pub fn new(http: Arc<dyn Http>, endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { http, endpoint, disabled: false, token: Mutex::new(None) }
    }

    /// A client as the AWS SDKs' standard variables configure it.
    pub fn from_variables(http: Arc<dyn Http>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").filter(|value| !value.is_empty());
        let disabled =
            variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Self { disabled, ..Self::new(http, endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)) }
    }

    /// The item at `path` (as `meta-data/instance-id`), as text without surrounding blanks.
    pub fn get(&self, path: &str) -> Result<String, ImdsError> {
        Ok(self.get_exact(path)?.trim().to_owned())
    }

    fn get_exact(&self, path: &str) -> Result<String, ImdsError> {
        if self.disabled {
            return Err(ImdsError::Disabled);
        }
        let mut response = self.fetch(path)?;
        if response.status == 401 {
            // The token ended, or came from another instance whose image this is.
            *self.lock() = None;
            response = self.fetch(path)?;
        }
        if !response.is_success() {
            return Err(ImdsError::Status { path: path.to_owned(), status: response.status });
        }
        Ok(response.text())
    }

    fn fetch(&self, path: &str) -> Result<Response, ImdsError> {
        let mut request = Request::new("GET", format!("{}/latest/{path}", self.endpoint)).timeout(TIMEOUT);
        if let Some(token) = self.token()? {
            request = request.header("X-aws-ec2-metadata-token", token);
        }
        Ok(self.http.send(&request)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self) -> Result<Option<String>, ImdsError> {
        let mut slot = self.lock();
        if let Some(token) = slot.as_ref().filter(|token| token.renew_at > Instant::now()) {
            return Ok(token.value.clone());
        }
        let request = Request::new("PUT", format!("{}/latest/api/token", self.endpoint))
            .header("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL.as_secs().to_string())
            .timeout(TIMEOUT);
        let response = self.http.send(&request)?;
        let value = match response.status {
            200 => Some(response.text()),
            403..=405 => None,
            status => return Err(ImdsError::Status { path: "api/token".to_owned(), status }),
        };
        *slot = Some(Token { value: value.clone(), renew_at: Instant::now() + TOKEN_TTL / 2 });
        Ok(value)
    }

    /// The instance's id.
    pub fn instance_id(&self) -> Result<String, ImdsError> {
        self.get("meta-data/instance-id")
    }

    /// The instance identity document, exactly as signed.
    pub fn identity_document(&self) -> Result<String, ImdsError> {
        self.get_exact("dynamic/instance-identity/document")
    }

    /// The document's signature, in base64.
    pub fn identity_signature(&self) -> Result<String, ImdsError> {
        self.get("dynamic/instance-identity/signature")
    }

    /// The instance identity document's content.
    pub fn identity(&self) -> Result<IdentityDocument, ImdsError> {
        parse("dynamic/instance-identity/document", &self.identity_document()?)
    }

    /// The name of the role in the instance's profile.
    pub fn role_name(&self) -> Result<String, ImdsError> {
        let path = "meta-data/iam/security-credentials/";
        let names = self.get(path)?;
        names.lines().next().map(str::to_owned).filter(|name| !name.is_empty()).ok_or_else(|| {
            ImdsError::Malformed { path: path.to_owned(), reason: "the instance has no role".to_owned() }
        })
    }

    /// Temporary credentials of `role`.
    pub fn role_credentials(&self, role: &str) -> Result<Credentials, ImdsError> {
        let path = format!("meta-data/iam/security-credentials/{role}");
        let found: RoleCredentials = parse(&path, &self.get(&path)?)?;
        let malformed = |reason: String| ImdsError::Malformed { path: path.clone(), reason };
        let expires = found.expiration.parse().map_err(|err: jiff::Error| malformed(err.to_string()))?;
        Ok(Credentials {
            access_key: found.access_key_id,
            secret_key: found.secret_access_key,
            token: Some(found.token),
            expires: Some(expires),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

fn parse<T: for<'de> Deserialize<'de>>(path: &str, text: &str) -> Result<T, ImdsError> {
    serde_json::from_str(text)
        .map_err(|err| ImdsError::Malformed { path: path.to_owned(), reason: err.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server, http_client};

    #[test]
    fn version_2_is_used_with_one_token_for_all() {
        let server = Server::start(|request| match (request.method.as_str(), request.target.as_str()) {
            ("PUT", "/latest/api/token") => Reply::new(200, "TOKEN"),
            _ if request.header("x-aws-ec2-metadata-token") != Some("TOKEN") => Reply::new(401, ""),
            (_, "/latest/meta-data/instance-id") => Reply::new(200, "i-0123456789abcdef0\n"),
            _ => Reply::new(404, ""),
        });
        let imds = Imds::new(http_client(), &server.url(""));
        assert_eq!(imds.instance_id().unwrap(), "i-0123456789abcdef0");
        assert_eq!(imds.instance_id().unwrap(), "i-0123456789abcdef0");
        let err = imds.role_name().unwrap_err();
        assert!(matches!(err, ImdsError::Status { status: 404, .. }), "{err}");
        assert_eq!(server.requests().iter().filter(|request| request.method == "PUT").count(), 1);
    }

    #[test]
    fn version_1_is_the_fall_back() {
        let server = Server::start(|request| match request.method.as_str() {
            "PUT" => Reply::new(405, ""),
            _ => Reply::new(200, "i-1"),
        });
        assert_eq!(Imds::new(http_client(), &server.url("/")).instance_id().unwrap(), "i-1");
    }

    #[test]
    fn role_credentials_carry_token_and_end() {
        let server = Server::start(|request| match request.target.as_str() {
            "/latest/api/token" => Reply::new(200, "T"),
            "/latest/meta-data/iam/security-credentials/" => Reply::new(200, "my-role"),
            "/latest/meta-data/iam/security-credentials/my-role" => Reply::new(
                200,
                r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"K","Expiration":"2026-11-21T08:00:00Z"}"#,
            ),
            _ => Reply::new(404, ""),
        });
        let imds = Imds::new(http_client(), &server.url(""));
        let credentials = imds.role_credentials(&imds.role_name().unwrap()).unwrap();
        assert_eq!((credentials.access_key.as_str(), credentials.token.as_deref()), ("A", Some("K")));
        assert_eq!(credentials.expires.unwrap().to_string(), "2026-11-21T08:00:00Z");
    }

    #[test]
    fn the_environment_can_switch_it_off() {
        let imds = Imds::from_variables(http_client(), |name| {
            (name == "AWS_EC2_METADATA_DISABLED").then(|| "true".to_owned())
        });
        assert!(matches!(imds.instance_id(), Err(ImdsError::Disabled)));
    }
}
