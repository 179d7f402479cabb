//! Puts the cloud together: its parts, their reconcilers, and their orderly end.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use machine::Driver;
use machine::images::{ImageStore, InUse};
use machine::network::{HostPorts, Network};
use machine::nspawn::NspawnDriver;
use tokio::task::JoinSet;

use crate::credentials::{self, RootKey};
use crate::ec2::state::{InstanceRecord, VolumeRecord};
use crate::http::HttpService;
use crate::identity::IdentityKey;
use crate::store::{Kinds, StoreError};
use crate::vpc::{self, Services, Vpcs};
use crate::{Cloud, Config, Store};
use crate::{autoscaling, cloudformation, ec2, ecs, iam, logs, ssm};

/// How long a machine may take to power off before it is killed.
const POWER_OFF_GRACE: Duration = Duration::from_secs(10);
/// How often expired credentials are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(600);

/// All kinds of records that the cloud keeps.
pub fn kinds() -> Kinds {
    let mut kinds = Kinds::default();
    autoscaling::kinds(&mut kinds);
    cloudformation::kinds(&mut kinds);
    credentials::kinds(&mut kinds);
    ec2::kinds(&mut kinds);
    ecs::kinds(&mut kinds);
    iam::kinds(&mut kinds);
    logs::kinds(&mut kinds);
    ssm::kinds(&mut kinds);
    kinds
}

/// Opens a state directory's store.
///
/// # Errors
/// When it cannot be read.
pub fn open_store(state_dir: &Path) -> Result<Store, StoreError> {
    Store::open(&state_dir.join("state.db"), &kinds())
}

/// A part of the cloud could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The host lacks programs, privileges or kernel features.
    #[error("this host cannot run instances:\n{}", .0.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Host(Vec<machine::preflight::Problem>),
    /// The machines.
    #[error(transparent)]
    Driver(#[from] machine::DriverError),
    /// The images.
    #[error(transparent)]
    Images(#[from] machine::images::ImageError),
    /// The network.
    #[error(transparent)]
    Vpc(#[from] vpc::VpcError),
    /// The log events.
    #[error(transparent)]
    Logs(#[from] log_store::StoreError),
}

impl Cloud {
    /// The cloud of a state directory with real machines.
    ///
    /// # Errors
    /// When the host cannot run machines, or a part of the state cannot be opened.
    pub fn real(config: Config, store: Store, root_key: RootKey) -> Result<Self, AssemblyError> {
        let problems = machine::preflight::preflight();
        if !problems.is_empty() {
            return Err(AssemblyError::Host(problems));
        }
        Ok(Self {
            driver: Arc::new(NspawnDriver::open(&config.state_dir)?),
            images: ImageStore::open(&config.state_dir)?,
            identity: IdentityKey::new(&config.state_dir),
            vpcs: Arc::new(Vpcs::open(&config.state_dir, &config.default_region)?),
            logs: logs::Logs::open(&config.state_dir)?,
            store,
            root_key,
            config,
        })
    }

    /// Starts everything that makes true what the records say. A part that ends tells its name and why.
    pub fn spawn_reconcilers(
        self: &Arc<Self>,
        parts: &mut JoinSet<(&'static str, String)>,
        api: Arc<dyn HttpService>,
        metadata: Arc<dyn HttpService>,
    ) {
        self.vpcs.serve(Services { api, metadata });
        let cloud = || Arc::clone(self);
        spawn(parts, "the VPCs' reconciler", endless(vpc::run(Arc::clone(&self.vpcs), cloud())));
        let instances = ec2::reconciler::run(cloud());
        spawn(parts, "EC2's reconciler", async { instances.await.err().map(|error| error.to_string()) });
        spawn(parts, "Auto Scaling's reconciler", endless(autoscaling::run(cloud())));
        spawn(parts, "CloudFormation's engine", endless(cloudformation::run(cloud())));
        spawn(parts, "ECS's reconciler", endless(ecs::run(cloud())));
        spawn(parts, "CloudWatch Logs' reconciler", endless(logs::run(cloud())));
        spawn(parts, "housekeeping", endless(housekeeping(cloud())));
    }

    /// Powers the machines off and takes the network down. They boot again with the next start.
    ///
    /// # Errors
    /// Each thing that could not be put away, in a sentence; the rest has been.
    pub async fn power_off(self: &Arc<Self>) -> Result<(), String> {
        let mut failures = Vec::new();
        if let Err(error) = ec2::reconciler::note_power_off(self) {
            failures.push(error.to_string());
        }
        let mut stopping = JoinSet::new();
        for id in self.driver.instances().unwrap_or_default() {
            let driver = Arc::clone(&self.driver);
            stopping.spawn(async move { driver.shutdown(&id, POWER_OFF_GRACE).await });
        }
        while let Some(stopped) = stopping.join_next().await {
            match stopped {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failures.push(error.to_string()),
                Err(error) => failures.push(error.to_string()),
            }
        }
        if let Err(error) = self.vpcs.power_off().await {
            failures.push(error.to_string());
        }
        let cloud = Arc::clone(self);
        if let Err(error) = tokio::task::spawn_blocking(move || cloud.logs.close()).await {
            failures.push(error.to_string());
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }
}

fn spawn(
    parts: &mut JoinSet<(&'static str, String)>,
    name: &'static str,
    part: impl Future<Output = Option<String>> + Send + 'static,
) {
    parts.spawn(async move { (name, part.await.unwrap_or_else(|| "it came to an end".to_owned())) });
}

async fn endless(part: impl Future<Output = ()>) -> Option<String> {
    part.await;
    None
}

async fn housekeeping(cloud: Arc<Cloud>) {
    loop {
        if let Err(error) = credentials::forget_expired(&cloud.store, Timestamp::now()) {
            tracing::warn!(%error, "expired credentials stay");
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

/// What a state directory's instances need of its images, without its daemon.
///
/// # Errors
/// When the store cannot be read.
pub fn images_in_use(state_dir: &Path) -> Result<InUse, StoreError> {
    if !state_dir.join("state.db").exists() {
        return Ok(InUse::default());
    }
    Ok(in_use(&open_store(state_dir)?))
}

/// What instances need of the images: those that they were launched from, and the layers of their root volumes.
pub fn in_use(store: &Store) -> InUse {
    let instances = store.all::<InstanceRecord>();
    let living = instances.iter().filter(|instance| instance.state.lives());
    let volumes = store.all::<VolumeRecord>();
    InUse {
        images: living.map(|instance| instance.image_id.clone()).collect(),
        layers: volumes.iter().flat_map(|volume| volume.layers.iter().flatten().cloned()).collect(),
    }
}

/// Removes from the host whatever a killed daemon of this state directory left: machines, networks, and rules
/// for the host's ports.
///
/// # Errors
/// When something cannot be removed.
pub async fn sweep(state_dir: &Path) -> Result<(), AssemblyError> {
    NspawnDriver::open(state_dir)?.sweep(&[]).await?;
    let ports = HostPorts::sweep(state_dir).await;
    let networks = Network::open(state_dir).sweep(BTreeSet::new()).await;
    Ok(ports.and(networks).map_err(vpc::VpcError::from)?)
}
