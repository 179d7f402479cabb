//! Builds machine images from Packer templates, as a client of the AWS API.
//!
//! What a template says is `packer_template`'s to know. Here it is carried out: launch, connect, provision, snapshot,
//! post-process, clean up. Nothing here knows whether the other end is AWS or the local cloud.

pub mod amazon;
pub mod artifact;
pub mod aws;
pub mod build;
pub mod communicator;
mod go_duration;
pub mod history;
pub mod inputs;
pub mod post;
pub mod provision;
mod quote;
pub mod selection;
pub mod ssh;
pub mod steps;
pub mod ui;
pub mod verify;
pub mod watch;
