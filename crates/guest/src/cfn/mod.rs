//! `cfn-init`, `cfn-signal` and `cfn-get-metadata`, with the flags, messages and exit codes of Amazon's cfn-bootstrap.

pub mod client;
pub mod get_metadata;
pub mod init;
pub mod log;
pub mod options;
pub mod signal;
pub mod world;
