//! Runs `nft` on a script.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use super::error::NetworkError;
use super::netns::NetNs;

/// Loads a VPC's script in its router's namespace, as one transaction.
pub(super) fn load(namespace: &NetNs, vpc_id: &str, script: &str) -> Result<(), NetworkError> {
    namespace.enter(|| run(vpc_id, script))
}

/// Loads a script in the calling thread's namespace, as one transaction. `subject` is whose rules they are.
pub(super) fn run(subject: &str, script: &str) -> Result<(), NetworkError> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(NetworkError::os(|| "run nft (install the package nftables)".to_owned()))?;
    let written = nft.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(script.as_bytes()));
    let output = nft.wait_with_output().map_err(NetworkError::os(|| "wait for nft".to_owned()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = said.lines().take(3).collect::<Vec<_>>().join("; ");
        return Err(NetworkError::Nft { subject: subject.to_owned(), message });
    }
    ignore_closed(written).map_err(NetworkError::os(|| "hand nft its script".to_owned()))
}

/// nft that has seen enough may close its end first; its status has the last word.
fn ignore_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
