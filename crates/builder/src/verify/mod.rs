//! Verifies an image: boots an instance of it, waits until it has settled, asks it everything that a file of checks wants
//! to know, and removes it again.
//!
//! `machine` does the asking over any [`Communicator`](crate::communicator::Communicator); `image` makes the instance,
//! or takes one that is there.

mod image;
mod keep;
mod machine;
#[cfg(test)]
mod tests;

pub use image::{Image, Instance, Machine, Seen, Verification, VerifyError, verify};
pub use keep::{KeepError, Kept};
pub use machine::{AskError, Examination};
