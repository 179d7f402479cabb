//! Commands run inside an instance from outside.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::cgroup::Cgroup;
use crate::driver::{ExecIo, ExecOutcome, ExecRequest};
use crate::error::{DriverError, OsError};

/// Becomes a member of the groups named by the first $1 arguments, so that the command ends with its instance.
const JOIN: &str = r#"count=$1; shift
for (( ; count > 0; count-- )); do echo "$$" > "$1" || exit 125; shift; done
exec "$@""#;

/// Goes to the working directory, which only exists inside, and becomes the command.
const BECOME: &str = r#"cd "$1" || exit 125; shift; exec "$@""#;

/// What a root login inside has.
const LOGIN: [&str; 4] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
];

/// Runs a command in the namespaces of the instance's init.
pub(super) async fn run(
    id: &str,
    group: &Cgroup,
    leader: i32,
    request: ExecRequest,
) -> Result<ExecOutcome, DriverError> {
    let os = |source| DriverError::Os { id: id.to_owned(), source };
    let Some(name) = request.argv.first().cloned() else {
        let nothing = std::io::Error::new(std::io::ErrorKind::InvalidInput, "no command is named");
        return Err(os(OsError::of("run a command in", id)(nothing)));
    };
    let (mut own_group, files) = group.exec_group(&random_name()).map_err(os)?;
    let mut command = nsenter(leader, &files, &request);
    let stdin = match &request.io {
        ExecIo::Capture { stdin } => {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            stdin.clone()
        }
        ExecIo::Inherit => Vec::new(),
    };
    let child = command.spawn().map_err(OsError::of("run a command in", id)).map_err(os)?;
    let ended = match request.timeout {
        None => finish(child, stdin).await,
        Some(limit) => tokio::time::timeout(limit, finish(child, stdin))
            .await
            .map_err(|_| DriverError::ExecTimeout { id: id.to_owned(), command: name, limit })?,
    };
    // Past this point what it left running stays, as after a login.
    own_group.keep();
    let output = ended.map_err(OsError::of("run a command in", id)).map_err(os)?;
    Ok(ExecOutcome { code: shell_code(output.status), stdout: output.stdout, stderr: output.stderr })
}

fn nsenter(leader: i32, groups: &[std::path::PathBuf], request: &ExecRequest) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", JOIN, "drydock-exec"]).arg(groups.len().to_string()).args(groups);
    command.args(["nsenter", "--target", &leader.to_string()]);
    command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"]);
    command.args(["/usr/bin/env", "-i"]).args(LOGIN);
    if let (ExecIo::Inherit, Ok(terminal)) = (&request.io, std::env::var("TERM")) {
        command.arg(format!("TERM={terminal}"));
    }
    command.args(request.env.iter().map(|(name, value)| format!("{name}={value}")));
    let directory = request.cwd.as_deref().unwrap_or(Path::new("/root"));
    command.args(["/bin/sh", "-c", BECOME, "sh"]).arg(directory).args(&request.argv);
    command.kill_on_drop(true);
    command
}

/// Feeds and drains a command at the same time, so that neither side waits for the other for ever.
async fn finish(mut child: Child, stdin: Vec<u8>) -> std::io::Result<Output> {
    let input = child.stdin.take();
    let feed = async move {
        if let Some(mut input) = input {
            // A command need not read its input to the end.
            let _ = input.write_all(&stdin).await;
        }
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    output
}

fn shell_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn random_name() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}
