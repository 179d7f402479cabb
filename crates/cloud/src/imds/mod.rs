//! The instance metadata service, versions 1 and 2, at 169.254.169.254.
//!
//! Behaviour: "Access instance metadata for an EC2 instance" in the EC2 user guide. The caller is known by
//! the VPC and address that the connection comes from.

#[cfg(test)]
mod tests;
mod token;
mod tree;
mod view;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::http::{Answer, HttpService, Request, Response, text};
use crate::{Cloud, Origin, credentials};
use token::{MAX_TTL_SECONDS, Tokens};
use tree::{Metadata, Node};
use view::View;

const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const SIGNATURE: &str = "dynamic/instance-identity/signature";
const CREDENTIALS: &str = "meta-data/iam/security-credentials";

/// The metadata service of all instances.
pub struct Imds {
    cloud: Arc<Cloud>,
    tokens: Tokens,
}

impl Imds {
    /// The service over a cloud's instances.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        let tokens = Tokens::new(cloud.root_key.secret_access_key.as_bytes());
        Self { cloud, tokens }
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap, origin: &Origin) -> Response {
        let now = Timestamp::now();
        let Some(view) = view::of(&self.cloud, origin) else {
            return status(StatusCode::NOT_FOUND);
        };
        if !view.endpoint_enabled {
            return status(StatusCode::FORBIDDEN);
        }
        if path == "/latest/api/token" {
            return self.token(method, headers, &view, now);
        }
        if method != Method::GET && method != Method::HEAD {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !self.admitted(headers, &view, now) {
            return status(StatusCode::UNAUTHORIZED);
        }
        self.get(path, &view.metadata, now)
    }

    /// `PUT /latest/api/token`. A request that came through a proxy gets none: that is what the token
    /// protects against.
    fn token(&self, method: &Method, headers: &HeaderMap, view: &View, now: Timestamp) -> Response {
        if method != Method::PUT {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        if headers.contains_key("x-forwarded-for") {
            return status(StatusCode::FORBIDDEN);
        }
        let ttl = headers.get(TTL_HEADER).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
        match ttl {
            Some(ttl @ 1..=MAX_TTL_SECONDS) => {
                let token = self.tokens.issue(&view.metadata.instance_id, ttl, now);
                let mut response = text(StatusCode::OK, token);
                response.headers_mut().insert(TTL_HEADER, ttl.into());
                response
            }
            _ => status(StatusCode::BAD_REQUEST),
        }
    }

    fn admitted(&self, headers: &HeaderMap, view: &View, now: Timestamp) -> bool {
        match headers.get(TOKEN_HEADER) {
            Some(token) => {
                token.to_str().is_ok_and(|token| self.tokens.valid(token, &view.metadata.instance_id, now))
            }
            None => !view.token_required,
        }
    }

    fn get(&self, path: &str, metadata: &Metadata, now: Timestamp) -> Response {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return text(StatusCode::OK, VERSIONS.join("\n"));
        }
        let (version, rest) = path.split_once('/').unwrap_or((path, ""));
        if !VERSIONS.contains(&version) {
            return status(StatusCode::NOT_FOUND);
        }
        let rest = rest.trim_matches('/');
        if rest == "user-data" {
            return match &metadata.user_data {
                Some(data) => bytes(data.clone()),
                None => status(StatusCode::NOT_FOUND),
            };
        }
        if rest == SIGNATURE {
            return match self.cloud.identity.sign(&tree::identity_document(metadata)) {
                Ok(signature) => text(StatusCode::OK, signature),
                Err(error) => failed(&error),
            };
        }
        let role = metadata.profile.as_ref().and_then(|profile| profile.role.as_deref());
        if let (Some(role), Some(asked)) = (role, rest.strip_prefix(CREDENTIALS).map(|r| r.trim_matches('/')))
            && asked == role
        {
            return self.credentials(role, &metadata.instance_id, now);
        }
        let credentials_path = role.map(|role| format!("{CREDENTIALS}/{role}"));
        let special: Vec<&str> =
            [Some(SIGNATURE), credentials_path.as_deref()].into_iter().flatten().collect();
        match tree::lookup(metadata, rest, &special) {
            Some(Node::Leaf(value) | Node::Folder(value)) => text(StatusCode::OK, value),
            None => status(StatusCode::NOT_FOUND),
        }
    }

    fn credentials(&self, role: &str, instance_id: &str, now: Timestamp) -> Response {
        match credentials::for_instance(&self.cloud.store, role, instance_id, now) {
            Ok(held) => {
                let answer = json!({
                    "Code": "Success",
                    "LastUpdated": tree::seconds(held.issued),
                    "Type": "AWS-HMAC",
                    "AccessKeyId": held.access_key_id,
                    "SecretAccessKey": held.secret_access_key,
                    "Token": held.session_token,
                    "Expiration": tree::seconds(held.expiration),
                });
                text(StatusCode::OK, format!("{answer:#}"))
            }
            Err(error) => failed(&error),
        }
    }
}

impl HttpService for Imds {
    fn call(self: Arc<Self>, request: Request, origin: Origin) -> Answer {
        Box::pin(async move {
            let (parts, _) = request.into_parts();
            self.answer(&parts.method, parts.uri.path(), &parts.headers, &origin)
        })
    }
}

fn status(code: StatusCode) -> Response {
    text(code, code.canonical_reason().unwrap_or_default())
}

fn bytes(data: Vec<u8>) -> Response {
    let mut response = Response::new(crate::http::whole(data));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/octet-stream"));
    response
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "the metadata service cannot answer");
    status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The versions that the service answers to, as `GET /` lists them; all have the same content here.
const VERSIONS: &[&str] = &[
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "latest",
];
