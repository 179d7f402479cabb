//! Who sent a request: the credential it carries, and whether its Signature Version 4 is right.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

pub use credential::{CfnV1, Credential, Scope, SigV4};

mod credential;
