//! Asking one machine.

use std::time::{Duration, Instant};

use checks::{Answers, Check, Checks, Part, Probe, Verdict, settle};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::communicator::{Communicator, CommunicatorError, Exit, Output};

/// The pause between two looks at a check that may still come true.
const PAUSE: Duration = Duration::from_millis(500);

/// What a command may take longer than the machine was told, for the way there and back.
const SLACK: Duration = Duration::from_secs(15);

/// Why a machine could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Its boot goes on and on.
    #[error("{instance} has not settled within {waited:?}: {state}; give it more time with --timeout")]
    Unsettled {
        /// The instance.
        instance: String,
        /// How long it was waited for.
        waited: Duration,
        /// What it is doing.
        state: String,
    },
    /// It does not answer at all.
    #[error("{instance} cannot be asked: {reason}")]
    Mute {
        /// The instance.
        instance: String,
        /// What came instead of answers.
        reason: String,
    },
    /// The connection.
    #[error(transparent)]
    Communicator(#[from] CommunicatorError),
    /// The user stopped it.
    #[error("the verification was cancelled")]
    Cancelled,
}

/// One machine and what is wanted of it.
pub struct Examination<'a> {
    /// The machine's instance id.
    pub instance: &'a str,
    /// The way to it.
    pub communicator: &'a dyn Communicator,
    /// What is wanted.
    pub checks: &'a Checks,
    /// How long its boot may take to settle.
    pub patience: Duration,
    /// Stops everything.
    pub cancel: &'a CancellationToken,
}

impl Examination<'_> {
    /// Waits until the machine has settled, asks it everything at once, and again what may still come true.
    ///
    /// # Errors
    /// When it does not settle or gives no answers. That a check does not hold is no error.
    pub async fn run(&self) -> Result<Vec<Verdict>, AskError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(AskError::Cancelled),
            verdicts = self.examine() => verdicts,
        }
    }

    async fn examine(&self) -> Result<Vec<Verdict>, AskError> {
        self.settle().await?;
        let settled = Instant::now();
        let mut answers = self.ask(&self.checks.probe()).await?;
        loop {
            let elapsed = settled.elapsed();
            let open = |check: &&Check| check.within > elapsed && check.judge(&answers).fails();
            let pending: Vec<&Check> = self.checks.iter().filter(open).collect();
            if pending.is_empty() {
                return Ok(self.checks.judge(&answers));
            }
            sleep(PAUSE).await;
            answers.update(self.ask(&Probe::new(pending)).await?);
        }
    }

    /// Waits until the boot has settled. A machine may restart meanwhile, and is met again then.
    async fn settle(&self) -> Result<(), AskError> {
        let start = Instant::now();
        let mut state = "it gives no answer".to_owned();
        loop {
            let left = self.patience.saturating_sub(start.elapsed());
            let unsettled = |state| AskError::Unsettled {
                instance: self.instance.to_owned(),
                waited: self.patience,
                state,
            };
            let command = settle::command(self.instance, left);
            match self.said(&command, left + SLACK).await {
                Ok((Exit::Code(0), _)) => return Ok(()),
                Ok((Exit::Code(settle::UNSETTLED), said)) => return Err(unsettled(said.last_line())),
                Ok((Exit::Code(_), said)) => return Err(self.mute(&said)),
                Ok((Exit::Disconnected, _)) => "the connection ended: it restarts".clone_into(&mut state),
                Err(AskError::Communicator(error @ CommunicatorError::Connection { .. })) => {
                    state = error.to_string()
                }
                Err(other) => return Err(other),
            }
            if left.is_zero() {
                return Err(unsettled(state));
            }
            tracing::debug!(instance = self.instance, %state, "connecting again");
            match timeout(left, self.communicator.reconnect()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => state = error.to_string(),
                Err(_) => return Err(unsettled(state)),
            }
        }
    }

    async fn ask(&self, probe: &Probe) -> Result<Answers, AskError> {
        let mut answers = Answers::default();
        for part in probe.parts() {
            answers.update(self.ask_part(&part).await?);
        }
        Ok(answers)
    }

    async fn ask_part(&self, part: &Part) -> Result<Answers, AskError> {
        // Nobody on the machine can know it before.
        let mark = uuid::Uuid::new_v4().simple().to_string();
        let (exit, said) = self.said(&part.command(&mark), part.timeout() + SLACK).await?;
        let ended = match exit {
            Exit::Code(0) => "its output broke off".to_owned(),
            Exit::Code(code) => format!("exit code {code}: {}", said.last_line()),
            Exit::Disconnected => "the connection ended".to_owned(),
        };
        let answers = part.read(&mark, &said.stdout, &ended);
        if answers.is_empty() { Err(self.mute(&said)) } else { Ok(answers) }
    }

    /// Runs a command and keeps what it says.
    async fn said(&self, command: &str, limit: Duration) -> Result<(Exit, Said), AskError> {
        let collector = Collector::default();
        match timeout(limit, self.communicator.run(command, &collector)).await {
            Ok(exit) => Ok((exit?, collector.0.into_inner())),
            Err(_) => {
                let reason = format!("no end of a command within {limit:?}");
                Err(AskError::Mute { instance: self.instance.to_owned(), reason })
            }
        }
    }

    fn mute(&self, said: &Said) -> AskError {
        AskError::Mute { instance: self.instance.to_owned(), reason: said.last_line() }
    }
}

/// What a command said.
#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Said {
    /// The last line of standard error, or else of standard output: where programs say why they gave up.
    fn last_line(&self) -> String {
        [&self.stderr, &self.stdout]
            .into_iter()
            .find_map(|bytes| {
                let text = String::from_utf8_lossy(bytes);
                text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
            })
            .unwrap_or_else(|| "it says nothing".to_owned())
    }
}

#[derive(Default)]
struct Collector(Mutex<Said>);

impl Output for Collector {
    fn stdout(&self, bytes: &[u8]) {
        self.0.lock().stdout.extend_from_slice(bytes);
    }

    fn stderr(&self, bytes: &[u8]) {
        self.0.lock().stderr.extend_from_slice(bytes);
    }
}
