//! The log agent: ships the lines of log files to CloudWatch Logs, configured as Amazon's two agents are.
//!
//! [`config`] reads `awslogs.conf`, `awscli.conf`, `proxy.conf` and the CloudWatch agent's JSON; [`datetime`] finds the
//! time in a line.

pub mod check;
pub mod config;
pub mod datetime;
