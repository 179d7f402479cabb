//! The way to the AWS API, for every crate that is a client of it: which endpoint, region and credentials, over which
//! HTTP client, who the API takes us for, and what the SDK's errors say.
//!
//! Nothing but [`Target`] knows whether the other end is AWS or the local cloud.

pub mod config;
pub mod error;
pub mod identity;
pub mod target;

pub use aws_config::SdkConfig;
pub use error::ApiError;
pub use identity::Identity;
pub use target::{AccessKey, Target};
