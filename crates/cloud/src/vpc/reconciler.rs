//! Keeps networks, services and host ports equal to EC2's records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ipnet::Ipv4Net;
use machine::network::{Forward, Forwards, HostPorts, Network, PublicNetwork};
use rustls::ServerConfig;
use tokio::sync::Mutex;

use super::VpcError;
use super::endpoints::{Endpoints, Services};
use super::plan::{self, VpcState};
use super::tls::{LocalCa, server_config};
use crate::{Cloud, Store};

/// When to try again what has failed.
const RETRY: Duration = Duration::from_secs(2);

/// All VPCs of one cloud.
pub struct Vpcs {
    network: Network,
    ca: Arc<LocalCa>,
    tls: Arc<ServerConfig>,
    /// Whether there is an operating system to make networks in.
    is_simulated: bool,
    ports: Arc<HostPorts>,
    forwards: Forwards,
    services: OnceLock<Services>,
    /// One change at a time: each reads the records while it holds this, so an older view of them never undoes
    /// what a newer one has made.
    live: Mutex<Live>,
}

/// What exists.
#[derive(Default)]
struct Live {
    vpcs: BTreeMap<String, LiveVpc>,
    /// Whether what an earlier daemon left was looked at.
    is_swept: bool,
    /// Host ports that could not be opened, so that each is told once.
    failed_forwards: BTreeSet<Forward>,
}

struct LiveVpc {
    state: VpcState,
    /// Whether the network is as the state says.
    is_whole: bool,
    endpoints: Endpoints,
}

impl Live {
    /// Whether the network is as planned already.
    fn is_true(&self, state: &VpcState) -> bool {
        self.vpcs.get(&state.plan.vpc_id).is_some_and(|vpc| vpc.is_whole && vpc.state.plan == state.plan)
    }

    /// From here until it is applied again, the network may be neither as it was nor as it shall be.
    fn doubt(&mut self, vpc_id: &str) {
        if let Some(vpc) = self.vpcs.get_mut(vpc_id) {
            vpc.is_whole = false;
        }
    }
}

impl Vpcs {
    /// The VPCs of a state directory, on this host.
    ///
    /// # Errors
    /// [`VpcError::Tls`] when the certificate authority cannot be opened, [`VpcError::Network`] when no network is left
    /// for public addresses.
    pub fn open(state_dir: &Path, region: &str) -> Result<Self, VpcError> {
        Self::with(state_dir, region, false)
    }

    /// VPCs that exist in the records only, for machines that do not exist either.
    ///
    /// # Errors
    /// As [`Vpcs::open`].
    pub fn simulated(state_dir: &Path, region: &str) -> Result<Self, VpcError> {
        Self::with(state_dir, region, true)
    }

    fn with(state_dir: &Path, region: &str, is_simulated: bool) -> Result<Self, VpcError> {
        let network = Network::open(state_dir);
        let ca = Arc::new(LocalCa::open(state_dir)?);
        let tls = server_config(Arc::clone(&ca), region)?;
        let public =
            if is_simulated { PublicNetwork::unheld(state_dir) } else { PublicNetwork::open(state_dir)? };
        let ports = Arc::new(HostPorts::new(state_dir, public));
        let forwards = Forwards::new(network.clone(), Arc::clone(&ports));
        let (services, live) = (OnceLock::new(), Mutex::default());
        Ok(Self { network, ca, tls, is_simulated, ports, forwards, services, live })
    }

    /// The authority that instances trust.
    pub fn ca(&self) -> &LocalCa {
        &self.ca
    }

    /// The TLS settings with which the API shows itself as AWS.
    pub(crate) fn tls(&self) -> &Arc<ServerConfig> {
        &self.tls
    }

    /// The network that public addresses are from.
    pub fn public_network(&self) -> Ipv4Net {
        self.ports.network().network()
    }

    /// The ports that the cloud has on the host.
    pub(crate) fn host_ports(&self) -> &Arc<HostPorts> {
        &self.ports
    }

    /// Says what answers inside the VPCs; to be called once, before anything is attached.
    pub fn serve(&self, services: Services) {
        if self.services.set(services).is_err() {
            tracing::warn!("the services inside VPCs were set already");
        }
    }

    /// Makes an instance's interface real, with everything that its VPC needs, and gives the path of the network
    /// namespace to boot in. The packet rules are in force and the services answer when this returns.
    ///
    /// # Errors
    /// What could not be made; trying again carries on.
    pub async fn ensure_attached(
        &self,
        store: &Store,
        vpc_id: &str,
        eni_id: &str,
    ) -> Result<PathBuf, VpcError> {
        if self.is_simulated {
            return Ok(self.network.namespace_path(vpc_id, eni_id));
        }
        let mut live = self.live.lock().await;
        let state = plan::state(store, vpc_id)?.ok_or_else(|| VpcError::NoVpc(vpc_id.to_owned()))?;
        if live.is_true(&state) && state.plan.interface(eni_id).is_some() {
            self.serve_in(&mut live, state, true).await?;
            return Ok(self.network.namespace_path(vpc_id, eni_id));
        }
        live.doubt(vpc_id);
        let attached = self.network.attach(state.plan.clone(), eni_id).await?;
        self.serve_in(&mut live, state, attached.is_whole).await?;
        Ok(attached.namespace)
    }

    /// Takes an instance's interface away. An interface whose record stays gets a new one, without what the
    /// instance's system had set up in it.
    ///
    /// # Errors
    /// What the system refused.
    pub async fn detach(&self, vpc_id: &str, eni_id: &str) -> Result<(), VpcError> {
        if self.is_simulated {
            return Ok(());
        }
        let mut live = self.live.lock().await;
        live.doubt(vpc_id);
        Ok(self.network.detach(vpc_id, eni_id).await?)
    }

    /// Makes everything as the records say now. What fails does not keep the rest from being done; the first
    /// failure is the answer.
    ///
    /// # Errors
    /// What could not be made; trying again carries on.
    pub async fn sync(&self, store: &Store) -> Result<(), VpcError> {
        if self.is_simulated {
            return Ok(());
        }
        let mut live = self.live.lock().await;
        let wanted = plan::vpcs_in_use(store);
        let states: Vec<_> = wanted.iter().filter_map(|id| plan::state(store, id).transpose()).collect();
        // Host ports go before the networks that they lead to.
        self.sync_forwards(&mut live, &states).await;
        let mut result = self.remove_unwanted(&mut live, &wanted).await;
        for state in states {
            let synced = match state {
                Ok(state) => self.sync_vpc(&mut live, state).await,
                Err(error) => Err(error),
            };
            result = result.and(synced);
        }
        result
    }

    async fn sync_vpc(&self, live: &mut Live, state: VpcState) -> Result<(), VpcError> {
        if !live.is_true(&state) {
            live.doubt(&state.plan.vpc_id);
            self.network.apply(state.plan.clone()).await?;
        }
        self.serve_in(live, state, true).await
    }

    /// Starts the services of a VPC whose network exists, or tells them what is new.
    async fn serve_in(&self, live: &mut Live, state: VpcState, is_whole: bool) -> Result<(), VpcError> {
        let vpc_id = state.plan.vpc_id.clone();
        if let Some(vpc) = live.vpcs.get_mut(&vpc_id) {
            vpc.endpoints.update(&state);
            (vpc.state, vpc.is_whole) = (state, is_whole);
            return Ok(());
        }
        let services = self.services.get().ok_or_else(|| VpcError::NotServing(vpc_id.clone()))?;
        let endpoints = Endpoints::start(&self.network, &state, services, &self.tls).await?;
        live.vpcs.insert(vpc_id, LiveVpc { state, is_whole, endpoints });
        Ok(())
    }

    async fn remove_unwanted(&self, live: &mut Live, wanted: &BTreeSet<String>) -> Result<(), VpcError> {
        if !live.is_swept {
            self.network.sweep(wanted.clone()).await?;
            live.is_swept = true;
        }
        let gone: Vec<_> = live.vpcs.keys().filter(|id| !wanted.contains(*id)).cloned().collect();
        let mut result = Ok(());
        for vpc_id in gone {
            // Its services end first: their sockets are in the router's namespace.
            live.vpcs.remove(&vpc_id);
            let removed = self.network.remove_vpc(&vpc_id).await;
            if removed.is_err() {
                live.is_swept = false;
            }
            result = result.and(removed.map_err(VpcError::from));
        }
        result
    }

    async fn sync_forwards(&self, live: &mut Live, states: &[Result<VpcState, VpcError>]) {
        let desired = states.iter().flatten().flat_map(|state| state.forwards.iter().cloned()).collect();
        let failures = self.forwards.sync(&desired).await;
        for (forward, error) in &failures {
            if !live.failed_forwards.contains(forward) {
                tracing::warn!(to = %forward.to, %error, "an instance's port cannot be reached from the host");
            }
        }
        live.failed_forwards = failures.into_iter().map(|(forward, _)| forward).collect();
    }

    /// The host's ports that lead to instances now.
    pub fn forwards(&self) -> Vec<Forward> {
        self.forwards.active()
    }

    /// Removes everything from the host: host ports, services, namespaces. The records stay.
    ///
    /// # Errors
    /// What the system refused.
    pub async fn power_off(&self) -> Result<(), VpcError> {
        if self.is_simulated {
            return Ok(());
        }
        let mut live = self.live.lock().await;
        self.sync_forwards(&mut live, &[]).await;
        live.vpcs.clear();
        Ok(self.network.sweep(BTreeSet::new()).await?)
    }
}

/// Follows the records until it is aborted.
pub async fn run(vpcs: Arc<Vpcs>, cloud: Arc<Cloud>) {
    let mut changes = cloud.store.changes();
    loop {
        changes.mark_unchanged();
        let retry = match vpcs.sync(&cloud.store).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "a VPC is not as it should be; trying again");
                Some(RETRY)
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = pause(retry) => {}
        }
    }
}

/// Waits for a time, or for ever.
async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
