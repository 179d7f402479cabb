//! Machines: boots and stops instances, keeps images and volumes, and makes the VPC network real.
//!
//! [`Driver`] is the seam. [`nspawn`] is the real driver, [`sim`] one without an operating system for tests of
//! the control plane.

pub mod driver;
pub mod error;
mod files;
pub mod images;
mod inroot;
mod mounts;
pub mod network;
pub mod nspawn;
pub mod preflight;
pub mod sim;
mod sys;
pub mod volumes;

pub use driver::{
    ByteRange, CONSOLE_BYTES, Chunk, Driver, ExecIo, ExecOutcome, ExecRequest, InjectedFile, InstanceSpec,
    Leftover, MachineStatus, VolumeAttachment,
};
pub use error::{BootError, DriverError, OsError};
