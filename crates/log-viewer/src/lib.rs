//! Shows what CloudWatch Logs holds: which groups are meant, their events merged by time, followed live, and queries.
//!
//! What is asked of the API is behind [`service::Logs`] and [`service::Stacks`]; everything else knows only those, so
//! that gaps and duplicates can be provoked in tests. Nothing here knows whether the other end is AWS or the local
//! cloud, but for the pace at which [`follow::Pace`] asks it.

pub mod aws;
pub mod event;
#[cfg(test)]
mod fake;
pub mod follow;
pub mod groups;
pub mod history;
pub mod names;
mod overlap;
pub mod place;
pub mod query;
pub mod selection;
pub mod service;
pub mod show;
pub mod time;
