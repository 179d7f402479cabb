//! The two languages that CloudWatch Logs is searched with, pure: filter patterns and Logs Insights queries.

pub mod insights;
mod literal;
mod pattern;

pub use pattern::{Extracted, FilterPattern, PatternError};
