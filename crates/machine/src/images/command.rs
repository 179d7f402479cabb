//! Programs that take a while and say what they do.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::ImageError;
use crate::error::OsError;

/// How many of a failed program's last lines its error quotes.
const QUOTED_LINES: usize = 20;

/// Runs a program to its end, passing on each line that it prints on either stream.
pub(super) fn run(
    program: &Path,
    command: &mut Command,
    line: &mut dyn FnMut(&str),
) -> Result<(), ImageError> {
    let (reader, writer) = io::pipe().map_err(OsError::of("make a pipe for", program))?;
    let errors = writer.try_clone().map_err(OsError::of("make a pipe for", program))?;
    let mut child = command
        .stdout(Stdio::from(writer))
        .stderr(Stdio::from(errors))
        .spawn()
        .map_err(OsError::of("run", program))?;
    // The command holds the pipe's writing end: while it does, the pipe does not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut last = VecDeque::new();
    for text in BufReader::new(reader).split(b'\n') {
        let text = text.map_err(OsError::of("read from", program))?;
        let text = String::from_utf8_lossy(&text);
        line(text.trim_end());
        last.push_back(text.trim_end().to_owned());
        if last.len() > QUOTED_LINES {
            last.pop_front();
        }
    }
    let status = child.wait().map_err(OsError::of("await", program))?;
    if status.success() {
        return Ok(());
    }
    Err(ImageError::Program {
        program: program.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        status: status.to_string(),
        output: last.into_iter().collect::<Vec<_>>().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_lines_on_and_quotes_the_last_of_a_failure() {
        let mut lines = Vec::new();
        let sh = Path::new("/bin/sh");
        run(sh, Command::new(sh).args(["-c", "echo a; echo b >&2"]), &mut |l| lines.push(l.to_owned()))
            .unwrap();
        lines.sort();
        assert_eq!(lines, ["a", "b"]);
        let failed = run(sh, Command::new(sh).args(["-c", "seq 30; exit 3"]), &mut |_| {}).unwrap_err();
        let said = failed.to_string();
        assert!(said.starts_with("sh failed (exit status: 3): 11\n") && said.ends_with("\n30"), "{said}");
    }
}
