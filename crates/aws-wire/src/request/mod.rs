//! From an HTTP request to service, operation and parameters.

pub(crate) use body::JsonBody;
pub(crate) use form::FormNode;
pub use route::error_format;

use crate::service::Protocol;
use crate::{Encoded, Error, Service, encode_error};

mod body;
mod form;
mod route;

/// A request whose sender, service and operation are known and whose parameters are not yet decoded.
#[derive(Debug, Clone)]
pub struct ParsedRequest {
    /// How the request is written.
    pub protocol: Protocol,
    /// The service it is for.
    pub service: Service,
    /// The operation it names, e.g. `RunInstances`; not yet known to exist.
    pub operation: String,
    /// The region it was signed for or sent to, if it says so.
    pub region: Option<String>,
    /// A fresh id, which the answer repeats.
    pub request_id: String,
    /// How the answer must be written.
    pub format: ResponseFormat,
    pub(crate) params: Params,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseFormat {
    /// `<XResponse><XResult>`.
    QueryXml,
    /// The JSON that query services answer to `ContentType=JSON`, as cfn-init asks for.
    QueryJson,
    /// EC2's XML.
    Ec2Xml,
    /// `application/x-amz-json-1.0`.
    Json10,
    /// `application/x-amz-json-1.1`.
    Json11,
}

/// Parameters as the protocol has them.
#[derive(Debug, Clone)]
pub(crate) enum Params {
    Form(FormNode),
    Json(JsonBody),
}

/// Reads service, operation, region and parameters out of a request.
///
/// The service is taken from `X-Amz-Target`, else from the credential scope, else from `Version`, else from the
/// host name.
///
/// # Errors
///
/// `MissingAction`, `MalformedQueryString`, `SerializationException`, and `NotImplemented` for a service that this
/// cloud does not have; [`error_format`] tells how to write them.
pub fn parse(parts: &http::request::Parts, body: &[u8]) -> Result<ParsedRequest, Error> {
    match route::target(parts)? {
        Some((service, operation)) => json(parts, body, service, operation),
        None => form_request(parts, body),
    }
}

fn json(
    parts: &http::request::Parts,
    body: &[u8],
    service: Service,
    operation: String,
) -> Result<ParsedRequest, Error> {
    let body = JsonBody::new(body)?;
    let place = route::place(parts);
    place.require_scope_of(service)?;
    Ok(ParsedRequest {
        protocol: Protocol::Json,
        service,
        operation,
        region: place.region,
        request_id: new_request_id(),
        format: route::json_version(parts),
        params: Params::Json(body),
    })
}

fn form_request(parts: &http::request::Parts, body: &[u8]) -> Result<ParsedRequest, Error> {
    let mut form = FormNode::default();
    form.read(parts.uri.query().unwrap_or_default().as_bytes())?;
    if parts.method == http::Method::POST && !body.is_empty() {
        route::require_form_body(parts)?;
        form.read(body)?;
    }
    let place = route::place(parts);
    let version = form.take("Version");
    let service = route::form_service(&place, version.as_deref())?;
    let operation = form
        .take("Action")
        .filter(|action| !action.is_empty())
        .ok_or_else(|| Error::client("MissingAction", "The request must contain the parameter Action."))?;
    let wants_json = form.take("ContentType").is_some_and(|kind| kind.eq_ignore_ascii_case("json"));
    form.drop_authentication();
    let model = service.model();
    let format = match model.protocol {
        Protocol::Ec2 => ResponseFormat::Ec2Xml,
        Protocol::Query if wants_json || route::accepts_json(parts) => ResponseFormat::QueryJson,
        _ => ResponseFormat::QueryXml,
    };
    let stray = version.filter(|version| model.protocol == Protocol::Query && version != model.api_version);
    if let Some(version) = stray {
        return Err(no_such_operation(&operation, &version));
    }
    Ok(ParsedRequest {
        protocol: model.protocol,
        service,
        operation,
        region: place.region,
        request_id: new_request_id(),
        format,
        params: Params::Form(form),
    })
}

fn new_request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn no_such_operation(operation: &str, version: &str) -> Error {
    Error::client("InvalidAction", format!("Could not find operation {operation} for version {version}"))
}

impl ParsedRequest {
    /// Whether the caller wrote the top-level parameter that goes by `name` on the wire, which a decoded list or map
    /// cannot tell from an empty one.
    pub fn has(&self, name: &str) -> bool {
        match &self.params {
            Params::Form(form) => form.child(name).is_some(),
            Params::Json(body) => body.members(&[name])[0].as_ref().is_some_and(|value| !value.is_null()),
        }
    }

    /// The text, or the texts, of each of these top-level parameters of a JSON request, read in one pass that decodes
    /// nothing else; none of a parameter that is not there or has none.
    pub fn texts(&self, names: &[&str]) -> Vec<Vec<String>> {
        let Params::Json(body) = &self.params else { return vec![Vec::new(); names.len()] };
        let texts = |value: Option<serde_json::Value>| -> Vec<String> {
            let items = match value {
                Some(serde_json::Value::Array(items)) => items,
                Some(item) => vec![item],
                None => Vec::new(),
            };
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        body.members(names).into_iter().map(texts).collect()
    }

    /// The refusal of an operation that has no types here: whether AWS has it decides what it says.
    pub fn unknown_operation(&self) -> Error {
        let (model, operation) = (self.service.model(), &self.operation);
        if model.unsupported.contains(&operation.as_str()) {
            return Error::not_implemented(&format!("{operation} of {}", model.full_name));
        }
        match self.protocol {
            Protocol::Ec2 => {
                let message = format!("The action {operation} is not valid for this web service.");
                Error::client("InvalidAction", message)
            }
            Protocol::Query => no_such_operation(operation, model.api_version),
            Protocol::Json => {
                Error::client("UnknownOperationException", format!("There is no operation {operation}."))
            }
        }
    }

    /// The answer that refuses this request.
    pub fn encode_error(&self, error: &Error) -> Encoded {
        encode_error(self.format, Some(self.service), &self.request_id, error)
    }
}
