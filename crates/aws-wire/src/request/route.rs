//! Which service and region a request is for, and how its answer is written.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;

use crate::request::ResponseFormat;
use crate::service::Protocol;
use crate::sigv4::Credential;
use crate::{Error, Service};

/// Where a request was meant to go, by its credential scope or else by its host name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The scope's service name.
    pub(super) signing_name: Option<String>,
    /// The host's first label.
    pub(super) endpoint_prefix: Option<String>,
    pub(super) region: Option<String>,
}

impl Place {
    /// Refuses a request signed for another service than the one it is for.
    pub(super) fn require_scope_of(&self, service: Service) -> Result<(), Error> {
        let own = service.model().signing_name;
        match &self.signing_name {
            Some(name) if name != own => {
                let message = format!("Credential should be scoped to correct service: '{own}'.");
                Err(Error::client("InvalidSignatureException", message))
            }
            _ => Ok(()),
        }
    }
}

/// Service and operation of `X-Amz-Target`; none if there is no such header.
pub(super) fn target(parts: &Parts) -> Result<Option<(Service, String)>, Error> {
    let Some(target) = header(&parts.headers, "x-amz-target") else { return Ok(None) };
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    match Service::from_target_prefix(prefix) {
        Some(service) => Ok(Some((service, operation.to_owned()))),
        None => Err(unknown_service(prefix)),
    }
}

/// What credential scope and host say; a malformed credential is left for authentication to refuse.
pub(super) fn place(parts: &Parts) -> Place {
    let mut place = host(parts).map(host_place).unwrap_or_default();
    if let Ok(Credential::SigV4(credential)) = Credential::of(parts) {
        place.signing_name = Some(credential.scope.service);
        place.region = Some(credential.scope.region);
    }
    place
}

fn host(parts: &Parts) -> Option<&str> {
    let host = header(&parts.headers, HOST.as_str()).or_else(|| Some(parts.uri.authority()?.as_str()))?;
    Some(host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host))
}

/// Reads `ec2.us-east-1.amazonaws.com`, `iam.amazonaws.com` and the like; other hosts say nothing.
fn host_place(host: &str) -> Place {
    let host = host.to_ascii_lowercase();
    let labels: Vec<&str> = host
        .trim_end_matches(".cn")
        .strip_suffix(".amazonaws.com")
        .map(|rest| rest.split('.').collect())
        .unwrap_or_default();
    Place {
        signing_name: None,
        endpoint_prefix: labels.first().map(ToString::to_string),
        region: labels.get(1).map(ToString::to_string),
    }
}

/// The service of a form request.
pub(super) fn form_service(place: &Place, version: Option<&str>) -> Result<Service, Error> {
    if let Some(name) = &place.signing_name {
        let service = Service::from_signing_name(name).ok_or_else(|| unknown_service(name))?;
        return match service.protocol() {
            Protocol::Json => {
                Err(Error::client("MissingAction", "The request must contain the header X-Amz-Target."))
            }
            _ => Ok(service),
        };
    }
    let by_host = || place.endpoint_prefix.as_deref().and_then(Service::from_endpoint_prefix);
    version.and_then(Service::from_api_version).or_else(by_host).ok_or_else(|| {
        Error::client(
            "MissingAction",
            "The request names no service: it is not signed, has no X-Amz-Target, and neither its Version nor its host \
             belongs to a service of this cloud.",
        )
    })
}

fn unknown_service(name: &str) -> Error {
    Error::with_status("NotImplemented", format!("This cloud does not implement the service {name}."), 501)
}

/// Refuses a body that is not a form; a missing type is taken for one, as old clients send none.
pub(super) fn require_form_body(parts: &Parts) -> Result<(), Error> {
    let kind = header(&parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.is_empty() || essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    let message = format!("The body must be application/x-www-form-urlencoded, not {essence}.");
    Err(Error::client("MalformedQueryString", message))
}

/// The JSON version of the request, which the answer has too.
pub(super) fn json_version(parts: &Parts) -> ResponseFormat {
    let kind = header(&parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.trim_start().starts_with("application/x-amz-json-1.0") {
        ResponseFormat::Json10
    } else {
        ResponseFormat::Json11
    }
}

/// Whether a query client asks for JSON; SDKs, which cannot read it, send `*/*` or nothing.
pub(super) fn accepts_json(parts: &Parts) -> bool {
    header(&parts.headers, ACCEPT.as_str())
        .is_some_and(|accept| accept.trim().starts_with("application/json"))
}

/// How to write the refusal of a request that [`parse`](crate::parse) or authentication refused, and the service it
/// was for as far as that can be told from its head.
pub fn error_format(parts: &Parts) -> (ResponseFormat, Option<Service>) {
    if let Some(target) = header(&parts.headers, "x-amz-target") {
        let prefix = target.rsplit_once('.').map_or(target, |(prefix, _)| prefix);
        return (json_version(parts), Service::from_target_prefix(prefix));
    }
    let place = place(parts);
    let service = match &place.signing_name {
        Some(name) => Service::from_signing_name(name),
        None => place.endpoint_prefix.as_deref().and_then(Service::from_endpoint_prefix),
    };
    let cfn_tool =
        header(&parts.headers, AUTHORIZATION.as_str()).is_some_and(|value| value.starts_with("CFN_V1"));
    let format = match service.map(Service::protocol) {
        Some(Protocol::Ec2) => ResponseFormat::Ec2Xml,
        Some(Protocol::Json) => json_version(parts),
        _ if cfn_tool || accepts_json(parts) => ResponseFormat::QueryJson,
        _ => ResponseFormat::QueryXml,
    };
    (format, service)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
