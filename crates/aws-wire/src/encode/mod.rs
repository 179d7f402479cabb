//! Output types and errors into HTTP answers, along the types' schemas.

use bytes::Bytes;
use http::header::CONTENT_TYPE;

pub use error::encode_error;

use crate::request::{ParsedRequest, ResponseFormat};
use crate::value::Structure;

mod error;
mod json;
mod time;
mod xml;

/// An answer ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Other headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Encoded {
    /// As an HTTP response.
    pub fn into_response(self) -> http::Response<Bytes> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(self.content_type));
        for (name, value) in self.headers {
            // A value that HTTP forbids (a line break in an error code) is left out rather than sent broken.
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl ResponseFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::QueryXml => "text/xml",
            Self::QueryJson => "application/json",
            Self::Ec2Xml => "text/xml;charset=UTF-8",
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
        }
    }
}

/// The payload of an event of a JSON service.
pub(crate) fn event(event: &dyn Structure) -> String {
    json::plain(event)
}

/// Encodes the output of the operation that `request` names.
pub(crate) fn output(request: &ParsedRequest, output: &dyn Structure) -> Encoded {
    let operation = &request.operation;
    let namespace = request.service.model().xml_namespace;
    let body = match request.format {
        ResponseFormat::Ec2Xml => xml::ec2(operation, namespace, &request.request_id, output),
        ResponseFormat::QueryXml => xml::query(operation, namespace, &request.request_id, output),
        ResponseFormat::QueryJson => json::query(operation, &request.request_id, output),
        ResponseFormat::Json10 | ResponseFormat::Json11 => json::plain(output),
    };
    Encoded {
        status: 200,
        content_type: request.format.content_type(),
        headers: vec![("x-amzn-requestid", request.request_id.clone())],
        body: body.into(),
    }
}
