//! `drydock-guest`: picks the tool by the name it was called by.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(guest::run(std::env::args_os().collect()))
}
