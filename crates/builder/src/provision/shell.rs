//! `shell`: runs scripts on the machine.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use packer_template::{
    BuildData,
    config::{Shell, ShellSource},
};
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;

use super::{
    ProvisionError,
    environment::Environment,
    lines::{Discard, Lines},
    retry::while_away,
};
use crate::{
    communicator::{Communicator, CommunicatorError, Exit},
    go_duration::go_duration,
    quote,
    ui::Ui,
};

/// What Packer has for the exit code of a script whose connection was lost; templates allow it by this number.
const DISCONNECTED: i32 = 2_300_218;

/// Uploads and runs every script. Relative paths of scripts count from `folder`.
///
/// # Errors
/// A script that cannot be read or copied, ends with a code that is not allowed, or loses its connection; cancellation.
pub async fn run(
    config: &Shell,
    folder: &Path,
    communicator: &dyn Communicator,
    data: &BuildData,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    let work = async {
        let run = Run::new(config, communicator, data, ui, cancel).await?;
        for script in scripts(config, folder) {
            ui.say(&format!("Provisioning with shell script: {}", script.shown));
            run.script(&script).await?;
        }
        run.finish().await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ProvisionError::Cancelled),
        result = work => result,
    }
}

/// One script.
struct Script {
    /// How it is named to the user.
    shown: String,
    content: Content,
}

enum Content {
    Inline(String),
    File(PathBuf),
}

fn scripts(config: &Shell, folder: &Path) -> Vec<Script> {
    match &config.source {
        ShellSource::Inline(lines) => {
            let mut text = format!("#!{}\n", config.inline_shebang);
            lines.iter().for_each(|line| text.extend([line, "\n"]));
            vec![Script { shown: inline_name(lines.len()), content: Content::Inline(text) }]
        }
        ShellSource::Scripts(paths) => paths
            .iter()
            .map(|path| Script { shown: path.clone(), content: Content::File(folder.join(path)) })
            .collect(),
    }
}

/// What stands in place of a script's path. Packer shows that of a temporary file, which tells nobody anything.
pub(super) fn inline_name(lines: usize) -> String {
    format!("inline ({lines} line{})", if lines == 1 { "" } else { "s" })
}

/// The way every script of one provisioner is run.
struct Run<'a> {
    config: &'a Shell,
    communicator: &'a dyn Communicator,
    ui: &'a dyn Ui,
    cancel: &'a CancellationToken,
    remote_path: String,
    env_var_file: Option<String>,
    command: String,
}

impl<'a> Run<'a> {
    /// Puts the command together, and the file of variables in place if there is to be one.
    async fn new(
        config: &'a Shell,
        communicator: &'a dyn Communicator,
        data: &BuildData,
        ui: &'a dyn Ui,
        cancel: &'a CancellationToken,
    ) -> Result<Self, ProvisionError> {
        let vars = Environment::new(data, &config.environment_vars).flatten(&config.env_var_format)?;
        let remote_path = remote_path(config);
        let env_var_file = config
            .use_env_var_file
            .then(|| format!("{}/varfile_{}.sh", config.remote_folder, rand::random_range(0..9999)));
        let fields = [
            ("Vars", vars.as_str()),
            ("EnvVarFile", env_var_file.as_deref().unwrap_or_default()),
            ("Path", &remote_path),
        ];
        let command = config.execute_command.render_with(data, &fields)?;
        let run = Self { config, communicator, ui, cancel, remote_path, env_var_file, command };
        if let Some(path) = &run.env_var_file {
            run.while_away(|| async {
                run.put(path, &mut Cursor::new(&vars), vars.len() as u64).await?;
                run.quietly(&format!("chmod 0600 {}", quote::path(path))).await.map(drop)
            })
            .await?;
        }
        Ok(run)
    }

    async fn while_away<T, F>(&self, work: impl FnMut() -> F) -> Result<T, CommunicatorError>
    where
        F: Future<Output = Result<T, CommunicatorError>>,
    {
        while_away(self.config.start_retry_timeout, self.cancel, work).await
    }

    async fn put(
        &self,
        path: &str,
        content: &mut (dyn AsyncRead + Send + Unpin),
        length: u64,
    ) -> Result<(), CommunicatorError> {
        self.communicator.upload(path, content, length, 0o644).await
    }

    async fn quietly(&self, command: &str) -> Result<Exit, CommunicatorError> {
        self.communicator.run(command, &Discard).await
    }

    async fn script(&self, script: &Script) -> Result<(), ProvisionError> {
        let content = Prepared::read(script, self.config.binary)?;
        // Upload and start are tried again together: a machine that starts again in between may lose the file.
        let exit = self
            .while_away(|| async {
                self.upload(&content).await?;
                self.quietly(&format!("chmod 0755 {}", quote::path(&self.remote_path))).await?;
                let lines = Lines::new(self.ui);
                let exit = self.communicator.run(&self.command, &lines).await;
                lines.finish();
                exit
            })
            .await?;
        self.judge(exit)?;
        if self.config.skip_clean { Ok(()) } else { self.remove(&self.remote_path).await }
    }

    async fn upload(&self, content: &Prepared) -> Result<(), CommunicatorError> {
        match content {
            Prepared::Text(text) => {
                self.put(&self.remote_path, &mut Cursor::new(text), text.len() as u64).await
            }
            Prepared::Binary(path) => {
                let local = |source| CommunicatorError::Local { path: path.display().to_string(), source };
                let file = fs::File::open(path).map_err(local)?;
                let length = file.metadata().map_err(local)?.len();
                self.put(&self.remote_path, &mut tokio::fs::File::from_std(file), length).await
            }
        }
    }

    fn judge(&self, exit: Exit) -> Result<(), ProvisionError> {
        let allowed = &self.config.valid_exit_codes;
        match exit {
            Exit::Disconnected if self.config.expect_disconnect || allowed.contains(&DISCONNECTED) => Ok(()),
            Exit::Disconnected => Err(ProvisionError::Disconnected),
            Exit::Code(code) if allowed.contains(&code) => Ok(()),
            Exit::Code(code) => Err(ProvisionError::Exit { code, allowed: allowed.clone() }),
        }
    }

    /// Removes a file of ours. After a restart that the script asked for, this is what waits for the machine.
    async fn remove(&self, path: &str) -> Result<(), ProvisionError> {
        let command = format!("rm -f {}", quote::path(path));
        let code = self
            .while_away(|| async {
                match self.quietly(&command).await? {
                    Exit::Code(code) => Ok(code),
                    Exit::Disconnected => Err(CommunicatorError::Connection {
                        address: "the machine".to_owned(),
                        reason: "Disconnect while removing temporary script.".to_owned(),
                    }),
                }
            })
            .await?;
        if code == 0 { Ok(()) } else { Err(ProvisionError::Remove { path: path.to_owned(), code }) }
    }

    async fn finish(&self) -> Result<(), ProvisionError> {
        if let Some(path) = self.env_var_file.as_deref().filter(|_| !self.config.skip_clean) {
            self.remove(path).await?;
        }
        let pause = self.config.pause_after;
        if !pause.is_zero() {
            self.ui.say(&format!("Pausing {} after this provisioner...", go_duration(pause)));
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

/// A script as it is copied.
enum Prepared {
    Text(Vec<u8>),
    Binary(PathBuf),
}

impl Prepared {
    fn read(script: &Script, binary: bool) -> Result<Self, ProvisionError> {
        let path = match &script.content {
            Content::Inline(text) if binary => return Ok(Self::Text(text.clone().into_bytes())),
            Content::Inline(text) => return Ok(Self::Text(unix_lines(text.as_bytes()))),
            Content::File(path) => path,
        };
        if binary {
            return Ok(Self::Binary(path.clone()));
        }
        let content =
            fs::read(path).map_err(|source| ProvisionError::Local { path: path.clone(), source })?;
        Ok(Self::Text(unix_lines(&content)))
    }
}

/// Line ends as Unix has them: `\r\n` becomes `\n`, and the last line gets one.
fn unix_lines(content: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let mut text = Vec::with_capacity(content.len() + 1);
    for line in lines {
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        text.push(b'\n');
    }
    text
}

fn remote_path(config: &Shell) -> String {
    if let Some(path) = &config.remote_path {
        return path.clone();
    }
    let drawn = || format!("script_{}.sh", rand::random_range(0..9999));
    format!("{}/{}", config.remote_folder, config.remote_file.clone().unwrap_or_else(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_unix_line_ends() {
        for (content, expected) in [
            ("", ""),
            ("a", "a\n"),
            ("a\n", "a\n"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb\r", "a\rb\n"),
            ("\n\n", "\n\n"),
            ("a\r\r\n", "a\r\n"),
        ] {
            assert_eq!(unix_lines(content.as_bytes()), expected.as_bytes(), "{content:?}");
        }
    }
}
