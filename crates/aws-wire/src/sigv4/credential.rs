//! The credential that a request carries, as it is written there; nothing is verified here.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header::AUTHORIZATION;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::sigv4::Refusal;

/// The only algorithm that AWS's regional endpoints take.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How a request says who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Signed with an access key, in the `Authorization` header or in the query string.
    SigV4(SigV4),
    /// Vouched for by an instance's identity document, as cfn-init and cfn-signal do.
    CfnV1(CfnV1),
    /// Not at all.
    None,
}

/// A Signature Version 4 with what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigV4 {
    /// The access key's id.
    pub access_key_id: String,
    /// What the key was narrowed to.
    pub scope: Scope,
    /// Names of the headers signed, in lower case and sorted as the client sorted them.
    pub signed_headers: Vec<String>,
    /// The signature, in hexadecimal.
    pub signature: String,
    /// The session token of a temporary key.
    pub session_token: Option<String>,
    /// When it was signed, `YYYYMMDDTHHMMSSZ`.
    pub date: String,
    /// For how many seconds a presigned request is good; none if the signature is in the header.
    pub expires: Option<u32>,
}

/// A credential scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// The service's signing name, e.g. `ec2`.
    pub service: String,
}

/// An instance identity document with its signature, both as the metadata service serves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CfnV1 {
    /// The document's JSON, `/latest/dynamic/instance-identity/document`.
    pub document: String,
    /// The signature's Base64 without line breaks, `/latest/dynamic/instance-identity/signature`.
    pub signature: String,
}

impl Credential {
    /// Reads the credential of a request.
    ///
    /// # Errors
    ///
    /// [`Refusal::Incomplete`] for a credential that lacks a part or is of an unknown kind.
    pub fn of(parts: &Parts) -> Result<Self, Refusal> {
        if let Some(value) = parts.headers.get(AUTHORIZATION) {
            let value = value.to_str().map_err(|_| incomplete("the Authorization header is not ASCII"))?;
            return Self::from_header(value.trim(), parts);
        }
        let query: Vec<(String, String)> = query_pairs(parts).collect();
        let find = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match find("X-Amz-Algorithm").or_else(|| find("X-Amz-Signature")) {
            Some(_) => SigV4::from_query(find).map(Self::SigV4),
            None => Ok(Self::None),
        }
    }

    fn from_header(value: &str, parts: &Parts) -> Result<Self, Refusal> {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        match scheme {
            ALGORITHM => SigV4::from_header(rest, parts).map(Self::SigV4),
            "CFN_V1" => CfnV1::from_header(rest).map(Self::CfnV1),
            _ => Err(incomplete(&format!("Unsupported AWS 'algorithm': '{scheme}'"))),
        }
    }
}

impl SigV4 {
    fn from_header(fields: &str, parts: &Parts) -> Result<Self, Refusal> {
        let find = |name: &str| {
            let mut pairs = fields.split(',').filter_map(|field| field.trim().split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim())
                .ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("x-amz-date").or_else(|| header("date")).ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        let (access_key_id, scope) = parse_scope(find("Credential")?)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: split_headers(find("SignedHeaders")?),
            signature: find("Signature")?.to_owned(),
            session_token: header("x-amz-security-token").map(str::to_owned),
            date: date.to_owned(),
            expires: None,
        })
    }

    fn from_query<'a>(find: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Refusal> {
        let require = |name: &str| {
            find(name)
                .ok_or_else(|| incomplete(&format!("AWS query-string parameters must include '{name}'")))
        };
        let algorithm = require("X-Amz-Algorithm")?;
        if algorithm != ALGORITHM {
            return Err(incomplete(&format!("Unsupported AWS 'algorithm': '{algorithm}'")));
        }
        let (access_key_id, scope) = parse_scope(require("X-Amz-Credential")?)?;
        // STS and websocket clients leave X-Amz-Expires out; AWS then takes 15 minutes.
        let expires = find("X-Amz-Expires").unwrap_or("900");
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: split_headers(require("X-Amz-SignedHeaders")?),
            signature: require("X-Amz-Signature")?.to_owned(),
            session_token: find("X-Amz-Security-Token").map(str::to_owned),
            date: require("X-Amz-Date")?.to_owned(),
            expires: Some(
                expires.parse().map_err(|_| incomplete("X-Amz-Expires must be a number of seconds"))?,
            ),
        })
    }
}

impl CfnV1 {
    /// Reads `BASE64(document):signature`.
    fn from_header(value: &str) -> Result<Self, Refusal> {
        let (document, signature) = value
            .trim()
            .split_once(':')
            .ok_or_else(|| incomplete("CFN_V1 requires a document and a signature"))?;
        let bytes = BASE64_STANDARD
            .decode(document.trim())
            .map_err(|_| incomplete("the CFN_V1 document is not Base64"))?;
        let document =
            String::from_utf8(bytes).map_err(|_| incomplete("the CFN_V1 document is not UTF-8"))?;
        Ok(Self { document, signature: signature.trim().to_owned() })
    }
}

/// Splits `AKID/20261121/us-east-1/ec2/aws4_request`.
fn parse_scope(credential: &str) -> Result<(String, Scope), Refusal> {
    let parts: Vec<&str> = credential.split('/').collect();
    match parts.as_slice() {
        [key, date, region, service, "aws4_request"] if !key.is_empty() => Ok((
            (*key).to_owned(),
            Scope { date: (*date).to_owned(), region: (*region).to_owned(), service: (*service).to_owned() },
        )),
        _ => Err(incomplete(&format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/aws4_request, got '{credential}'"
        ))),
    }
}

fn split_headers(names: &str) -> Vec<String> {
    names.split(';').filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// The query string's pairs, decoded. Presigned URLs use `%20`, so a plus sign is itself.
pub(super) fn query_pairs(parts: &Parts) -> impl Iterator<Item = (String, String)> {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decode(name), decode(value))
    })
}

pub(super) fn incomplete(message: &str) -> Refusal {
    Refusal::Incomplete(message.to_owned())
}
