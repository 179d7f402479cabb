//! The two languages that CloudWatch Logs is searched with, pure: filter patterns and Logs Insights queries.

pub mod insights;
mod json;
mod literal;
mod number;
mod pattern;

pub use pattern::{Extracted, FilterPattern, PatternError};
