//! What a request to open a session says, and how it is refused. Pure.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::messages;
use crate::http::{Response, text, whole};

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The agent communication service (ACS). From protocol version 2 on agents acknowledge heartbeats.
    Agent {
        /// The version.
        protocol: u32,
    },
    /// The telemetry service (TCS).
    Telemetry,
}

/// A request to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What for.
    pub purpose: Purpose,
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// The container instance's ARN.
    pub container_instance: String,
    /// The answer to the key of the WebSocket.
    pub accept: String,
}

/// Why no session is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are sessions at `/ws` only.
    #[error("there is nothing to upgrade to at this path; agents' sessions are at /ws")]
    Path,
    /// It is not a WebSocket's handshake.
    #[error("not a WebSocket handshake: {0}")]
    Handshake(&'static str),
    /// A parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// The cluster is not there.
    #[error("Cluster not found.")]
    Cluster,
    /// The container instance is not in the cluster, or not any more.
    #[error("The container instance {0} is not registered in the cluster.")]
    Inactive(String),
    /// The caller may not.
    #[error("{0}")]
    Denied(String),
}

impl Refusal {
    /// The exception that agents know it by.
    fn exception(&self) -> Option<&'static str> {
        match self {
            Self::Path | Self::Handshake(_) => None,
            Self::Missing(_) => Some("BadRequestException"),
            Self::Cluster => Some("InvalidClusterException"),
            Self::Inactive(_) => Some("InactiveInstanceException"),
            Self::Denied(_) => Some("AccessDeniedException"),
        }
    }

    /// The answer.
    pub fn response(&self) -> Response {
        let Some(exception) = self.exception() else {
            let status = if *self == Self::Path { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
            return text(status, format!("{self}\n"));
        };
        let body = messages::refusal(exception, &self.to_string());
        let mut response = http::Response::new(whole(body));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Reads a request to open a session.
///
/// # Errors
/// When it is not one.
pub fn read(parts: &Parts) -> Result<Opening, Refusal> {
    if parts.uri.path() != "/ws" {
        return Err(Refusal::Path);
    }
    let accept = accept_key(parts)?;
    let query = parts.uri.query().unwrap_or_default();
    let needed = |name: &'static str| parameter(query, name).ok_or(Refusal::Missing(name));
    // Both services have the same path; they name their parameters differently.
    if let Some(container_instance) = parameter(query, "containerInstance") {
        let cluster = needed("cluster")?;
        return Ok(Opening { purpose: Purpose::Telemetry, cluster, container_instance, accept });
    }
    let container_instance = needed("containerInstanceArn")?;
    let cluster = needed("clusterArn")?;
    let protocol = parameter(query, "protocolVersion").and_then(|version| version.parse().ok()).unwrap_or(1);
    Ok(Opening { purpose: Purpose::Agent { protocol }, cluster, container_instance, accept })
}

fn accept_key(parts: &Parts) -> Result<String, Refusal> {
    if parts.method != Method::GET {
        return Err(Refusal::Handshake("the method is not GET"));
    }
    if !has_token(&parts.headers, &header::CONNECTION, "upgrade") {
        return Err(Refusal::Handshake("the header Connection does not say `upgrade`"));
    }
    if !has_token(&parts.headers, &header::UPGRADE, "websocket") {
        return Err(Refusal::Handshake("the header Upgrade does not say `websocket`"));
    }
    if !has_token(&parts.headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refusal::Handshake("the header Sec-WebSocket-Version does not say 13"));
    }
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or(Refusal::Handshake("the header Sec-WebSocket-Key is missing"))?;
    Ok(derive_accept_key(key.as_bytes()))
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// A parameter's value, if it has one.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    // Go's way: spaces are pluses.
    let spaced: Cow<'_, str> =
        if value.contains('+') { value.replace('+', " ").into() } else { value.into() };
    let value = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    (!value.is_empty()).then_some(value)
}

/// The answer that makes the connection a WebSocket.
pub fn switching_protocols(accept: &str) -> Result<Response, Refusal> {
    let accept = HeaderValue::from_str(accept).map_err(|_| Refusal::Handshake("the key has no answer"))?;
    let mut response = http::Response::new(whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> http::request::Builder {
        http::Request::get(uri)
            .header("Connection", "keep-alive, Upgrade")
            .header("Upgrade", "WebSocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn parts(uri: &str) -> Parts {
        request(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn both_services_sessions_are_told_apart() {
        let arn = "arn%3Aaws%3Aecs%3Aus-east-1%3A123456789012%3Acontainer-instance%2Fweb%2F0a";
        let plain = "arn:aws:ecs:us-east-1:123456789012:container-instance/web/0a";
        let agent = read(&parts(&format!(
            "/ws?agentVersion=1.86+x&clusterArn=web&containerInstanceArn={arn}&protocolVersion=2"
        )));
        let agent = agent.unwrap();
        assert_eq!(agent.purpose, Purpose::Agent { protocol: 2 });
        assert_eq!((agent.cluster.as_str(), agent.container_instance.as_str()), ("web", plain));
        // RFC 6455, section 1.3.
        assert_eq!(agent.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let telemetry = read(&parts(&format!("/ws?cluster=web&containerInstance={arn}"))).unwrap();
        assert_eq!((telemetry.purpose, telemetry.container_instance.as_str()), (Purpose::Telemetry, plain));
    }

    #[test]
    fn what_is_no_session_is_refused() {
        assert_eq!(read(&parts("/")), Err(Refusal::Path));
        assert_eq!(read(&parts("/ws")), Err(Refusal::Missing("containerInstanceArn")));
        assert_eq!(read(&parts("/ws?containerInstanceArn=x")), Err(Refusal::Missing("clusterArn")));
        let mut other = parts("/ws?containerInstanceArn=x&clusterArn=y");
        other.headers.remove("Sec-WebSocket-Key");
        assert!(matches!(read(&other), Err(Refusal::Handshake(_))));
        other.headers.insert("Upgrade", HeaderValue::from_static("h2c"));
        assert!(matches!(read(&other), Err(Refusal::Handshake(_))));
    }

    #[test]
    fn refusals_are_in_the_agents_form() {
        let response = Refusal::Inactive("0a".into()).response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(Refusal::Path.response().status(), StatusCode::NOT_FOUND);
    }
}
