//! Deploys stacks over the AWS API: plans by change set, executes, follows what happens, and verifies.
//!
//! Nothing here knows whether the other end is AWS or the local cloud; only [`aws_clients::Target`] does.

pub mod clients;
pub mod deploy;
pub mod error;
pub mod fail_fast;
pub mod follow;
pub mod instances;
pub mod phase;
pub mod verify;

pub use clients::Clients;
pub use error::Error;
