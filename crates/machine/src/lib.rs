//! Machines: boots and stops instances, keeps images and volumes, and makes the VPC network real.
//!
//! - [`Driver`] is the seam: [`nspawn`] is the real driver, [`sim`] one without an operating system, for tests of the
//!   control plane.
//! - [`images`] are layers on disk and records of them, [`volumes`] sparse files that instances see as block devices.
//! - [`network`] makes a VPC's interfaces, routes and security groups of the kernel's own.
//! - [`preflight`] says what a host lacks.
//!
//! Nothing here knows of AWS's wire or of the control plane's store: what is to be comes in as plain values
//! ([`InstanceSpec`], [`network`]'s plan), what is is asked of the kernel and of files in the state directory.
//!
//! # Limitations
//! - Instances share the host's kernel and are root on it within their namespaces: they are no security boundary.
//!   They cannot set the host's clock or load kernel modules.
//! - Hosts whose cgroups are version 2 alone are provided for but not yet tested.
//! - A console is kept whole and is not cut off.

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
    Leftover, MachineStatus, Stillness, VolumeAttachment,
};
pub use error::{BootError, DriverError, OsError};
