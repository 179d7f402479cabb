//! The two languages that CloudWatch Logs is searched with, pure: [`FilterPattern`]s, which `FilterLogEvents`, live tail
//! and metric filters take, and the queries of Logs [`insights`].
//!
//! Both are parsed once and then asked of message after message; nothing here reads or stores any. What a language of
//! the service's has and this crate has not is refused by name. docs/log-queries.md lists what is supported.
//!
//! Limits: Insights finds fields in messages that are JSON as a whole, not in JSON embedded in text.

pub mod insights;
mod json;
mod number;
mod pattern;
mod regexes;

pub use pattern::{Extracted, FilterPattern, PatternError};
