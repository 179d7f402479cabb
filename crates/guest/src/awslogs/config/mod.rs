//! The log agent's configuration, as Amazon's two agents have it.
//!
//! [`load`] reads it all: `awslogs.conf` ([`awslogs_conf`]) or the CloudWatch agent's JSON ([`cloudwatch`]), then
//! `awscli.conf` ([`aws_config`]) and `proxy.conf` ([`proxy_conf`]). All that is wrong is told at once ([`problem`]).

pub mod aws_config;
pub mod awslogs_conf;
pub mod cloudwatch;
pub mod encoding;
pub mod files;
pub mod groups;
pub mod ini;
pub mod load;
pub mod names;
pub mod pattern;
pub mod problem;
pub mod proxy_conf;
pub mod settings;

pub use encoding::Encoding;
pub use files::FilePattern;
pub use load::{Loaded, Sources, load};
pub use names::{Instance, Names};
pub use pattern::{LinePattern, LineStart};
pub use problem::{Problem, Problems, Severity};
pub use settings::{Filter, FingerprintLines, InitialPosition, LogStreamSettings, Settings};
