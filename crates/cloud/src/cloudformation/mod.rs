//! CloudFormation: stacks, change sets, and the engine that makes them true.
//!
//! A request is checked completely before anything is stored (`submission`); then an operation is put into
//! the stack's record (`start`) and the [`engine`] carries it out, through the resource [`types`].

pub mod blueprint;
mod capabilities;
mod change_sets;
mod describe;
pub mod diagnosis;
pub mod engine;
mod events;
mod exports;
#[cfg(test)]
mod group_tests;
mod host;
mod plan;
mod request;
mod resources;
mod service;
#[cfg(test)]
mod service_tests;
mod stacks;
mod start;
pub mod state;
pub mod status;
mod submission;
mod templates;
#[cfg(test)]
mod testing;
pub mod types;

pub use events::STACK_TYPE;
pub use request::Request;
pub use service::{CloudFormationService, run};
pub use state::kinds;
