//! Why a request is not believed, in each protocol's words.

use http::request::Parts;

use crate::service::Protocol;
use crate::{Error, error_format};

/// A reason for refusing a request's credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// It lacks a part or is not understood.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is another one than the secret gives.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// The signature covers too little, or its scope is not the request's.
    #[error("{0}")]
    WrongScope(String),
    /// It was made too long ago, or in the future.
    #[error("{0}")]
    Expired(String),
    /// The access key, or its session token, does not exist.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session token's time is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
}

impl Refusal {
    /// The error as the service that `parts` was sent to answers it.
    pub fn into_error(self, parts: &Parts) -> Error {
        let protocol = error_format(parts).1.map_or(Protocol::Query, |service| service.protocol());
        let (code, status) = self.code(protocol);
        let message = match (protocol, &self) {
            (Protocol::Ec2, Self::Mismatch | Self::WrongScope(_) | Self::UnknownKey) => {
                "AWS was not able to validate the provided access credentials".to_owned()
            }
            (Protocol::Ec2, Self::Expired(_) | Self::ExpiredToken) => "Request has expired.".to_owned(),
            _ => self.to_string(),
        };
        Error::with_status(code, message, status)
    }

    fn code(&self, protocol: Protocol) -> (&'static str, u16) {
        match (protocol, self) {
            (Protocol::Ec2, Self::Mismatch | Self::WrongScope(_) | Self::UnknownKey) => ("AuthFailure", 401),
            (Protocol::Ec2, Self::Expired(_) | Self::ExpiredToken) => ("RequestExpired", 400),
            (Protocol::Json, Self::Missing) => ("MissingAuthenticationTokenException", 400),
            (Protocol::Json, Self::Incomplete(_)) => ("IncompleteSignatureException", 400),
            (Protocol::Json, Self::Mismatch | Self::WrongScope(_) | Self::Expired(_)) => {
                ("InvalidSignatureException", 400)
            }
            (Protocol::Json, Self::UnknownKey) => ("UnrecognizedClientException", 400),
            (Protocol::Json, Self::ExpiredToken) => ("ExpiredTokenException", 400),
            (Protocol::Query | Protocol::Ec2, Self::Missing) => ("MissingAuthenticationToken", 403),
            (Protocol::Query | Protocol::Ec2, Self::Incomplete(_)) => ("IncompleteSignature", 400),
            (Protocol::Query, Self::Mismatch | Self::WrongScope(_) | Self::Expired(_)) => {
                ("SignatureDoesNotMatch", 403)
            }
            (Protocol::Query, Self::UnknownKey) => ("InvalidClientTokenId", 403),
            (Protocol::Query, Self::ExpiredToken) => ("ExpiredToken", 403),
        }
    }
}
