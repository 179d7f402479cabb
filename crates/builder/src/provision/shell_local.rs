//! `shell-local`: runs scripts on this side. The post-processor of that name does the same.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use packer_template::{
    BuildData,
    config::{LocalCommand, ShellLocal},
};
use parking_lot::Mutex;
use tempfile::TempPath;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use super::{ProvisionError, environment::Environment, lines::Lines};
use crate::{communicator::Output, ui::Ui};

/// Go's name of the system that this runs on, for `only_on`.
const SYSTEM: &str = match std::env::consts::OS.as_bytes() {
    b"macos" => "darwin",
    _ => std::env::consts::OS,
};

/// Held while an inline script is written and while a program is started: a program that another build starts in
/// between would inherit the open file, and a file that is open for writing cannot be run (`ETXTBSY`).
static STARTING: Mutex<()> = Mutex::new(());

/// Runs every script, with `folder` as its working directory.
///
/// # Errors
/// A script that cannot be started or ends with a code that is not allowed; cancellation.
pub async fn run(
    config: &ShellLocal,
    folder: &Path,
    data: &BuildData,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    if !config.only_on.is_empty() && !config.only_on.iter().any(|system| system == SYSTEM) {
        ui.say(&format!(
            "Skipping shell-local due to runtime OS: it is only for {}, and this is {SYSTEM}",
            config.only_on.join(", ")
        ));
        return Ok(());
    }
    let vars = Environment::new(data, &config.environment_vars).flatten(&config.env_var_format)?;
    let (inline, scripts) = match &config.command {
        LocalCommand::Inline(lines) => {
            let file = write_inline(config, lines)?;
            let path = file.display().to_string();
            (Some(file), vec![path])
        }
        LocalCommand::Scripts(scripts) => (None, scripts.clone()),
    };
    for script in &scripts {
        let command = command(config, data, &vars, script)?;
        ui.say(&format!("Running local shell script: {script}"));
        let code = execute(&command, folder, data, ui, cancel).await?;
        if !config.valid_exit_codes.contains(&code) {
            return Err(ProvisionError::Exit { code, allowed: config.valid_exit_codes.clone() });
        }
    }
    // The file is needed up to here.
    drop(inline);
    Ok(())
}

fn command(
    config: &ShellLocal,
    data: &BuildData,
    vars: &str,
    script: &str,
) -> Result<Vec<String>, ProvisionError> {
    let fields = [("Vars", vars), ("Script", script), ("Command", script)];
    config.execute_command.iter().map(|word| Ok(word.render_with(data, &fields)?)).collect()
}

/// Writes an inline script to a temporary file that goes away with what is returned.
fn write_inline(config: &ShellLocal, lines: &[String]) -> Result<TempPath, ProvisionError> {
    let mut text = match config.inline_shebang.as_str() {
        "" => String::new(),
        shebang => format!("#!{shebang}\n"),
    };
    lines.iter().for_each(|line| text.extend([line, "\n"]));
    let suffix = config
        .tempfile_extension
        .as_deref()
        .map(|extension| format!(".{}", extension.trim_start_matches('.')));
    let failed = |source| ProvisionError::Local { path: std::env::temp_dir(), source };

    let _starting = STARTING.lock();
    let mut file = tempfile::Builder::new()
        .prefix("packer-shell")
        .suffix(suffix.as_deref().unwrap_or_default())
        .permissions(Permissions::from_mode(0o700))
        .tempfile()
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file.into_temp_path())
}

/// Runs a program to its end and shows what it says. Gives its exit code, as a shell has it.
async fn execute(
    words: &[String],
    folder: &Path,
    data: &BuildData,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<i32, ProvisionError> {
    let mut child = start(words, folder, data)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let lines = Lines::new(ui);
    let work = async {
        tokio::join!(copy(stdout, |bytes| lines.stdout(bytes)), copy(stderr, |bytes| lines.stderr(bytes)));
        child.wait().await
    };
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        ended = work => Some(ended),
    };
    lines.finish();
    match ended {
        Some(Ok(status)) => Ok(exit_code(status)),
        Some(Err(source)) => Err(ProvisionError::Local { path: PathBuf::from(&words[0]), source }),
        None => {
            stop(&mut child).await;
            Err(ProvisionError::Cancelled)
        }
    }
}

fn start(words: &[String], folder: &Path, data: &BuildData) -> Result<Child, ProvisionError> {
    let (program, arguments) = words.split_first().ok_or(ProvisionError::NoCommand)?;
    // Packer has it in its own environment, which its children inherit.
    let run = data.values.get("PackerRunUUID").map(|uuid| ("PACKER_RUN_UUID", uuid));
    let _starting = STARTING.lock();
    Command::new(program)
        .args(arguments)
        .envs(run)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what a script starts can be stopped with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| ProvisionError::Local { path: PathBuf::from(program), source })
}

async fn copy(stream: Option<impl AsyncRead + Unpin>, show: impl Fn(&[u8])) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 16 << 10];
    // A pipe that cannot be read has nothing more to show; the exit code tells how the program ended.
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        show(&buffer[..read]);
    }
}

/// Stops a program and all that it started.
async fn stop(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended in this moment.
        let _ =
            nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
    let _: io::Result<ExitStatus> = child.wait().await;
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;

    // Without an exit code it was a signal; a shell shows that as 128 and more.
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
