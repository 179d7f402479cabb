//! From EC2's records to what the network shall be. Reads, never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use ipnet::Ipv4Net;
use machine::network::{
    Direction, Forward, InterfacePlan, Mac, OUTSIDE_ADDRESS, Peer, PortRange, ProtocolPlan, RoutePlan,
    RouteTarget, RulePlan, SubnetPlan, VpcPlan,
};

use super::VpcError;
use super::barrier::{self, Barrier};
use super::names::Names;
use crate::Store;
use crate::ec2::state::{
    self, InstanceRecord, InternetGatewayRecord, NetworkInterfaceRecord, RouteTableRecord,
    SecurityGroupRecord, SubnetRecord, VpcRecord, private_dns_name,
};

/// The most host ports that lead to one instance.
const MAX_FORWARDS: usize = 64;
/// Rules for more ports than this are not for the host: only SSH is taken from them.
const MAX_RANGE: u16 = 16;
/// SSH: how people, and image builds, come in.
const SSH: u16 = 22;

/// Everything about one VPC that its network and its services need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VpcState {
    /// The network.
    pub(super) plan: VpcPlan,
    /// What the resolver knows.
    pub(super) names: Names,
    /// How many hops the answer to a metadata token request may go, by instance address.
    pub(super) hop_limits: BTreeMap<Ipv4Addr, u8>,
    /// The host ports that lead in.
    pub(super) forwards: BTreeSet<Forward>,
}

/// The VPCs that have an instance's interface. The others (a region's default VPC) cost nothing.
pub(super) fn vpcs_in_use(store: &Store) -> BTreeSet<String> {
    let interfaces = store.all::<NetworkInterfaceRecord>();
    interfaces.iter().filter(|eni| eni.attachment.is_some()).map(|eni| eni.vpc_id.clone()).collect()
}

/// The plans of all VPCs in use.
///
/// # Errors
/// See [`VpcError::Record`].
pub fn plans(store: &Store) -> Result<Vec<VpcPlan>, VpcError> {
    vpcs_in_use(store).iter().filter_map(|id| state(store, id).transpose()).map(|s| Ok(s?.plan)).collect()
}

/// What keeps an instance from the AWS API, as far as its VPC's records tell; none when nothing does, or there is no
/// such instance.
///
/// # Errors
/// See [`VpcError::Record`].
pub fn barrier(store: &Store, instance_id: &str) -> Result<Option<Barrier>, VpcError> {
    let instances = store.all::<InstanceRecord>();
    let Some(instance) = instances.iter().find(|instance| instance.id == instance_id) else {
        return Ok(None);
    };
    let state = state(store, &instance.vpc_id)?;
    Ok(state.and_then(|state| barrier::to_api(&state.plan, instance_id)))
}

/// The state of one VPC; none if there is no such VPC.
pub(super) fn state(store: &Store, vpc_id: &str) -> Result<Option<VpcState>, VpcError> {
    let Some(vpc) = store.all::<VpcRecord>().into_iter().find(|vpc| vpc.id == vpc_id) else {
        return Ok(None);
    };
    let region = vpc.region.as_str();
    let mut interfaces = store.list::<NetworkInterfaceRecord>(region);
    interfaces.retain(|eni| eni.vpc_id == vpc.id && eni.attachment.is_some());
    let plan = VpcPlan {
        vpc_id: vpc.id.clone(),
        cidr: vpc.cidr,
        interfaces: interfaces.iter().map(|eni| interface(eni)).collect::<Result<_, _>>()?,
        subnets: subnets(store, &vpc),
        security_groups: security_groups(store, &vpc),
        prefix_lists: BTreeMap::new(),
    };
    let named =
        interfaces.iter().map(|eni| (eni.private_address, private_dns_name(eni.private_address, region)));
    Ok(Some(VpcState {
        names: Names::new(vpc.enable_dns_support, named),
        hop_limits: hop_limits(store, &vpc),
        forwards: interfaces.iter().flat_map(|eni| forwards(&plan, eni)).collect(),
        plan,
    }))
}

fn interface(eni: &NetworkInterfaceRecord) -> Result<InterfacePlan, VpcError> {
    let mac: Mac = eni.mac.parse().map_err(|source| VpcError::Record { eni: eni.id.clone(), source })?;
    Ok(InterfacePlan {
        eni_id: eni.id.clone(),
        instance_id: eni.attachment.as_ref().map(|attached| attached.instance_id.clone()).unwrap_or_default(),
        address: eni.private_address,
        mac,
        subnet_id: eni.subnet_id.clone(),
        security_groups: eni.groups.clone(),
        has_public_address: eni.public_address.is_some(),
    })
}

fn subnets(store: &Store, vpc: &VpcRecord) -> Vec<SubnetPlan> {
    let mut tables = store.list::<RouteTableRecord>(&vpc.region);
    tables.retain(|table| table.vpc_id == vpc.id);
    let mut gateways = store.list::<InternetGatewayRecord>(&vpc.region);
    gateways.retain(|gateway| gateway.vpc_id.as_ref() == Some(&vpc.id));
    let routes = |subnet: &SubnetRecord| {
        let own = tables.iter().find(|table| table.is_for(&subnet.id));
        let table = own.or_else(|| tables.iter().find(|table| table.is_main()));
        table.map(|table| table.routes.iter().map(|route| plan_route(route, &gateways)).collect())
    };
    let subnets = store.list::<SubnetRecord>(&vpc.region);
    let ours = subnets.iter().filter(|subnet| subnet.vpc_id == vpc.id);
    ours.map(|subnet| SubnetPlan {
        id: subnet.id.clone(),
        cidr: subnet.cidr,
        routes: routes(subnet).unwrap_or_default(),
    })
    .collect()
}

fn plan_route(route: &state::Route, attached: &[Arc<InternetGatewayRecord>]) -> RoutePlan {
    let target = match &route.target {
        state::RouteTarget::Local => RouteTarget::Local,
        state::RouteTarget::InternetGateway(id) if attached.iter().any(|gateway| gateway.id == *id) => {
            RouteTarget::InternetGateway
        }
        state::RouteTarget::InternetGateway(_) => RouteTarget::Blackhole,
    };
    RoutePlan { destination: route.destination, target }
}

fn security_groups(store: &Store, vpc: &VpcRecord) -> BTreeMap<String, Vec<RulePlan>> {
    let groups = store.list::<SecurityGroupRecord>(&vpc.region);
    let ours = groups.iter().filter(|group| group.vpc_id == vpc.id);
    ours.map(|group| (group.id.clone(), group.rules.iter().map(plan_rule).collect())).collect()
}

fn plan_rule(rule: &state::Rule) -> RulePlan {
    RulePlan {
        direction: if rule.egress { Direction::Egress } else { Direction::Ingress },
        protocol: match rule.protocol {
            state::Protocol::All => ProtocolPlan::All,
            state::Protocol::Tcp { from, to } => ProtocolPlan::Tcp(PortRange { first: from, last: to }),
            state::Protocol::Udp { from, to } => ProtocolPlan::Udp(PortRange { first: from, last: to }),
            state::Protocol::Icmp { kind, code } => ProtocolPlan::Icmp { kind, code },
            state::Protocol::Number(number) => ProtocolPlan::Number(number),
        },
        peer: match &rule.peer {
            state::Peer::Cidr(range) => Peer::Cidr(*range),
            state::Peer::Group(id) => Peer::Group(id.clone()),
        },
    }
}

fn hop_limits(store: &Store, vpc: &VpcRecord) -> BTreeMap<Ipv4Addr, u8> {
    let instances = store.list::<InstanceRecord>(&vpc.region);
    let ours = instances.iter().filter(|instance| instance.vpc_id == vpc.id && instance.state.lives());
    ours.map(|instance| {
        let hops = u8::try_from(instance.metadata.hop_limit.clamp(1, 64)).unwrap_or(1);
        (instance.private_address, hops)
    })
    .collect()
}

/// The host ports that lead to an interface: what its groups open for the host, if it has a public address and
/// a way to the internet.
fn forwards(plan: &VpcPlan, eni: &NetworkInterfaceRecord) -> BTreeSet<Forward> {
    let reachable = plan.interface(&eni.id).is_some_and(|interface| plan.reaches_outside(interface));
    let Some(public) = eni.public_address.filter(|_| reachable) else { return BTreeSet::new() };
    let rules = eni.groups.iter().filter_map(|group| plan.security_groups.get(group)).flatten();
    let forward = |port| Forward {
        listen: SocketAddrV4::new(public, port),
        vpc_id: plan.vpc_id.clone(),
        to: SocketAddrV4::new(eni.private_address, port),
    };
    open_ports(rules).into_iter().map(forward).collect()
}

/// The TCP ports that rules open for connections from the host: SSH first, then single ports and short ranges.
fn open_ports<'r>(rules: impl IntoIterator<Item = &'r RulePlan>) -> Vec<u16> {
    let mut open = BTreeSet::new();
    for rule in rules {
        if rule.direction != Direction::Ingress || !is_for_host(&rule.peer) {
            continue;
        }
        match rule.protocol {
            ProtocolPlan::All => {
                open.insert(SSH);
            }
            ProtocolPlan::Tcp(ports) => {
                if (ports.first..=ports.last).contains(&SSH) {
                    open.insert(SSH);
                }
                // Nobody can connect to port 0; to listen on it would mean any free port.
                if ports.last.saturating_sub(ports.first) < MAX_RANGE {
                    open.extend(ports.first.max(1)..=ports.last);
                }
            }
            ProtocolPlan::Udp(_) | ProtocolPlan::Icmp { .. } | ProtocolPlan::Number(_) => (),
        }
    }
    let ssh = open.take(&SSH);
    ssh.into_iter().chain(open).take(MAX_FORWARDS).collect()
}

fn is_for_host(peer: &Peer) -> bool {
    match peer {
        Peer::Cidr(range) => Ipv4Net::contains(range, &OUTSIDE_ADDRESS),
        Peer::Group(_) | Peer::PrefixList(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress(protocol: ProtocolPlan, from: &str) -> RulePlan {
        RulePlan { direction: Direction::Ingress, protocol, peer: Peer::Cidr(from.parse().unwrap()) }
    }

    fn tcp(first: u16, last: u16) -> ProtocolPlan {
        ProtocolPlan::Tcp(PortRange { first, last })
    }

    #[test]
    fn the_host_gets_the_ports_that_are_open_to_all() {
        let anywhere = "0.0.0.0/0";
        let cases = [
            (vec![ingress(tcp(80, 80), anywhere), ingress(tcp(22, 22), anywhere)], vec![22, 80]),
            (vec![ingress(tcp(8000, 8002), anywhere)], vec![8000, 8001, 8002]),
            (vec![ingress(tcp(0, 65535), anywhere)], vec![22]),
            (vec![ingress(tcp(32768, 65535), anywhere)], vec![]),
            (vec![ingress(ProtocolPlan::All, anywhere)], vec![22]),
            (vec![ingress(tcp(80, 80), "10.0.0.0/8")], vec![]),
            (vec![ingress(ProtocolPlan::Udp(PortRange::one(53)), anywhere)], vec![]),
            (vec![RulePlan { direction: Direction::Egress, ..ingress(tcp(80, 80), anywhere) }], vec![]),
        ];
        for (rules, expected) in cases {
            assert_eq!(open_ports(&rules), expected, "{rules:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_ports_of_an_instance() {
        let rules: Vec<_> = (1..=200).map(|port| ingress(tcp(port * 10, port * 10), "0.0.0.0/0")).collect();
        assert_eq!(open_ports(&rules).len(), MAX_FORWARDS);
    }
}
