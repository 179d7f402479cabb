//! The two CloudFormation calls the tools make, in the form cfn-bootstrap makes them.

use super::options::IMDS_TRIES;
use super::world::World;
use crate::aws::credentials::Credentials;
use crate::aws::domain;
use crate::aws::http::{Http, HttpError, Request, Response};
use crate::aws::imds::{Imds, ImdsError};
use crate::aws::retry::{Retriable, Retry, Sleeper, with_backoff};
use crate::aws::sign::{Scope, SignError, signed_headers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Everything but RFC 3986's unreserved characters is escaped.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const API_VERSION: &str = "2010-05-15";
const TRIES: u32 = 5;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// CloudFormation answered with an error.
    #[error("{code}: {message}")]
    Api {
        /// The answer's status.
        status: u16,
        /// The error's code.
        code: String,
        /// Whether the caller is at fault.
        sender: bool,
        /// The error's message.
        message: String,
    },
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There are no credentials, and the instance cannot prove its identity.
    #[error(
        "In order to sign requests, 169.254.169.254 must be accessible or valid credentials must be set. \
         Please ensure your proxy environment variables allow access to 169.254.169.254 (NO_PROXY) or that your \
         credentials have a valid access key and secret key. ({0})"
    )]
    NoIdentity(#[source] ImdsError),
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The answer is not what the call answers.
    #[error("CloudFormation's answer to {action} is not as expected: {reason}")]
    Unexpected {
        /// The call.
        action: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Retriable for ClientError {
    fn retry(&self) -> Retry {
        match self {
            Self::Api { status: 503, .. } => Retry::Forever,
            Self::Api { code, .. }
                // The last two: new IAM credentials take a while to be known everywhere.
                if matches!(code.as_str(), "Throttling" | "InvalidAccessKeyId" | "InvalidClientTokenId") =>
            {
                Retry::Forever
            }
            Self::Api { sender: true, .. } => Retry::Never,
            Self::Api { .. } | Self::Http(_) => Retry::Limited,
            Self::NoIdentity(_) | Self::Sign(_) | Self::Unexpected { .. } => Retry::Never,
        }
    }
}

/// A client of one region's CloudFormation.
pub struct CloudFormation<'a> {
    http: &'a dyn Http,
    imds: &'a Imds,
    sleeper: &'a dyn Sleeper,
    endpoint: String,
    region: String,
    credentials: Option<Credentials>,
}

/// What `DescribeStackResource` tells of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct StackResourceDetail {
    /// The resource's name in the template.
    pub logical_resource_id: String,
    /// Its metadata, with functions resolved.
    pub metadata: Option<Value>,
}

impl<'a> CloudFormation<'a> {
    /// A client of `region`'s CloudFormation, or of the one at `url`. Without credentials, the instance identifies
    /// itself.
    pub fn new(
        world: &'a World<'_>,
        credentials: Option<Credentials>,
        url: Option<&str>,
        region: &str,
    ) -> Self {
        let endpoint =
            url.map_or_else(|| format!("https://cloudformation.{region}.{}", domain(region)), str::to_owned);
        Self {
            http: &*world.http,
            imds: &world.imds,
            sleeper: world.sleeper,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            region: region.to_owned(),
            credentials,
        }
    }

    /// Describes a resource of a stack.
    pub fn describe_stack_resource(
        &self,
        stack: &str,
        resource: &str,
        on_retry: impl FnMut(&ClientError, Duration),
    ) -> Result<StackResourceDetail, ClientError> {
        let action = "DescribeStackResource";
        let response =
            self.call(action, &[("LogicalResourceId", resource), ("StackName", stack)], on_retry)?;
        let text = response.text();
        parse_detail(&text).map_err(|reason| ClientError::Unexpected { action, reason })
    }

    /// Signals a resource of a stack with `SUCCESS` or `FAILURE`.
    pub fn signal_resource(
        &self,
        stack: &str,
        resource: &str,
        unique_id: &str,
        status: &str,
        on_retry: impl FnMut(&ClientError, Duration),
    ) -> Result<(), ClientError> {
        let parameters = [
            ("LogicalResourceId", resource),
            ("StackName", stack),
            ("UniqueId", unique_id),
            ("Status", status),
        ];
        self.call("SignalResource", &parameters, on_retry).map(drop)
    }

    fn call(
        &self,
        action: &'static str,
        parameters: &[(&str, &str)],
        on_retry: impl FnMut(&ClientError, Duration),
    ) -> Result<Response, ClientError> {
        let fixed = [("Action", action), ("ContentType", "JSON"), ("Version", API_VERSION)];
        let mut query: Vec<String> = fixed
            .iter()
            .chain(parameters)
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        query.sort();
        let url = format!("{}/?{}", self.endpoint, query.join("&"));
        with_backoff(TRIES, self.sleeper, on_retry, || {
            let response = self.http.send(&self.authorized(&url)?)?;
            if response.is_success() { Ok(response) } else { Err(api_error(&response)) }
        })
    }

    fn authorized(&self, url: &str) -> Result<Request, ClientError> {
        let mut request = Request::new("GET", url)
            .header("Accept", "application/json")
            .header("User-Agent", "CloudFormation Tools");
        match &self.credentials {
            Some(credentials) => {
                let host = [("host".to_owned(), authority(url).to_owned())];
                let scope =
                    Scope { region: &self.region, service: "cloudformation", time: SystemTime::now() };
                request.headers.extend(signed_headers(credentials, scope, "GET", url, &host, b"")?);
                Ok(request)
            }
            None => Ok(request.header("Authorization", self.instance_identity()?)),
        }
    }

    /// `CFN_V1`, the document in base64, and its signature on one line. cfn-bootstrap takes blanks off the document's end,
    /// so CloudFormation must take it without them.
    fn instance_identity(&self) -> Result<String, ClientError> {
        let ask = |what: fn(&Imds) -> Result<String, ImdsError>| {
            with_backoff(IMDS_TRIES, self.sleeper, |_, _| (), || what(self.imds))
                .map_err(ClientError::NoIdentity)
        };
        let document = ask(Imds::identity_document)?;
        let signature = ask(Imds::identity_signature)?;
        Ok(format!("CFN_V1 {}:{}", STANDARD.encode(document.trim_end()), signature.replace(['\r', '\n'], "")))
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn parse_detail(text: &str) -> Result<StackResourceDetail, String> {
    let (name, metadata) = if text.trim_start().starts_with('<') {
        (xml_text(text, "LogicalResourceId")?, xml_text(text, "Metadata")?)
    } else {
        let answer: Value = serde_json::from_str(text).map_err(|err| err.to_string())?;
        let detail = answer
            .pointer("/DescribeStackResourceResponse/DescribeStackResourceResult/StackResourceDetail")
            .ok_or("it has no StackResourceDetail")?;
        let member = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        (member("LogicalResourceId"), member("Metadata"))
    };
    let metadata = metadata.filter(|text| !text.trim().is_empty()).map(|text| serde_json::from_str(&text));
    Ok(StackResourceDetail {
        logical_resource_id: name.ok_or("it has no LogicalResourceId")?,
        metadata: metadata.transpose().map_err(|err| format!("its Metadata is not JSON: {err}"))?,
    })
}

fn api_error(response: &Response) -> ClientError {
    let text = response.text();
    let found = if text.trim_start().starts_with('<') { xml_error(&text) } else { json_error(&text) };
    let (code, kind, message) =
        found.unwrap_or_else(|| ("Unknown".to_owned(), "Receiver".to_owned(), text.trim().to_owned()));
    ClientError::Api { status: response.status, code, sender: kind == "Sender", message }
}

fn json_error(text: &str) -> Option<(String, String, String)> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let member = |name: &str| answer.get("Error")?.get(name)?.as_str().map(str::to_owned);
    Some((member("Code")?, member("Type").unwrap_or_default(), member("Message").unwrap_or_default()))
}

fn xml_error(text: &str) -> Option<(String, String, String)> {
    let member = |name| xml_text(text, name).ok().flatten();
    Some((member("Code")?, member("Type").unwrap_or_default(), member("Message").unwrap_or_default()))
}

/// The text of the first element called `name`.
fn xml_text(xml: &str, name: &str) -> Result<Option<String>, String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found: Option<String> = None;
    loop {
        match reader.read_event().map_err(|err| err.to_string())? {
            Event::Start(start) if start.local_name().as_ref() == name => found = Some(String::new()),
            Event::Text(text) => {
                if let Some(found) = found.as_mut() {
                    found.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(found) = found.as_mut() {
                    found.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(found) = found.as_mut() {
                    found.push_str(&entity(&reference)?);
                }
            }
            Event::End(end) if found.is_some() && end.local_name().as_ref() == name => return Ok(found),
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
}

fn entity(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|err| err.to_string())? {
        return Ok(character.to_string());
    }
    let name: &str = reference;
    quick_xml::escape::resolve_predefined_entity(name)
        .map(str::to_owned)
        .ok_or_else(|| format!("the entity &{name}; is unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_answer_are_read() {
        let json = r#"{"DescribeStackResourceResponse":{"DescribeStackResourceResult":{"StackResourceDetail":{
            "LogicalResourceId":"Web","LastUpdatedTimestamp":1.5e9,"Metadata":"{\"a\": \"<&>\"}"}}}}"#;
        let xml = "<DescribeStackResourceResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
            <DescribeStackResourceResult><StackResourceDetail><LogicalResourceId>Web</LogicalResourceId>\
            <Metadata>{&quot;a&quot;: \"&lt;&#38;&gt;\"}</Metadata>\
            </StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>";
        let expected = StackResourceDetail {
            logical_resource_id: "Web".to_owned(),
            metadata: Some(serde_json::json!({"a": "<&>"})),
        };
        assert_eq!(parse_detail(json).unwrap(), expected);
        assert_eq!(parse_detail(xml).unwrap(), expected);
        assert!(parse_detail("{}").unwrap_err().contains("StackResourceDetail"));
    }

    #[test]
    fn errors_are_retried_as_cfn_bootstrap_retries_them() {
        let error = |status, body: &str| api_error(&Response { status, body: body.as_bytes().to_vec() });
        let validation =
            error(400, r#"{"Error":{"Code":"ValidationError","Message":"No.","Type":"Sender"}}"#);
        assert_eq!(validation.to_string(), "ValidationError: No.");
        assert_eq!(validation.retry(), Retry::Never);
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Slow</Message></Error></ErrorResponse>";
        assert_eq!(error(400, xml).retry(), Retry::Forever);
        assert_eq!(error(503, "busy").retry(), Retry::Forever);
        assert_eq!(error(500, "broken").retry(), Retry::Limited);
        assert_eq!(error(500, "broken").to_string(), "Unknown: broken");
    }

    #[test]
    fn the_host_is_taken_from_the_address() {
        assert_eq!(
            authority("https://cloudformation.us-east-1.amazonaws.com/?A=b"),
            "cloudformation.us-east-1.amazonaws.com"
        );
        assert_eq!(authority("http://127.0.0.1:4566"), "127.0.0.1:4566");
    }
}
