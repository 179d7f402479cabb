//! Who sent a request: the credential it carries, and whether its Signature Version 4 is right.
//!
//! [`Credential::of`] reads the credential; the caller looks up the access key's secret and calls [`verify`], or
//! checks a [`CfnV1`] document's signature with the certificate that signed it. The refusals that only the caller can
//! know of (a key or a token that does not exist) are made by [`Refusal`], which words each for the protocol.
//!
//! Source of the algorithm:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. Not supported: the
//! streaming payloads of S3 and the asymmetric variant (SigV4a).

pub use credential::{CfnV1, Credential, Scope, SigV4};
pub use refusal::Refusal;
pub use verify::{MAX_SKEW, verify, verify_at};

mod canonical;
mod credential;
mod refusal;
mod verify;
