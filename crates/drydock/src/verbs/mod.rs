//! The verbs of the command line, one file each.

pub mod build;
pub mod cloud;
pub mod deploy;
pub mod down;
pub mod events;
pub mod exec;
pub mod image;
pub mod image_history;
pub mod init;
pub mod inspect;
pub mod instances;
pub mod logs;
pub mod up;
pub mod validate;
pub mod verify;
pub mod verify_image;
pub mod watch;
