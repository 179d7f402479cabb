//! Signature Version 4.

use super::credentials::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4;
use std::time::SystemTime;

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A signing parameter is missing.
    #[error("cannot sign the request: {0}")]
    Parameters(#[from] v4::signing_params::BuildError),
    /// The request cannot be put into canonical form.
    #[error("cannot sign the request: {0}")]
    Request(#[from] SigningError),
}

/// What a signature is scoped to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region signed for.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
    /// When the request is made.
    pub time: SystemTime,
}

/// The headers that sign a request: `authorization`, `x-amz-date` and, for temporary credentials,
/// `x-amz-security-token`. `headers` are signed along and must contain `host`.
pub fn signed_headers(
    credentials: &Credentials,
    scope: Scope<'_>,
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Vec<(String, String)>, SignError> {
    let identity = aws_credential_types::Credentials::new(
        &credentials.access_key,
        &credentials.secret_key,
        credentials.token.clone(),
        None,
        "drydock-guest",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.time)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new(method, url, pairs, SignableBody::Bytes(body))?;
    let (instructions, _signature) = sign(request, &params)?.into_parts();
    let (signed, _query) = instructions.into_parts();
    Ok(signed.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The `get-vanilla` case of AWS's published Signature Version 4 test suite.
    #[test]
    fn the_published_vector_is_reproduced() {
        let credentials = Credentials::permanent("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let scope = Scope { region: "us-east-1", service: "service", time };
        let host = [("host".to_owned(), "example.amazonaws.com".to_owned())];
        let headers =
            signed_headers(&credentials, scope, "GET", "https://example.amazonaws.com/", &host, b"").unwrap();
        let find = |name: &str| headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!(find("x-amz-date"), "20150830T123600Z");
        assert!(
            find("authorization").ends_with(
                "SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
            ),
            "{headers:?}"
        );
    }
}
