//! `drydock`: builds, deploys and proves ECS container hosts.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(drydock::run())
}
