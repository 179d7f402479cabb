//! The verbs of the command line, one file each.

pub mod cloud;
pub mod deploy;
pub mod down;
pub mod events;
pub mod exec;
pub mod image;
pub mod instances;
pub mod up;
pub mod verify;
