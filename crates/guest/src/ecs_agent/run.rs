//! The agent's life: wait for Docker, register, serve introspection, keep the session.

use super::api::{EcsApi, EcsClient, endpoint};
use super::config::Config;
use super::docker::{self, Version};
use super::introspection::{self, Identity};
use super::log::AgentLog;
use super::register::{RegisterError, Registration};
use super::session::backoff::Backoff;
use super::session::connection::Connector;
use super::session::{Session, Timing};
use super::state::{self, State, StateError};
use super::stop::Stop;
use crate::aws::credentials::{CredentialProvider, DefaultProvider};
use crate::aws::http::Http;
use crate::aws::imds::{IdentityDocument, Imds};
use crate::aws::proxy::ProxySettings;
use std::path::PathBuf;
use std::time::Duration;

/// How long Docker may take before the service manager is told that the agent has started all the same.
const DOCKER_PATIENCE: Duration = Duration::from_secs(2);

/// Everything the agent works with.
pub struct Agent<'a> {
    /// Where the file system begins.
    pub root: PathBuf,
    /// The configuration.
    pub config: &'a Config,
    /// Sends requests.
    pub http: &'a dyn Http,
    /// The instance's metadata.
    pub imds: &'a Imds,
    /// The port of the introspection API.
    pub introspection_port: u16,
    /// Proxies for the session.
    pub proxies: ProxySettings,
    /// The log.
    pub log: &'a AgentLog,
    /// Ends the agent.
    pub stop: &'a Stop,
}

/// How the agent ended without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to.
    Stopped,
}

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The state cannot be read or kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state is of another cluster.
    #[error(
        "Data mismatch; saved cluster '{saved}' does not match configured cluster '{configured}'. \
         Perhaps you want to delete the configured checkpoint file?"
    )]
    ClusterMismatch {
        /// The cluster in the state.
        saved: String,
        /// The cluster in the configuration.
        configured: String,
    },
    /// ECS will not have the instance.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl AgentError {
    /// Whether a restart cannot help.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::ClusterMismatch { .. } => true,
            Self::State(StateError::Malformed { .. }) => true,
            Self::State(StateError::Io { .. }) => false,
            Self::Register(err) => err.is_terminal(),
        }
    }
}

impl Agent<'_> {
    /// Runs until asked to stop, or until it can do no more.
    pub fn run(&self) -> Result<Outcome, AgentError> {
        self.log.info(super::version_line(), &[]);
        let Some(docker) = self.wait_for_docker() else { return Ok(Outcome::Stopped) };
        let Some(identity) = self.wait_for_identity() else { return Ok(Outcome::Stopped) };
        let mut state = self.restore(&identity)?;
        let region = self.config.region.clone().unwrap_or_else(|| identity.region.clone());
        let provider = DefaultProvider::new(|name| self.config.settings.get(name), self.imds);
        let api = EcsClient {
            http: self.http,
            credentials: &provider,
            endpoint: self.config.backend.clone().unwrap_or_else(|| endpoint(&region)),
            region: region.clone(),
        };
        if !self.register(&mut state, &api, &docker)? {
            return Ok(Outcome::Stopped);
        }
        self.tell_started();
        std::thread::scope(|scope| {
            // Amazon's agent too answers only from the registration on: scripts take an answer for a registration.
            scope.spawn(|| {
                introspection::serve(self.introspection_port, identity_of(&state), self.log, self.stop)
            });
            self.keep_session(&state, &api, &provider, &docker, region);
        });
        Ok(Outcome::Stopped)
    }

    /// Docker's version, as soon as there is one; None when the agent is to end.
    fn wait_for_docker(&self) -> Option<Version> {
        let path = &self.config.docker_socket;
        let socket = self.root.join(path.strip_prefix("/").unwrap_or(path));
        self.wait_for("Docker", || docker::version(&socket).map_err(|err| err.to_string()))
    }

    fn wait_for_identity(&self) -> Option<IdentityDocument> {
        self.wait_for("the instance identity document", || {
            self.imds.identity().map_err(|err| err.to_string())
        })
    }

    /// Tries until it works. The first failure is logged, and each one after a longer pause.
    fn wait_for<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> Option<T> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut waited = Duration::ZERO;
        loop {
            let err = match attempt() {
                Ok(value) => return Some(value),
                Err(err) => err,
            };
            if waited.is_zero() || waited >= DOCKER_PATIENCE {
                self.log.warn(format_args!("Waiting for {what}"), &[("error", &err)]);
            }
            if waited >= DOCKER_PATIENCE {
                self.tell_started();
            }
            let pause = backoff.pause();
            waited += pause;
            if self.stop.wait(pause) {
                return None;
            }
        }
    }

    fn data_dir(&self) -> PathBuf {
        let path = &self.config.data_dir;
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The remembered state, or a new one; another instance's is passed over.
    fn restore(&self, identity: &IdentityDocument) -> Result<State, AgentError> {
        let configured = self.config.cluster_or_default();
        let fresh = || State {
            cluster: configured.to_owned(),
            container_instance_arn: None,
            ec2_instance_id: Some(identity.instance_id.clone()),
            registration_token: uuid::Uuid::new_v4().to_string(),
        };
        if !self.config.checkpoint {
            self.log.info(
                "Checkpointing not enabled; a new container instance will be created each time the agent is run",
                &[],
            );
            return Ok(fresh());
        }
        let Some(saved) = state::load(&self.data_dir())? else { return Ok(fresh()) };
        if saved.ec2_instance_id.as_ref().is_some_and(|id| *id != identity.instance_id) {
            self.log.warn(
                format_args!(
                    "Data mismatch; saved InstanceID '{}' does not match current InstanceID '{}'. \
                     Overwriting old datafile",
                    saved.ec2_instance_id.unwrap_or_default(),
                    identity.instance_id
                ),
                &[],
            );
            return Ok(fresh());
        }
        // Before the first registration nothing binds the instance to the cluster remembered.
        if saved.container_instance_arn.is_none() {
            return Ok(State { cluster: configured.to_owned(), ..saved });
        }
        if saved.cluster != configured {
            return Err(AgentError::ClusterMismatch {
                saved: saved.cluster,
                configured: configured.to_owned(),
            });
        }
        self.log.info(format_args!("Restored cluster '{}'", saved.cluster), &[]);
        Ok(saved)
    }

    fn save(&self, state: &State) -> Result<(), StateError> {
        if self.config.checkpoint { state::save(&self.data_dir(), state) } else { Ok(()) }
    }

    /// Registers, again and again if it may help; false when the agent is to end.
    fn register(&self, state: &mut State, api: &dyn EcsApi, docker: &Version) -> Result<bool, AgentError> {
        // The token must be known before it is used: a registration whose answer is lost is then repeated as the same.
        self.save(state)?;
        let registration = Registration {
            root: &self.root,
            config: self.config,
            api,
            imds: self.imds,
            docker,
            log: self.log,
        };
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
        loop {
            match registration.register(state) {
                Ok(arn) => {
                    state.container_instance_arn = Some(arn);
                    self.save(state)?;
                    return Ok(true);
                }
                Err(err) if err.is_terminal() => return Err(err.into()),
                Err(_) => {}
            }
            // Told by the registration; the service counts as started, since it goes on trying.
            self.tell_started();
            if self.stop.wait(backoff.pause()) {
                return Ok(false);
            }
        }
    }

    /// Tells systemd, if it waits for it, that the service has started.
    fn tell_started(&self) {
        if let Err(err) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            self.log.warn(
                "Cannot tell the service manager that the agent has started",
                &[("error", &err.to_string())],
            );
        }
    }

    fn keep_session(
        &self,
        state: &State,
        api: &dyn EcsApi,
        credentials: &dyn CredentialProvider,
        docker: &Version,
        region: String,
    ) {
        self.log.info("This agent sends no telemetry: metrics of tasks are not available", &[]);
        let connector = Connector::new(self.root.clone(), self.proxies.clone(), region);
        Session {
            cluster: &state.cluster,
            container_instance_arn: state.container_instance_arn.as_deref().unwrap_or_default(),
            docker_version: &docker.version,
            api,
            credentials,
            connector: &connector,
            timing: Timing::default(),
            log: self.log,
            stop: self.stop,
        }
        .run();
    }
}

fn identity_of(state: &State) -> Identity {
    Identity {
        cluster: state.cluster.clone(),
        container_instance_arn: state.container_instance_arn.clone().unwrap_or_default(),
    }
}
