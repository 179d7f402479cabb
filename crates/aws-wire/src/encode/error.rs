//! Refusals, as each protocol writes them.

use std::fmt::Write;

use serde_json::json;

use crate::encode::{Encoded, xml};
use crate::request::ResponseFormat;
use crate::{Error, Service};

/// Encodes `error` as `service` would answer it; a code whose status the service's model fixes gets that status.
pub fn encode_error(
    format: ResponseFormat,
    service: Option<Service>,
    request_id: &str,
    error: &Error,
) -> Encoded {
    let modelled = service.and_then(|service| service.model().error_status(&error.code));
    let status = modelled.filter(|_| error.status == 400).unwrap_or(error.status);
    let mut headers = vec![("x-amzn-requestid", request_id.to_owned())];
    let body = match format {
        ResponseFormat::Ec2Xml => ec2(request_id, error),
        ResponseFormat::QueryXml => query(service, request_id, error),
        ResponseFormat::QueryJson => query_json(request_id, error),
        ResponseFormat::Json10 | ResponseFormat::Json11 => {
            headers.push(("x-amzn-errortype", error.code.clone()));
            json!({"__type": error.code, "message": error.message}).to_string()
        }
    };
    Encoded { status, content_type: format.content_type(), headers, body: body.into() }
}

fn ec2(request_id: &str, error: &Error) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
    xml::text_element(&mut out, "Code", &error.code);
    xml::text_element(&mut out, "Message", &error.message);
    out.push_str("</Error></Errors>");
    xml::text_element(&mut out, "RequestID", request_id);
    out.push_str("</Response>");
    out
}

fn query(service: Option<Service>, request_id: &str, error: &Error) -> String {
    let mut out = String::from("<ErrorResponse");
    if let Some(service) = service {
        let _ = write!(out, " xmlns=\"{}\"", service.model().xml_namespace);
    }
    out.push_str("><Error>");
    xml::text_element(&mut out, "Type", at_fault(error));
    xml::text_element(&mut out, "Code", &error.code);
    xml::text_element(&mut out, "Message", &error.message);
    out.push_str("</Error>");
    xml::text_element(&mut out, "RequestId", request_id);
    out.push_str("</ErrorResponse>");
    out
}

fn query_json(request_id: &str, error: &Error) -> String {
    let inner = json!({"Code": error.code, "Message": error.message, "Type": at_fault(error)});
    json!({"Error": inner, "RequestId": request_id}).to_string()
}

fn at_fault(error: &Error) -> &'static str {
    if error.is_client() { "Sender" } else { "Receiver" }
}
