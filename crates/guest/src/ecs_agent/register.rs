//! Registering the instance in its cluster.

use super::api::{ApiError, EcsApi};
use super::config::Config;
use super::docker::Version;
use super::log::AgentLog;
use super::resources::{self, ResourceError};
use super::state::State;
use super::{HASH, VERSION, attributes};
use crate::aws::imds::{Imds, ImdsError};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Why the instance is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// ECS refused, or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The instance cannot prove its identity.
    #[error("cannot get the instance identity document: {0}")]
    Identity(#[from] ImdsError),
    /// The instance's resources cannot be told.
    #[error(transparent)]
    Resources(#[from] ResourceError),
}

impl RegisterError {
    /// Whether trying again cannot help.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Api(err) => err.is_terminal(),
            Self::Resources(_) => true,
            Self::Identity(_) => false,
        }
    }
}

/// What a registration needs.
pub struct Registration<'a> {
    /// Where the file system begins.
    pub root: &'a Path,
    /// The configuration.
    pub config: &'a Config,
    /// The ECS API.
    pub api: &'a dyn EcsApi,
    /// The instance's metadata.
    pub imds: &'a Imds,
    /// The instance's Docker.
    pub docker: &'a Version,
    /// The log.
    pub log: &'a AgentLog,
}

impl Registration<'_> {
    /// Registers the instance, again as what it was or afresh; returns its ARN. The cluster `default` is made when it
    /// is missing and no other is configured.
    pub fn register(&self, state: &State) -> Result<String, RegisterError> {
        if let Some(arn) = &state.container_instance_arn {
            self.log.info(
                format_args!(
                    "Restored from checkpoint file. I am running as '{arn}' in cluster '{}'",
                    state.cluster
                ),
                &[],
            );
            match self.call(state, Some(arn)) {
                Err(RegisterError::Api(err)) if err.is_instance_not_registered() => {
                    self.log.warn(
                        format_args!(
                            "{arn} is no longer registered; registering as a new container instance"
                        ),
                        &[("error", &err.to_string())],
                    );
                }
                other => {
                    return other
                        .inspect_err(|err| self.log.error(format_args!("Error re-registering: {err}"), &[]));
                }
            }
        }
        self.register_afresh(state)
    }

    fn register_afresh(&self, state: &State) -> Result<String, RegisterError> {
        self.log.info("Registering Instance with ECS", &[]);
        let outcome = match self.call(state, None) {
            Err(RegisterError::Api(err)) if err.is_cluster_not_found() && self.config.cluster.is_none() => {
                self.api.call("CreateCluster", &json!({"clusterName": state.cluster}))?;
                self.log.info("Successfully created a cluster", &[("cluster", &state.cluster)]);
                self.call(state, None)
            }
            other => other,
        };
        let arn = outcome.inspect_err(|err| {
            self.log
                .error("Unable to register as a container instance with ECS", &[("error", &err.to_string())]);
        })?;
        self.log.info(
            format_args!(
                "Registration completed successfully. I am running as '{arn}' in cluster '{}'",
                state.cluster
            ),
            &[],
        );
        Ok(arn)
    }

    fn call(&self, state: &State, arn: Option<&str>) -> Result<String, RegisterError> {
        let operation = "RegisterContainerInstance";
        let sent = attributes::all(self.config, self.docker, arn.is_none());
        let mut input = json!({
            "cluster": state.cluster,
            "instanceIdentityDocument": self.imds.identity_document()?,
            "instanceIdentityDocumentSignature": self.imds.identity_signature()?,
            "totalResources": resources::total(self.root, self.config)?,
            "versionInfo": {
                "agentVersion": VERSION,
                "agentHash": HASH,
                "dockerVersion": format!("DockerVersion: {}", self.docker.version),
            },
            "attributes": sent,
            "clientToken": state.registration_token,
        });
        if let Some(arn) = arn {
            input["containerInstanceArn"] = json!(arn);
        }
        if !self.config.tags.is_empty() {
            let tags = self.config.tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
            input["tags"] = tags.collect();
        }
        let output = self.api.call(operation, &input)?;
        let instance = output
            .get("containerInstance")
            .ok_or(ApiError::Missing { operation, member: "containerInstance" })?;
        self.check_attributes(&sent, instance);
        let arn = instance.get("containerInstanceArn").and_then(Value::as_str);
        Ok(arn.ok_or(ApiError::Missing { operation, member: "containerInstanceArn" })?.to_owned())
    }

    /// Tells of attributes that ECS did not take. Amazon's agent ends at this; going on is of more use.
    fn check_attributes(&self, sent: &[Value], instance: &Value) {
        let names = |attributes: &[Value]| -> BTreeSet<String> {
            attributes.iter().filter_map(|one| one.get("name")?.as_str().map(str::to_owned)).collect()
        };
        let taken = instance.get("attributes").and_then(Value::as_array).map(|taken| names(taken));
        let missing: Vec<String> = names(sent).difference(&taken.unwrap_or_default()).cloned().collect();
        if !missing.is_empty() {
            self.log.warn("ECS did not take every attribute", &[("missingAttributes", &missing.join(","))]);
        }
    }
}
