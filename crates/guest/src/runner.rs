//! Running programs, with each line of their output as it comes.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// How long a piece of a line may wait for the rest before it is passed on by itself: a script that prints dots and
/// hangs is seen to do so.
const PARTIAL_LINE_MS: u16 = 2000;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The whole environment; None for this process's.
    pub env: Option<BTreeMap<String, String>>,
    /// The folder to run in; None for this process's.
    pub cwd: Option<PathBuf>,
    /// Whether standard error goes along with standard output or is dropped.
    pub drop_stderr: bool,
}

impl Spec {
    /// A program with its arguments.
    pub fn new(argv: &[&str]) -> Self {
        Self { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    /// A line for the shell.
    pub fn shell(line: &str) -> Self {
        Self::new(&["/bin/sh", "-c", line])
    }
}

/// Runs programs: a trait so that tests need not start any.
pub trait Runner {
    /// Runs to the end and returns the exit code, negative for a signal. `on_line` gets each line of output.
    fn run(&self, spec: &Spec, on_line: &mut dyn FnMut(&str)) -> io::Result<i32>;

    /// Runs to the end and returns exit code and output.
    fn output(&self, spec: &Spec) -> io::Result<(i32, String)> {
        let mut lines = Vec::new();
        let code = self.run(spec, &mut |line| lines.push(line.to_owned()))?;
        Ok((code, lines.join("\n")))
    }
}

/// Starts real processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRunner;

impl Runner for SystemRunner {
    fn run(&self, spec: &Spec, on_line: &mut dyn FnMut(&str)) -> io::Result<i32> {
        let (program, args) = spec.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command.args(args);
        if let Some(env) = &spec.env {
            command.env_clear().envs(env);
        }
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        let stderr = if spec.drop_stderr { Stdio::null() } else { writer.try_clone()?.into() };
        let mut child = command.stdout(writer).stderr(stderr).spawn()?;
        // The command keeps its copies of the pipe's end, and reading would wait for them for ever.
        drop(command);
        let read = read_lines(reader, on_line);
        let status = child.wait()?;
        read?;
        Ok(exit_code(status))
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(1))
}

fn read_lines(mut reader: PipeReader, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        if !pending.is_empty() && !is_readable(&reader)? {
            on_line(&String::from_utf8_lossy(&pending));
            pending.clear();
        }
        match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => pending.extend_from_slice(&chunk[..count]),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        }
    }
    if !pending.is_empty() {
        on_line(&String::from_utf8_lossy(&pending));
    }
    Ok(())
}

fn is_readable(reader: &PipeReader) -> io::Result<bool> {
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::from(PARTIAL_LINE_MS)) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(true),
        Err(err) => Err(err.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_comes_by_lines_with_both_streams() {
        let spec = Spec::shell("echo one; echo two >&2; printf three");
        assert_eq!(SystemRunner.output(&spec).unwrap(), (0, "one\ntwo\nthree".to_owned()));
    }

    #[test]
    fn codes_environment_and_folder_are_as_asked() {
        let mut spec = Spec::shell("echo \"$A-${HOME:-none}\"; pwd; exit 7");
        spec.env = Some(BTreeMap::from([("A".to_owned(), "b".to_owned())]));
        spec.cwd = Some("/usr".into());
        assert_eq!(SystemRunner.output(&spec).unwrap(), (7, "b-none\n/usr".to_owned()));
        assert_eq!(SystemRunner.output(&Spec::shell("kill -9 $$")).unwrap().0, -9);
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert_eq!(
            SystemRunner.output(&Spec::new(&["/no/such"])).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
