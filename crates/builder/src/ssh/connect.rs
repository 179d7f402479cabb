//! Connecting until the machine's `sshd` is up and lets the user in.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    auth::Proofs,
    communicator::SshCommunicator,
    config::{Credentials, SshConfig},
    dial::{self, Connection, DialError, Plan, Target, UnknownAlgorithm},
    key::{self, KeyError},
};
use crate::communicator::Communicator;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The build was cancelled while waiting.
    #[error("waiting for SSH was cancelled")]
    Cancelled,
    /// `ssh_timeout` went by.
    #[error("Timeout waiting for SSH.\nno connection to {address} within {}; the last try: {reason}", human(*waited))]
    Timeout {
        /// Host and port.
        address: String,
        /// How long it was tried.
        waited: Duration,
        /// What the last try that told anything met.
        reason: String,
    },
    /// The machine was reached and did not let the user in.
    #[error("{address}: {reason} ({attempts} attempts)")]
    Refused {
        /// Host and port.
        address: String,
        /// The user, what the server takes, what was tried.
        reason: String,
        /// How many logins failed.
        attempts: u32,
    },
    /// The machine was reached, and trying again cannot help.
    #[error("{address}: {reason}")]
    Failed {
        /// Host and port.
        address: String,
        /// Why.
        reason: String,
    },
    /// A key or certificate cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An agent is asked for and there is none.
    #[error("{option} is set, but SSH_AUTH_SOCK is not: no SSH agent to ask")]
    NoAgent {
        /// The option.
        option: &'static str,
    },
    /// An option names an algorithm that is not known.
    #[error(transparent)]
    Algorithm(#[from] UnknownAlgorithm),
}

/// Connects to `address` (a name or an address, without port) as `config` says, and tries again until that works or
/// `config.timeout` is over. `key` is a private key in PEM that is shown besides what `config` has: the build's own.
///
/// # Errors
/// Keys or options that cannot be used, at once; the last real failure when time or logins run out; cancellation.
pub async fn connect(
    config: &SshConfig,
    address: &str,
    key: Option<&str>,
    cancel: CancellationToken,
) -> Result<Arc<dyn Communicator>, ConnectError> {
    let plan = Arc::new(plan(config, address, key)?);
    let connection = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(ConnectError::Cancelled),
        connection = until_up(&plan) => connection?,
    };
    Ok(Arc::new(SshCommunicator::new(plan, connection, cancel)))
}

fn plan(config: &SshConfig, address: &str, key: Option<&str>) -> Result<Plan, ConnectError> {
    let mut proofs = proofs(config, &config.credentials, "ssh_agent_auth")?;
    if let Some(pem) = key {
        proofs.identities.push(key::parse(pem, "the build's key")?);
    }
    let target =
        Target { host: address.to_owned(), port: config.port, user: config.username.clone(), proofs };
    let bastion = config.bastion.as_ref().map(|bastion| {
        Ok::<_, ConnectError>(Target {
            host: bastion.host.clone(),
            port: bastion.port,
            user: bastion.username.clone(),
            proofs: self::proofs(config, &bastion.credentials, "ssh_bastion_agent_auth")?,
        })
    });
    Ok(Plan {
        target,
        bastion: bastion.transpose()?,
        protocol: Arc::new(dial::protocol(config)?),
        config: config.clone(),
    })
}

fn proofs(
    config: &SshConfig,
    credentials: &Credentials,
    option: &'static str,
) -> Result<Proofs, ConnectError> {
    let agent = match (&config.agent_socket, credentials.agent) {
        (Some(socket), true) => Some(socket.clone()),
        (None, true) => return Err(ConnectError::NoAgent { option }),
        (_, false) => None,
    };
    let certificate = credentials.certificate_file.as_deref();
    let identities = match (&credentials.private_key_file, certificate) {
        (Some(file), _) => vec![key::load(file, certificate)?],
        (None, Some(path)) => return Err(KeyError::Alone { path: path.to_owned() }.into()),
        (None, None) => Vec::new(),
    };
    Ok(Proofs { agent, identities, password: credentials.password.clone() })
}

/// Dials until that works.
pub(super) async fn until_up(plan: &Plan) -> Result<Connection, ConnectError> {
    let start = Instant::now();
    let deadline = start + plan.config.timeout;
    let address = plan.target.to_string();
    let mut refusals = 0;
    let mut reason = "it did not answer".to_owned();
    loop {
        let Ok(dialled) = timeout_at(deadline, plan.dial()).await else { break };
        let error = match dialled {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        tracing::debug!(%address, %error, "no SSH yet");
        if error.is_final() {
            return Err(ConnectError::Failed { address, reason: error.to_string() });
        }
        let pause = if error.is_refusal() {
            refusals += 1;
            if refusals >= plan.config.handshake_attempts {
                return Err(ConnectError::Refused { address, reason: error.to_string(), attempts: refusals });
            }
            after_refusal(refusals)
        } else {
            after_silence(start.elapsed())
        };
        reason = error.to_string();
        if timeout_at(deadline, sleep(pause)).await.is_err() {
            break;
        }
    }
    Err(ConnectError::Timeout { address, waited: plan.config.timeout, reason })
}

/// The pause while nothing answers: a twentieth of the time waited so far. A local machine, up within a second, is met
/// within tens of milliseconds; one that takes minutes is not pestered.
fn after_silence(waited: Duration) -> Duration {
    (waited / 20).clamp(Duration::from_millis(10), Duration::from_secs(2))
}

/// The pause after a refused login: cloud-init may be about to put the key in place, which takes it from some
/// milliseconds to half a minute. Ten attempts, the default, take 40 s.
fn after_refusal(refusals: u32) -> Duration {
    Duration::from_millis(100)
        .saturating_mul(1 << refusals.clamp(1, 10).saturating_sub(1))
        .min(Duration::from_secs(14))
}

fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, _) => format!("{} s", duration.as_secs_f32()),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// One line for an error of a connection that is made again.
pub(super) async fn once(plan: &Plan) -> Result<Connection, DialError> {
    plan.dial().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_wait() {
        assert_eq!(after_silence(Duration::ZERO), Duration::from_millis(10));
        assert_eq!(after_silence(Duration::from_secs(1)), Duration::from_millis(50));
        assert_eq!(after_silence(Duration::from_secs(300)), Duration::from_secs(2));
        assert_eq!(after_refusal(1), Duration::from_millis(100));
        assert_eq!(after_refusal(4), Duration::from_millis(800));
        assert_eq!(after_refusal(u32::MAX), Duration::from_secs(14));
        let all: Duration = (1..10).map(after_refusal).sum();
        assert_eq!(all.as_secs(), 39);
    }
}
