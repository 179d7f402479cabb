//! The real driver on real machines. Needs root and the host programs.
//!
//! Where these are missing the tests say that they are skipped; with `DRYDOCK_REQUIRE_REAL=1` that is a failure.

#![allow(clippy::unwrap_used)] // helpers of tests are tests: a failure is to stop them

mod adoption;
mod base;
mod images;
mod lifecycle;
mod snapshots;
mod support;
mod volumes;
