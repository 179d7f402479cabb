//! Waits until the ECS agent says that it has joined the configured cluster, and tells what stood in the way.

use super::services::Service;
use crate::aws::http::{Http, Request};
use crate::aws::retry::Sleeper;
use crate::ecs_agent::docker;
use crate::runner::Runner;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the agent tells about itself. ("Amazon ECS container agent introspection".)
pub const METADATA: &str = "http://localhost:51678/v1/metadata";
/// The first pause between two looks; each is longer than the one before, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// How much of the agent's log is searched for its last error, in bytes from its end.
const LOG_TAIL: usize = 64 * 1024;

/// What the agent said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is in the cluster, as this container instance.
    Joined {
        /// The container instance's ARN.
        container_instance: String,
    },
    /// It is in another cluster.
    Elsewhere {
        /// That cluster.
        cluster: String,
    },
    /// It answers but has not registered.
    NotRegistered,
    /// It does not answer.
    Silent {
        /// What the request met.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    cluster: Option<String>,
    container_instance_arn: Option<String>,
}

/// The parts of an instance that its health is read from.
pub struct Health<'a> {
    /// Where the file system begins.
    pub root: &'a Path,
    /// Asks the agent.
    pub http: &'a dyn Http,
    /// Where: [`METADATA`], but in tests.
    pub url: &'a str,
    /// Asks the service manager.
    pub runner: &'a dyn Runner,
    /// Waits between looks.
    pub sleeper: &'a dyn Sleeper,
    /// The agent's service.
    pub agent: &'a Service,
    /// The cluster that it should be in.
    pub cluster: &'a str,
}

/// The agent has not joined.
#[derive(Debug, thiserror::Error)]
#[error("the ECS agent has not joined {cluster} {when}: {}", causes.join("; "))]
pub struct NotJoined {
    cluster: String,
    when: String,
    causes: Vec<String>,
}

impl Health<'_> {
    /// Asks the agent once.
    pub fn look(&self) -> Seen {
        let request = Request::new("GET", self.url).timeout(LAST_PAUSE);
        let answer = match self.http.send(&request) {
            Ok(answer) if answer.is_success() => answer,
            Ok(answer) => {
                return Seen::Silent { reason: format!("it answers with status {}", answer.status) };
            }
            Err(error) => return Seen::Silent { reason: error.reason },
        };
        match serde_json::from_slice(&answer.body) {
            Ok(Metadata { cluster: Some(cluster), container_instance_arn: Some(arn) })
                if !cluster.is_empty() =>
            {
                // The agent names the cluster as it was configured, or by its ARN.
                if cluster == self.cluster || short(&cluster) == short(self.cluster) {
                    Seen::Joined { container_instance: arn }
                } else {
                    Seen::Elsewhere { cluster }
                }
            }
            Ok(_) => Seen::NotRegistered,
            Err(error) => Seen::Silent { reason: format!("its answer is not understood: {error}") },
        }
    }

    /// Waits until the agent has joined; returns the container instance's ARN.
    ///
    /// # Errors
    /// When it has not within `patience`, or has ended for good before.
    pub fn wait(&self, patience: Duration) -> Result<String, NotJoined> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = self.look();
            if let Seen::Joined { container_instance } = seen {
                return Ok(container_instance);
            }
            let given_up =
                matches!(seen, Seen::Silent { .. }) && self.agent.has_failed(self.runner).unwrap_or(false);
            if given_up || begun.elapsed() >= patience {
                let when = match given_up {
                    true => "and its service has failed".to_owned(),
                    false => format!("within {patience:?}"),
                };
                return Err(NotJoined { cluster: self.cluster.to_owned(), when, causes: self.causes(&seen) });
            }
            self.sleeper.sleep(pause.min(patience.saturating_sub(begun.elapsed())));
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// What was seen last and what may be behind it.
    pub fn causes(&self, seen: &Seen) -> Vec<String> {
        let mut causes = vec![match seen {
            Seen::Joined { container_instance } => format!("it is {container_instance}"),
            Seen::Elsewhere { cluster } => format!(
                "it has joined {cluster} instead (it keeps to the cluster of its first registration until \
                 /var/lib/ecs/data is removed)"
            ),
            Seen::NotRegistered => "the agent runs but has not registered".to_owned(),
            Seen::Silent { reason } => format!("the agent does not answer at {}: {reason}", self.url),
        }];
        if let Err(error) = docker::version(&self.root.join("var/run/docker.sock")) {
            causes.push(error.to_string());
        }
        match self.agent.is_running(self.runner) {
            Ok(true) => {}
            Ok(false) => causes.push(format!("the service {} does not run", self.agent.name)),
            Err(error) => causes.push(error.to_string()),
        }
        causes.extend(self.last_error().map(|line| format!("its log says: {line}")));
        causes
    }

    /// The last line of the agent's newest log that tells of an error.
    fn last_error(&self) -> Option<String> {
        let newest = newest_log(&self.root.join("var/log/ecs"))?;
        let bytes = fs::read(newest).ok()?;
        let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL)..]).into_owned();
        let grave = ["level=error", "level=critical", "[ERROR]", "[CRITICAL]"];
        let line = tail.lines().rev().find(|line| grave.iter().any(|word| line.contains(word)))?;
        Some(line.trim().to_owned())
    }
}

/// Amazon's agent writes `ecs-agent.log` with the hour appended, so the newest is the current one.
fn newest_log(folder: &Path) -> Option<PathBuf> {
    let logs = fs::read_dir(folder).ok()?.flatten();
    let logs = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with("ecs-agent.log"));
    logs.max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok())
        .map(|entry| entry.path())
}

/// A cluster's name without what stands before it in an ARN.
fn short(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

#[cfg(test)]
mod tests {
    use super::super::services::Manager;
    use super::super::services::tests::Script;
    use super::*;
    use crate::testing::{NoSleep, Reply, Server, http_client};

    const AGENT: Service =
        Service { name: "ecs", manager: Manager::Systemd, changed: false, in_background: true };

    fn waited(server: &Server, root: &Path, script: &Script) -> Result<String, NotJoined> {
        let http = http_client();
        let url = server.url("/v1/metadata");
        let health = Health {
            root,
            http: &*http,
            url: &url,
            runner: script,
            sleeper: &NoSleep,
            agent: &AGENT,
            cluster: "web",
        };
        health.wait(Duration::from_millis(50))
    }

    fn answering(body: &'static str) -> Server {
        Server::start(move |_| Reply::new(200, body))
    }

    #[test]
    fn a_joined_agent_is_recognised_by_name_or_arn() {
        let dir = tempfile::tempdir().unwrap();
        // The agent fails its service's check on purpose: nobody asks when it answers.
        for cluster in ["web", "arn:aws:ecs:us-east-1:123456789012:cluster/web"] {
            let body: &'static str = Box::leak(
                format!(
                    "{{\"Cluster\":\"{cluster}\",\"ContainerInstanceArn\":\"arn:ci\",\"Version\":\"x\"}}"
                )
                .into_boxed_str(),
            );
            assert_eq!(waited(&answering(body), dir.path(), &Script::default()).unwrap(), "arn:ci");
        }
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let running = || Script { answers: vec![("systemctl is-failed", 1, "")], ..Script::default() };
        let told =
            |body, script: &Script| waited(&answering(body), dir.path(), script).unwrap_err().to_string();

        let elsewhere = told("{\"Cluster\":\"other\",\"ContainerInstanceArn\":\"arn:ci\"}", &running());
        assert!(
            elsewhere
                .starts_with("the ECS agent has not joined web within 50ms: it has joined other instead"),
            "{elsewhere}"
        );
        assert!(elsewhere.contains("cannot reach Docker at "), "{elsewhere}");
        let unregistered = told("{\"Cluster\":null,\"ContainerInstanceArn\":null}", &running());
        assert!(unregistered.contains("the agent runs but has not registered"), "{unregistered}");

        let log = dir.path().join("var/log/ecs");
        fs::create_dir_all(&log).unwrap();
        fs::write(
            log.join("ecs-agent.log"),
            "level=info msg=a\nlevel=error msg=\"no credentials\"\nlevel=info msg=b\n",
        )
        .unwrap();
        let down = Script { answers: vec![("systemctl is-active", 3, "")], ..Script::default() };
        let silent = Server::start(|_| Reply::new(503, ""));
        let failed = waited(&silent, dir.path(), &down).unwrap_err().to_string();
        assert!(
            failed.starts_with("the ECS agent has not joined web and its service has failed: "),
            "{failed}"
        );
        assert!(failed.contains("the service ecs does not run"), "{failed}");
        assert!(failed.ends_with("its log says: level=error msg=\"no credentials\""), "{failed}");
    }
}
