//! Asking before something is changed that cannot be taken back.

use std::io::{BufRead, IsTerminal, Write};

use crate::exit::Failure;

/// Asks on the terminal and goes on only after a yes.
///
/// `unasked` is what is said where there is no terminal to ask on, `declined` what is said after a no.
///
/// # Errors
/// When nobody can be asked, or the answer is not yes.
pub fn confirm(question: &str, unasked: &str, declined: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::config(format!("{unasked}; repeat with --yes")));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::failed(declined)) }
}
