//! Examinations of this machine, by its own shell instead of SSH.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use checks::{Checks, Verdict};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::machine::{AskError, Examination};
use crate::communicator::{Communicator, CommunicatorError, Exit, Output};

/// The shell of this machine. Of waiting until boot has settled, which is not this machine's business, it is told what to
/// think.
struct Shell {
    settle: Vec<Settle>,
    settled: AtomicUsize,
    /// Goes before every other command.
    before: &'static str,
}

#[derive(Clone, Copy)]
enum Settle {
    Exit(i32, &'static str),
    Restart,
    Never,
}

impl Shell {
    fn new() -> Self {
        Self { settle: vec![Settle::Exit(0, "settled running")], settled: AtomicUsize::new(0), before: "" }
    }

    fn settling(settle: &[Settle]) -> Self {
        Self { settle: settle.to_vec(), ..Self::new() }
    }
}

#[async_trait]
impl Communicator for Shell {
    async fn run(&self, command: &str, output: &dyn Output) -> Result<Exit, CommunicatorError> {
        if command.contains("boot-finished") {
            let at = self.settled.fetch_add(1, Ordering::Relaxed);
            return match self.settle[at.min(self.settle.len() - 1)] {
                Settle::Exit(code, line) => {
                    output.stdout(line.as_bytes());
                    Ok(Exit::Code(code))
                }
                Settle::Restart => Ok(Exit::Disconnected),
                Settle::Never => std::future::pending().await,
            };
        }
        let script = format!("{}{command}", self.before);
        let child = Command::new("/bin/sh").arg("-c").arg(script).stdin(Stdio::null()).output().await;
        let done = child.expect("a shell");
        output.stdout(&done.stdout);
        output.stderr(&done.stderr);
        Ok(Exit::Code(done.status.code().unwrap_or(-1)))
    }

    async fn upload(
        &self,
        _path: &str,
        _content: &mut (dyn AsyncRead + Send + Unpin),
        _length: u64,
        _mode: u32,
    ) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn upload_dir(&self, _destination: &str, _source: &str) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn download(
        &self,
        _path: &str,
        _sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn download_dir(&self, _source: &str, _destination: &Path) -> Result<(), CommunicatorError> {
        Err(CommunicatorError::None)
    }

    async fn reconnect(&self) -> Result<(), CommunicatorError> {
        Ok(())
    }
}

async fn examine(shell: &Shell, text: &str, cancel: &CancellationToken) -> Result<Vec<Verdict>, AskError> {
    let checks = Checks::parse("checks.toml", text).expect("good checks");
    let patience = Duration::from_secs(2);
    Examination { instance: "i-1", communicator: shell, checks: &checks, patience, cancel }.run().await
}

fn told(verdicts: &[Verdict]) -> Vec<String> {
    verdicts.iter().flat_map(Verdict::lines).collect()
}

#[tokio::test]
async fn a_machine_is_asked_and_judged() {
    let text = "[[command]]\nrun = 'echo yes'\nstdout = 'yes'\n[[command]]\nrun = 'exit 4'\n";
    let verdicts = examine(&Shell::new(), text, &CancellationToken::new()).await.expect("verdicts");
    assert_eq!(
        told(&verdicts),
        ["exit code 0, standard output \"yes\"", "expected exit code 0, found exit code 4"]
    );
}

#[tokio::test]
async fn what_may_come_later_is_waited_for_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let (late, never) = (directory.path().join("late"), directory.path().join("never"));
    let text = format!(
        "[[file]]\npath = '{0}'\nwithin = '20s'\n[[file]]\npath = '{1}'\nwithin = '1s'\n[[file]]\npath = '{0}'\n",
        late.display(),
        never.display()
    );
    let write = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        std::fs::write(late, "").expect("a file");
    });
    let began = Instant::now();
    let verdicts = examine(&Shell::new(), &text, &CancellationToken::new()).await.expect("verdicts");
    write.await.expect("a written file");
    assert!(!verdicts[0].fails(), "{verdicts:?}");
    assert!(verdicts[1].fails(), "{verdicts:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_machine_that_restarts_while_it_boots_is_met_again() {
    let shell = Shell::settling(&[Settle::Restart, Settle::Restart, Settle::Exit(0, "settled")]);
    let verdicts = examine(&shell, "[command]\nrun = 'true'", &CancellationToken::new()).await;
    assert!(verdicts.is_ok_and(|verdicts| !verdicts[0].fails()));
    assert_eq!(shell.settled.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_boot_that_does_not_settle_is_told_with_what_it_does() {
    let state = "cloud-init has not ended: Installing";
    let shell = Shell::settling(&[Settle::Exit(checks::settle::UNSETTLED, state)]);
    let error = examine(&shell, "[command]\nrun = 'true'", &CancellationToken::new()).await;
    let text = error.expect_err("an error").to_string();
    assert_eq!(text, format!("i-1 has not settled within 2s: {state}; give it more time with --timeout"));
    let restarts = Shell::settling(&[Settle::Restart]);
    let error = examine(&restarts, "[command]\nrun = 'true'", &CancellationToken::new()).await;
    assert!(matches!(error, Err(AskError::Unsettled { .. })), "{error:?}");
}

#[tokio::test]
async fn a_machine_without_sudo_or_without_answers_is_an_error_with_the_reason() {
    let shell = Shell { before: "echo 'sudo: a password is required' >&2; exit 1; ", ..Shell::new() };
    let error = examine(&shell, "[command]\nrun = 'true'", &CancellationToken::new()).await;
    let text = error.expect_err("an error").to_string();
    assert_eq!(text, "i-1 cannot be asked: sudo: a password is required");
}

#[tokio::test]
async fn a_greeting_of_the_login_shell_disturbs_nothing() {
    let shell = Shell { before: "echo Welcome; echo; echo '  to this machine' >&2; ", ..Shell::new() };
    let verdicts = examine(&shell, "[command]\nrun = 'true'", &CancellationToken::new()).await;
    assert!(verdicts.is_ok_and(|verdicts| !verdicts[0].fails()));
}

#[tokio::test]
async fn cancelling_ends_it_at_once() {
    let cancel = CancellationToken::new();
    let shell = Shell::settling(&[Settle::Never]);
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    });
    let began = Instant::now();
    let error = examine(&shell, "[command]\nrun = 'true'", &cancel).await;
    assert!(matches!(error, Err(AskError::Cancelled)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(1));
}
