//! The log agent: ships the lines of log files to CloudWatch Logs, configured as Amazon's two agents are.
//!
//! [`config`] reads `awslogs.conf`, `awscli.conf`, `proxy.conf` and the CloudWatch agent's JSON; [`datetime`] finds the
//! time in a line.
//!
//! [`engine`] does the work. The [`reader`], one thread, follows the files of each section ([`tail`]) and has a
//! [`source`] cut them into events and gather these in a [`batch`]; senders ([`ship`]) take the batches to the service; the
//! ledger ([`state`]) remembers what the service has. [`daemon`] is the service around it.

pub mod batch;
pub mod check;
pub mod config;
pub mod daemon;
pub mod datetime;
pub mod engine;
pub mod log;
pub mod moment;
pub mod reader;
pub mod ship;
pub mod source;
pub mod state;
pub mod status;
pub mod tail;
