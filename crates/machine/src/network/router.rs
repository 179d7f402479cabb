//! Makes one VPC's plan true: its router, its packet rules, its links.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::error::NetworkError;
use super::link::{self, RouterLink};
use super::netns::{NetNs, set_sysctl};
use super::nft;
use super::plan::{
    API_ADDRESS, InterfacePlan, METADATA_ADDRESS, OUTSIDE_ADDRESS, RESOLVER_ADDRESS, TIME_ADDRESS, VpcPlan,
};
use super::ruleset::ruleset;

/// The router's file in the VPC's folder; interfaces' files are named by their ids.
const ROUTER: &str = "router";

/// A VPC's namespaces and what was last loaded.
#[derive(Debug)]
pub(super) struct Vpc {
    id: String,
    dir: PathBuf,
    /// The packet rules that this process has loaded last.
    loaded: Option<String>,
}

impl Vpc {
    /// The VPC whose namespaces are kept in a folder.
    pub(super) fn new(id: &str, dir: PathBuf) -> Self {
        Self { id: id.to_owned(), dir, loaded: None }
    }

    /// The router's namespace.
    pub(super) fn router(&self) -> NetNs {
        NetNs::at(self.dir.join(ROUTER))
    }

    /// An interface's namespace.
    pub(super) fn instance(&self, eni_id: &str) -> NetNs {
        NetNs::at(self.dir.join(eni_id))
    }

    /// Makes the plan true. What is no longer planned goes first; then the packet rules are loaded; only then do
    /// new interfaces come, so an instance's first packet is judged already.
    ///
    /// A link that fails does not keep the others from coming; the first failure is the answer.
    pub(super) fn apply(&mut self, plan: &VpcPlan) -> Result<(), NetworkError> {
        plan.check()?;
        let router = self.router();
        let is_new = router.ensure()?;
        let loopback = loopback_addresses(plan);
        let links = router.enter(|| {
            if is_new {
                set_router_sysctls()?;
            }
            link::with_netlink(|handle| async move {
                link::loopback_up(&handle).await?;
                link::converge_loopback(&handle, &loopback).await?;
                link::default_route_to_nowhere(&handle).await?;
                link::router_links(&handle).await
            })
        })?;
        let wanted = wanted_links(plan);
        let (kept, surplus): (Vec<_>, Vec<_>) = links.into_iter().partition(|link| {
            wanted.get(&link.name).is_some_and(|(_, mark)| link.mark.as_ref() == Some(mark))
        });
        remove_links(&router, &surplus)?;
        self.remove_namespaces_but(|name| name == ROUTER || plan.interface(name).is_some())?;
        self.load_rules(plan, is_new)?;
        let missing = wanted.into_iter().filter(|(name, (interface, _))| {
            !(kept.iter().any(|link| link.name == *name) && self.instance(&interface.eni_id).exists())
        });
        let mut first_failure = Ok(());
        for (name, (interface, mark)) in missing {
            // A finished link whose namespace has lost its mount leads into a namespace that nobody finds.
            let orphan: Vec<_> = kept.iter().filter(|link| link.name == name).cloned().collect();
            let attached = remove_links(&router, &orphan).and_then(|()| self.attach(plan, interface, &mark));
            if let Err(error) = attached {
                tracing::warn!(vpc = %self.id, eni = %interface.eni_id, %error, "cannot attach an interface");
                first_failure = first_failure.and(Err(error));
            }
        }
        first_failure
    }

    /// Whether an interface is there, finished and judged by the plan's packet rules.
    pub(super) fn is_attached(&self, plan: &VpcPlan, eni_id: &str) -> Result<bool, NetworkError> {
        if !self.router().exists()
            || !self.instance(eni_id).exists()
            || self.loaded.as_ref() != Some(&ruleset(plan))
        {
            return Ok(false);
        }
        let links =
            self.router().enter(|| link::with_netlink(|h| async move { link::router_links(&h).await }))?;
        let wanted = wanted_links(plan).remove(&link::router_name(eni_id));
        Ok(wanted.is_some_and(|(_, mark)| links.iter().any(|link| link.mark.as_ref() == Some(&mark))))
    }

    fn load_rules(&mut self, plan: &VpcPlan, is_new: bool) -> Result<(), NetworkError> {
        let script = ruleset(plan);
        if is_new || self.loaded.as_ref() != Some(&script) {
            self.loaded = None;
            nft::load(&self.router(), &self.id, &script)?;
            self.loaded = Some(script);
        }
        Ok(())
    }

    fn attach(&self, plan: &VpcPlan, interface: &InterfacePlan, mark: &str) -> Result<(), NetworkError> {
        // `check` has seen that the subnet exists.
        let Some(subnet) = plan.subnet_of(interface) else { return Ok(()) };
        let (router, instance) = (self.router(), self.instance(&interface.eni_id));
        instance.ensure()?;
        let link = router.enter(|| {
            let link = link::with_netlink(|handle| {
                let instance = &instance;
                async move { link::connect(&handle, interface, instance).await }
            })?;
            // A guest that asks for its neighbours by ARP is answered by the router, and at once: the kernel
            // would wait up to 0.8 s before it answers for another.
            set_sysctl(&format!("ipv4/neigh/{}/proxy_delay", link.name), "0")?;
            Ok(link)
        })?;
        instance.enter(|| {
            link::with_netlink(|handle| async move {
                link::set_up_instance(&handle, interface, subnet.cidr, subnet.gateway()).await
            })
        })?;
        router.enter(|| link::with_netlink(|handle| async move { link::finish(&handle, &link, mark).await }))
    }

    /// Takes an interface away, with its namespace. One that is not there is no error.
    pub(super) fn detach(&self, eni_id: &str) -> Result<(), NetworkError> {
        let (router, name) = (self.router(), link::router_name(eni_id));
        if router.exists() {
            let links =
                router.enter(|| link::with_netlink(|h| async move { link::router_links(&h).await }))?;
            let ours: Vec<_> = links.into_iter().filter(|link| link.name == name).collect();
            remove_links(&router, &ours)?;
        }
        self.instance(eni_id).remove()
    }

    /// Takes everything away. The links go explicitly: a router that some open socket still holds must not keep
    /// them.
    pub(super) fn remove(&mut self) -> Result<(), NetworkError> {
        self.loaded = None;
        let router = self.router();
        if router.exists() {
            let links =
                router.enter(|| link::with_netlink(|h| async move { link::router_links(&h).await }))?;
            remove_links(&router, &links)?;
        }
        self.remove_namespaces_but(|_| false)?;
        match fs::remove_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(NetworkError::os(|| format!("remove {}", self.dir.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn remove_namespaces_but(&self, keep: impl Fn(&str) -> bool) -> Result<(), NetworkError> {
        let listed = || format!("list {}", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(NetworkError::os(listed))?,
        };
        for entry in entries {
            let entry = entry.map_err(NetworkError::os(listed))?;
            if !entry.file_name().to_str().is_some_and(&keep) {
                NetNs::at(entry.path()).remove()?;
            }
        }
        Ok(())
    }
}

/// What each planned link shall be named and marked.
fn wanted_links(plan: &VpcPlan) -> BTreeMap<String, (&InterfacePlan, String)> {
    let link = |interface| {
        let gateway = plan.subnet_of(interface)?.gateway();
        Some((link::router_name(&interface.eni_id), (interface, link::mark(interface, gateway))))
    };
    plan.interfaces.iter().filter_map(link).collect()
}

/// The addresses at which the router itself answers.
fn loopback_addresses(plan: &VpcPlan) -> Vec<Ipv4Addr> {
    let mut addresses =
        vec![METADATA_ADDRESS, RESOLVER_ADDRESS, TIME_ADDRESS, API_ADDRESS, OUTSIDE_ADDRESS, plan.resolver()];
    addresses.extend(plan.subnets.iter().map(|subnet| subnet.gateway()));
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn remove_links(router: &NetNs, links: &[RouterLink]) -> Result<(), NetworkError> {
    if links.is_empty() {
        return Ok(());
    }
    router.enter(|| link::with_netlink(|handle| async move { link::remove(&handle, links).await }))
}

/// What makes a namespace a router.
fn set_router_sysctls() -> Result<(), NetworkError> {
    const SETTINGS: [(&str, &str); 5] = [
        ("ipv4/ip_forward", "1"),
        // An instance that has its subnet on its link (set so by its own system) still gets through.
        ("ipv4/conf/all/proxy_arp", "1"),
        // Strict: a packet whose source is not its sender's address is dropped, as EC2 does.
        ("ipv4/conf/all/rp_filter", "1"),
        ("ipv4/conf/default/rp_filter", "1"),
        // The VPC has no IPv6 range.
        ("ipv6/conf/all/disable_ipv6", "1"),
    ];
    SETTINGS.iter().try_for_each(|(key, value)| set_sysctl(key, value))
}
